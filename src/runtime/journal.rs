//! The journal: each write on disk before it is sent, and its outcome when that is known.
//!
//! Whatever happens to the process in between, the next one finds the intent and asks the database
//! about its key ([`crate::store::Store::resolve`]): nothing is sent again, and nothing is
//! forgotten. No journal, no writes.
//!
//! Each process has a file of its own, locked as long as it lives. A file whose lock is free and
//! that still has an open intent was left by a process that was killed; the next one for the same
//! place takes the intents over. What cannot be read in a file is reported, never skipped.

mod damage;
mod lines;

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
use crate::domain::outcome::{Outcome, OutcomeKind};
pub use damage::Damage;
use damage::What;
pub use lines::Intent;
use lines::{Contents, Record};

/// What the name of a journal ends in.
const EXTENSION: &str = "journal";

/// What is put behind the name of one that is damaged, when what is intact was taken over.
const DAMAGED: &str = "journal.damaged";

/// How long a file without an open intent is kept after its process ended: so long can the same id
/// be sent again and find what it was first sent with.
const KEPT: Duration = Duration::from_hours(7 * 24);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub intent: Intent,
    /// How it ended, accepted or refused; `None` while nobody knows.
    pub end: Option<OutcomeKind>,
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

/// A journal that was opened, and what earlier processes left.
#[derive(Debug)]
pub struct Opened {
    pub journal: Journal,
    /// Intents that dead processes left open for the same place.
    pub left: Vec<Intent>,
    pub damage: Vec<Damage>,
}

#[derive(Debug)]
struct Book {
    path: PathBuf,
    /// Which database and login.
    place: String,
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
    /// Opens a journal in a folder, which is made if it is not there, and takes over what dead
    /// processes left open for the same place. `place` is whatever tells one database and login
    /// from another.
    ///
    /// Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the folder or the file cannot be written.
    pub fn open(folder: &Path, place: &str) -> Result<Opened, JournalError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        let path = folder.join(format!("{}.{EXTENSION}", Uuid::new_v4()));
        let file = (|| {
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
            file.lock()?;
            // The name of a new file is as safe as its folder.
            File::open(folder)?.sync_all()?;
            Ok(file)
        })()
        .map_err(failed(&path))?;
        let state = Mutex::new(State { file, open: Vec::new(), is_kept: false });
        let journal = Self(Arc::new(Book { path, place: place.to_owned(), state }));
        let mut opened = Opened { journal, left: Vec::new(), damage: Vec::new() };
        for path in files(folder) {
            if path != opened.journal.0.path {
                opened.take_over(path)?;
            }
        }
        Ok(opened)
    }

    /// Records what is about to be sent. It is on the disk when this returns.
    ///
    /// Not cancel safe: dropped, it may have been written all the same. Then it is asked about, and
    /// the database says that nothing was done.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: send nothing.
    pub async fn intend(&self, intent: Intent) -> Result<(), JournalError> {
        self.write_apart(self.intent(intent)).await
    }

    /// Records how a write ended. An unknown end is no end.
    ///
    /// # Errors
    ///
    /// [`JournalError`]. The next start asks the database again, and gets the same answer.
    pub async fn settle(&self, key: ClientKey, outcome: &Outcome) -> Result<(), JournalError> {
        let outcome = outcome.kind();
        if outcome == OutcomeKind::Unknown {
            return Ok(());
        }
        self.write_apart(Record::Ended { key, outcome }).await
    }

    /// Keeps the file for a while when everything in it has ended.
    pub fn keep(&self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).is_kept = true;
    }

    fn intent(&self, intent: Intent) -> Record {
        Record::Sending { place: self.0.place.clone(), intent: Box::new(intent) }
    }

    /// Writes in a thread that may wait for the disk.
    async fn write_apart(&self, record: Record) -> Result<(), JournalError> {
        let journal = self.clone();
        let written = tokio::task::spawn_blocking(move || journal.write(&record)).await;
        written.unwrap_or_else(|error| {
            Err(JournalError { path: self.0.path.clone(), source: io::Error::other(error) })
        })
    }

    fn write(&self, record: &Record) -> Result<(), JournalError> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |source| JournalError { path: self.0.path.clone(), source };
        state.append(record).map_err(failed)?;
        match record {
            Record::Sending { intent, .. } => state.open.push(intent.request.key),
            Record::Ended { key, .. } => state.open.retain(|open| open != key),
        }
        Ok(())
    }
}

impl State {
    fn append(&mut self, record: &Record) -> io::Result<()> {
        self.file.write_all(lines::line(record)?.as_bytes())?;
        self.file.sync_data()
    }
}

