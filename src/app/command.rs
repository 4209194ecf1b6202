//! The verbs, in words: one definition for the `:` line of the console and for the shell.
//!
//! Before it is parsed, both rewrite `key=value` to `--key=value` and `@name` to `--account=name`,
//! so that `:buy EUR_USD 10k sl=1.08 @alpha` and `tmt buy EUR_USD 10k --sl 1.08 --account alpha`
//! are the same command.

use clap::{Args, Parser, Subcommand};
use rust_decimal::Decimal;

use super::cell::Tone;
use super::draft::{draft, right_of};
use super::effect::Effect;
use super::lists;
use super::model::{Model, Overlay};
use super::opening::{self, Subject};
use super::pane::Pane;
use super::press;
use super::ticket::{FieldName, Form, HaltScope, Ticket};
use crate::domain::halt::HaltMode;
use crate::domain::ids::{AccountId, ClientKey, EventId, HaltId, LimitId, PositionId, SignalId};
use crate::domain::money;
use crate::domain::trade::Side;

/// Reads a number as the console's fields do.
fn number(text: &str) -> Result<Decimal, String> {
    money::typed(text).map_err(|why| why.to_string())
}

/// A verb that writes.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verbs {
    /// Buy
    Buy(Open),
    /// Sell
    Sell(Open),
    /// Close a position, or a part of it
    Close(Close),
    /// Take a signal
    Take(Take),
    /// Acknowledge risk events
    Ack(Ack),
    /// Give an acknowledged risk event back
    Unack(Unack),
    /// Change, approve or reject a limit
    #[command(subcommand)]
    Limit(LimitVerb),
    /// Halt: no new orders
    Halt(Halt),
    /// Halt: only orders that reduce
    ReduceOnly(Halt),
    /// End a halt
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
    /// Instrument, or the position's key
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
        /// Why; needed to loosen
        #[arg(long)]
        reason: Option<String>,
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

/// `halt` and `reduce-only`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(multiple = true)]
pub struct Halt {
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

/// What only the console can be told.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum Views {
    /// Show accounts
    #[command(visible_alias = "accounts")]
    Acc,
    /// Show positions
    #[command(visible_alias = "positions")]
    Pos,
    /// Show trades
    Trades,
    /// Show signals
    #[command(visible_alias = "sig")]
    Signals,
    /// Show risk events
    #[command(visible_alias = "events")]
    Risk,
    /// Show limits
    #[command(visible_alias = "limits")]
    Lim,
    /// Show the market
    Market,
    /// Show agents and system events
    Agents,
    /// Filter the pane
    Filter {
        /// What its rows must match; nothing takes the filter away
        words: Vec<String>,
    },
    /// Show what was said and done
    Log,
    /// Show the keys
    #[command(visible_alias = "help")]
    Keys,
    /// Read everything again
    Reload,
    /// Leave
    #[command(visible_aliases = ["q", "exit"])]
    Quit,
}

#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_help_subcommand = true)]
#[command(infer_long_args = false, args_override_self = false)]
struct Line {
    #[command(subcommand)]
    command: Spoken,
}

#[derive(Debug, Subcommand)]
enum Spoken {
    #[command(flatten)]
    Verb(Verbs),
    #[command(flatten)]
    View(Views),
}

/// Rewrites `key=value` to `--key=value` and `@name` to `--account=name`.
pub fn rewrite(words: impl IntoIterator<Item = String>) -> Vec<String> {
    words
        .into_iter()
        .map(|word| {
            if let Some(name) = word.strip_prefix('@') {
                return format!("--account={name}");
            }
            match word.split_once('=') {
                Some((key, _))
                    if !key.is_empty()
                        && key.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                        && !key.starts_with('-') =>
                {
                    format!("--{word}")
                }
                _ => word,
            }
        })
        .collect()
}

