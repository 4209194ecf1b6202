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
use super::guard::Program;
use super::secret::{Password, create_private};
use super::server::{Server, Start};
use super::{LocalError, Options, port, programs, url};

/// How long a start may take: some milliseconds, and as long as it takes to load kept data.
const START: Duration = Duration::from_secs(30);

/// How long an orderly end may take, which writes kept data to the disk.
const STOP: Duration = Duration::from_secs(10);

/// A private Redis server. Dropping it kills the server, and with it what was not saved.
#[derive(Debug)]
pub struct Redis {
    pub(super) server: Server,
    program: PathBuf,
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
        let program = programs::redis_server()?;
        let (room, password) = (folder.room("redis")?, Password::random()?);
        let settings = &options.redis_settings;
        let server = Server::new(Program::Redis, folder, room, password, settings);
        let mut redis = Self { server, program };
        port::until_free(async || {
            redis.server.port = port::free()?;
            redis.start_again().await
        })
        .await?;
        Ok(redis)
    }

    /// Starts the server again after [`Redis::halt`] or [`Redis::kill`], on the same port and
    /// socket and with the same password. Does nothing if it runs.
    ///
    /// # Errors
    ///
    /// [`LocalError::NotStarted`] says what the server wrote before it gave up.
    pub async fn start_again(&mut self) -> Result<(), LocalError> {
        if self.server.is_running() {
            return Ok(());
        }
        let configuration = self.write_configuration()?;
        let socket = self.socket();
        // Left by a killed server; it would make the wait below connect to nobody.
        fs::remove_file(&socket).ok();
        let mut command = Command::new(&self.program);
        command.current_dir(self.server.room()).arg(configuration);
        let marks = &["Warning: Could not", ">>>"];
        let start = Start { command, on_drop: Signal::KILL, within: START, marks };
        self.server.start(start, async |_| answers(&socket).await).await
    }

    /// Writes the settings to a file, because a password among the arguments would be seen by
    /// every user of the machine.
    fn write_configuration(&self) -> Result<PathBuf, LocalError> {
        let folder = self.server.folder();
        let path = folder.path().join("redis.conf");
        let (room, socket) = (self.server.room().display().to_string(), self.socket());
        let (port, socket) = (self.port().to_string(), socket.display().to_string());
        let mut settings = vec![
            ("bind", "127.0.0.1"),
            ("port", port.as_str()),
            ("unixsocket", socket.as_str()),
            ("unixsocketperm", "700"),
            ("requirepass", self.password()),
            ("dir", room.as_str()),
            ("daemonize", "no"),
            ("save", if folder.is_ephemeral() { "" } else { "60 1" }),
        ];
        if cfg!(target_os = "macos") {
            // There a sweep finds the process by the folder in its title.
            settings.push(("set-proc-title", "no"));
        }
        let given =
            self.server.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let text: String =
            settings.into_iter().chain(given).map(|(name, value)| line(name, value)).collect();
        fs::remove_file(&path).ok();
        create_private(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(LocalError::files(&path))?;
        folder.give(&path)?;
        Ok(path)
    }

    /// Ends the server in order and returns when it is gone; [`Redis::start_again`] brings it
    /// back, empty unless its folder is kept.
    ///
    /// # Errors
    ///
    /// [`LocalError::Stuck`] if the server survived even SIGKILL.
    pub async fn halt(&mut self) -> Result<(), LocalError> {
        self.server.end(Signal::TERM, STOP).await
    }

    /// Kills the server and returns when it is gone.
    ///
    /// # Errors
    ///
    /// As [`Redis::halt`].
    pub async fn kill(&mut self) -> Result<(), LocalError> {
        self.server.end(Signal::KILL, STOP).await
    }

    /// Ends the server for good; an ephemeral folder goes with it.
    ///
    /// # Errors
    ///
    /// As [`Redis::halt`].
    pub async fn stop(mut self) -> Result<(), LocalError> {
        if self.server.folder().is_ephemeral() { self.kill().await } else { self.halt().await }
    }

    /// Stops the server from answering (SIGSTOP), connections stay.
    pub fn pause(&mut self) {
        self.server.send(Signal::STOP);
    }

    /// Ends [`Redis::pause`].
    pub fn resume(&mut self) {
        self.server.send(Signal::CONT);
    }

    /// The process id, or `None` while the server is halted.
    pub fn pid(&self) -> Option<i32> {
        self.server.pid()
    }

    /// The Unix socket, in a folder that only the server's user and root can enter.
    fn socket(&self) -> PathBuf {
        self.server.room().join("redis.sock")
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The password, which both the port and the socket ask for.
    pub fn password(&self) -> &str {
        self.server.password.reveal()
    }

    /// The URL over loopback, password included, as `redis-cli -u` takes it too.
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", self.password(), self.port())
    }

    /// The URL over the Unix socket, password included.
    pub fn socket_url(&self) -> String {
        format!("redis+unix://{}?pass={}", url::escape(&self.socket()), self.password())
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
