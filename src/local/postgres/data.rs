//! The data folder of a private PostgreSQL, created by `initdb`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::local::LocalError;
use crate::local::folder::Folder;
use crate::local::log::reason;
use crate::local::process::isolate;
use crate::local::programs::PostgresPrograms;
use crate::local::secret::{Password, create_private};

/// The superuser of every private server.
pub const SUPERUSER: &str = "tmt_local";

/// The data folder in the server's home.
pub(super) fn folder_in(home: &Path) -> PathBuf {
    home.join("data")
}

/// The file with the superuser's password, readable by the server's user only.
fn password_path(folder: &Folder) -> PathBuf {
    folder.path().join("pg.password")
}

pub(super) fn saved_password(folder: &Folder) -> Result<Password, LocalError> {
    let path = password_path(folder);
    let text = fs::read_to_string(&path).map_err(LocalError::files(&path))?;
    Ok(Password::from_text(&text))
}

/// Creates the data folder with `initdb`, which takes 0.7 s. Copying a cached one would take 0.1 s,
/// and a cache to maintain.
pub(super) async fn make(
    folder: &Folder,
    programs: &PostgresPrograms,
    home: &Path,
) -> Result<Password, LocalError> {
    let (password, password_path) = (Password::random()?, password_path(folder));
    // Left by an interrupted initdb.
    fs::remove_file(&password_path).ok();
    let write = || -> std::io::Result<()> {
        use std::io::Write as _;
        create_private(&password_path)?.write_all(password.reveal().as_bytes())
    };
    write().map_err(LocalError::files(&password_path))?;
    folder.give(&password_path)?;

    let unfinished = home.join("unfinished");
    let program = programs.folder.join("initdb");
    let mut command = Command::new(&program);
    command
        .current_dir(home)
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
    // Ctrl-C goes to the console, which drops this future.
    let output = command.process_group(0).kill_on_drop(true).output().await;
    let output = output.map_err(|source| LocalError::Spawn { path: program, source })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let said = reason(&text, &["FATAL:", "initdb: error:"]).unwrap_or_default();
        return Err(LocalError::NotStarted { program: "initdb", said });
    }
    // Renamed when complete: an interrupted initdb is repeated.
    fs::rename(&unfinished, folder_in(home)).map_err(LocalError::files(home))?;
    Ok(password)
}
