//! The `tmt` binary. Only this file prints errors and picks exit codes.

use std::io::{self, Write as _};
use std::panic;
use std::process::ExitCode;

use tmt::cli::{self, CliError, Exit, Io, args};
use tmt::config::{Faults, Sources};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    panic::set_hook(Box::new(report_panic));
    match panic::catch_unwind(start) {
        Ok(exit) => exit.into(),
        // The hook has printed it.
        Err(_) => Exit::Crashed.into(),
    }
}

fn start() -> Exit {
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // clap treats --help and --version as errors too; those go to stdout.
            let is_help = !error.use_stderr();
            // A closed pipe is fine: the reader has seen what it wanted.
            error.print().ok();
            return if is_help { Exit::Done } else { Exit::Usage };
        }
    };
    match run(cli) {
        Ok(exit) => exit,
        Err(failure) if failure.is_broken_pipe() => Exit::Done,
        Err(failure) => {
            print(&failure);
            failure.exit()
        }
    }
}

/// Starts the async runtime and runs the command on it.
fn run(cli: args::Cli) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut out, mut notes) = (io::stdout(), io::stderr());
    let exit = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(signals()?, stop.clone()));
        let mut io = Io::of_process(&mut out, &mut notes);
        cli::run(cli, Sources::of_process(), &mut io, stop).await
    });
    // A thread may still be reading an answer from stdin: do not wait for it.
    runtime.shutdown_background();
    exit
}

/// The signals that end the program; SIGHUP means that the terminal is gone.
fn signals() -> io::Result<[Signal; 4]> {
    Ok([
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
        signal(SignalKind::quit())?,
    ])
}

async fn stop_on_signal(
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

/// Prints an error to stderr: one line, or one per fault of the configuration.
fn print(failure: &CliError) {
    let mut error = io::stderr().lock();
    let printed = if let CliError::Config(Faults(faults)) = failure {
        faults.iter().try_for_each(|fault| writeln!(error, "tmt: {fault}"))
    } else {
        writeln!(error, "tmt: {failure}")
    };
    // stderr may be closed; there is nowhere else to report it.
    printed.ok();
}

/// Prints a panic as one line, without a backtrace.
fn report_panic(crash: &panic::PanicHookInfo<'_>) {
    let place = crash.location().map(ToString::to_string).unwrap_or_default();
    let what = crash.payload_as_str().unwrap_or("no message");
    let what = tmt::domain::text::clean(what);
    writeln!(io::stderr(), "tmt: crashed at {place}: {what}").ok();
}
