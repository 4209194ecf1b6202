//! Passwords, and files that only their owner may read.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::LocalError;

/// A password that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

impl Password {
    /// Draws 128 random bits.
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

/// Creates a file that only its owner can read; fails if it exists.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Random bytes from the system, as hexadecimal digits.
pub(super) fn random_hex(bytes: usize) -> Result<String, LocalError> {
    const SOURCE: &str = "/dev/urandom";
    let mut random = vec![0; bytes];
    File::open(SOURCE)
        .and_then(|mut file| file.read_exact(&mut random))
        .map_err(LocalError::files(SOURCE))?;
    Ok(random.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    }))
}
