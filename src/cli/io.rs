//! The streams of a command, and the questions it asks.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

/// The streams of a command. The result goes to `out`, everything else to `notes`, so that another
/// program can read `out`.
pub struct Io<'a> {
    pub out: &'a mut dyn Write,
    pub notes: &'a mut dyn Write,
    /// Questions can be asked: stdin and `notes` are terminals.
    pub is_interactive: bool,
    /// `notes` is a terminal, so a progress line can overwrite the one before.
    pub is_terminal: bool,
}

impl fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("is_interactive", &self.is_interactive).finish_non_exhaustive()
    }
}

impl Io<'_> {
    /// Uses the standard streams of the process.
    pub fn of_process<'s>(out: &'s mut io::Stdout, notes: &'s mut io::Stderr) -> Io<'s> {
        let is_terminal = notes.is_terminal();
        let is_interactive = is_terminal && io::stdin().is_terminal();
        Io { out, notes, is_interactive, is_terminal }
    }

    /// Writes a line beside the output. Errors are ignored: the result does not depend on it.
    pub fn note(&mut self, text: &str) {
        writeln!(self.notes, "{text}").and_then(|()| self.notes.flush()).ok();
    }

    /// Reports progress; on a terminal the line overwrites the one before.
    pub(super) fn progress(&mut self, text: &str) {
        if !self.is_terminal {
            return self.note(text);
        }
        // Carriage return, then "erase to the end of the line" (ECMA-48).
        write!(self.notes, "\r{text}\x1b[K").and_then(|()| self.notes.flush()).ok();
    }

    /// Clears the progress line.
    pub(super) fn end_progress(&mut self) {
        if self.is_terminal {
            write!(self.notes, "\r\x1b[K").ok();
        }
    }

    /// Asks a yes-or-no question; anything but `y` or `yes` is no.
    pub(super) async fn ask(&mut self, question: &str) -> bool {
        self.ask_for(question, None).await
    }

    /// Asks a question that only `word` confirms, or `y` if there is none.
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
        let confirms = |line: &str| match word {
            Some(word) => line.trim().eq_ignore_ascii_case(word),
            None => is_yes(line),
        };
        matches!(answer.await, Ok(Ok(line)) if confirms(&line))
    }
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_y_and_yes_confirm() {
        for yes in ["y\n", "Y", " yes \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "ye\n", "yy\n", "j\n", "1\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
