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

/// Deadline of a start: some milliseconds, plus loading kept data.
const START: Duration = Duration::from_secs(30);

/// Deadline of a shutdown, which writes kept data to disk.
const STOP: Duration = Duration::from_secs(10);

/// A private Redis server. Dropping it kills the server; unsaved data is lost.
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
        let (home, password) = (folder.home("redis")?, Password::random()?);
        let settings = &options.redis_settings;
        let server = Server::new(Program::Redis, folder, home, password, settings);
        let mut redis = Self { server, program };
        port::until_free(async || {
            redis.server.port = port::free()?;
            redis.start_again().await
        })
        .await?;
        Ok(redis)
    }

    /// Restarts the server after [`Redis::halt`] or [`Redis::kill`], with the same port, socket and
    /// password. Does nothing if it runs.
    ///
    /// # Errors
    ///
    /// [`LocalError::NotStarted`] with what the server wrote before it gave up.
    pub async fn start_again(&mut self) -> Result<(), LocalError> {
        if self.server.is_running() {
            return Ok(());
        }
        let configuration = self.write_configuration()?;
        let socket = self.socket();
        // A killed server leaves its socket, to which the wait below would connect.
        fs::remove_file(&socket).ok();
        let mut command = Command::new(&self.program);
        command.current_dir(self.server.home()).arg(configuration);
        let marks = &["Warning: Could not", ">>>"];
        let start = Start { command, on_drop: Signal::KILL, within: START, marks };
        self.server.start(start, async |_| answers(&socket).await).await
    }

    /// Writes the settings to a file: every user of the machine can read process arguments.
    fn write_configuration(&self) -> Result<PathBuf, LocalError> {
        let folder = self.server.folder();
        let path = folder.path().join("redis.conf");
        let (home, socket) = (self.server.home().display().to_string(), self.socket());
        let (port, socket) = (self.port().to_string(), socket.display().to_string());
        let mut settings = vec![
            ("bind", "127.0.0.1"),
            ("port", port.as_str()),
            ("unixsocket", socket.as_str()),
            ("unixsocketperm", "700"),
            ("requirepass", self.password()),
            ("dir", home.as_str()),
            ("daemonize", "no"),
            ("save", if folder.is_ephemeral() { "" } else { "60 1" }),
        ];
        if cfg!(target_os = "macos") {
            // There a sweep finds the process by the folder in its command line.
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

    /// Shuts the server down and returns when it is gone. [`Redis::start_again`] restarts it, empty
    /// unless its folder is kept.
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

    /// Ends the server, and removes an ephemeral folder.
    ///
    /// # Errors
    ///
    /// As [`Redis::halt`].
    pub async fn stop(mut self) -> Result<(), LocalError> {
        if self.server.folder().is_ephemeral() { self.kill().await } else { self.halt().await }
    }

    /// Suspends the server (SIGSTOP); connections stay open.
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
        self.server.home().join("redis.sock")
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The password of both the port and the socket.
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

/// Whether a server answers on the socket. It is up when it asks for a password, not while it loads
/// data.
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

/// One line of `redis.conf`. Paths and passwords are quoted; other values may be several arguments.
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
    fn paths_are_quoted_and_argument_lists_are_not() {
        assert_eq!(line("dir", "/a b\"c"), "dir \"/a b\\\"c\"\n");
        assert_eq!(line("save", ""), "save \"\"\n");
        assert_eq!(line("save", "60 1"), "save 60 1\n");
    }
}
