//! Paths inside URLs.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Percent-encodes a path for the query of a URL.
pub(super) fn escape(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => {
                text.push(char::from(*byte));
            }
            other => {
                // Writing to a String cannot fail.
                write!(text, "%{other:02X}").ok();
            }
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_than_plain_characters_are_percent_encoded() {
        assert_eq!(escape(Path::new("/tmp/a b&c=d/é")), "/tmp/a%20b%26c%3Dd/%C3%A9");
    }
}
