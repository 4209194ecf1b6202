//! Buys and sells, and signals that are taken.

mod size;

use clap::Args;
use rust_decimal::Decimal;

use super::kind::{Facts, Fields, FormKind, Opened, Waits, chosen_account, chosen_instrument};
use super::words::{self, number};
use crate::app::model::{Model, Preset};
use crate::app::pane::{Pane, RowId};
use crate::app::selection::{Subject, subject};
use crate::app::ticket::read::{self, Problem, note};
use crate::app::ticket::{FieldKind as Kind, FieldName, Form, Ticket, Trade};
use crate::domain::account::{AccountStatus, Environment};
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, ClientKey, InstrumentId, SignalId};
use crate::domain::instrument::Instrument;
use crate::domain::money::{self, exact};
use crate::domain::request::{NewTrade, Verb};
use crate::domain::session::Right;
use crate::domain::signal::SignalStatus;
use crate::domain::trade::Side;

pub(in crate::app) use size::risk_size;

const FIELDS: Fields = &[
    (FieldName::Account, Kind::Choice),
    (FieldName::Instrument, Kind::Choice),
    (FieldName::Size, Kind::Number),
    (FieldName::Price, Kind::Number),
    (FieldName::Stop, Kind::Number),
    (FieldName::Target, Kind::Number),
    (FieldName::Reason, Kind::Text),
];

/// `buy` and `sell`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// Instrument, or one of its other names
    pub instrument: String,
    /// Size in contracts: 25000, 10k, 1.5m
    #[arg(value_parser = number)]
    pub size: Decimal,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Price; the current one by default
    #[arg(long, value_parser = number)]
    pub price: Option<Decimal>,
    /// Stop
    #[arg(long, value_parser = number)]
    pub sl: Option<Decimal>,
    /// Target
    #[arg(long, value_parser = number)]
    pub tp: Option<Decimal>,
    /// Reason to pass a soft limit
    #[arg(long)]
    pub reason: Option<String>,
}

/// `take`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TakeWords {
    /// The signal's ID, or its last 4 characters
    pub signal: String,
    /// Account, by name or key
    #[arg(long)]
    pub account: Option<String>,
    /// Size in contracts; the preset by default
    #[arg(value_parser = number)]
    pub size: Option<Decimal>,
    /// Price; the current one by default
    #[arg(long, value_parser = number)]
    pub price: Option<Decimal>,
    /// Reason to pass a soft limit
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it on the selected row.
pub(super) fn open(model: &Model, key: ClientKey, side: Side) -> Opened {
    let about = subject(model);
    if model.focus == Pane::Signals && about.instrument.is_none() {
        return Err("select a signal first".into());
    }
    Ok(about_row(model, key, &Trade { side, signal: None }, &about))
}

