//! The record in a folder of the servers that run there, for a second terminal.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::LocalError;
use super::process::Process;
use super::secret::create_private;

/// The file with the record.
pub(super) const FILE: &str = "running";

/// Running servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub folder: PathBuf,
    pub database_url: String,
    pub redis_url: String,
    /// Whether `tmt local start` left them running.
    pub is_detached: bool,
    pub(super) postgres: Identity,
    pub(super) redis: Identity,
}

/// A process id and start time: the number may be reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: i32,
    pub(super) born: String,
}

impl Identity {
    pub(super) fn of(process: Option<&Process>) -> Option<Self> {
        let process = process?;
        Some(Self { pid: process.pid(), born: process.born()?.to_owned() })
    }

    fn parse(text: &str) -> Option<Self> {
        let (pid, born) = text.split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, born: born.to_owned() })
    }

    fn adopt(&self, program: &'static str) -> Option<Process> {
        Process::adopt(program, self.pid, &self.born)
    }
}

impl Running {
    /// The process ids of the postmaster and of Redis.
    pub fn pids(&self) -> (i32, i32) {
        (self.postgres.pid, self.redis.pid)
    }

    /// Reads the record of a folder; `None` if there is none or neither server runs.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::trim)
        };
        let running = Self {
            folder: folder.to_owned(),
            database_url: value("DATABASE_URL")?.to_owned(),
            redis_url: value("REDIS_URL")?.to_owned(),
            is_detached: value("detached")? == "yes",
            postgres: Identity::parse(value("postgres")?)?,
            redis: Identity::parse(value("redis")?)?,
        };
        let (postgres, redis) = running.processes();
        (postgres.is_some() || redis.is_some()).then_some(running)
    }

    /// Takes over the two processes, if they run.
    pub(super) fn processes(&self) -> (Option<Process>, Option<Process>) {
        (self.postgres.adopt("PostgreSQL"), self.redis.adopt("Redis"))
    }

    /// Whether both servers run.
    pub fn is_whole(&self) -> bool {
        let (postgres, redis) = self.processes();
        postgres.is_some() && redis.is_some()
    }

    /// Writes the record. It holds passwords, so only the owner can read it; it is renamed into place,
    /// so nobody reads half of it.
    pub(super) fn write(&self) -> Result<(), LocalError> {
        let mut text = String::new();
        let detached = if self.is_detached { "yes" } else { "no" };
        let (postgres, redis) = (&self.postgres, &self.redis);
        for (name, value) in [
            ("DATABASE_URL", &self.database_url),
            ("REDIS_URL", &self.redis_url),
            ("detached", &detached.to_owned()),
            ("postgres", &format!("{} {}", postgres.pid, postgres.born)),
            ("redis", &format!("{} {}", redis.pid, redis.born)),
        ] {
            // Writing to a String cannot fail.
            writeln!(text, "{name}={value}").ok();
        }
        let (unnamed, named) = (self.folder.join("running.new"), self.folder.join(FILE));
        fs::remove_file(&unnamed).ok();
        create_private(&unnamed)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&unnamed, &named))
            .map_err(LocalError::files(named))
    }
}
