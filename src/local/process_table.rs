//! The process table: servers that run in a folder, start times.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Interval between checks of another process. Servers start and end within tens of milliseconds, and
/// a check costs microseconds.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// Process names of the server programs. Only these are ever killed by folder.
const SERVERS: [&str; 6] =
    ["postgres", "postmaster", "initdb", "redis-server", "valkey-server", "redis-check-rdb"];

/// Sends a signal to every server process whose working directory is in `folder`; returns how many.
///
/// The folder decides, not a list of process ids, which would miss a process that was started just
/// before a crash.
pub(super) fn signal_all_in(folder: &Path, signal: Signal) -> usize {
    let found = working_in(folder);
    for pid in &found {
        kill_process(*pid, signal).ok();
    }
    found.len()
}

/// Counts the server processes in `folder`.
pub(super) fn count_in(folder: &Path) -> usize {
    working_in(folder).len()
}

/// When a process was started; `None` if it has ended or is a zombie.
#[cfg(target_os = "linux")]
pub(super) fn birth(pid: Pid) -> Option<String> {
    let (_, fields) = stat(&pid.as_raw_nonzero().to_string())?;
    // proc_pid_stat(5): behind the name, field 3 is the state and field 22 the start time in clock
    // ticks since boot.
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

/// Server processes whose working directory is in a folder.
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

/// The name of a process and the fields behind it. The name may hold anything, even `) R 1`.
#[cfg(target_os = "linux")]
fn stat(pid: &str) -> Option<(String, String)> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, fields) = line.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    Some((name.to_owned(), fields.to_owned()))
}

/// The same from `ps`, on systems without `/proc`.
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
