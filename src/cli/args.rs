//! What can be typed behind `tmt`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::write_args::Write;
use crate::app::command;
use crate::app::pane::Pane;

/// Ends `tmt --help`.
const EXAMPLES: &str = "\
Examples:
  tmt demo                                        everything on this machine, nothing to configure
  tmt                                             the console on the configured servers
  tmt positions --json                            a pane for another program
  tmt buy EUR_USD 10k sl=1.1450 tp=1.1850 @alpha  a trade: shows the checks, asks, sends once
  tmt doctor                                      what works, what does not, what to do

A write answers with its exit code: 0 accepted, 2 not understood, 3 refused, 4 unknown.
`key=value` is the same as `--key value`, and `@name` as `--account name`, as on the console's
command line.";

/// The keyboard console of the TMT trading system
#[derive(Debug, Parser)]
#[command(name = "tmt", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = false)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// What to do; the console where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Read this file instead of ~/.config/tmt/console.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set a key of the configuration for this run.
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    #[arg(help = "Set a key of the configuration for this run, like screen.colour=never")]
    pub set: Vec<(String, String)>,
    /// Address of the database, without a password.
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[arg(help = "Database, without a password: postgres://login@host/desk")]
    pub database: Option<String>,
    /// Address of Redis, without a password.
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[arg(help = "Redis, without a password: redis://host:6379")]
    pub redis: Option<String>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write a key, an equals sign and a value: screen.colour=never".to_owned()),
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything on this machine: servers, a desk, its agents, the console
    Demo(Demo),
    /// Private PostgreSQL and Redis servers by themselves
    #[command(subcommand)]
    Local(Local),
    /// Bring a database to the console's schema
    Migrate(Migrate),
    /// Say what works, what does not, and what to do about it
    Doctor(Doctor),
    /// Run the simulated agents and prices against the configured servers
    Simulate(Simulate),
    /// Publish recorded quotes, and write their bars
    Replay(Replay),
    /// Watch the limits: raise and end risk events, roll the trading day
    Sentinel(Sentinel),
    /// Make partitions ahead of time, keep to the retention
    Maintain,
    /// Print the accounts
    Accounts(Table),
    /// Print the open positions
    Positions(Table),
    /// Print the newest trades
    Trades(Table),
    /// Print the newest signals
    Signals(Table),
    /// Print the newest risk events
    Events(Table),
    /// Print the limits and how much of each is used
    Limits(Table),
    /// Print the agents
    Agents(Table),
    /// Settle a write whose answer was lost, without sending it again
    #[command(display_order = 150)]
    Outcome(Outcome),
    /// A verb that writes.
    #[command(flatten)]
    Write(Write),
    /// Check the audit chain, or print its head
    #[command(subcommand, display_order = 151)]
    Audit(Audit),
    /// Compare positions, trades and balances with the fills
    #[command(display_order = 152)]
    Reconcile(Reconcile),
    /// Print the keys of the console
    #[command(display_order = 200)]
    Keys(Keys),
    /// Print the configuration, and where each value comes from
    #[command(display_order = 201)]
    Config(Shown),
    /// Print what makes a shell complete tmt's words
    #[command(display_order = 202)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Returns the pane that it prints, and how.
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

/// A role of the demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Opens and closes
    Trader,
    /// Acknowledges, changes limits, halts and resumes
    Risk,
    /// Both
    Admin,
    /// Looks
    Viewer,
}

/// `demo`
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Whose console it is
    #[arg(long, value_enum, default_value_t = Role::Trader)]
    pub role: Role,
    /// The same seed gives the same desk and the same market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Recorded quotes instead of random ones, each in its instrument
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub replay: Vec<PathBuf>,
    /// How fast recorded quotes go: 1x, 60x or max
    #[arg(long, default_value = "1x", requires = "replay")]
    pub speed: String,
    /// Random quotes a second, over all instruments
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Keep the data in the folder of `tmt local`, and go on with it next time
    #[arg(long)]
    pub keep: bool,
    /// No console: print the addresses, and serve until Ctrl-C
    #[arg(long)]
    pub headless: bool,
}

/// `local …`
#[derive(Debug, Clone, Subcommand)]
pub enum Local {
    /// Start them, and leave them running
    Start,
    /// Stop them; the data stays
    Stop,
    /// Say which run, also those of demos and tests
    Status,
    /// Print their addresses for a shell.
    #[command(about = "Print DATABASE_URL and REDIS_URL for a shell: eval \"$(tmt local env)\"")]
    Env {
        /// Log in as this one, like risk2 of a demonstration
        #[arg(long, value_name = "NAME")]
        login: Option<String>,
    },
    /// Stop them and delete their data
    Reset {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// `migrate`
#[derive(Debug, Clone, Copy, Args)]
pub struct Migrate {
    /// Change nothing, say what would be done and what stands in the way
    #[arg(long)]
    pub check: bool,
    /// Take over a database that holds tables of TMT; they and their rows stay
    #[arg(long)]
    pub adopt: bool,
}

/// `doctor`
#[derive(Debug, Clone, Copy, Args)]
pub struct Doctor {
    /// For another program
    #[arg(long)]
    pub json: bool,
}

/// `simulate`
#[derive(Debug, Clone, Args)]
pub struct Simulate {
    /// The same seed gives the same market
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Quotes a second, over all instruments
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// How many times faster than usual the agents act
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub hurry: u32,
}

/// `replay`
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// Files with a header time,bid,ask, gzip or not; the instrument is in the name
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The instrument of all files, whatever their names
    #[arg(long)]
    pub instrument: Option<String>,
    /// How fast: 1x, 60x or max
    #[arg(long, default_value = "1x")]
    pub speed: String,
}

/// `sentinel`
#[derive(Debug, Clone, Copy, Args)]
pub struct Sentinel {
    /// One round, then end: for a scheduler
    #[arg(long)]
    pub once: bool,
}

/// `audit …`
#[derive(Debug, Clone, Subcommand)]
pub enum Audit {
    /// Print the last line's number and hash, to be kept elsewhere
    Head {
        /// For another program
        #[arg(long)]
        json: bool,
    },
    /// Walk the whole chain; ends with 1 if a line was changed or taken away
    Verify(Verify),
}

/// `audit verify`
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// A head that was kept: a chain that was cut behind it is found too
    #[arg(long, value_name = "SEQ:HASH")]
    pub head: Option<String>,
    /// The same, from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "head")]
    pub head_file: Option<PathBuf>,
    /// For another program
    #[arg(long)]
    pub json: bool,
}

