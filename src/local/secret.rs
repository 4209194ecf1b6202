//! The random password of a private server.

use std::fmt;

use super::LocalError;
use super::folder::random_hex;

/// A password that is not shown by accident.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

impl Password {
    /// Draws 128 random bits: nobody guesses that over loopback.
    pub(super) fn random() -> Result<Self, LocalError> {
        random_hex(16).map(Self)
    }

    pub(super) fn from_text(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}
