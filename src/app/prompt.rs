//! The `:` line while it is typed: its text, the lines before it, and what Tab makes of it.

use tui_input::{Input, InputRequest};

/// Most lines that are remembered.
const KEPT: usize = 100;

/// A line that is being typed.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    pub input: Input,
    /// What is wrong with it, since it was entered as it is.
    pub fault: Option<String>,
    /// How many lines back in the history it is; 0 is the new one.
    back: usize,
    /// What was typed before the history was looked at.
    typed: String,
}

impl Prompt {
    fn show(&mut self, text: String) {
        self.input = Input::new(text);
        self.fault = None;
    }

    /// Shows the previous or next history line; after the newest, what was being typed.
    pub(super) fn look_back(&mut self, lines: &[String], is_older: bool) {
        let back = if is_older {
            self.back.saturating_add(1).min(lines.len())
        } else {
            self.back.saturating_sub(1)
        };
        if self.back == 0 {
            self.input.value().clone_into(&mut self.typed);
        }
        if back == self.back {
            return;
        }
        self.back = back;
        let line = lines.len().checked_sub(back).and_then(|at| lines.get(at));
        self.show(line.unwrap_or(&self.typed).clone());
    }

    /// Completes to the common prefix of the matching words.
    pub(super) fn complete(&mut self, words: &[String]) {
        let Some(whole) = shared(words) else { return };
        let line = self.input.value();
        let begun = line.rsplit(' ').next().unwrap_or_default();
        // In capitals or not, it is what the desk calls it.
        let before = line.strip_suffix(begun).unwrap_or_default();
        let end = if words.len() == 1 && !whole.ends_with('=') { " " } else { "" };
        if whole.chars().count() >= begun.chars().count() {
            self.show(format!("{before}{whole}{end}"));
            self.back = 0;
        }
    }

    /// Does to the text what a key means in a line.
    pub(super) fn handle(&mut self, request: InputRequest) {
        self.input.handle(request);
        self.fault = None;
        self.back = 0;
    }
}

/// Returns the beginning that all words share.
fn shared(words: &[String]) -> Option<String> {
    let (first, rest) = words.split_first()?;
    let mut length = first.chars().count();
    for word in rest {
        let same = first.chars().zip(word.chars()).take_while(|(one, other)| one == other).count();
        length = length.min(same);
    }
    Some(first.chars().take(length).collect())
}

/// Remembers a line that was entered, unless it is the last one again.
pub(super) fn remember(lines: &mut Vec<String>, line: &str) {
    if line.trim().is_empty() || lines.last().is_some_and(|last| last == line) {
        return;
    }
    if lines.len() >= KEPT {
        lines.remove(0);
    }
    lines.push(line.to_owned());
}
