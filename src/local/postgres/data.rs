//! The data folder of a private PostgreSQL: made by `initdb`, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::local::LocalError;
use crate::local::folder::Folder;
use crate::local::log::reason;
use crate::local::process::isolate;
use crate::local::programs::PostgresPrograms;
use crate::local::secret::{Password, create_private};

/// The name of the superuser that every private server has.
pub const SUPERUSER: &str = "tmt_local";

/// Where the data lies in the server's room.
pub(super) fn folder_in(room: &Path) -> PathBuf {
    room.join("data")
}

/// Where the superuser's password is kept, readable by the server's user and nobody else.
fn password_path(folder: &Folder) -> PathBuf {
    folder.path().join("pg.password")
}

pub(super) fn saved_password(folder: &Folder) -> Result<Password, LocalError> {
    let path = password_path(folder);
    let text = fs::read_to_string(&path).map_err(LocalError::files(&path))?;
    Ok(Password::from_text(&text))
}

/// Makes the data folder with `initdb`, which takes 0.7 s. A copy of a cached one would take 0.1 s
/// and a cache to keep right.
pub(super) async fn make(
    folder: &Folder,
    programs: &PostgresPrograms,
    room: &Path,
) -> Result<Password, LocalError> {
    let (password, password_path) = (Password::random()?, password_path(folder));
    // Left by an initdb that was interrupted, if it is there.
    fs::remove_file(&password_path).ok();
    let write = || -> std::io::Result<()> {
        use std::io::Write as _;
        create_private(&password_path)?.write_all(password.reveal().as_bytes())
    };
    write().map_err(LocalError::files(&password_path))?;
    folder.give(&password_path)?;

    let unfinished = room.join("unfinished");
    let program = programs.folder.join("initdb");
    let mut command = Command::new(&program);
    command
        .current_dir(room)
        .arg("-D")
        .arg(&unfinished)
        .args(["-U", SUPERUSER, "-E", "UTF8", "--no-locale", "--no-instructions"])
        .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
        .arg("--pwfile")
        .arg(&password_path)
        .stdin(Stdio::null());
    if folder.is_ephemeral() {
        command.arg("--no-sync");
    }
    isolate(&mut command, folder.account());
    let mut command = tokio::process::Command::from(command);
    // A Ctrl-C goes to the console, which drops this future.
    let output = command.process_group(0).kill_on_drop(true).output().await;
    let output = output.map_err(|source| LocalError::Spawn { path: program, source })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let said = reason(&text, &["FATAL:", "initdb: error:"]).unwrap_or_default();
        return Err(LocalError::NotStarted { program: "initdb", said });
    }
    // The name says that the folder is whole: an interrupted initdb is begun again.
    fs::rename(&unfinished, folder_in(room)).map_err(LocalError::files(room))?;
    Ok(password)
}
