//! Where a command writes, and whom it can ask.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

/// The streams of a command. What it was asked for goes to `out`; everything that is said beside
/// it goes to `notes`, so that `out` can be read by another program.
pub struct Io<'a> {
    pub out: &'a mut dyn Write,
    pub notes: &'a mut dyn Write,
    /// Somebody sits there who can be asked.
    pub has_person: bool,
    /// Notes go to a terminal, where a line can be written over.
    pub is_terminal: bool,
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("has_person", &self.has_person).finish_non_exhaustive()
    }
}

impl Io<'_> {
    /// Returns the streams of a process.
    pub fn of_process<'s>(out: &'s mut io::Stdout, notes: &'s mut io::Stderr) -> Io<'s> {
        let is_terminal = notes.is_terminal();
        let has_person = is_terminal && io::stdin().is_terminal();
        Io { out, notes, has_person, is_terminal }
    }

    /// Says something beside the output. If nobody can read it, nobody misses it.
    pub fn note(&mut self, text: &str) {
        writeln!(self.notes, "{text}").and_then(|()| self.notes.flush()).ok();
    }

    /// Says how far something is; on a terminal over what it said before.
    pub(super) fn progress(&mut self, text: &str) {
        if !self.is_terminal {
            return self.note(text);
        }
        // Carriage return, and "erase to the end of the line" of ECMA-48.
        write!(self.notes, "\r{text}\x1b[K").and_then(|()| self.notes.flush()).ok();
    }

    /// Ends a line of progress.
    pub(super) fn end_progress(&mut self) {
        if self.is_terminal {
            write!(self.notes, "\r\x1b[K").ok();
        }
    }

    /// Asks a question that is answered with `y` or not.
    pub(super) async fn ask(&mut self, question: &str) -> bool {
        self.ask_for(question, None).await
    }

    /// Asks a question that is answered with a word: that one, else `y`.
    pub(super) async fn ask_for(&mut self, question: &str, word: Option<&str>) -> bool {
        let asked = match word {
            Some(word) => write!(self.notes, "{question} type {word} to send: "),
            None => write!(self.notes, "{question} [y/N] "),
        };
        if asked.and_then(|()| self.notes.flush()).is_err() {
            return false;
        }
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|_| line)
        });
        let is_it = |line: &str| match word {
            Some(word) => line.trim().eq_ignore_ascii_case(word),
            None => is_yes(line),
        };
        matches!(answer.await, Ok(Ok(line)) if is_it(&line))
    }
}

/// Only a plain yes is one: whoever types something else did not read the question.
fn is_yes(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_one() {
        for yes in ["y\n", "Y", " yes \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "ye\n", "yy\n", "j\n", "1\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
