//! Sets the terminal up, and restores it on every way out.

use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};

use rustix::process::{Signal, getpid, kill_process};

use super::RunError;

/// Exit code after a panic.
pub const CRASHED: i32 = 70;

/// Whether the terminal is set up. One flag per process: a panic of any thread must find it.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal as set up; restores it on drop.
#[derive(Debug)]
pub struct Terminal(());

impl Terminal {
    /// Sets up raw mode, the alternate screen, bracketed paste and focus reports.
    ///
    /// # Errors
    ///
    /// [`RunError::NoTerminal`] if there is none; [`RunError::Terminal`] if it refuses.
    pub fn enter() -> Result<Self, RunError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(RunError::NoTerminal);
        }
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |crash| {
            // The hook runs for a panic of any thread while the others draw: restore the terminal,
            // report, exit. A console that lost a task must not look alive.
            if IS_TAKEN.load(Ordering::SeqCst) {
                restore();
                before(crash);
                std::process::exit(CRASHED);
            }
            before(crash);
        }));
        take()?;
        Ok(Self(()))
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    IS_TAKEN.store(true, Ordering::SeqCst);
    let taken = execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        EnableFocusChange,
        SetTitle("tmt")
    );
    if taken.is_err() {
        restore();
    }
    taken
}

/// Restores the terminal and suspends the process; sets the terminal up again when it continues.
///
/// # Errors
///
/// If the terminal is gone.
pub fn stop_and_go() -> io::Result<()> {
    restore();
    kill_process(getpid(), Signal::STOP)?;
    take()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores the terminal. Harmless if it is not set up.
pub fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // The terminal may be gone.
    let written =
        execute!(out, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show)
            .and_then(|()| out.flush());
    let cooked = disable_raw_mode();
    if let Err(error) = written.and(cooked) {
        tracing::debug!(%error, "terminal not restored");
    }
}
