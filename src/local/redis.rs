//! A private Redis.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::folder::Folder;
use super::guard::Server;
use super::log::{Log, reason};
use super::process::Process;
use super::process_table::LOOK;
use super::secret::{Password, create_private};
use super::{LocalError, Options, port, programs, url};

const PROGRAM: &str = "Redis";

/// How long a start may take: some milliseconds, and as long as it takes to load kept data.
const START: Duration = Duration::from_secs(30);

/// How long an orderly end may take, which writes kept data to the disk.
const STOP: Duration = Duration::from_secs(10);

/// A private Redis server. Dropping it kills the server, and with it what was not saved.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    program: PathBuf,
    room: PathBuf,
    port: u16,
    password: Password,
    settings: Vec<(String, String)>,
    /// Last, so that the server is gone before its folder.
    folder: Arc<Folder>,
}

impl Redis {
    /// Starts Redis alone, in a folder of its own; as [`super::Servers::start`] otherwise.
    ///
    /// # Errors
    ///
    /// As [`super::Servers::start`].
    pub async fn start(options: Options) -> Result<Self, LocalError> {
        Self::start_in(Arc::new(Folder::open(&options.place)?), &options).await
    }

    pub(super) async fn start_in(
        folder: Arc<Folder>,
        options: &Options,
    ) -> Result<Self, LocalError> {
        let mut server = Self {
            process: None,
            program: programs::redis_server()?,
            room: folder.room("redis")?,
            port: 0,
            password: Password::random()?,
            settings: options.redis_settings.clone(),
            folder,
        };
        for _ in 1..port::TRIES {
            server.port = port::free()?;
            match server.start_again().await {
                Err(LocalError::NotStarted { said, .. }) if port::was_taken(&said) => {}
                other => return other.map(|()| server),
            }
        }
        server.port = port::free()?;
        server.start_again().await.map(|()| server)
    }

    /// Starts the server again after [`Redis::halt`] or [`Redis::kill`], on the same port and
    /// socket and with the same password. Does nothing if it runs.
    ///
    /// # Errors
    ///
    /// [`LocalError::NotStarted`] says what the server wrote before it gave up.
    pub async fn start_again(&mut self) -> Result<(), LocalError> {
        if self.is_running() {
            return Ok(());
        }
        let configuration = self.write_configuration()?;
        // Left by a killed server; it would make the wait below connect to nobody.
        fs::remove_file(self.socket()).ok();
        let mut command = Command::new(&self.program);
        command.current_dir(&self.room).arg(configuration);
        let log = Log::catch(self.log_path(), &mut command)?;
        let mut process = Process::start(PROGRAM, command, self.folder.account(), Signal::KILL)?;
        self.watched(Some(process.pid()));
        let answers = tokio::time::timeout(START, async {
            while process.is_running() {
                if answers(&self.socket()).await {
                    return true;
                }
                tokio::time::sleep(LOOK).await;
            }
            false
        });
        if answers.await.unwrap_or(false) {
            self.process = Some(process);
            return Ok(());
        }
        drop(process);
        self.watched(None);
        let said = reason(&log.text(), &["Warning: Could not", ">>>"]).unwrap_or_else(|| {
            format!("not ready after {} s, see {}", START.as_secs(), log.path().display())
        });
        Err(LocalError::NotStarted { program: PROGRAM, said })
    }

    /// Tells the guard which process to end if this one is killed.
    fn watched(&self, pid: Option<i32>) {
        if let Some(guard) = self.folder.guard() {
            guard.watch(Server::Redis, pid);
        }
    }

