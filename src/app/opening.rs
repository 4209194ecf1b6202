//! Opening tickets: from a row and a key, or from a command.

use rust_decimal::Decimal;

use super::draft::{chosen_account, chosen_instrument, draft};
use super::effect::Effect;
use super::model::{Model, Overlay, Preset};
use super::pane::{Pane, RowId};
use super::ticket::{FieldName, Form, HaltScope, Stage, Ticket, Verdict};
use crate::domain::account::AccountStatus;
use crate::domain::event::RiskEvent;
use crate::domain::halt::HaltMode;
use crate::domain::ids::{AccountId, ClientKey, EventId, InstrumentId, PositionId, SignalId};
use crate::domain::instrument::Instrument;
use crate::domain::limit::{Limit, LimitState};
use crate::domain::request::Verb;
use crate::domain::sizing::{self, Wish};
use crate::domain::trade::Side;

/// Why no ticket opens, as a sentence.
pub(super) type Declined = String;

/// What a row is about, for a ticket that opens on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) account: Option<AccountId>,
    pub(super) instrument: Option<InstrumentId>,
}

/// Returns the account and the instrument of the selected row.
pub(super) fn subject(model: &Model) -> Subject {
    let Some(id) = model.selected() else { return Subject::default() };
    let desk = &model.desk;
    match id {
        RowId::Account(id) => Subject { account: Some(*id), instrument: None },
        RowId::Position(id) => desk
            .positions
            .get(id)
            .map(|row| Subject {
                account: Some(row.account),
                instrument: Some(row.instrument.clone()),
            })
            .unwrap_or_default(),
        RowId::Trade(id) => desk
            .trades
            .get(id)
            .map(|row| Subject {
                account: Some(row.account),
                instrument: Some(row.instrument.clone()),
            })
            .unwrap_or_default(),
        RowId::Signal(id) => Subject {
            account: None,
            instrument: desk.signals.get(id).map(|row| row.instrument.clone()),
        },
        RowId::Event(id) => {
            Subject { account: desk.events.get(id).and_then(|row| row.account), instrument: None }
        }
        RowId::Limit(id) => {
            Subject { account: desk.limits.get(id).and_then(|row| row.account), instrument: None }
        }
        RowId::Instrument(id) => Subject { account: None, instrument: Some(id.clone()) },
        RowId::Agent(_) | RowId::SystemEvent(_) => Subject::default(),
    }
}

