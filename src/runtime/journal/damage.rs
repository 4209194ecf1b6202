//! What of a journal cannot be read, as a sentence.

use std::path::PathBuf;
use std::{fmt, io};

use super::lines::Fault;

/// A file that cannot be read, or not all of it. A write that stood there may be unconfirmed.
#[derive(Debug)]
pub struct Damage {
    pub(super) path: PathBuf,
    pub(super) what: What,
    /// Where the file was put, so that it is reported once.
    pub(super) moved_to: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) enum What {
    File(io::Error),
    Lines(Vec<(usize, Fault)>),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many lines are named; the rest is counted.
        const NAMED: usize = 3;
        write!(f, "the journal {} ", self.path.display())?;
        match &self.what {
            What::File(error) => write!(f, "cannot be read: {error}")?,
            What::Lines(faults) => {
                f.write_str("is damaged: ")?;
                for (at, (line, fault)) in faults.iter().take(NAMED).enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}line {line} {fault}")?;
                }
                if faults.len() > NAMED {
                    write!(f, " and {} more", faults.len().saturating_sub(NAMED))?;
                }
            }
        }
        f.write_str("; a write that stood there is unconfirmed")?;
        match &self.moved_to {
            Some(path) => write!(f, "; it is now {}", path.display()),
            None => Ok(()),
        }
    }
}