impl Opened {
    /// Takes what another process left in a file into this one's, and clears the file away.
    fn take_over(&mut self, path: PathBuf) -> Result<(), JournalError> {
        // Only a file of this place, or of none, is locked: whoever finds a lock looks away.
        let is_ours = |contents: &Contents| contents.place().is_none_or(|place| self.is_at(place));
        let dead = match read(&path) {
            Ok(contents) if is_ours(&contents) => {
                let file = OpenOptions::new().read(true).append(true).open(&path);
                file.and_then(|file| {
                    let is_dead = file.try_lock().is_ok();
                    // Until the lock was free its process may have written.
                    Ok(is_dead.then_some((file, read(&path)?)))
                })
            }
            contents => contents.map(|_| None),
        };
        let (_lock, contents) = match dead {
            Ok(Some(dead)) => dead,
            Ok(None) => return Ok(()),
            // Another process took it over.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.damage.push(Damage { path, what: What::File(error), moved_to: None });
                return Ok(());
            }
        };
        let Contents { records, faults } = contents;
        let found = ends(records);
        let is_whole = faults.is_empty();
        let is_open = found.values().any(|found| found.end.is_none());
        if is_whole && !is_open {
            if is_old(&path) {
                fs::remove_file(&path).ok();
            }
            return Ok(());
        }
        self.copy(found, is_whole)?;
        // Now it stands here. If the file cannot be cleared away it is found twice, which does no
        // harm.
        if is_whole {
            fs::remove_file(&path).ok();
        } else {
            let aside = path.with_extension(DAMAGED);
            let moved_to = fs::rename(&path, &aside).is_ok().then_some(aside);
            self.damage.push(Damage { path, what: What::Lines(faults), moved_to });
        }
        Ok(())
    }

    /// Writes open intents into this process's file; of a damaged file also those that have ended,
    /// because it will not be read again.
    fn copy(
        &mut self,
        found: BTreeMap<ClientKey, Found>,
        is_whole: bool,
    ) -> Result<(), JournalError> {
        for (key, Found { intent, end }) in found {
            match end {
                None => {
                    self.journal.write(&self.journal.intent(intent.clone()))?;
                    self.left.push(intent);
                }
                Some(_) if is_whole => {}
                Some(outcome) => {
                    self.journal.write(&self.journal.intent(intent))?;
                    self.journal.write(&Record::Ended { key, outcome })?;
                    self.journal.keep();
                }
            }
        }
        Ok(())
    }

    fn is_at(&self, place: &str) -> bool {
        self.journal.0.place == place
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
/// oldest first. More than one: another request came with the key of the first. Also returns what
/// could not be read.
pub fn find(folder: &Path, place: &str, key: ClientKey) -> (Vec<Found>, Vec<Damage>) {
    let (mut all, mut damage) = (Vec::new(), Vec::new());
    for path in files(folder) {
        let contents = match read(&path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                damage.push(Damage { path, what: What::File(error), moved_to: None });
                continue;
            }
        };
        if contents.place() == Some(place) {
            all.extend(ends(contents.records).remove(&key));
        }
        if !contents.faults.is_empty() {
            damage.push(Damage { path, what: What::Lines(contents.faults), moved_to: None });
        }
    }
    all.sort_by_key(|found| found.intent.at);
    (all, damage)
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == EXTENSION))
}

fn read(path: &Path) -> io::Result<Contents> {
    fs::read(path).map(|bytes| lines::read(&bytes))
}