/// Takes a line that was entered behind `:`.
pub(super) fn entered(model: &mut Model, line: &str, fresh: ClientKey) -> Vec<Effect> {
    let words = match shell_words::split(line) {
        Ok(words) if words.is_empty() => return vec![],
        Ok(words) => words,
        Err(_) => {
            model.say(Tone::Warning, "a quote is not closed");
            return vec![];
        }
    };
    match Line::try_parse_from(rewrite(words)) {
        Ok(Line { command: Spoken::Verb(verb) }) => match ticket(model, &verb, fresh) {
            Ok(ticket) => opening::show(model, ticket),
            Err(why) => {
                model.say(Tone::Warning, why);
                vec![]
            }
        },
        Ok(Line { command: Spoken::View(view) }) => viewed(model, view),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            let hint = text.lines().find(|line| line.trim_start().starts_with("tip:"));
            let hint = hint.map(|line| format!("; {}", line.trim())).unwrap_or_default();
            model.say(Tone::Warning, format!("{first}{hint}"));
            vec![]
        }
    }
}

fn viewed(model: &mut Model, view: Views) -> Vec<Effect> {
    match view {
        Views::Acc => lists::go(model, Pane::Accounts),
        Views::Pos => lists::go(model, Pane::Positions),
        Views::Trades => lists::go(model, Pane::Trades),
        Views::Signals => lists::go(model, Pane::Signals),
        Views::Risk => lists::go(model, Pane::Events),
        Views::Lim => lists::go(model, Pane::Limits),
        Views::Market => lists::go(model, Pane::Market),
        Views::Agents => lists::go(model, Pane::Agents),
        Views::Filter { words } => {
            let focus = model.focus;
            model.pane_mut(focus).filter = words.join(" ");
            vec![]
        }
        Views::Log => {
            model.overlay = Overlay::Log(0);
            vec![]
        }
        Views::Keys => {
            model.overlay = Overlay::Help(0);
            vec![]
        }
        Views::Reload => vec![Effect::ReadAll],
        Views::Quit => vec![Effect::Quit],
    }
}

