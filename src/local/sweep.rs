//! Cleans up after owners that were killed and could not do it themselves.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::bases::{self, OWNER, is_ephemeral_folder};
use super::process_table::{LOOK, count_in, signal_all_in};

/// How old a folder without an `owner` file must be before it counts as abandoned: its owner makes
/// that file at once, and may just be about to.
const BEING_MADE: Duration = Duration::from_mins(1);

/// How long servers get to end on SIGQUIT. Immediate shutdown takes PostgreSQL about 10 ms, and
/// gives back its shared memory, which SIGKILL would leave with the system.
const QUIT: Duration = Duration::from_secs(3);

/// How long servers get to disappear after SIGKILL.
const KILL: Duration = Duration::from_secs(5);

/// Ends the servers and removes the folders that dead owners left in the temporary folder; returns
/// how many folders that were.
///
/// A folder counts as abandoned when it is this user's own and the lock on its `owner` file is
/// free. Two sweeps at once do no harm: the lock goes to one of them.
pub fn sweep() -> usize {
    bases::all()
        .iter()
        .filter_map(|base| fs::read_dir(base).ok())
        .flat_map(Iterator::flatten)
        .filter(|entry| remove_if_abandoned(&entry.path()))
        .count()
}

fn remove_if_abandoned(folder: &Path) -> bool {
    if !is_ephemeral_folder(folder) {
        return false;
    }
    // Kept open, and so locked, until the folder is gone.
    let _lock = match File::open(folder.join(OWNER)) {
        Ok(owner) if owner.try_lock().is_ok() => Some(owner),
        Err(_) if is_older_than(folder, BEING_MADE) => None,
        Ok(_) | Err(_) => return false,
    };
    end_all_in(folder);
    fs::remove_dir_all(folder).is_ok()
}

fn is_older_than(folder: &Path, age: Duration) -> bool {
    fs::metadata(folder)
        .and_then(|found| found.modified())
        .is_ok_and(|made| made.elapsed().is_ok_and(|elapsed| elapsed > age))
}

/// Ends every server process in a folder, and returns when they are gone. Blocks: for about 20 ms
/// where there is something to end, for the reading of the process table otherwise.
pub(super) fn end_all_in(folder: &Path) {
    for (signal, patience) in [(Signal::QUIT, QUIT), (Signal::KILL, KILL)] {
        if signal_all_in(folder, signal) == 0 {
            return;
        }
        // A stopped process acts on SIGQUIT only when it is continued.
        signal_all_in(folder, Signal::CONT);
        if gone(folder, patience) {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "used by drop, which cannot await")]
fn gone(folder: &Path, within: Duration) -> bool {
    let looks = within.as_millis().checked_div(LOOK.as_millis()).unwrap_or(1);
    (0..looks).any(|_| {
        std::thread::sleep(LOOK);
        count_in(folder) == 0
    })
}
