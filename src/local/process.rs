//! A server process: identity, state, end.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::LocalError;
use super::account::Account;
use super::process_table::{LOOK, birth};

/// How long a process gets to exit after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// A server process, started by this process or an earlier one.
///
/// Dropping one that this process started ends it, so that a cancelled start leaves none.
#[derive(Debug)]
pub(super) struct Process {
    program: &'static str,
    pid: Pid,
    /// Start time, which tells the process from a later one with its id; `None` if it exited at once.
    born: Option<String>,
    /// Set if the process is a child, which has to be waited for.
    child: Option<Child>,
    /// Signal that drop sends; `None` leaves the process running.
    on_drop: Option<Signal>,
}

impl Process {
    /// Starts a server in a process group of its own: Ctrl-C is for the console, which still uses the
    /// database.
    ///
    /// The environment is cleared, or `PGDATA`, `PGPORT` and their like would count.
    pub(super) fn start(
        program: &'static str,
        mut command: Command,
        account: Option<&Account>,
        on_drop: Signal,
    ) -> Result<Self, LocalError> {
        isolate(&mut command, account);
        let path = command.get_program().into();
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|source| LocalError::Spawn { path, source })?;
        let pid = Pid::from_child(&child);
        let on_drop = Some(on_drop);
        Ok(Self { program, pid, born: birth(pid), child: Some(child), on_drop })
    }

    /// Takes over a process that another command started; `None` if it has ended.
    pub(super) fn adopt(program: &'static str, pid: i32, born: &str) -> Option<Self> {
        let pid = Pid::from_raw(pid)?;
        let now = birth(pid)?;
        let born = (now == born).then_some(now)?;
        Some(Self { program, pid, born: Some(born), child: None, on_drop: None })
    }

    /// Leaves the process running when this value goes.
    pub(super) fn detach(mut self) {
        self.on_drop = None;
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// When the process was started, as the system writes it; only compared.
    pub(super) fn born(&self) -> Option<&str> {
        self.born.as_deref()
    }

    pub(super) fn is_running(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => self.born.is_some() && birth(self.pid) == self.born,
        }
    }

    /// Sends a signal unless the process has ended: its id may have been reused.
    pub(super) fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // Fails only if the process has just ended.
            kill_process(self.pid, signal).ok();
        }
    }

    /// Waits until the process has ended; false if it runs after `within`.
    pub(super) async fn ended(&mut self, within: Duration) -> bool {
        until(within, || !self.is_running()).await
    }

    /// Ends the process with signal `politely`, or with SIGKILL after `patience`.
    pub(super) async fn end(
        &mut self,
        politely: Signal,
        patience: Duration,
    ) -> Result<(), LocalError> {
        self.signal(politely);
        // A stopped process handles no other signal until it is continued.
        self.signal(Signal::CONT);
        if self.ended(patience).await {
            return Ok(());
        }
        self.signal(Signal::KILL);
        if self.ended(AFTER_KILL).await {
            return Ok(());
        }
        Err(LocalError::Stuck { program: self.program, pid: self.pid(), within: AFTER_KILL })
    }

    /// Ends the process without awaiting. Blocks for at most a second.
    #[expect(clippy::disallowed_methods, reason = "drop cannot await")]
    pub(super) fn end_now(&mut self, signal: Signal) {
        self.signal(signal);
        self.signal(Signal::CONT);
        for _ in 0..200 {
            if !self.is_running() {
                return;
            }
            std::thread::sleep(LOOK);
        }
        self.signal(Signal::KILL);
        if let Some(child) = &mut self.child {
            child.wait().ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(signal) = self.on_drop {
            self.end_now(signal);
        }
    }
}

/// Clears the environment of a command and makes it run as `account`.
///
/// `Command::uid` also drops the supplementary groups of root.
pub(super) fn isolate(command: &mut Command, account: Option<&Account>) {
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC");
    for name in ["PATH", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(account) = account {
        command.uid(account.uid()).gid(account.gid());
    }
}

/// Waits until `condition` holds; false after `limit`.
pub(super) async fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let holds = async {
        while !condition() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(limit, holds).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_process_is_told_from_another_with_its_id() {
        let own = i32::try_from(std::process::id()).unwrap();
        let born = birth(Pid::from_raw(own).unwrap()).unwrap();

        assert!(Process::adopt("test", own, &born).is_some());
        assert!(Process::adopt("test", own, "0").is_none());
    }

    #[test]
    fn a_zombie_is_not_running() -> io::Result<()> {
        let mut child = Command::new("true").spawn()?;
        let pid = Pid::from_child(&child);
        rustix::process::waitid(
            rustix::process::WaitId::Pid(pid),
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
        )?;

        assert_eq!(birth(pid), None);
        child.wait().map(drop)
    }
}
