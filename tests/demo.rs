//! `tmt demo` and `tmt local`, as a shell starts and ends them.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Deadline of every wait; `make bench` measures how long things take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program, with an empty environment but for `PATH`.
fn tmt(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tmt"));
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn ran(home: &Path, words: &[&str], variables: &[(String, String)]) -> (i32, String) {
    let mut command = tmt(home);
    command.args(words).envs(variables.iter().cloned());
    let output = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap_or(-1), said)
}

/// `tmt demo` without a console.
struct Demo {
    home: TempDir,
    child: Child,
    variables: Vec<(String, String)>,
}

impl Demo {
    async fn start(words: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = tmt(home.path());
        command.args(["demo", "--headless"]).args(words).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut variables = Vec::new();
        while variables.len() < 2 {
            let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
            let (name, value) = line.split_once('=').unwrap();
            variables.push((name.to_owned(), value.to_owned()));
        }
        Self { home, child, variables }
    }

    async fn run(&self, words: &[&str]) -> (i32, String) {
        ran(self.home.path(), words, &self.variables).await
    }

    /// The folder of the servers.
    fn folder(&self) -> PathBuf {
        let (_, address) = self.variables.first().unwrap();
        let host = address.split_once("host=").unwrap().1.split_once('&').unwrap().0;
        Path::new(host).parent().unwrap().to_owned()
    }

    async fn end_with(&mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code()
    }
}

/// Waits until a folder is gone: a guard may still be at work.
async fn gone(folder: &Path) {
    let waiting = async {
        while folder.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test]
async fn tmt_doctor_passes_on_a_demo() {
    let demo = Demo::start(&["--role", "risk"]).await;
    let (code, said) = demo.run(&["doctor"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("risk1, role risk") && !said.contains("FAIL"), "{said}");
    let (code, accounts) = demo.run(&["accounts", "--csv"]).await;
    assert_eq!((code, accounts.lines().count()), (0, 7), "six accounts and a heading: {accounts}");
    // The market has a price, so the order needs none.
    let (code, said) = demo.run(&["buy", "EUR_USD", "1k", "@alpha", "--dry-run"]).await;
    assert!(code == 3 && said.contains("NOT_PERMITTED"), "a risk officer may not trade: {said}");
}

#[tokio::test]
async fn a_demo_leaves_nothing_behind_however_it_ends() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut demo = Demo::start(&[]).await;
        let folder = demo.folder();
        assert!(folder.exists());
        assert_eq!(demo.end_with(signal).await, Some(0), "{signal:?}");
        assert!(!folder.exists(), "{signal:?}");
    }
    let mut demo = Demo::start(&[]).await;
    let folder = demo.folder();
    assert_eq!(demo.end_with(Signal::KILL).await, None);
    gone(&folder).await;
}

#[tokio::test]
async fn recorded_quotes_replace_random_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("USD_JPY-2013-01-01.csv");
    let line = |second: u32| {
        let (minute, rest, pip) = (second / 60, second % 60, second % 900);
        format!("2013-01-01T10:{minute:02}:{rest:02}Z,86.{pip:03},86.{:03}\n", pip + 3)
    };
    let text: String =
        std::iter::once("time,bid,ask\n".to_owned()).chain((0..3600).map(line)).collect();
    std::fs::write(&file, text).unwrap();
    let demo = Demo::start(&["--replay", file.to_str().unwrap(), "--speed", "60x"]).await;
    let (code, said) =
        demo.run(&["buy", "USD_JPY", "1k", "sl=80.000", "@alpha", "--dry-run"]).await;
    assert!(said.contains("BUY 1,000 USD_JPY @ 86."), "{code}: {said}");
    let missing = Demo::start_failing(&["--replay", "nowhere.csv"]).await;
    assert!(missing.0 == 1 && missing.1.contains("nowhere.csv"), "{missing:?}");
}

impl Demo {
    async fn start_failing(words: &[&str]) -> (i32, String) {
        let home = tempfile::tempdir().unwrap();
        let words: Vec<&str> =
            ["demo", "--headless"].into_iter().chain(words.iter().copied()).collect();
        ran(home.path(), &words, &[]).await
    }
}

#[tokio::test]
async fn private_servers_start_migrate_stop_and_reset() {
    let home = tempfile::tempdir().unwrap();
    let folder = tempfile::Builder::new().prefix("tmt-cli-").tempdir_in("/tmp").unwrap();
    open_to_all(folder.path());
    let local = folder.path().join("servers");
    let log = folder.path().join("tmt.log");
    let variables = [("TMT_LOCAL_FOLDER", &local), ("TMT_LOG_FILE", &log)]
        .map(|(name, path)| (name.to_owned(), path.to_str().unwrap().to_owned()));
    let run = async |words: &[&str]| ran(home.path(), words, &variables).await;

    let (code, said) = run(&["local", "start"]).await;
    assert_eq!(code, 0, "{said}");
    let written = std::fs::read_to_string(&log).unwrap();
    assert!(written.contains("private servers started"), "{written}");
    assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, twice) = run(&["local", "start"]).await;
    assert!(code == 1 && twice.contains("tmt local stop"), "{twice}");
    let (code, environment) = run(&["local", "env"]).await;
    assert_eq!(code, 0, "{environment}");
    let exported: Vec<(String, String)> = environment
        .lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=').unwrap();
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        })
        .collect();
    assert_eq!(exported.len(), 2, "{environment}");
    let (code, said) = ran(home.path(), &["migrate"], &exported).await;
    assert_eq!(code, 0, "{said}");

    // With several servers running, the chosen ones are named.
    let demo = Demo::start(&[]).await;
    let (_, several) = run(&["local", "env"]).await;
    let taken = format!("using those of `tmt local start`, in {}", local.display());
    assert!(several.contains(&taken) && several.contains(&exported[0].1), "{several}");
    drop(demo);

    let (code, said) = run(&["local", "status"]).await;
    assert!(code == 0 && said.contains("both running") && said.contains(":***@"), "{said}");
    assert_eq!(run(&["local", "stop"]).await.0, 0);
    assert!(run(&["local", "reset"]).await.1.contains("--yes"));
    assert!(local.exists());
    assert_eq!(run(&["local", "reset", "--yes"]).await.0, 0);
    assert!(!local.exists());
}

/// Lets the user that the servers run as enter.
fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}
