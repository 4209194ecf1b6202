//! What was about to be sent, on disk until it is known what became of it.
//!
//! An intent is written and flushed to the disk before its write is sent, and its end when the
//! database's answer is known. Whatever happens to the process in between, the next one finds the
//! intent and asks the database about its key ([`crate::store::Store::resolve`]): nothing is sent
//! again, and nothing is forgotten. No journal, no writes.
//!
//! Each process has a file of its own, locked as long as it lives. A file whose lock is free and
//! that still has an open intent was left by a process that was killed; the next one for the same
//! place takes the intents over.

mod words;

pub use words::Intent;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use crate::domain::ids::ClientKey;
use crate::domain::outcome::Outcome;
use words::Record;

/// What the name of a journal ends in.
const EXTENSION: &str = "journal";

/// How long a file without an open intent is kept after its process ended: so long can the same id
/// be sent again and find what it was first sent with.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// An intent that was found, and how it ended, where that is known: `accepted`, `refused`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub intent: Intent,
    /// How it ended; `None` while nobody knows.
    pub end: Option<String>,
}

/// The journal cannot be read or written.
#[derive(Debug, Error)]
#[error("the journal {} cannot be written: {source}; nothing is sent without it", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

/// The journal of this process. Cheap to clone; the clones write the same file.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Book>);

#[derive(Debug)]
struct Book {
    path: PathBuf,
    // A std mutex: it is held by threads for blocking calls, never across an await.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    open: Vec<ClientKey>,
    is_kept: bool,
}

impl Journal {
    /// Opens a journal in a folder, which is made if it is not there, and returns the intents that
    /// dead processes left open for the same place. `place` is whatever tells one database and
    /// login from another.
    ///
    /// Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the folder or the file cannot be written.
    pub fn open(folder: &Path, place: &str) -> Result<(Self, Vec<Intent>), JournalError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        let path = folder.join(format!("{}.{EXTENSION}", Uuid::new_v4()));
        let begun = (|| {
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
            file.lock()?;
            let mut state = State { file, open: Vec::new(), is_kept: false };
            state.append(&Record::Place(place.to_owned()))?;
            // The name of a new file is as safe as its folder.
            File::open(folder)?.sync_all()?;
            Ok(state)
        })();
        let state = begun.map_err(failed(&path))?;
        let journal = Self(Arc::new(Book { path, state: Mutex::new(state) }));
        let left = journal.take_over(folder, place)?;
        Ok((journal, left))
    }

    /// Takes the open intents of dead processes into this file, and clears theirs away.
    fn take_over(&self, folder: &Path, place: &str) -> Result<Vec<Intent>, JournalError> {
        let mut taken = Vec::new();
        for path in files(folder).filter(|path| *path != self.0.path) {
            let Some((file, records)) = read(&path).filter(|(_, records)| is_of(records, place))
            else {
                continue;
            };
            if file.try_lock().is_err() {
                continue;
            }
            let open: Vec<Intent> = ends(records)
                .into_values()
                .filter(|found| found.end.is_none())
                .map(|found| found.intent)
                .collect();
            if open.is_empty() {
                if is_old(&path) {
                    fs::remove_file(&path).ok();
                }
                continue;
            }
            for intent in open {
                self.write(Record::Intent(intent.clone()))?;
                taken.push(intent);
            }
            // Now they stand here. If it cannot be removed they are found twice, which does no harm.
            fs::remove_file(&path).ok();
        }
        Ok(taken)
    }

    /// Writes down what is about to be sent. It is on the disk when this returns.
    ///
    /// Not cancel safe: dropped, it may have been written all the same. Then it is asked about, and
    /// the database says that nothing was done.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: send nothing.
    pub async fn intend(&self, intent: Intent) -> Result<(), JournalError> {
        self.write_apart(Record::Intent(intent)).await
    }

    /// Writes down how a write ended. An unknown end is no end.
    ///
    /// # Errors
    ///
    /// [`JournalError`]. The next start asks the database again, and gets the same answer.
    pub async fn settle(&self, key: ClientKey, outcome: &Outcome) -> Result<(), JournalError> {
        let end = match outcome {
            Outcome::Accepted(_) => "accepted",
            Outcome::Refused(_) => "refused",
            Outcome::Unknown(_) => return Ok(()),
        };
        self.write_apart(Record::End { key, end: end.to_owned() }).await
    }

    /// Keeps the file for a while when everything in it has ended.
    pub fn keep(&self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).is_kept = true;
    }

    /// Writes in a thread that may wait for the disk.
    async fn write_apart(&self, record: Record) -> Result<(), JournalError> {
        let journal = self.clone();
        let written = tokio::task::spawn_blocking(move || journal.write(record)).await;
        written.unwrap_or_else(|error| {
            Err(JournalError { path: self.0.path.clone(), source: io::Error::other(error) })
        })
    }

    fn write(&self, record: Record) -> Result<(), JournalError> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| JournalError { path: self.0.path.clone(), source };
        state.append(&record).map_err(failed)?;
        match record {
            Record::Place(_) => {}
            Record::Intent(intent) => state.open.push(intent.request.key),
            Record::End { key, .. } => state.open.retain(|open| *open != key),
        }
        Ok(())
    }
}

