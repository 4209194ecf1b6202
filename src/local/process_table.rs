//! The system's process table: which servers work in a folder, and when a process was started.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How often a condition outside this process is looked at. Servers get ready and end within tens
/// of milliseconds, and a look costs microseconds.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// The server programs, as the kernel names their processes. Only these are ever killed by folder.
const SERVERS: [&str; 6] =
    ["postgres", "postmaster", "initdb", "redis-server", "valkey-server", "redis-check-rdb"];

/// Sends a signal to every server process that works in `folder`; returns how many there were.
///
/// The folder, not a list of process ids, says what is ours: a list is stale after a crash between
/// the start of a process and the note about it.
pub(super) fn signal_all_in(folder: &Path, signal: Signal) -> usize {
    let found = working_in(folder);
    for pid in &found {
        kill_process(*pid, signal).ok();
    }
    found.len()
}

/// How many server processes work in `folder`.
pub(super) fn count_in(folder: &Path) -> usize {
    working_in(folder).len()
}

/// When a process was started, or `None` if it is gone or only waits to be collected.
#[cfg(target_os = "linux")]
pub(super) fn birth(pid: Pid) -> Option<String> {
    let (_, fields) = stat(&pid.as_raw_nonzero().to_string())?;
    // proc_pid_stat(5): the fields behind the name begin with the third, the state; the
    // twenty-second is the start time in clock ticks since boot.
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

/// Server processes that work in a folder.
#[cfg(target_os = "linux")]
fn working_in(folder: &Path) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let pid = Pid::from_raw(name.parse().ok()?)?;
            let (program, _) = stat(&name)?;
            let cwd = std::fs::read_link(entry.path().join("cwd")).ok()?;
            (SERVERS.contains(&program.as_str()) && cwd.starts_with(folder)).then_some(pid)
        })
        .collect()
}

/// The name of a process and the fields behind it. The name may hold anything, also `) R 1`.
#[cfg(target_os = "linux")]
fn stat(pid: &str) -> Option<(String, String)> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, fields) = line.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    Some((name.to_owned(), fields.to_owned()))
}

/// As above, from `ps`, where there is no `/proc`.
#[cfg(not(target_os = "linux"))]
pub(super) fn birth(pid: Pid) -> Option<String> {
    let line = ps(&["-o", "stat=,lstart=", "-p", &pid.as_raw_nonzero().to_string()])?;
    let (state, born) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| born.trim().to_owned())
}

#[cfg(not(target_os = "linux"))]
fn working_in(folder: &Path) -> Vec<Pid> {
    let (Some(folder), Some(table)) = (folder.to_str(), ps(&["-axo", "pid=,command="])) else {
        return Vec::new();
    };
    table
        .lines()
        .filter_map(|line| {
            let (pid, command) = line.trim().split_once(' ')?;
            let program = command.split_ascii_whitespace().next()?.rsplit('/').next()?;
            let ours = SERVERS.contains(&program) && command.contains(folder);
            ours.then(|| Pid::from_raw(pid.parse().ok()?)).flatten()
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn ps(arguments: &[&str]) -> Option<String> {
    let output =
        std::process::Command::new("ps").args(arguments).env("LC_ALL", "C").output().ok()?;
    String::from_utf8(output.stdout).ok()
}