/// Opens a buy or a sell, filled from the first preset that fits.
pub(super) fn open(model: &Model, key: ClientKey, side: Side, about: &Subject) -> Ticket {
    let mut ticket = Ticket::new(key, Form::Open { side, signal: None });
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
    prefill(model, &mut ticket);
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

/// Fills size, price, stop and target from the preset of the chosen instrument, each only where
/// nothing stands yet.
pub(super) fn prefill(model: &Model, ticket: &mut Ticket) {
    let Some(instrument) = chosen_instrument(model, ticket).cloned() else { return };
    let Form::Open { side, .. } = ticket.form else { return };
    let preset = model.options.presets.iter().find(|preset| {
        preset.asset_class.as_ref().is_none_or(|class| *class == instrument.asset_class)
    });
    let Some(preset) = preset.cloned() else { return reprice(model, ticket) };
    if ticket.text(FieldName::Size).is_none() {
        ticket.fill_number(FieldName::Size, Some(preset.size));
    }
    if ticket.text(FieldName::Price).is_none() {
        reprice(model, ticket);
        levels(ticket, side, &instrument, &preset);
    }
}

/// Puts the price of now into the ticket: the ask for a buy, the bid for a sell.
pub(super) fn reprice(model: &Model, ticket: &mut Ticket) {
    let priced =
        match &ticket.form {
            Form::Open { side, .. } => chosen_instrument(model, ticket).map(|row| {
                let price = model.book.quote(&row.id).map(|quote| match side {
                    Side::Buy => quote.ask,
                    Side::Sell => quote.bid,
                });
                (price, row.price_places())
            }),
            Form::Close { position } => model.desk.positions.get(position).map(|held| {
                (closing_price(model, *position), model.price_places(&held.instrument))
            }),
            Form::Acknowledge { .. }
            | Form::Unacknowledge { .. }
            | Form::EditLimit { .. }
            | Form::Approve { .. }
            | Form::Reject { .. }
            | Form::Halt { .. }
            | Form::Resume { .. } => None,
        };
    if let Some((price, places)) = priced {
        ticket.fill_price(FieldName::Price, price, places);
    }
}

/// Price at which a position would be closed: of now, else the one that the database wrote last. A
/// close is offered on an old price too; the ticket shows its age.
fn closing_price(model: &Model, position: PositionId) -> Option<Decimal> {
    let held = model.desk.positions.get(&position)?;
    model.marks.positions.get(&position).map(|mark| mark.price).or(held.booked_price)
}

fn levels(ticket: &mut Ticket, side: Side, instrument: &Instrument, preset: &Preset) {
    let price =
        ticket.text(FieldName::Price).and_then(|text| crate::domain::money::typed(text).ok());
    let level = |pips: Option<Decimal>, sign: Decimal| {
        let distance = pips?.checked_mul(instrument.pip_size)?.checked_mul(sign)?;
        let raw = price?.checked_add(distance)?;
        raw.checked_sub(raw.checked_rem(instrument.tick_size)?)
    };
    let stop = level(preset.stop_pips, Decimal::ZERO - side.sign());
    let target = level(preset.target_pips, side.sign());
    let places = instrument.price_places();
    ticket.fill_price(FieldName::Stop, stop, places);
    ticket.fill_price(FieldName::Target, target, places);
}

/// Fills the size whose risk is the configured share of equity.
pub(super) fn risk_size(model: &Model, ticket: &mut Ticket) -> Result<(), Declined> {
    let Form::Open { .. } = ticket.form else {
        return Err("only a new trade is sized from risk".to_owned());
    };
    let number = |name| ticket.text(name).and_then(|text| crate::domain::money::typed(text).ok());
    let account = chosen_account(model, ticket).ok_or("choose an account first")?;
    let instrument = chosen_instrument(model, ticket).ok_or("choose an instrument first")?;
    let price = number(FieldName::Price).ok_or("type a price first")?;
    let stop = number(FieldName::Stop).ok_or("type a stop first: risk is the distance to it")?;
    let row = model.desk.accounts.get(&account).ok_or("the account is not here any more")?;
    let equity = model
        .marks
        .accounts
        .get(&account)
        .and_then(|mark| mark.equity)
        .ok_or("the equity is not known: a price or a rate is missing")?;
    let rate =
        model.book.rate(&instrument.quote_currency, &row.base_currency).ok_or_else(|| {
            format!("no rate from {} to {}", instrument.quote_currency, row.base_currency)
        })?;
    let fraction = model.options.risk_fraction;
    let wish =
        Wish { equity, fraction, entry: price, stop, fx: rate, commission: Decimal::ZERO, legs: 1 };
    let sized = sizing::size_for_risk(&wish, instrument, &[]).map_err(|why| why.to_string())?;
    ticket.fill_number(FieldName::Size, Some(sized.size));
    Ok(())
}

/// Opens a ticket on a signal.
pub(super) fn take(model: &Model, key: ClientKey, signal: SignalId) -> Result<Ticket, Declined> {
    let row = model.desk.signals.get(&signal).ok_or("the signal is gone")?;
    if !row.is_live(model.now) {
        return Err(
            "the signal can no longer be taken: its time ran out or it was taken".to_owned()
        );
    }
    let about = Subject { account: None, instrument: Some(row.instrument.clone()) };
    let mut ticket = open(model, key, row.side, &about);
    ticket.form = Form::Open { side: row.side, signal: Some(signal) };
    let places = model.price_places(&row.instrument);
    ticket.fill_price(FieldName::Stop, Some(row.stop_loss), places);
    ticket.fill_price(FieldName::Target, Some(row.take_profit), places);
    if ticket.text(FieldName::Price).is_none() {
        ticket.fill_price(FieldName::Price, Some(row.entry_price), places);
    }
    Ok(ticket)
}

/// Opens a close of a whole position, at review.
pub(super) fn close(model: &Model, key: ClientKey, id: PositionId) -> Result<Ticket, Declined> {
    if !model.desk.positions.contains_key(&id) {
        return Err("the position is no longer open".to_owned());
    }
    let mut ticket = Ticket::new(key, Form::Close { position: id });
    ticket.fill(FieldName::Size, "100%");
    reprice(model, &mut ticket);
    Ok(at_review(model, ticket))
}

/// Returns the live position of the selected row: itself, or that of a trade's account and
/// instrument.
pub(super) fn selected_position(model: &Model) -> Result<PositionId, Declined> {
    match model.selected() {
        Some(RowId::Position(id)) => Ok(*id),
        Some(RowId::Trade(id)) => {
            let trade = model.desk.trades.get(id).ok_or("the trade is gone")?;
            model
                .desk
                .positions
                .values()
                .find(|held| held.account == trade.account && held.instrument == trade.instrument)
                .map(|held| held.id)
                .ok_or_else(|| "nothing of this trade is open".to_owned())
        }
        _ => Err("select a position first".to_owned()),
    }
}

/// Opens the acknowledgement of the marked events, else of the selected one.
pub(super) fn acknowledge(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let events = chosen_events(model)?;
    let rows: Vec<&RiskEvent> = events.iter().filter_map(|id| model.desk.events.get(id)).collect();
    let open: Vec<&RiskEvent> =
        rows.iter().copied().filter(|row| row.acknowledged.is_none()).collect();
    if open.is_empty() {
        let owner = rows.iter().find_map(|row| row.acknowledged.as_ref());
        return Err(owner.map_or_else(
            || "nothing to acknowledge".to_owned(),
            |owner| format!("already acknowledged by {}", owner.by),
        ));
    }
    let several = open.len() > 1;
    if several && open.iter().any(|row| row.severity == crate::domain::event::Severity::Emergency) {
        return Err(
            "an emergency is acknowledged by itself: unmark it, or mark nothing else".to_owned()
        );
    }
    let needs_note = open.iter().any(|row| row.severity.needs_note());
    let events = open.iter().map(|row| row.id).collect();
    Ok(Ticket::new(key, Form::Acknowledge { events, needs_note }))
}

fn chosen_events(model: &Model) -> Result<Vec<EventId>, Declined> {
    let visible = model.visible(Pane::Events);
    let marked = &model.pane(Pane::Events).marked;
    let ids: Vec<EventId> = visible
        .iter()
        .filter(|id| marked.contains(*id))
        .filter_map(|id| if let RowId::Event(id) = id { Some(*id) } else { None })
        .collect();
    if !ids.is_empty() {
        return Ok(ids);
    }
    match model.selected() {
        Some(RowId::Event(id)) => Ok(vec![*id]),
        _ => Err("select a risk event first".to_owned()),
    }
}

fn selected_limit(model: &Model) -> Result<&Limit, Declined> {
    match model.selected() {
        Some(RowId::Limit(id)) => {
            model.desk.limits.get(id).ok_or_else(|| "the limit is gone".to_owned())
        }
        _ => Err("select a limit first".to_owned()),
    }
}

/// Opens the change of the selected limit.
pub(super) fn edit_limit(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let row = selected_limit(model)?;
    if row.state != LimitState::Active {
        return Err("this is a proposal: approve it with +, or reject it with -".to_owned());
    }
    let form = Form::EditLimit { limit: row.id, base_version: row.updated_at };
    Ok(Ticket::new(key, form))
}

/// Opens the approval of the selected proposal, at review.
pub(super) fn approve(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let row = selected_limit(model)?;
    if row.state != LimitState::Pending {
        return Err("this limit is in force: there is nothing to approve".to_owned());
    }
    let operator = model.session.as_ref().map_or("", |session| session.operator.as_str());
    if row.created_by.trim().eq_ignore_ascii_case(operator.trim()) {
        return Err("you asked for this change: another person must approve it".to_owned());
    }
    Ok(at_review(model, Ticket::new(key, Form::Approve { limit: row.id })))
}

/// Opens the rejection of the selected proposal.
pub(super) fn reject(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let row = selected_limit(model)?;
    if row.state != LimitState::Pending {
        return Err("this limit is in force: there is nothing to reject".to_owned());
    }
    Ok(Ticket::new(key, Form::Reject { limit: row.id }))
}

/// Opens a halt of the selected row's account, else of everything, at review.
pub(super) fn halt(model: &Model, key: ClientKey, mode: HaltMode) -> Ticket {
    let account = subject(model).account;
    let scope = account.map_or(HaltScope::System, HaltScope::Account);
    halt_of(model, key, mode, scope)
}

/// Opens a halt, at review.
pub(super) fn halt_of(model: &Model, key: ClientKey, mode: HaltMode, scope: HaltScope) -> Ticket {
    let account = match scope {
        HaltScope::Account(id) => Some(id),
        HaltScope::Instrument(_) | HaltScope::Portfolio(_) | HaltScope::System => None,
    };
    let mut ticket = Ticket::new(key, Form::Halt { mode, scope, account });
    // A halt must not wait for somebody to find words: the first key press of a bad night.
    ticket.fill(FieldName::Reason, "halted at the console");
    at_review(model, ticket)
}

/// Opens the end of the newest halt.
pub(super) fn resume(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let newest = model.desk.halts.values().max_by_key(|halt| halt.set_at);
    let halt = newest.ok_or("no halt is in force")?;
    Ok(Ticket::new(key, Form::Resume { halt: halt.id }))
}

/// Brings a ticket to review if its fields can be sent; else it stays in editing with its problem.
pub(super) fn at_review(model: &Model, mut ticket: Ticket) -> Ticket {
    match draft(model, &ticket) {
        Ok(_) => ticket.stage = Stage::Review { armed_at: None },
        Err(problem) => {
            if let Some(field) = problem.field {
                ticket.focus_on(field);
            }
            ticket.problem = Some(problem.text);
            ticket.stage = Stage::Editing;
        }
    }
    ticket
}

/// Shows a ticket and asks the rulebook about it.
pub(super) fn show(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    model.overlay = Overlay::Ticket(Box::new(ticket));
    assess(model)
}

/// Asks the rulebook about the trade in the ticket, if its fields are one.
pub(super) fn assess(model: &mut Model) -> Vec<Effect> {
    let Some(ticket) = model.ticket() else { return vec![] };
    let key = ticket.key;
    let drafted = draft(model, ticket);
    let Overlay::Ticket(ticket) = &mut model.overlay else { return vec![] };
    let Ok(Verb::Place(trade)) = drafted else {
        ticket.verdict = Verdict::None;
        return vec![];
    };
    if !matches!(&ticket.verdict, Verdict::Known { trade: known, .. } if *known == trade) {
        ticket.verdict = Verdict::Asked(trade.clone());
    }
    vec![Effect::Assess { key, trade }]
}