impl State {
    fn append(&mut self, record: &Record) -> io::Result<()> {
        self.file.write_all(words::line(record).as_bytes())?;
        self.file.sync_data()
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.open.is_empty() && !state.is_kept {
            // What stays is found by the next process and cleared away in time.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Finds what was to be written under a key, in the journals of all processes, for one place; the
/// oldest first. More than one: another request came with the key of the first.
pub fn find(folder: &Path, place: &str, key: ClientKey) -> Vec<Found> {
    let mut found: Vec<Found> = files(folder)
        .filter_map(|path| read(&path))
        .filter(|(_, records)| is_of(records, place))
        .filter_map(|(_, records)| ends(records).remove(&key))
        .collect();
    found.sort_by_key(|found| found.intent.at);
    found
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == EXTENSION))
}

fn read(path: &Path) -> Option<(File, Vec<Record>)> {
    let file = OpenOptions::new().read(true).append(true).open(path).ok()?;
    let text = fs::read_to_string(path).ok()?;
    Some((file, words::records(&text)))
}

fn is_of(records: &[Record], place: &str) -> bool {
    matches!(records.first(), Some(Record::Place(known)) if known == place)
}

/// Joins intents and their ends.
fn ends(records: Vec<Record>) -> BTreeMap<ClientKey, Found> {
    let mut found: BTreeMap<ClientKey, Found> = BTreeMap::new();
    for record in records {
        match record {
            Record::Place(_) => {}
            Record::Intent(intent) => {
                found.entry(intent.request.key).or_insert(Found { intent, end: None });
            }
            Record::End { key, end } => {
                if let Some(known) = found.get_mut(&key) {
                    known.end = Some(end);
                }
            }
        }
    }
    found
}

fn is_old(path: &Path) -> bool {
    let age = fs::metadata(path).and_then(|about| about.modified()).ok();
    age.and_then(|modified| modified.elapsed().ok()).is_some_and(|age| age > KEPT)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::code::Code;
    use crate::domain::ids::EventId;
    use crate::domain::outcome::{Accepted, Refusal};
    use crate::domain::request::{Request, Verb};

    fn intent(number: u128) -> Intent {
        let verb = Verb::Unacknowledge { event: EventId(Uuid::nil()), note: "why".to_owned() };
        let request = Request { key: ClientKey(Uuid::from_u128(number)), verb };
        Intent { request, summary: "UN-ACK".to_owned(), at: DateTime::UNIX_EPOCH }
    }

    fn accepted() -> Outcome {
        Outcome::Accepted(Accepted {
            subject: None,
            code: None,
            message: String::new(),
            done: vec![],
            taken: vec![],
            items: vec![],
        })
    }

    #[tokio::test]
    async fn what_a_dead_process_left_open_is_taken_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, left) = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, []);
        journal.intend(intent(1)).await.unwrap();
        journal.intend(intent(2)).await.unwrap();
        journal.settle(intent(1).request.key, &accepted()).await.unwrap();
        let unknown = Outcome::Unknown("the connection was lost".to_owned());
        journal.settle(intent(2).request.key, &unknown).await.unwrap();

        // While it lives its intents are its own.
        let (other, left) = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, []);
        drop(other);
        // Dropped with an open intent, the file stays as after a kill.
        drop(journal);
        let (elsewhere, left) = Journal::open(folder.path(), "ann@db1").unwrap();
        assert_eq!(left, [], "another place's are not ours to ask about");
        drop(elsewhere);
        let (next, left) = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, [intent(2)]);
        let (_, left) = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, [], "the one before has them");
        let refused = Outcome::Refused(Refusal::plain(Code::NotExecuted, "it never arrived"));
        next.settle(intent(2).request.key, &refused).await.unwrap();
        drop(next);
        assert_eq!(files(folder.path()).count(), 0, "nothing is open: nothing is kept");
    }

    #[tokio::test]
    async fn a_write_is_found_by_its_key_with_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "joe@db1").unwrap();
        journal.intend(intent(1)).await.unwrap();
        let key = intent(1).request.key;
        let found = find(folder.path(), "joe@db1", key);
        assert_eq!(found, [Found { intent: intent(1), end: None }]);
        assert_eq!(find(folder.path(), "ann@db1", key), []);
        journal.keep();
        journal.settle(key, &accepted()).await.unwrap();
        drop(journal);
        // Another request under that key, by a process with a later name or an earlier one.
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(1);
        let other = Intent { summary: "OTHER".to_owned(), at: later, ..intent(1) };
        for _ in 0..4 {
            let (journal, _) = Journal::open(folder.path(), "joe@db1").unwrap();
            journal.intend(other.clone()).await.unwrap();
            journal.keep();
            drop(journal);
        }
        let found = find(folder.path(), "joe@db1", key);
        assert_eq!(found.first().and_then(|found| found.end.as_deref()), Some("accepted"));
        assert!(found.iter().skip(1).all(|found| found.intent == other), "{found:?}");
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_no_intent() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), "joe@db1").unwrap();
        journal.intend(intent(1)).await.unwrap();
        journal.intend(intent(2)).await.unwrap();
        let path = journal.0.path.clone();
        drop(journal);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let (_, left) = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, [intent(1)]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let said = Journal::open(&file.join("journal"), "joe@db1").unwrap_err().to_string();
        assert!(said.contains("nothing is sent without it"), "{said}");
    }

    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("journal");
        let (journal, _) = Journal::open(&inner, "joe@db1").unwrap();
        for path in [&inner, &journal.0.path] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
        }
    }
}
