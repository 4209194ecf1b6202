//! The command line: [`args`] defines the commands, [`run`] runs one.
//!
//! Nothing here prints an error: it returns a [`CliError`], and `main` prints it and picks the exit
//! code.

pub mod args;
mod audit;
mod console;
mod demo;
mod doctor;
pub mod exit;
mod io;
pub mod keys;
mod log;
mod panes;
mod prices;
mod reconcile;
mod report;
mod sentinel;
mod servers;
mod simulate;
mod snapshot;
pub mod table;
mod verbs;
mod write_args;

use std::time::Duration;

use clap::CommandFactory as _;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, Sources};
use crate::runtime;
use crate::store::Store;
use args::{Cli, Command, Global};

pub use exit::{CliError, Exit};
pub use io::Io;
pub use write_args::{How, Write};

/// Runs a command line.
///
/// `sources` is where the configuration comes from, apart from the flags; `stop` ends commands that
/// run until they are interrupted.
///
/// # Errors
///
/// [`CliError`] says why the command failed.
pub async fn run(
    cli: Cli,
    sources: Sources,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    if let Some(Command::Completions { shell }) = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "tmt", &mut script);
        io.out.write_all(&script)?;
        return Ok(Exit::Done);
    }
    let config = config::load(&with_flags(sources, &cli.global))?;
    let _log = log::start(&config.log)?;
    let Some(command) = cli.command else {
        return console(&config, io, stop).await;
    };
    dispatch(&config, command, io, &stop).await
}

/// Adds the flags to the other sources of the configuration.
fn with_flags(mut sources: Sources, global: &Global) -> Sources {
    sources.file = global.config.clone().or(sources.file);
    sources.settings.extend(global.set.iter().cloned());
    let addresses = [("database.url", &global.database), ("feed.url", &global.redis)];
    for (key, address) in addresses {
        sources.settings.extend(address.iter().map(|text| (key.to_owned(), text.clone())));
    }
    sources
}

async fn dispatch(
    config: &Config,
    command: Command,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Exit, CliError> {
    if let Some((pane, table)) = command.pane() {
        return panes::print(config, pane, table, io, stop).await;
    }
    match command {
        Command::Local(local) => servers::local(config, &local, io).await,
        Command::Migrate(migrate) => servers::migrate(config, migrate, io).await,
        Command::Demo(demo) => demo::run(config, &demo, io, stop.clone()).await,
        Command::Simulate(simulate) => {
            simulate::simulate(config, &simulate, io, stop.clone()).await
        }
        Command::Replay(replay) => simulate::replay(config, &replay, io, stop.clone()).await,
        Command::Write(write) => verbs::write(config, &write, io, stop).await,
        Command::Keys(keys) => print_keys(config, keys, io),
        Command::Config(shown) => print_config(config, shown, io),
        // Handled above, or in `run`.
        Command::Completions { .. }
        | Command::Accounts(_)
        | Command::Positions(_)
        | Command::Trades(_)
        | Command::Signals(_)
        | Command::Events(_)
        | Command::Limits(_)
        | Command::Agents(_) => Ok(Exit::Done),
        Command::Doctor(doctor) => doctor::run(config, doctor, io).await,
        Command::Outcome(outcome) => verbs::sending::outcome(config, outcome, io).await,
        Command::Maintain => servers::maintain(config, io).await,
        Command::Audit(audit) => audit::audit(config, &audit, io).await,
        Command::Reconcile(arguments) => reconcile::reconcile(config, &arguments, io).await,
        Command::Sentinel(arguments) => {
            sentinel::sentinel(config, arguments, io, stop.clone()).await
        }
    }
}

/// How long to wait for the database before the console starts without it.
const FIRST_CONTACT: Duration = Duration::from_secs(1);

/// Runs the console on the configured servers.
///
/// An error that waiting does not cure (a wrong password, an old schema, a missing right) is reported
/// before the terminal is taken. An unreachable server may come back, so the console starts and shows
/// it; if the server never answered by the time the user quits, the command fails with that error.
async fn console(
    config: &Config,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    if !console::has_terminal() {
        return Err(CliError::Run(runtime::RunError::NoTerminal));
    }
    let store = Store::connect(config.store.clone());
    let first = timeout(FIRST_CONTACT, store.session()).await;
    if let Ok(Err(error)) = &first
        && error.needs_a_person()
    {
        return Err(error.clone().into());
    }
    let feed = config.feed.clone();
    let exit = console::show(config, store.clone(), feed, &config.journal_folder, io, stop).await?;
    // A server that does not answer at all must not delay the exit.
    if !matches!(first, Ok(Ok(_)))
        && let Ok(Err(error)) = timeout(FIRST_CONTACT, store.session()).await
    {
        return Err(error.into());
    }
    Ok(exit)
}

fn print_keys(config: &Config, keys: args::Keys, io: &mut Io<'_>) -> Result<Exit, CliError> {
    let keymap = &config.app.keymap;
    if keys.markdown {
        keys::write_markdown(keymap, io.out)?;
    } else if keys.json {
        keys::write_json(keymap, io.out)?;
    } else {
        keys::write_text(keymap, io.out)?;
    }
    Ok(Exit::Done)
}

fn print_config(config: &Config, shown: args::Shown, io: &mut Io<'_>) -> Result<Exit, CliError> {
    if shown.json {
        let settings = config.settings.iter().map(|setting| {
            let (key, value) = (&setting.key, &setting.text);
            json!({ "key": key, "value": value, "origin": setting.origin.to_string() })
        });
        let document: Vec<_> = settings.collect();
        serde_json::to_writer_pretty(&mut *io.out, &document).map_err(std::io::Error::from)?;
        writeln!(io.out)?;
    } else {
        match &config.file {
            Some(file) => writeln!(io.out, "# read from {}", file.display())?,
            None => writeln!(
                io.out,
                "# no configuration file; the usual place is ~/.config/tmt/console.toml"
            )?,
        }
        write!(io.out, "{}", config.to_toml())?;
    }
    Ok(Exit::Done)
}
