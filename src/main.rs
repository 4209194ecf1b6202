//! The `tmt` binary: parse, wire, run. The only place that prints an error or picks an exit code.

use std::io::{self, Write as _};
use std::panic;
use std::process::ExitCode;

use tmt::cli::{self, Exit, Io, Trouble, args};
use tmt::config::{Faults, Sources};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    panic::set_hook(Box::new(crashed));
    match panic::catch_unwind(start) {
        Ok(exit) => exit.into(),
        // The hook has said it.
        Err(_) => Exit::Crashed.into(),
    }
}

fn start() -> Exit {
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            let is_asked_for = !error.use_stderr();
            // Help into a closed pipe is read as far as it was wanted.
            error.print().ok();
            return if is_asked_for { Exit::Done } else { Exit::Usage };
        }
    };
    match wire(cli) {
        Ok(exit) => exit,
        Err(trouble) if trouble.is_broken_pipe() => Exit::Done,
        Err(trouble) => {
            say(&trouble);
            trouble.exit()
        }
    }
}

/// Starts the runtime and runs the command in it.
fn wire(cli: args::Cli) -> Result<Exit, Trouble> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut out, mut notes) = (io::stdout(), io::stderr());
    let exit = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(watch_signals(signals()?, stop.clone()));
        let mut io = Io::of_process(&mut out, &mut notes);
        cli::run(cli, Sources::of_process(), &mut io, stop).await
    });
    // A thread that waits for somebody to type an answer must not hold the end up.
    runtime.shutdown_background();
    exit
}

/// Every signal that asks the program to end. SIGHUP too: the terminal is gone.
fn signals() -> io::Result<[Signal; 4]> {
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
        signal(SignalKind::quit())?,
    ])
}

async fn watch_signals(
    [mut int, mut term, mut hup, mut quit]: [Signal; 4],
    stop: CancellationToken,
) {
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
        _ = hup.recv() => {}
        _ = quit.recv() => {}
    }
    stop.cancel();
}

/// Says what went wrong: one line, or one for each fault of the configuration.
fn say(trouble: &Trouble) {
    let mut error = io::stderr().lock();
    let said = if let Trouble::Config(Faults(faults)) = trouble {
        faults.iter().try_for_each(|fault| writeln!(error, "tmt: {fault}"))
    } else {
        writeln!(error, "tmt: {trouble}")
    };
    // Nobody is left to tell.
    said.ok();
}

/// Says that the program itself is at fault, without a backtrace: where, what, and no more.
fn crashed(crash: &panic::PanicHookInfo<'_>) {
    let place = crash.location().map(ToString::to_string).unwrap_or_default();
    let what = crash.payload_as_str().unwrap_or("no message");
    let what = tmt::domain::text::clean(what);
    writeln!(io::stderr(), "tmt: crashed at {place}: {what}").ok();
}
