//! The process that cleans up when the owner of private servers is killed.
//!
//! A shell that reads from a pipe: when the owner ends, in whatever way, the pipe closes, and the
//! shell ends the servers and removes the folder. Meanwhile it holds the folder's lock as its output,
//! so that no [`super::sweep()`] interferes. A shell is on every system, takes a megabyte, and does
//! not need the path of this program.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::LocalError;

const SHELL: &str = "/bin/sh";

/// The guard's script. It takes process ids from its owner only: a file in a server's home could name
/// any process, and under root the guard may end any.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
any_lives() {
  for pid in $postgres $redis; do kill -0 "$pid" && return 0; done
  return 1
}
postgres= redis=
while read -r word pid; do
  case $word in
    postgres) postgres=$pid ;;
    redis) redis=$pid ;;
    outlive) while kill -0 "$pid"; do sleep 0.2; done; break ;;
    dismissed) exit 0 ;;
  esac
done
if [ -n "$redis" ]; then
  kill -CONT "$redis"
  kill -TERM "$redis"
fi
if [ -n "$postgres" ]; then
  kill -CONT "$postgres"
  kill -QUIT "$postgres"
fi
tries=0
while [ $tries -lt 50 ] && any_lives; do
  sleep 0.1
  tries=$((tries + 1))
done
for pid in $postgres $redis; do kill -KILL "$pid"; done
if [ "$2" = remove ]; then rm -rf -- "$1"; else rm -f -- "$1/running"; fi
"#;

/// Whether the guard removes the folder after it has ended the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    Remove,
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Postgres,
    Redis,
}

impl Program {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }

    /// The name of its log file.
    pub(super) fn log(self) -> &'static str {
        match self {
            Self::Postgres => "pg.log",
            Self::Redis => "redis.log",
        }
    }
}

/// A running guard. Dropping it does nothing: whoever drops it has cleaned up.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    /// A std mutex: a line of 20 bytes never fills the pipe, so nobody waits while holding it.
    orders: Mutex<Option<ChildStdin>>,
}

impl Guard {
    /// Starts a guard of a folder whose owner file is locked through `lock`.
    pub(super) fn start(
        folder: &Path,
        lock: &File,
        afterwards: Afterwards,
    ) -> Result<Self, LocalError> {
        let what = match afterwards {
            Afterwards::Remove => "remove",
            Afterwards::Keep => "keep",
        };
        let lock = lock.try_clone().map_err(LocalError::files(folder))?;
        let mut child = Command::new(SHELL)
            .args(["-c", SCRIPT, "tmt-guard"])
            .arg(folder)
            .arg(what)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| LocalError::Spawn { path: SHELL.into(), source })?;
        let orders = Mutex::new(child.stdin.take());
        Ok(Self { child, orders })
    }

    /// Tells the guard the process id of a server, or that it has ended.
    pub(super) fn watch(&self, program: Program, pid: Option<i32>) {
        let name = match program {
            Program::Postgres => "postgres",
            Program::Redis => "redis",
        };
        self.order(&format!("{name} {}", pid.map(|pid| pid.to_string()).unwrap_or_default()));
    }

    /// Makes the guard clean up when process `pid` ends instead of its owner.
    pub(super) fn outlive_owner_until(&self, pid: i32) {
        self.order(&format!("outlive {pid}"));
    }

    /// Ends the guard; returns when it has released the lock.
    pub(super) fn dismiss(&mut self) {
        self.order("dismissed");
        self.child.wait().ok();
    }

    fn order(&self, line: &str) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = orders.as_mut() {
            // Fails only if the guard was killed; then the next sweep cleans up.
            pipe.write_all(format!("{line}\n").as_bytes()).ok();
        }
    }
}
