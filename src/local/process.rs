//! A server process: who it is, whether it lives, how it ends.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::LocalError;
use super::account::Account;
use super::process_table::{LOOK, birth};

/// How long the kernel gets to end a process that was sent SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// One server process, started by us or by a process before us.
///
/// Dropping one that we started ends it, so that a start which is cut short leaves none.
#[derive(Debug)]
pub(super) struct Process {
    program: &'static str,
    pid: Pid,
    /// Tells this process from a later one with the same number; `None` if it ended at once.
    born: Option<String>,
    /// Present if the process is our child: then it has to be waited for.
    child: Option<Child>,
    /// What drop sends; `None` leaves the process alone.
    on_drop: Option<Signal>,
}

impl Process {
    /// Starts a server in a process group of its own: a Ctrl-C meant for the console must not
    /// reach the database before the console has stopped using it.
    ///
    /// The environment is emptied, because `PGDATA`, `PGPORT` and their like would be obeyed.
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

    /// Takes over a process that another command started, or `None` if it is no longer there.
    pub(super) fn adopt(program: &'static str, pid: i32, born: &str) -> Option<Self> {
        let pid = Pid::from_raw(pid)?;
        let now = birth(pid)?;
        let born = (now == born).then_some(now)?;
        Some(Self { program, pid, born: Some(born), child: None, on_drop: None })
    }

    /// Leaves the process running when this value goes.
    pub(super) fn let_go(mut self) {
        self.on_drop = None;
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// When the process was started, as the system writes it; compared, never interpreted.
    pub(super) fn born(&self) -> Option<&str> {
        self.born.as_deref()
    }

    pub(super) fn is_running(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => self.born.is_some() && birth(self.pid) == self.born,
        }
    }

    /// Sends a signal, unless the process has ended: its number may belong to another by now.
    pub(super) fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // The only possible failure is that it ended since, which is what a signal is for.
            kill_process(self.pid, signal).ok();
        }
    }

    /// Waits until the process has ended; false if it is still there after `within`.
    pub(super) async fn ended(&mut self, within: Duration) -> bool {
        until(within, || !self.is_running()).await
    }

    /// Ends the process: `politely`, and by SIGKILL where that is not enough within `patience`.
    pub(super) async fn end(
        &mut self,
        politely: Signal,
        patience: Duration,
    ) -> Result<(), LocalError> {
        self.signal(politely);
        // A stopped process acts on nothing but SIGKILL until it is continued.
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

    /// Ends the process where nothing can be awaited. Blocks for at most a second.
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

/// Empties the environment of a command and makes it run as `account`.
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

/// Waits until `condition` holds; false if it does not within `limit`.
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
    fn a_process_is_told_from_another_with_its_number() {
        let own = i32::try_from(std::process::id()).unwrap();
        let born = birth(Pid::from_raw(own).unwrap()).unwrap();

        assert!(Process::adopt("test", own, &born).is_some());
        assert!(Process::adopt("test", own, "0").is_none());
    }

    #[test]
    fn a_process_that_ended_but_was_not_collected_is_not_running() -> io::Result<()> {
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
