//! The log file of a server, read when it does not start.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::LocalError;

/// How much of the end of a log is read: enough for any reason not to start.
const TAIL: u64 = 16 * 1024;

/// The part of a log file that one start writes.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// Offset at which this start begins.
    begin: u64,
}

impl Log {
    /// Appends both outputs of a command to the file.
    ///
    /// The file is beside the server's home, not in it: root must not open a path that another user
    /// could have replaced by a link.
    pub(super) fn catch(path: PathBuf, command: &mut Command) -> Result<Self, LocalError> {
        let open = || -> std::io::Result<(File, File, u64)> {
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
            let begin = fs::metadata(&path)?.len();
            Ok((file.try_clone()?, file, begin))
        };
        let (out, err, begin) = open().map_err(LocalError::files(&path))?;
        command.stdout(Stdio::from(out)).stderr(Stdio::from(err));
        Ok(Self { path, begin })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what this start wrote, at most its last 16 KiB.
    pub(super) fn text(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let from = file.metadata()?.len().saturating_sub(TAIL).max(self.begin);
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

/// Returns the reason from a log: the last line with a mark such as `FATAL`, or else the last line.
pub(super) fn reason(text: &str, marks: &[&str]) -> Option<String> {
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let marked = lines.clone().find_map(|line| {
        marks.iter().find_map(|mark| line.split_once(mark).map(|(_, rest)| rest.trim()))
    });
    marked.or_else(|| lines.next()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_reason_is_the_last_marked_line_or_the_last_line() {
        let text = "LOG: a\nFATAL:  first\nFATAL:  could not bind\nLOG:  database is shut down\n";
        assert_eq!(reason(text, &["FATAL:"]).as_deref(), Some("could not bind"));
        assert_eq!(reason("one\ntwo\n\n", &["FATAL:"]).as_deref(), Some("two"));
        assert_eq!(reason("", &["FATAL:"]), None);
    }
}
