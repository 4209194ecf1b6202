//! Cleans up after killed owners.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::bases::{self, OWNER, is_ephemeral_folder};
use super::process_table::{LOOK, count_in, signal_all_in};

/// A folder without an `owner` file counts as abandoned when it is older than this: its owner may be
/// about to create the file.
const BEING_MADE: Duration = Duration::from_mins(1);

/// How long servers get to exit on SIGQUIT. Immediate shutdown takes PostgreSQL about 10 ms and
/// releases its shared memory, which SIGKILL would not.
const QUIT: Duration = Duration::from_secs(3);

/// How long servers get to exit after SIGKILL.
const KILL: Duration = Duration::from_secs(5);

/// Ends servers and removes ephemeral folders of killed owners; returns how many folders.
///
/// A folder counts as abandoned when it belongs to this user and the lock on its `owner` file is
/// free. Two sweeps at once are harmless: one of them gets the lock.
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
    // Locked until the folder is removed.
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

/// Ends every server process in a folder and returns when they are gone. Blocks for about 20 ms if
/// there are any.
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