    /// Writes the settings to a file, because a password among the arguments would be seen by
    /// every user of the machine.
    fn write_configuration(&self) -> Result<PathBuf, LocalError> {
        let path = self.folder.path().join("redis.conf");
        let (room, socket) = (self.room.display().to_string(), self.socket());
        let (port, socket) = (self.port.to_string(), socket.display().to_string());
        let mut settings = vec![
            ("bind", "127.0.0.1"),
            ("port", port.as_str()),
            ("unixsocket", socket.as_str()),
            ("unixsocketperm", "700"),
            ("requirepass", self.password.reveal()),
            ("dir", room.as_str()),
            ("daemonize", "no"),
            ("save", if self.folder.is_ephemeral() { "" } else { "60 1" }),
        ];
        if cfg!(target_os = "macos") {
            // There a sweep finds the process by the folder in its title.
            settings.push(("set-proc-title", "no"));
        }
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let text: String =
            settings.into_iter().chain(given).map(|(name, value)| line(name, value)).collect();
        fs::remove_file(&path).ok();
        create_private(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(LocalError::files(&path))?;
        self.folder.give(&path)?;
        Ok(path)
    }

    /// Ends the server in order and returns when it is gone; [`Redis::start_again`] brings it
    /// back, empty unless its folder is kept.
    ///
    /// # Errors
    ///
    /// [`LocalError::Stuck`] if the server survived even SIGKILL.
    pub async fn halt(&mut self) -> Result<(), LocalError> {
        self.end(Signal::TERM).await
    }

    /// Kills the server and returns when it is gone.
    ///
    /// # Errors
    ///
    /// As [`Redis::halt`].
    pub async fn kill(&mut self) -> Result<(), LocalError> {
        self.end(Signal::KILL).await
    }

    async fn end(&mut self, signal: Signal) -> Result<(), LocalError> {
        let Some(process) = &mut self.process else { return Ok(()) };
        process.end(signal, STOP).await?;
        self.process = None;
        self.watched(None);
        Ok(())
    }

    /// Ends the server for good; an ephemeral folder goes with it.
    ///
    /// # Errors
    ///
    /// As [`Redis::halt`].
    pub async fn stop(mut self) -> Result<(), LocalError> {
        let signal = if self.folder.is_ephemeral() { Signal::KILL } else { Signal::TERM };
        self.end(signal).await
    }

    /// Stops the server from answering (SIGSTOP), connections stay.
    pub fn pause(&mut self) {
        self.send(Signal::STOP);
    }

    /// Ends [`Redis::pause`].
    pub fn resume(&mut self) {
        self.send(Signal::CONT);
    }

    fn send(&mut self, signal: Signal) {
        if let Some(process) = &mut self.process {
            process.signal(signal);
        }
    }

    /// Whether the server's process lives, paused or not.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// The process id, or `None` while the server is halted.
    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The Unix socket, in a folder that only the server's user and root can enter.
    pub fn socket(&self) -> PathBuf {
        self.room.join("redis.sock")
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password, which both the port and the socket ask for.
    pub fn password(&self) -> &str {
        self.password.reveal()
    }

    /// The file the server logs to.
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("redis.log")
    }

    /// The URL over loopback, password included, as `redis-cli -u` takes it too.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password.reveal(), self.port)
    }

    /// The URL over the Unix socket, password included.
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}?pass={}", url::escape(&self.socket()), self.password.reveal())
    }

    pub(super) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Leaves the server running when this value goes.
    pub(super) fn let_go(&mut self) {
        if let Some(process) = self.process.take() {
            process.let_go();
        }
    }
}

/// Whether a server answers on the socket. Asked for a password, it is up; while it loads kept
/// data, it is not.
async fn answers(socket: &Path) -> bool {
    let ask = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    ask.await.is_ok_and(|answer| &answer == b"-NOAU" || &answer == b"+PONG")
}

/// One line of `redis.conf`, its value quoted. Values that are several words are several
/// arguments to Redis, as in the file it ships.
fn line(name: &str, value: &str) -> String {
    if value.is_empty() {
        return format!("{name} \"\"\n");
    }
    let quote = |word: &str| word.replace('\\', "\\\\").replace('"', "\\\"");
    match name {
        "unixsocket" | "dir" | "requirepass" => format!("{name} \"{}\"\n", quote(value)),
        _ => format!("{name} {value}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn paths_are_quoted_and_lists_of_arguments_are_not() {
        assert_eq!(line("dir", "/a b\"c"), "dir \"/a b\\\"c\"\n");
        assert_eq!(line("save", ""), "save \"\"\n");
        assert_eq!(line("save", "60 1"), "save 60 1\n");
    }
}
