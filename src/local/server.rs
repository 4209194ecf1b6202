//! What both private servers share: home, port, password, process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::LocalError;
use super::folder::Folder;
use super::guard::Program;
use super::log::{Log, reason};
use super::process::Process;
use super::process_table::LOOK;
use super::secret::Password;

/// A running or halted server. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Server {
    program: Program,
    process: Option<Process>,
    home: PathBuf,
    pub(super) port: u16,
    pub(super) password: Password,
    /// Settings of the caller; a later one wins.
    pub(super) settings: Vec<(String, String)>,
    /// Last, so that the process is gone before its folder.
    folder: Arc<Folder>,
}

/// How a server is started.
pub(super) struct Start<'a> {
    pub(super) command: Command,
    /// Signal that ends it when this value is dropped.
    pub(super) on_drop: Signal,
    /// Deadline until it is ready.
    pub(super) within: Duration,
    /// What precedes the reason in its log when it gives up.
    pub(super) marks: &'a [&'a str],
}

impl Server {
    pub(super) fn new(
        program: Program,
        folder: Arc<Folder>,
        home: PathBuf,
        password: Password,
        settings: &[(String, String)],
    ) -> Self {
        let settings = settings.to_vec();
        Self { program, process: None, home, port: 0, password, settings, folder }
    }

    /// Starts the process and returns when `is_ready`, given its id, returns true.
    ///
    /// # Errors
    ///
    /// [`LocalError::NotStarted`] with what the server wrote before it gave up.
    pub(super) async fn start(
        &mut self,
        start: Start<'_>,
        is_ready: impl AsyncFn(i32) -> bool,
    ) -> Result<(), LocalError> {
        let Start { mut command, on_drop, within, marks } = start;
        let name = self.program.name();
        let log = Log::catch(self.log_path(), &mut command)?;
        let mut process = Process::start(name, command, self.folder.account(), on_drop)?;
        let pid = process.pid();
        self.watched(Some(pid));
        let ready = tokio::time::timeout(within, async {
            while process.is_running() {
                if is_ready(pid).await {
                    return true;
                }
                tokio::time::sleep(LOOK).await;
            }
            false
        });
        if ready.await.unwrap_or(false) && process.is_running() {
            self.process = Some(process);
            return Ok(());
        }
        drop(process);
        self.watched(None);
        let said = reason(&log.text(), marks).unwrap_or_else(|| {
            format!("not ready after {} s, see {}", within.as_secs(), log.path().display())
        });
        Err(LocalError::NotStarted { program: name, said })
    }

    /// Ends the process and returns when it is gone.
    ///
    /// # Errors
    ///
    /// [`LocalError::Stuck`] if it survived even SIGKILL.
    pub(super) async fn end(&mut self, how: Signal, patience: Duration) -> Result<(), LocalError> {
        if let Some(process) = &mut self.process {
            process.end(how, patience).await?;
            self.process = None;
            self.watched(None);
        }
        Ok(())
    }

    /// Tells the guard which process to end if this one is killed.
    fn watched(&self, pid: Option<i32>) {
        if let Some(guard) = self.folder.guard() {
            guard.watch(self.program, pid);
        }
    }

    pub(super) fn send(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// Leaves the process running when this value is dropped.
    pub(super) fn detach(&mut self) {
        if let Some(process) = self.process.take() {
            process.detach();
        }
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    pub(super) fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Process::pid)
    }

    pub(super) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join(self.program.log())
    }
}