/// Finds the one key that `text` is, or is the end of.
fn one<K: Copy + ToString>(
    text: &str,
    what: &str,
    keys: impl Iterator<Item = K>,
) -> Result<K, String> {
    let wanted = text.to_ascii_lowercase();
    let mut found = keys.filter(|key| {
        let whole = key.to_string();
        whole == wanted || (wanted.len() >= 4 && whole.replace('-', "").ends_with(&wanted))
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(format!("several {what}s end in {text:?}: type more of the key")),
        (None, _) => {
            Err(format!("no {what} {text:?}: type its key, or at least its last four digits"))
        }
    }
}

fn account(model: &Model, name: Option<&str>) -> Result<Option<AccountId>, String> {
    name.map(|name| {
        model.desk.account_named(name).map(|row| row.id).ok_or_else(|| {
            let mut names: Vec<&str> =
                model.desk.accounts.values().map(|row| row.name.as_str()).collect();
            names.sort_unstable();
            format!("no account {name:?}; there are {}", names.join(", "))
        })
    })
    .transpose()
}

/// Opens the ticket that a verb in words asks for, at review where its fields can be sent.
///
/// # Errors
///
/// A sentence that says what is not there, or not allowed.
pub fn ticket(model: &Model, verb: &Verbs, fresh: ClientKey) -> Result<Ticket, String> {
    let ticket = match verb {
        Verbs::Buy(open) => spoken_open(model, open, Side::Buy, fresh)?,
        Verbs::Sell(open) => spoken_open(model, open, Side::Sell, fresh)?,
        Verbs::Close(close) => spoken_close(model, close, fresh)?,
        Verbs::Take(take) => spoken_take(model, take, fresh)?,
        Verbs::Ack(ack) => {
            let known = || model.desk.events.keys().copied();
            let events: Result<Vec<EventId>, String> =
                ack.events.iter().map(|text| one(text, "risk event", known())).collect();
            let events = events?;
            let needs_note = events
                .iter()
                .filter_map(|id| model.desk.events.get(id))
                .any(|row| row.severity.needs_note());
            let mut ticket = Ticket::new(fresh, Form::Acknowledge { events, needs_note });
            ticket.fill(FieldName::Note, ack.note.clone().unwrap_or_default());
            ticket
        }
        Verbs::Unack(unack) => {
            let event = one(&unack.event, "risk event", model.desk.events.keys().copied())?;
            let mut ticket = Ticket::new(fresh, Form::Unacknowledge { event });
            ticket.fill(FieldName::Note, unack.note.clone());
            ticket
        }
        Verbs::Limit(verb) => spoken_limit(model, verb, fresh)?,
        Verbs::Halt(halt) => spoken_halt(model, halt, HaltMode::NoNewOrders, fresh)?,
        Verbs::ReduceOnly(halt) => spoken_halt(model, halt, HaltMode::ReduceOnly, fresh)?,
        Verbs::Resume(resume) => spoken_resume(model, resume, fresh)?,
    };
    let needed = right_of(&ticket.form);
    if let Ok(verb) = draft(model, &ticket)
        && let Some(why) = press::obstacle_for(model, &verb)
    {
        return Err(why);
    }
    if !model.role().may(needed) {
        return Err(format!("your role, {}, may not do that", model.role().as_str()));
    }
    Ok(opening::at_review(model, ticket))
}

fn spoken_open(model: &Model, open: &Open, side: Side, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, open.account.as_deref())?;
    let instrument = model
        .book
        .instrument(&open.instrument)
        .ok_or_else(|| unknown_instrument(model, &open.instrument))?;
    let about = Subject { account, instrument: Some(instrument.id.clone()) };
    let mut ticket = opening::open(model, fresh, side, &about);
    // Spoken words are whole: what was not said is not filled in from a preset.
    ticket.fill(FieldName::Stop, "");
    ticket.fill(FieldName::Target, "");
    ticket.fill_number(FieldName::Size, Some(open.size));
    ticket.fill_number(FieldName::Price, open.price);
    ticket.fill_number(FieldName::Stop, open.sl);
    ticket.fill_number(FieldName::Target, open.tp);
    ticket.fill(FieldName::Reason, open.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn unknown_instrument(model: &Model, name: &str) -> String {
    let mut names: Vec<&str> = model.book.instruments().map(|row| row.id.as_str()).collect();
    names.sort_unstable();
    format!("no instrument {name:?}; there are {}", names.join(", "))
}

fn spoken_close(model: &Model, close: &Close, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, close.account.as_deref())?;
    let position: PositionId = if let Some(instrument) = model.book.instrument(&close.position) {
        let mut held = model.desk.positions.values().filter(|row| {
            row.instrument == instrument.id && account.is_none_or(|id| id == row.account)
        });
        match (held.next(), held.next()) {
            (Some(only), None) => only.id,
            (Some(_), Some(_)) => {
                return Err(format!(
                    "several accounts hold {}: add the account, like @{}",
                    instrument.id,
                    held_by(model, instrument.id.as_str()),
                ));
            }
            (None, _) => return Err(format!("no open position in {}", instrument.id)),
        }
    } else {
        one(&close.position, "position", model.desk.positions.keys().copied())?
    };
    let mut ticket = opening::close(model, fresh, position)?;
    ticket.fill_number(FieldName::Size, close.size);
    ticket.fill_number(FieldName::Price, close.price);
    ticket.fill(FieldName::Reason, close.reason.clone().unwrap_or_default());
    Ok(ticket)
}

/// Name of an account that holds `instrument`, as an example.
fn held_by(model: &Model, instrument: &str) -> String {
    model
        .desk
        .positions
        .values()
        .find(|row| row.instrument.as_str() == instrument)
        .map(|row| model.desk.account_name(row.account))
        .unwrap_or_default()
}

fn spoken_take(model: &Model, take: &Take, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, take.account.as_deref())?;
    let signal: SignalId = one(&take.signal, "signal", model.desk.signals.keys().copied())?;
    let mut ticket = opening::take(model, fresh, signal)?;
    if let Some(id) = account {
        ticket.fill(FieldName::Account, model.desk.account_name(id));
    }
    ticket.fill_number(FieldName::Size, take.size);
    ticket.fill_number(FieldName::Price, take.price);
    ticket.fill(FieldName::Reason, take.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn spoken_limit(model: &Model, verb: &LimitVerb, fresh: ClientKey) -> Result<Ticket, String> {
    let find = |text: &str| -> Result<LimitId, String> {
        one(text, "limit", model.desk.limits.keys().copied())
    };
    Ok(match verb {
        LimitVerb::Set { limit, value, warning, reason } => {
            let limit = find(limit)?;
            let base_version = model.desk.limits.get(&limit).and_then(|row| row.updated_at);
            let mut ticket = Ticket::new(fresh, Form::EditLimit { limit, base_version });
            ticket.fill_number(FieldName::Value, Some(*value));
            ticket.fill_number(FieldName::Warning, *warning);
            ticket.fill(FieldName::Reason, reason.clone().unwrap_or_default());
            ticket
        }
        LimitVerb::Approve { limit, note } => {
            let mut ticket = Ticket::new(fresh, Form::Approve { limit: find(limit)? });
            ticket.fill(FieldName::Note, note.clone().unwrap_or_default());
            ticket
        }
        LimitVerb::Reject { limit, note } => {
            let mut ticket = Ticket::new(fresh, Form::Reject { limit: find(limit)? });
            ticket.fill(FieldName::Note, note.clone());
            ticket
        }
    })
}

fn spoken_halt(
    model: &Model,
    halt: &Halt,
    mode: HaltMode,
    fresh: ClientKey,
) -> Result<Ticket, String> {
    let scope = if let Some(id) = account(model, halt.account.as_deref())? {
        HaltScope::Account(id)
    } else if let Some(name) = &halt.instrument {
        let known = model.book.instrument(name).ok_or_else(|| unknown_instrument(model, name))?;
        HaltScope::Instrument(known.id.clone())
    } else if let Some(name) = &halt.portfolio {
        HaltScope::Portfolio(name.clone())
    } else {
        HaltScope::System
    };
    let mut ticket = opening::halt_of(model, fresh, mode, scope);
    if let Some(reason) = &halt.reason {
        ticket.fill(FieldName::Reason, reason.clone());
    }
    Ok(ticket)
}

fn spoken_resume(model: &Model, resume: &Resume, fresh: ClientKey) -> Result<Ticket, String> {
    let account = account(model, resume.account.as_deref())?;
    let halt: HaltId = match &resume.halt {
        Some(text) => one(text, "halt", model.desk.halts.keys().copied())?,
        None => model
            .desk
            .halts
            .values()
            .filter(|row| account.is_none() || row.account == account)
            .max_by_key(|row| row.set_at)
            .map(|row| row.id)
            .ok_or("no such halt is in force")?,
    };
    let mut ticket = Ticket::new(fresh, Form::Resume { halt });
    ticket.fill(FieldName::Reason, resume.reason.clone());
    Ok(ticket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        rewrite(shell_words::split(line).unwrap())
    }

    #[test]
    fn the_line_and_the_shell_are_one_grammar() {
        let spoken =
            Line::try_parse_from(words("buy EUR_USD 10k sl=1.08 @alpha reason=\"late print\""));
        let shell = Line::try_parse_from(words(
            "buy EUR_USD 10000 --sl 1.08 --account alpha --reason 'late print'",
        ));
        let (Spoken::Verb(one), Spoken::Verb(two)) =
            (spoken.unwrap().command, shell.unwrap().command)
        else {
            panic!("not verbs");
        };
        assert_eq!(one, two);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let error = Line::try_parse_from(words("buy EUR_USD 10k s=1.08")).unwrap_err();
        assert!(error.to_string().contains("--sl"), "{error}");
    }

    #[test]
    fn an_option_given_twice_is_an_error() {
        assert!(Line::try_parse_from(words("buy EUR_USD 10k sl=1.08 sl=1.09")).is_err());
    }
}