/// Joins intents and their ends.
fn ends(records: Vec<Record>) -> BTreeMap<ClientKey, Found> {
    let mut found: BTreeMap<ClientKey, Found> = BTreeMap::new();
    for record in records {
        match record {
            Record::Sending { intent, .. } => {
                let key = intent.request.key;
                found.entry(key).or_insert(Found { intent: *intent, end: None });
            }
            Record::Ended { key, outcome } => {
                if let Some(known) = found.get_mut(&key) {
                    known.end = Some(outcome);
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
        let Opened { journal, left, .. } = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, []);
        journal.intend(intent(1)).await.unwrap();
        journal.intend(intent(2)).await.unwrap();
        journal.settle(intent(1).request.key, &accepted()).await.unwrap();
        let unknown = Outcome::Unknown("the connection was lost".to_owned());
        journal.settle(intent(2).request.key, &unknown).await.unwrap();

        // While it lives its intents are its own.
        let Opened { journal: other, left, .. } = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, []);
        drop(other);
        // Dropped with an open intent, the file stays as after a kill.
        drop(journal);
        let Opened { journal: elsewhere, left, .. } =
            Journal::open(folder.path(), "ann@db1").unwrap();
        assert_eq!(left, [], "another place's are not ours to ask about");
        drop(elsewhere);
        let Opened { journal: next, left, .. } = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, [intent(2)]);
        let Opened { left, .. } = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(left, [], "the one before has them");
        let refused = Outcome::Refused(Refusal::plain(Code::NotExecuted, "it never arrived"));
        next.settle(intent(2).request.key, &refused).await.unwrap();
        drop(next);
        assert_eq!(files(folder.path()).count(), 0, "nothing is open: nothing is kept");
    }

    #[tokio::test]
    async fn a_write_is_found_by_its_key_with_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let Opened { journal, .. } = Journal::open(folder.path(), "joe@db1").unwrap();
        journal.intend(intent(1)).await.unwrap();
        let key = intent(1).request.key;
        let (found, _) = find(folder.path(), "joe@db1", key);
        assert_eq!(found, [Found { intent: intent(1), end: None }]);
        assert_eq!(find(folder.path(), "ann@db1", key).0, []);
        journal.keep();
        journal.settle(key, &accepted()).await.unwrap();
        drop(journal);
        // Another request under that key, by a process with a later name or an earlier one.
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(1);
        let other = Intent { summary: "OTHER".to_owned(), at: later, ..intent(1) };
        for _ in 0..4 {
            let Opened { journal, .. } = Journal::open(folder.path(), "joe@db1").unwrap();
            journal.intend(other.clone()).await.unwrap();
            journal.keep();
            drop(journal);
        }
        let (found, _) = find(folder.path(), "joe@db1", key);
        assert_eq!(found.first().and_then(|found| found.end), Some(OutcomeKind::Accepted));
        assert!(found.iter().skip(1).all(|found| found.intent == other), "{found:?}");
    }

    /// Leaves a journal with three intents, as after a kill; the first has ended.
    async fn left_by_a_dead_process(folder: &Path) -> PathBuf {
        let Opened { journal, .. } = Journal::open(folder, "joe@db1").unwrap();
        for number in 1..=3 {
            journal.intend(intent(number)).await.unwrap();
        }
        journal.settle(intent(1).request.key, &accepted()).await.unwrap();
        journal.0.path.clone()
    }

    #[tokio::test]
    async fn a_damaged_journal_is_told_once_and_gives_up_what_is_intact() {
        let folder = tempfile::tempdir().unwrap();
        let path = left_by_a_dead_process(folder.path()).await;
        let mut bytes = fs::read(&path).unwrap();
        let third = intent(3).request.key.to_string();
        let at = bytes.windows(third.len()).position(|part| part == third.as_bytes()).unwrap();
        bytes[at] = 0xff;
        fs::write(&path, bytes).unwrap();

        let elsewhere = Journal::open(folder.path(), "ann@db1").unwrap();
        assert!(elsewhere.left.is_empty() && elsewhere.damage.is_empty(), "{elsewhere:?}");
        let first = Journal::open(folder.path(), "joe@db1").unwrap();
        assert_eq!(first.left, [intent(2)]);
        let [damage] = first.damage.as_slice() else { panic!("{first:?}") };
        let said = damage.to_string();
        assert!(said.contains("is damaged: line 3 ") && said.contains("unconfirmed"), "{said}");
        let aside = path.with_extension(DAMAGED);
        assert!(said.ends_with(&format!("it is now {}", aside.display())), "{said}");
        assert!(aside.exists() && !path.exists());
        let next = Journal::open(folder.path(), "joe@db1").unwrap();
        assert!(next.left.is_empty() && next.damage.is_empty(), "{next:?}");
        // What has ended can still be asked for, and after the process is gone, too.
        drop(first);
        let (found, _) = find(folder.path(), "joe@db1", intent(1).request.key);
        let end = Some(OutcomeKind::Accepted);
        assert_eq!(found, [Found { intent: intent(1), end }]);
    }

    #[tokio::test]
    async fn a_journal_of_an_older_version_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.journal");
        fs::write(&path, "4a5b6c7d {\"place\":\"joe@db1\"}\n").unwrap();
        let (_, damage) = find(folder.path(), "joe@db1", intent(1).request.key);
        assert_eq!(damage.len(), 1, "{damage:?}");
        let opened = Journal::open(folder.path(), "joe@db1").unwrap();
        let [damage] = opened.damage.as_slice() else { panic!("{opened:?}") };
        assert!(damage.to_string().contains("line 1 is damaged or of another version"), "{damage}");
        assert!(Journal::open(folder.path(), "joe@db1").unwrap().damage.is_empty());
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("0.journal")).unwrap();
        let opened = Journal::open(folder.path(), "joe@db1").unwrap();
        let [damage] = opened.damage.as_slice() else { panic!("{opened:?}") };
        assert!(damage.to_string().contains("0.journal cannot be read"), "{damage}");
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
        let Opened { journal, .. } = Journal::open(&inner, "joe@db1").unwrap();
        for path in [&inner, &journal.0.path] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
        }
    }
}
