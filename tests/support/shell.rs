//! The program as a shell runs it, with an environment of its own.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::desk::Desk;

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| unreadable(&error.to_string(), self))
    }

    /// The one line that was said; more would be noise.
    #[track_caller]
    pub(crate) fn complaint(&self) -> &str {
        let mut lines = self.err.lines();
        let line = lines.next().unwrap_or_default();
        assert_eq!(lines.next(), None, "more than one line: {}", self.err);
        line
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a fixture for tests")]
fn unreadable(error: &str, ran: &Ran) -> ! {
    panic!("{error}: {ran:?}")
}

/// A shell: the program with an environment of its own, and a home without a configuration.
pub(crate) struct Shell {
    pub(crate) home: TempDir,
    pub(crate) variables: Vec<(String, String)>,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A shell that is set up for a database; no Redis runs where it looks.
    pub(crate) fn on(database: &str) -> Self {
        Self::new().with("DATABASE_URL", database).with("REDIS_URL", "redis://127.0.0.1:1")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_with_input(line, "")
    }

    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Ran {
        let words = shell_words::split(line).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tmt"))
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read has its reasons.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A shell on a seeded desk, for a login of a group.
pub(crate) async fn shell(desk: &Desk, name: &str, group: &str) -> Shell {
    let login = desk.database.login(name, group).await;
    Shell::on(&desk.database.url_as(&login))
}
