//! Private servers whose owner was killed, or that were left running on purpose.
//!
//! The owner is this test program, started again: a separate process can be killed.

// Looks processes up in /proc.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]
#![expect(clippy::print_stdout, reason = "the second process answers the first on its output")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tmt::local::{LocalError, Options, Postgres, Servers, service, sweep};

const OWNER: &str = "OWNER_OF_THE_SERVERS";

/// Run by the other tests in a second process.
#[tokio::test]
#[ignore = "started by the other tests, in a process of its own"]
async fn own_servers_until_killed() {
    let Ok(how) = std::env::var(OWNER) else { return };
    let say = |postgres: &Postgres, redis| {
        let folder = postgres.socket_folder().parent().unwrap().display();
        println!("servers {folder} {} {redis}", postgres.pid().unwrap());
    };
    if let Some(pid) = how.strip_prefix("until ") {
        let postgres = Postgres::start(Options::in_memory()).await.unwrap();
        say(&postgres, "");
        postgres.leave_until_end_of(pid.parse().unwrap());
        return;
    }
    let servers = Servers::start(Options::in_memory()).await.unwrap();
    say(servers.postgres(), &servers.redis().pid().unwrap().to_string());
    std::future::pending::<()>().await;
}

struct Owned {
    owner: Child,
    pids: Vec<i32>,
    folder: PathBuf,
    /// Held: the test harness in the other process panics when its output is closed.
    _said: Box<dyn Iterator<Item = String>>,
}

impl Owned {
    fn start(how: &str) -> Self {
        Self::start_with(Command::new(std::env::current_exe().unwrap()), how)
    }

    fn start_with(mut program: Command, how: &str) -> Self {
        let mut owner = program
            .args(["--exact", "own_servers_until_killed", "--ignored", "--nocapture"])
            .env(OWNER, how)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = said.find(|line| line.contains("servers ")).unwrap();
        let mut words = line.split_whitespace().skip_while(|word| *word != "servers").skip(1);
        let folder = words.next().unwrap().into();
        let pids = words.map(|word| word.parse().unwrap()).collect();
        Self { owner, pids, folder, _said: Box::new(said) }
    }

    fn guard(&self) -> i32 {
        let folder = self.folder.to_str().unwrap();
        processes()
            .find(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                line.contains("tmt-guard") && line.contains(folder)
            })
            .unwrap()
    }

    fn is_gone(&self) -> bool {
        !self.folder.exists() && self.pids.iter().all(|pid| !is_alive(*pid))
    }
}

fn processes() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process runs; a zombie does not.
fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

async fn until(what: impl Fn() -> bool) {
    let wait = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}

#[tokio::test]
async fn a_killed_owner_leaves_nothing() {
    let mut servers = Owned::start("killed");

    servers.owner.kill().unwrap();
    servers.owner.wait().unwrap();

    until(|| servers.is_gone()).await;
}

#[tokio::test]
async fn the_next_start_cleans_up_after_a_killed_owner_and_its_killed_guard() {
    let mut servers = Owned::start("killed");
    kill(servers.guard());
    servers.owner.kill().unwrap();
    servers.owner.wait().unwrap();
    assert!(servers.pids.iter().all(|pid| is_alive(*pid)));

    Servers::start(Options::in_memory()).await.unwrap().stop().await.unwrap();

    until(|| servers.is_gone()).await;
}

#[tokio::test]
async fn a_sweep_does_not_touch_servers_of_a_running_owner() {
    let mut servers = Owned::start("killed");

    sweep();

    assert!(servers.folder.exists());
    assert!(servers.pids.iter().all(|pid| is_alive(*pid)));
    servers.owner.kill().unwrap();
    servers.owner.wait().unwrap();
    until(|| servers.is_gone()).await;
}

#[tokio::test]
async fn servers_left_to_another_process_end_with_it() {
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let mut servers = Owned::start(&format!("until {}", other.id()));
    servers.owner.wait().unwrap();
    sweep();
    assert!(servers.pids.iter().all(|pid| is_alive(*pid)));

    other.kill().unwrap();
    other.wait().unwrap();

    until(|| servers.is_gone()).await;
}

mod needs_root {
    use super::*;

    /// When tests run without root, every other test shows the same.
    #[tokio::test]
    #[ignore = "needs root, to become an ordinary user"]
    async fn an_ordinary_user_starts_servers() {
        let place = tempfile::Builder::new().prefix("ordinary").tempdir_in("/tmp").unwrap();
        open_to_all(place.path());
        // A copy: the build folder may be readable by root only.
        let program = place.path().join("owner");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut command = Command::new(&program);
        command.uid(65534).gid(65534).current_dir("/");

        let mut servers = Owned::start_with(command, "killed");

        let status = std::fs::read_to_string(format!("/proc/{}/status", servers.pids[0])).unwrap();
        assert!(status.contains("Uid:\t65534\t65534"), "{status}");
        servers.owner.kill().unwrap();
        servers.owner.wait().unwrap();
        until(|| servers.is_gone()).await;
    }
}

#[tokio::test]
async fn started_servers_stay_until_they_are_stopped_and_reset_deletes_them() {
    let place = tempfile::Builder::new().prefix("service").tempdir_in("/tmp").unwrap();
    open_to_all(place.path());
    let folder = place.path().join("local");

    let started = service::start(&folder).await.unwrap();
    assert_eq!(service::list(&folder).first(), Some(&started));
    let again = service::start(&folder).await.unwrap_err();
    assert!(matches!(again, LocalError::AlreadyRunning { .. }), "{again}");
    let (client, connection) =
        tokio_postgres::connect(&started.database_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE kept (n int)").await.unwrap();

    let stopped = service::stop(&folder).await.unwrap();
    assert_eq!(stopped, Some(started.clone()));
    let (postgres, redis) = started.pids();
    assert!(!is_alive(postgres) && !is_alive(redis));
    assert_eq!(service::stop(&folder).await.unwrap(), None);
    assert!(!service::list(&folder).iter().any(|running| running.folder == folder));

    let again = service::start(&folder).await.unwrap();
    let (client, connection) =
        tokio_postgres::connect(&again.database_url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SELECT n FROM kept").await.unwrap();

    service::reset(&folder).await.unwrap();
    assert!(!folder.exists());
    let (postgres, redis) = again.pids();
    assert!(!is_alive(postgres) && !is_alive(redis));
}

#[tokio::test]
async fn reset_refuses_a_foreign_folder() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("pg"), "dear").unwrap();

    let refused = service::reset(place.path()).await.unwrap_err();

    assert!(matches!(refused, LocalError::NotOurs { .. }), "{refused}");
    assert!(place.path().join("pg").exists());
}

/// Lets the user that the servers run as under root reach the folder.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}
