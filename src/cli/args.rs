//! The command line as clap sees it: commands, flags and their help.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::write_args::Write;
use crate::app::command;
use crate::app::pane::Pane;

/// The end of `tmt --help`.
const EXAMPLES: &str = "\
Examples:
  tmt demo                                        a complete desk on this machine, no setup
  tmt                                             the console, on the configured servers
  tmt positions --json                            a pane as JSON
  tmt buy EUR_USD 10k sl=1.1450 tp=1.1850 @alpha  show the checks, ask, send once
  tmt doctor                                      check the setup

Exit codes: 0 done or accepted, 1 failed, 2 usage error, 3 refused, 4 outcome unknown.
`key=value` means `--key value` and `@name` means `--account name`, as on the console's
`:` line.";

/// Keyboard console of the TMT trading system
#[derive(Debug, Parser)]
#[command(name = "tmt", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    /// `None` starts the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file to read instead of ~/.config/tmt/console.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one configuration key for this run, e.g. screen.colour=never
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[arg(help = "Database address without a password: postgres://login@host/desk")]
    pub database: Option<String>,
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[arg(help = "Redis address without a password: redis://host:6379")]
    pub redis: Option<String>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("expected KEY=VALUE, e.g. screen.colour=never".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a complete desk on this machine: servers, simulated agents, console
    Demo(Demo),
    /// Manage private PostgreSQL and Redis servers
    #[command(subcommand)]
    Local(Local),
    /// Create or update the database schema
    Migrate(Migrate),
    /// Check the setup and say how to fix it
    Doctor(Doctor),
    /// Run simulated agents and prices on the configured servers
    Simulate(Simulate),
    /// Publish recorded quotes and write their bars
    Replay(Replay),
    /// Monitor the limits: raise and clear risk events, roll the trading day
    Sentinel(Sentinel),
    /// Create the next partitions, delete rows past their retention
    Maintain,
    /// List accounts
    Accounts(Table),
    /// List open positions
    Positions(Table),
    /// List the newest trades
    Trades(Table),
    /// List the newest signals
    Signals(Table),
    /// List the newest risk events
    Events(Table),
    /// List limits and how much of each is used
    Limits(Table),
    /// List agents
    Agents(Table),
    /// Query the outcome of an unconfirmed write; never resends it
    #[command(display_order = 150)]
    Outcome(Outcome),
    #[command(flatten)]
    Write(Write),
    /// Verify the audit chain, or print its head
    #[command(subcommand, display_order = 151)]
    Audit(Audit),
    /// Compare positions, trades and balances with the fills
    #[command(display_order = 152)]
    Reconcile(Reconcile),
    /// Print the console's keys
    #[command(display_order = 200)]
    Keys(Keys),
    /// Print the configuration and where each value comes from
    #[command(display_order = 201)]
    Config(Shown),
    /// Print a completion script for a shell
    #[command(display_order = 202)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Returns the pane to print and the format, for the commands that list one.
    pub(super) fn pane(&self) -> Option<(Pane, Table)> {
        match self {
            Self::Accounts(table) => Some((Pane::Accounts, *table)),
            Self::Positions(table) => Some((Pane::Positions, *table)),
            Self::Trades(table) => Some((Pane::Trades, *table)),
            Self::Signals(table) => Some((Pane::Signals, *table)),
            Self::Events(table) => Some((Pane::Events, *table)),
            Self::Limits(table) => Some((Pane::Limits, *table)),
            Self::Agents(table) => Some((Pane::Agents, *table)),
            Self::Demo(_)
            | Self::Local(_)
            | Self::Migrate(_)
            | Self::Doctor(_)
            | Self::Simulate(_)
            | Self::Replay(_)
            | Self::Sentinel(_)
            | Self::Audit(_)
            | Self::Reconcile(_)
            | Self::Maintain
            | Self::Outcome(_)
            | Self::Write(_)
            | Self::Keys(_)
            | Self::Config(_)
            | Self::Completions { .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Opens and closes positions, halts an account
    Trader,
    /// Closes positions, acknowledges events, changes limits, halts and resumes
    Risk,
    /// Trader and risk officer
    Admin,
    /// Read-only
    Viewer,
}

#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Role of the console's login
    #[arg(long, value_enum, default_value_t = Role::Trader)]
    pub role: Role,
    /// Random seed: the same seed gives the same desk and market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Replay recorded quotes in place of simulated ones, one instrument per file
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub replay: Vec<PathBuf>,
    /// Replay speed: 1x, 60x or max
    #[arg(long, default_value = "1x", requires = "replay")]
    pub speed: String,
    /// Simulated quotes per second, over all instruments
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Keep the data in the folder of `tmt local`, and continue with it next time
    #[arg(long)]
    pub keep: bool,
    /// No console: print the addresses and run until Ctrl-C
    #[arg(long)]
    pub headless: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Local {
    /// Start the servers and leave them running
    Start,
    /// Stop the servers; their data stays
    Stop,
    /// List running servers, including those of demos and tests
    Status,
    #[command(about = "Print DATABASE_URL and REDIS_URL for a shell: eval \"$(tmt local env)\"")]
    Env {
        /// Login to use, e.g. risk2 of the demo
        #[arg(long, value_name = "NAME")]
        login: Option<String>,
    },
    /// Stop the servers and delete their data
    Reset {
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Migrate {
    /// Report what would be done and what is in the way; change nothing
    #[arg(long)]
    pub check: bool,
    /// Adopt a database that already holds TMT's tables; tables and rows stay
    #[arg(long)]
    pub adopt: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Simulate {
    /// Random seed: the same seed gives the same market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Quotes per second, over all instruments
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Make the agents act this many times faster
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub hurry: u32,
}

#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// CSV files with the header time,bid,ask, plain or gzip; names start with the instrument
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Instrument of all files, whatever their names
    #[arg(long)]
    pub instrument: Option<String>,
    /// Speed: 1x, 60x or max
    #[arg(long, default_value = "1x")]
    pub speed: String,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Sentinel {
    /// Run one round and exit, for use from a scheduler
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Audit {
    /// Print the number and hash of the newest line, to be kept elsewhere
    Head {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Verify the whole chain; exits with 1 if a line was changed or removed
    Verify(Verify),
}

#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Head kept earlier: a chain cut short since then is detected too
    #[arg(long, value_name = "SEQ:HASH")]
    pub head: Option<String>,
    /// Read that head from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "head")]
    pub head_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Reconcile {
    /// Only this account, by name or id
    pub account: Option<String>,
    /// Write what the fills give; administrators only
    #[arg(long)]
    pub repair: bool,
    /// Do not ask before writing
    #[arg(long, requires = "repair")]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of the commands that list a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Table {
    /// Print a JSON array; numbers are strings with every digit
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV with a header
    #[arg(long)]
    pub csv: bool,
    /// Print again on every change, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Outcome {
    /// Id of the write, as it was printed
    pub id: uuid::Uuid,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Keys {
    /// Print a Markdown table
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Shown {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Parses a command line whose first word is the program's name. `key=value` and `@name` after a
/// command that writes become flags first, as on the console's `:` line.
///
/// # Errors
///
/// clap's own, which include `--help` and `--version`.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let words = rewrite(words.into_iter().collect());
    let verb = words.iter().skip(1).filter_map(|word| word.to_str()).find(|w| Write::is_verb(w));
    let verb = verb.unwrap_or_default().to_owned();
    Cli::try_parse_from(words).map_err(|error| with_hint(error, &verb))
}

/// Replaces clap's hint where following it would lead to the next error.
fn with_hint(mut error: clap::Error, verb: &str) -> clap::Error {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let is_negative = word
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    let hint = match verb {
        "buy" | "sell" | "close" | "take" if is_negative => {
            "size must be above zero, e.g. 10k".to_owned()
        }
        "limit" if is_negative => "a limit must be above zero".to_owned(),
        "halt" | "reduce-only" if !word.starts_with('-') => {
            format!("name the scope: instrument={word}, portfolio={word} or @{word}")
        }
        _ => return error,
    };
    let hint = ContextValue::StyledStrs(vec![StyledStr::from(hint)]);
    drop(error.insert(ContextKind::Suggested, hint));
    error
}

/// Global flags that take a value.
const WITH_VALUE: [&str; 4] = ["--config", "--set", "--database", "--redis"];

/// Rewrites the words after a command that writes. Other commands are left alone: their words can
/// be file names with an equals sign.
fn rewrite(words: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        if !word.starts_with('-') {
            break;
        }
        at += if WITH_VALUE.contains(&word) { 2 } else { 1 };
    }
    let is_verb = words.get(at).and_then(|word| word.to_str()).is_some_and(Write::is_verb);
    if !is_verb {
        return words;
    }
    let behind = words.iter().skip(at).map(|word| word.clone().into_string());
    match behind.collect::<Result<Vec<String>, OsString>>() {
        Ok(behind) => {
            let before = words.iter().take(at).cloned();
            before.chain(command::rewrite(behind).into_iter().map(OsString::from)).collect()
        }
        // clap reports what is not UTF-8.
        Err(_) => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        shell_words::split(line).unwrap().into_iter().map(OsString::from).collect()
    }

    #[test]
    fn clap_accepts_the_definition() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn only_words_of_commands_that_write_are_rewritten() {
        assert_eq!(
            rewrite(words("tmt --config x=y --set a=b buy EUR_USD 10k sl=1.08 @alpha")),
            words("tmt --config x=y --set a=b buy EUR_USD 10k --sl=1.08 --account=alpha")
        );
        for untouched in ["tmt replay day=1.csv", "tmt", "tmt --version", "tmt --set"] {
            assert_eq!(rewrite(words(untouched)), words(untouched));
        }
    }

    #[test]
    fn a_command_that_writes_takes_its_own_and_the_shared_flags() {
        let cli =
            parse(words("tmt limit set 1234abcd 5000 reason='calm day' --yes --json")).unwrap();
        let Some(Command::Write(write)) = cli.command else { panic!("{cli:?}") };
        assert!(write.how.yes && write.how.json && !write.how.dry_run);
        assert!(matches!(write.verb, command::Verbs::Limit(_)));
        assert!(parse(words("tmt accounts --yes")).is_err());
        assert!(parse(words("tmt buy EUR_USD 10k --id nonsense")).is_err());
    }

    #[test]
    fn json_and_csv_are_exclusive() {
        assert!(parse(words("tmt accounts --json --csv")).is_err());
    }
}
