//! The verbs that write: one clap definition for the `:` line and for the shell.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use rust_decimal::Decimal;

use crate::domain::halt::HaltMode;
use crate::domain::money;

/// Reads a number as the console's fields do.
fn number(text: &str) -> Result<Decimal, String> {
    money::typed(text).map_err(|why| why.to_string())
}

/// A price that may be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// None.
    None,
    /// This one.
    At(Decimal),
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("none") { Ok(Self::None) } else { number(text).map(Self::At) }
    }
}

/// A verb that writes.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verbs {
    /// Buy
    Buy(Open),
    /// Sell
    Sell(Open),
    /// Close a position, one trade of it, or a part
    Close(Close),
    /// Change stop, target and trailing distance of a position
    Amend(Amend),
    /// Close every position of an account at the market
    Flatten(Flatten),
    /// Take a signal
    Take(Take),
    /// Acknowledge risk events
    Ack(Ack),
    /// Give an acknowledged risk event back
    Unack(Unack),
    /// Set, change, approve, reject or take away a limit
    #[command(subcommand)]
    Limit(LimitVerb),
    /// Halt: no new orders; without a scope, for everything
    Halt(Halt),
    /// Halt: only orders that reduce; without a scope, for everything
    ReduceOnly(Halted),
    /// End a halt; without one named, the newest
    Resume(Resume),
}

/// `buy` and `sell`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Open {
    /// Instrument, or one of its other names
    pub instrument: String,
    /// Size in contracts: 25000, 10k, 1.5m
    #[arg(value_parser = number)]
    pub size: Decimal,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Price; without it, that of now
    #[arg(long, value_parser = number)]
    pub price: Option<Decimal>,
    /// Stop
    #[arg(long, value_parser = number)]
    pub sl: Option<Decimal>,
    /// Target
    #[arg(long, value_parser = number)]
    pub tp: Option<Decimal>,
    /// Why a soft limit may be passed
    #[arg(long)]
    pub reason: Option<String>,
}

/// `close`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Close {
    /// Instrument, or the key of the position or of one trade, or its end
    pub position: String,
    /// How much; without it, all
    #[arg(value_parser = number)]
    pub size: Option<Decimal>,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Price; without it, that of now
    #[arg(long, value_parser = number)]
    pub price: Option<Decimal>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// `amend`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Amend {
    /// Instrument, or the position's key, or its end
    pub position: String,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Stop, or none; without it, as it is
    #[arg(long)]
    pub sl: Option<Level>,
    /// Target, or none; without it, as it is
    #[arg(long)]
    pub tp: Option<Level>,
    /// How far the stop follows, in prices, or none; without it, as it is
    #[arg(long)]
    pub trail: Option<Level>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// `flatten`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Flatten {
    /// Account, by name or key
    #[arg(long, required = true)]
    pub account: String,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// `take`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Take {
    /// The signal's key, or the end of it
    pub signal: String,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Size in contracts; without it, that of the preset
    #[arg(value_parser = number)]
    pub size: Option<Decimal>,
    /// Price; without it, that of now
    #[arg(long, value_parser = number)]
    pub price: Option<Decimal>,
    /// Why a soft limit may be passed
    #[arg(long)]
    pub reason: Option<String>,
}

/// `ack`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Ack {
    /// Keys of the events, or their ends
    #[arg(required = true)]
    pub events: Vec<String>,
    /// What you say about it; needed for critical and emergency
    #[arg(long)]
    pub note: Option<String>,
}

/// `unack`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Unack {
    /// Key of the event, or its end
    pub event: String,
    /// Why
    #[arg(long)]
    pub note: String,
}

/// `limit …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum LimitVerb {
    /// Change a limit: tighter takes effect at once, looser needs a second person
    Set {
        /// Key of the limit, or its end
        limit: String,
        /// New value, in the limit's unit
        #[arg(value_parser = number)]
        value: Decimal,
        /// New warning, in the limit's unit
        #[arg(long, value_parser = number)]
        warning: Option<Decimal>,
        /// Until when: 45m, 2h, 3d, or a time in UTC; then the old limit returns
        #[arg(long)]
        until: Option<String>,
        /// Why; needed to loosen
        #[arg(long)]
        reason: Option<String>,
    },
    /// Set a limit that is not there yet; it takes effect at once
    New(Box<NewLimit>),
    /// Take a limit away; needs a second person
    Retire {
        /// Key of the limit, or its end
        limit: String,
        /// Why it is not needed any more
        #[arg(long)]
        reason: String,
    },
    /// Approve a proposal of another person
    Approve {
        /// Key of the proposal, or its end
        limit: String,
        /// What you add
        #[arg(long)]
        note: Option<String>,
    },
    /// Reject a proposal
    Reject {
        /// Key of the proposal, or its end
        limit: String,
        /// Why
        #[arg(long)]
        note: String,
    },
}

/// `limit new`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct NewLimit {
    /// What it limits.
    #[arg(value_name = "TYPE")]
    #[arg(help = "What it limits: max_exposure, max_daily_loss, max_open_positions …")]
    pub limit_type: String,
    /// The limit, in its unit
    #[arg(value_parser = number)]
    pub value: Decimal,
    /// Only this account
    #[arg(long)]
    pub account: Option<String>,
    /// Each account by itself
    #[arg(long, conflicts_with_all = ["account", "portfolio"])]
    pub each_account: bool,
    /// Only this instrument
    #[arg(long)]
    pub instrument: Option<String>,
    /// Only this portfolio
    #[arg(long, conflicts_with_all = ["account", "instrument"])]
    pub portfolio: Option<String>,
    /// Unit: a currency, percentage, fraction, units, lots, count …; without it, the usual one
    #[arg(long)]
    pub unit: Option<String>,
    /// Where it begins to warn, in its unit
    #[arg(long, value_parser = number)]
    pub warning: Option<Decimal>,
    /// Until when: 45m, 2h, 3d, or a time in UTC
    #[arg(long)]
    pub until: Option<String>,
    /// What the type needs beyond a number, as JSON
    #[arg(long, value_name = "JSON")]
    pub parameters: Option<String>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// What a halt still allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Closing
    NoNewOrders,
    /// Orders that reduce
    ReduceOnly,
    /// Nothing: every position is closed
    Flatten,
}

impl Mode {
    /// Returns the database's word for it.
    pub fn mode(self) -> HaltMode {
        match self {
            Self::NoNewOrders => HaltMode::NoNewOrders,
            Self::ReduceOnly => HaltMode::ReduceOnly,
            Self::Flatten => HaltMode::Flatten,
        }
    }
}

/// `halt`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Halt {
    /// What it still allows
    #[arg(long, value_enum, default_value_t = Mode::NoNewOrders)]
    pub mode: Mode,
    /// What it covers.
    #[command(flatten)]
    pub of: Halted,
}

/// What a halt covers, and why
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(multiple = true)]
pub struct Halted {
    /// Only this account
    #[arg(long)]
    pub account: Option<String>,
    /// Only this instrument
    #[arg(long, conflicts_with = "account")]
    pub instrument: Option<String>,
    /// Only this portfolio
    #[arg(long, conflicts_with_all = ["account", "instrument"])]
    pub portfolio: Option<String>,
    /// Why
    #[arg(long)]
    pub reason: Option<String>,
}

/// `resume`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Resume {
    /// Key of the halt, or its end; without it, the newest
    pub halt: Option<String>,
    /// The newest halt of this account
    #[arg(long)]
    pub account: Option<String>,
    /// Why trading may go on
    #[arg(long)]
    pub reason: String,
}