/// `reconcile`
#[derive(Debug, Clone, Args)]
pub struct Reconcile {
    /// Only this account, by name or key
    pub account: Option<String>,
    /// Write what the fills say; an administrator's
    #[arg(long)]
    pub repair: bool,
    /// Do not ask before it is written
    #[arg(long, requires = "repair")]
    pub yes: bool,
    /// For another program
    #[arg(long)]
    pub json: bool,
}

/// `accounts` and its sisters
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Table {
    /// An array of objects, numbers with their exact digits in quotes
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Comma-separated, with a heading
    #[arg(long)]
    pub csv: bool,
    /// Print it again when it changed, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `outcome`
#[derive(Debug, Clone, Copy, Args)]
pub struct Outcome {
    /// Its id, as the write printed it
    pub id: uuid::Uuid,
    /// For another program
    #[arg(long)]
    pub json: bool,
}

/// `keys`
#[derive(Debug, Clone, Copy, Args)]
pub struct Keys {
    /// As a table of Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// For another program
    #[arg(long)]
    pub json: bool,
}

/// `config`
#[derive(Debug, Clone, Copy, Args)]
pub struct Shown {
    /// For another program
    #[arg(long)]
    pub json: bool,
}

/// Parses a command line, its first word being the program's name. The words of a verb that writes
/// are rewritten first, as the console does with its `:` line.
///
/// # Errors
///
/// clap's own: also `--help` and `--version` are errors to it.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let words = rewritten(words.into_iter().collect());
    let verb = words.iter().skip(1).filter_map(|word| word.to_str()).find(|w| Write::is_verb(w));
    let verb = verb.unwrap_or_default().to_owned();
    Cli::try_parse_from(words).map_err(|error| hinted(error, &verb))
}

/// Says what to write instead, where clap's own hint leads to the next error.
fn hinted(mut error: clap::Error, verb: &str) -> clap::Error {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let is_negative = word
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    let hint = match verb {
        "buy" | "sell" | "close" | "take" if is_negative => {
            "a size is above zero, like 10k".to_owned()
        }
        "limit" if is_negative => "a limit is above zero".to_owned(),
        "halt" | "reduce-only" if !word.starts_with('-') => {
            format!("write what it covers: instrument={word}, portfolio={word} or @{word}")
        }
        _ => return error,
    };
    let hint = ContextValue::StyledStrs(vec![StyledStr::from(hint)]);
    drop(error.insert(ContextKind::Suggested, hint));
    error
}

/// Flags that stand before a command and take a word.
const TAKE_A_WORD: [&str; 4] = ["--config", "--set", "--database", "--redis"];

/// Rewrites what stands behind a verb. Words of other commands can be names of files, which may
/// hold an equals sign.
fn rewritten(words: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        if !word.starts_with('-') {
            break;
        }
        at += if TAKE_A_WORD.contains(&word) { 2 } else { 1 };
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
        // clap says what is not UTF-8.
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
    fn the_definition_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn only_the_words_of_a_verb_are_rewritten() {
        assert_eq!(
            rewritten(words("tmt --config x=y --set a=b buy EUR_USD 10k sl=1.08 @alpha")),
            words("tmt --config x=y --set a=b buy EUR_USD 10k --sl=1.08 --account=alpha")
        );
        for untouched in ["tmt replay day=1.csv", "tmt", "tmt --version", "tmt --set"] {
            assert_eq!(rewritten(words(untouched)), words(untouched));
        }
    }

    #[test]
    fn a_verb_takes_its_own_flags_and_those_of_every_verb() {
        let cli =
            parse(words("tmt limit set 1234abcd 5000 reason='calm day' --yes --json")).unwrap();
        let Some(Command::Write(write)) = cli.command else { panic!("{cli:?}") };
        assert!(write.how.yes && write.how.json && !write.how.dry_run);
        assert!(matches!(write.verb, command::Verbs::Limit(_)));
        assert!(parse(words("tmt accounts --yes")).is_err());
        assert!(parse(words("tmt buy EUR_USD 10k --id nonsense")).is_err());
    }

    #[test]
    fn json_and_csv_exclude_each_other() {
        assert!(parse(words("tmt accounts --json --csv")).is_err());
    }
}
