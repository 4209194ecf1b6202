//! Keys as the console thinks of them, free of any terminal library.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A character as typed, with Shift already in it.
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

/// A key with or without Control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chord {
    pub key: Key,
    pub ctrl: bool,
}

impl Chord {
    /// A key alone.
    pub fn plain(key: Key) -> Self {
        Self { key, ctrl: false }
    }

    /// A character alone.
    pub fn char(character: char) -> Self {
        Self::plain(Key::Char(character))
    }

    /// Returns the character if it would be typed into a text field.
    pub fn printable(self) -> Option<char> {
        match self {
            Self { key: Key::Char(character), ctrl: false } => Some(character),
            _ => None,
        }
    }
}

/// Names of the keys that are not characters, as the key table and `config/console.toml` write
/// them.
const NAMES: [(&str, Key); 16] = [
    ("Enter", Key::Enter),
    ("Esc", Key::Esc),
    ("Tab", Key::Tab),
    ("Shift-Tab", Key::BackTab),
    ("Backspace", Key::Backspace),
    ("Del", Key::Delete),
    ("Up", Key::Up),
    ("Down", Key::Down),
    ("Left", Key::Left),
    ("Right", Key::Right),
    ("Home", Key::Home),
    ("End", Key::End),
    ("PgUp", Key::PageUp),
    ("PgDn", Key::PageDown),
    ("Space", Key::Char(' ')),
    ("F5", Key::F(5)),
];

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl-")?;
        }
        match (NAMES.iter().find(|(_, key)| *key == self.key), self.key) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Key::Char(character)) => write!(f, "{character}"),
            (None, Key::F(number)) => write!(f, "F{number}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

/// A text that is not a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a key: write one character, Ctrl- and a character, or one of Enter, Esc, Tab, Shift-Tab, Up, Down, Left, Right, Home, End, PgUp, PgDn, Space, Del, Backspace, F1 to F12"
)]
pub struct NotAKey(pub String);

impl FromStr for Chord {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (ctrl, name) = match text.strip_prefix("Ctrl-") {
            Some(rest) if !rest.is_empty() => (true, rest),
            _ => (false, text),
        };
        if let Some((_, key)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Self { key: *key, ctrl });
        }
        if let Some(number) = name.strip_prefix('F').and_then(|n| n.parse::<u8>().ok()) {
            return Ok(Self { key: Key::F(number), ctrl });
        }
        let mut characters = name.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(Self { key: Key::Char(character), ctrl }),
            _ => Err(NotAKey(text.to_owned())),
        }
    }
}

/// Reads a sequence as the key table writes it: chords with a space between, `g g` or `! h`.
///
/// # Errors
///
/// [`NotAKey`] quotes the part that is none.
pub fn sequence(text: &str) -> Result<Vec<Chord>, NotAKey> {
    let chords: Result<Vec<Chord>, NotAKey> = text.split(' ').map(str::parse).collect();
    match chords {
        Ok(chords) if !chords.is_empty() => Ok(chords),
        Ok(_) => Err(NotAKey(text.to_owned())),
        Err(error) => Err(error),
    }
}

/// Writes a sequence as the key table does, without the spaces between plain characters: `gg`.
pub fn spell(chords: &[Chord]) -> String {
    chords.iter().map(Chord::to_string).collect()
}