/// Opens it on the selected signal.
pub(super) fn take(model: &Model, key: ClientKey) -> Opened {
    match model.selected() {
        Some(RowId::Signal(id)) => of_signal(model, key, *id),
        _ => Err("select a signal first".into()),
    }
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(
    model: &Model,
    key: ClientKey,
    side: Side,
    words: &Words,
) -> Opened {
    let account = words::account(model, words.account.as_deref())?;
    let instrument = words::instrument(model, &words.instrument)?;
    let about = Subject { account, instrument: Some(instrument.id.clone()) };
    let mut ticket = about_row(model, key, &Trade { side, signal: None }, &about);
    // A typed command is complete: presets fill in nothing.
    ticket.fill(FieldName::Stop, "");
    ticket.fill(FieldName::Target, "");
    ticket.fill_number(FieldName::Size, Some(words.size));
    ticket.fill_number(FieldName::Price, words.price);
    ticket.fill_number(FieldName::Stop, words.sl);
    ticket.fill_number(FieldName::Target, words.tp);
    ticket.fill(FieldName::Reason, words.reason.clone().unwrap_or_default());
    Ok(ticket)
}

/// Opens it on the signal named in the arguments.
pub(in crate::app) fn take_from_words(model: &Model, key: ClientKey, words: &TakeWords) -> Opened {
    let account = words::account(model, words.account.as_deref())?;
    let signal: SignalId = words::one(&words.signal, "signal", model.desk.signals.keys().copied())?;
    let mut ticket = of_signal(model, key, signal).map_err(|why| {
        let status = model.desk.signals.get(&signal).map(|row| row.status);
        let ran_out = matches!(status, Some(SignalStatus::Pending | SignalStatus::Expired));
        why.refused(if ran_out { Code::SignalExpired } else { Code::SignalNotPending })
    })?;
    if let Some(id) = account {
        ticket.fill(FieldName::Account, model.desk.account_name(id));
    }
    ticket.fill_number(FieldName::Size, words.size);
    ticket.fill_number(FieldName::Price, words.price);
    ticket.fill(FieldName::Reason, words.reason.clone().unwrap_or_default());
    Ok(ticket)
}

/// Opens it on what a row is about, filled from the first preset that fits.
fn about_row(model: &Model, key: ClientKey, form: &Trade, about: &Subject) -> Ticket {
    let mut ticket = Ticket::new(key, Form::Trade(form.clone()), FIELDS);
    let accounts: Vec<String> = tradable(model);
    // The row's account, else the one that is selected among the accounts, else the only one.
    let selected = match &model.pane(Pane::Accounts).selected {
        Some(RowId::Account(id)) if model.desk.accounts.contains_key(id) => Some(*id),
        _ => None,
    };
    let chosen = about.account.or(selected).map(|id| model.desk.account_name(id));
    let chosen = chosen.or_else(|| match accounts.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    });
    ticket.offer(FieldName::Account, accounts, chosen);
    let mut instruments: Vec<String> = model
        .book
        .instruments()
        .filter(|row| row.is_tradable)
        .map(|row| row.id.to_string())
        .collect();
    instruments.sort_unstable();
    let chosen = about.instrument.as_ref().map(InstrumentId::to_string);
    ticket.offer(FieldName::Instrument, instruments, chosen);
    form.prefill(model, &mut ticket);
    let first_empty = if chosen_account(model, &ticket).is_none() {
        FieldName::Account
    } else if chosen_instrument(model, &ticket).is_none() {
        FieldName::Instrument
    } else {
        FieldName::Size
    };
    ticket.focus_on(first_empty);
    ticket
}

/// Accounts that may open something, by name.
fn tradable(model: &Model) -> Vec<String> {
    let mut names: Vec<String> = model
        .desk
        .accounts
        .values()
        .filter(|row| row.status == AccountStatus::Active)
        .map(|row| row.name.clone())
        .collect();
    names.sort_unstable();
    names
}

fn of_signal(model: &Model, key: ClientKey, signal: SignalId) -> Opened {
    let row = model.desk.signals.get(&signal).ok_or("the signal no longer exists")?;
    if !row.is_live(model.now) {
        let text = "the signal has expired or was taken";
        return Err(text.into());
    }
    let about = Subject { account: None, instrument: Some(row.instrument.clone()) };
    let form = Trade { side: row.side, signal: Some(signal) };
    let mut ticket = about_row(model, key, &form, &about);
    let places = model.price_places(&row.instrument);
    ticket.fill_price(FieldName::Stop, Some(row.stop_loss), places);
    ticket.fill_price(FieldName::Target, Some(row.take_profit), places);
    if ticket.text(FieldName::Price).is_none() {
        ticket.fill_price(FieldName::Price, Some(row.entry_price), places);
    }
    Ok(ticket)
}

impl Trade {
    /// Fills size, price, stop and target from the preset of the chosen instrument, each only where
    /// nothing stands yet.
    fn prefill(&self, model: &Model, ticket: &mut Ticket) {
        let Some(instrument) = chosen_instrument(model, ticket).cloned() else { return };
        let preset = model.options.presets.iter().find(|preset| {
            preset.asset_class.as_ref().is_none_or(|class| *class == instrument.asset_class)
        });
        let Some(preset) = preset.cloned() else { return self.reprice(model, ticket) };
        if ticket.text(FieldName::Size).is_none() {
            ticket.fill_number(FieldName::Size, Some(preset.size));
        }
        if ticket.text(FieldName::Price).is_none() {
            self.reprice(model, ticket);
            self.levels(ticket, &instrument, &preset);
        }
    }

    fn levels(&self, ticket: &mut Ticket, instrument: &Instrument, preset: &Preset) {
        let price = ticket.text(FieldName::Price).and_then(|text| money::typed(text).ok());
        let level = |pips: Option<Decimal>, sign: Decimal| {
            let distance = pips?.checked_mul(instrument.pip_size)?.checked_mul(sign)?;
            let raw = price?.checked_add(distance)?;
            raw.checked_sub(raw.checked_rem(instrument.tick_size)?)
        };
        let stop = level(preset.stop_pips, Decimal::ZERO - self.side.sign());
        let target = level(preset.target_pips, self.side.sign());
        let places = instrument.price_places();
        ticket.fill_price(FieldName::Stop, stop, places);
        ticket.fill_price(FieldName::Target, target, places);
    }
}

impl FormKind for Trade {
    fn title(&self, _model: &Model, ticket: &Ticket) -> String {
        format!("{} {}", self.side, ticket.text(FieldName::Instrument).unwrap_or("…"))
    }

    fn right(&self) -> Right {
        Right::Open
    }

    fn read(&self, model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let account = chosen_account(model, ticket).ok_or_else(|| {
            Problem::at(FieldName::Account, "choose an account with Left and Right")
        })?;
        let instrument = chosen_instrument(model, ticket).ok_or_else(|| {
            let text = "choose an instrument with Left and Right";
            Problem::at(FieldName::Instrument, text)
        })?;
        let size = read::number(ticket, FieldName::Size)?.ok_or_else(|| {
            Problem::at(FieldName::Size, "enter a size, or press r to size by risk")
        })?;
        if size <= Decimal::ZERO {
            let problem = Problem::at(FieldName::Size, "size must be above zero");
            return Err(problem.refused(Code::SizeBelowMinimum));
        }
        // Ticks, steps and sides are the rulebook's to judge: it says so while the fields are typed,
        // in the words that decide, and for every client alike.
        let price = read::number(ticket, FieldName::Price)?.ok_or_else(|| {
            Problem::at(FieldName::Price, "enter a price, or press = for the current one")
        })?;
        Ok(Verb::Place(NewTrade {
            account,
            instrument: instrument.id.clone(),
            side: self.side,
            size,
            price,
            stop: read::number(ticket, FieldName::Stop)?,
            target: read::number(ticket, FieldName::Target)?,
            signal: self.signal,
            reason: note(ticket, FieldName::Reason),
        }))
    }

    fn account(&self, model: &Model, ticket: &Ticket) -> Option<AccountId> {
        chosen_account(model, ticket)
    }

    /// Before an account is chosen, nothing is known about whose money it is.
    fn environment(&self, model: &Model, ticket: &Ticket) -> Option<Environment> {
        let account = chosen_account(model, ticket)?;
        model.desk.accounts.get(&account).map(|row| row.environment)
    }

    fn instrument(&self, model: &Model, ticket: &Ticket) -> Option<InstrumentId> {
        chosen_instrument(model, ticket).map(|row| row.id.clone())
    }

    fn price(&self, model: &Model, ticket: &Ticket) -> Option<Decimal> {
        let quote = model.book.quote(&self.instrument(model, ticket)?)?;
        Some(match self.side {
            Side::Buy => quote.ask,
            Side::Sell => quote.bid,
        })
    }

    /// Another instrument has other prices.
    fn rechosen(&self, model: &Model, ticket: &mut Ticket, field: FieldName) {
        if field == FieldName::Instrument {
            for stale in [FieldName::Size, FieldName::Price, FieldName::Stop, FieldName::Target] {
                ticket.fill(stale, "");
            }
            self.prefill(model, ticket);
        }
    }

    fn waits_for(&self) -> Waits {
        Waits::All
    }
}

pub(super) fn facts(model: &Model, trade: &NewTrade) -> Facts {
    let level = |name: &str, level: Option<Decimal>| {
        level
            .map(|level| format!("  {name} {}", model.price_text(&trade.instrument, level)))
            .unwrap_or_default()
    };
    let sentence = format!(
        "{} {} {} @ {}{}{}  account {}",
        trade.side,
        exact(trade.size),
        trade.instrument,
        model.price_text(&trade.instrument, trade.price),
        level("SL", trade.stop),
        level("TP", trade.target),
        model.desk.account_name(trade.account),
    );
    Facts::new(sentence, Some(trade.account))
}
