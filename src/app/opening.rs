//! Opening tickets: from a row and a key, or from a command.

pub(super) mod halt;
pub(super) mod holding;
pub(super) mod limit;

use rust_decimal::Decimal;

use super::draft::{self, chosen_account, chosen_instrument};
use super::effect::Effect;
use super::model::{Model, Overlay, Preset};
use super::pane::{Pane, RowId};
use super::selection::Subject;
use super::ticket::{FieldName, Form, Impacts, Stage, Ticket, Verdict};
use crate::domain::account::AccountStatus;
use crate::domain::event::RiskEvent;
use crate::domain::ids::{ClientKey, EventId, InstrumentId, SignalId};
use crate::domain::instrument::Instrument;
use crate::domain::money::exact;
use crate::domain::rounding::floor_step;
use crate::domain::sizing::{self, Cap, SizingInput};
use crate::domain::trade::Side;
use crate::domain::utilisation::Intent;

/// Why no ticket opens, as a sentence.
pub(super) type Declined = String;

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
    let priced = match &ticket.form {
        Form::Open { side, .. } => chosen_instrument(model, ticket).map(|row| {
            let price = model.book.quote(&row.id).map(|quote| match side {
                Side::Buy => quote.ask,
                Side::Sell => quote.bid,
            });
            (price, row.price_places())
        }),
        Form::Close { what } => model.desk.holding(*what).map(|held| {
            (holding::closing_price(model, *what), model.price_places(&held.instrument))
        }),
        Form::Amend { .. }
        | Form::Flatten { .. }
        | Form::Acknowledge { .. }
        | Form::Unacknowledge { .. }
        | Form::EditLimit { .. }
        | Form::NewLimit
        | Form::RetireLimit { .. }
        | Form::Approve { .. }
        | Form::Reject { .. }
        | Form::Halt { .. }
        | Form::Resume { .. } => None,
    };
    if let Some((price, places)) = priced {
        ticket.fill_price(FieldName::Price, price, places);
    }
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

/// Fills the size whose risk is the configured share of equity, or the largest that is allowed, and
/// returns in words what decided it.
pub(super) fn risk_size(model: &Model, ticket: &mut Ticket) -> Result<String, Declined> {
    let Form::Open { side, .. } = ticket.form else {
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
    let commission = row.commission.per_side(&instrument.id);
    let wish = SizingInput { equity, fraction, entry: price, stop, fx: rate, commission, legs: 1 };
    let rooms = model.valued(row).zip(wish.risk_per_unit(instrument)).map(|(account, risk)| {
        let intent = Intent { account, instrument, side, price, risk_per_unit: risk, fx: rate };
        model.rooms(&intent)
    });
    let sized = sizing::size_for_risk(&wish, instrument, &rooms.unwrap_or_default())
        .map_err(|why| why.to_string())?;
    ticket.fill_number(FieldName::Size, Some(sized.size));
    let share = fraction.checked_mul(Decimal::ONE_HUNDRED).unwrap_or_default().normalize();
    Ok(match &sized.cap {
        Cap::Risk => format!("Size {}: {share} % of equity is at risk.", exact(sized.size)),
        cap @ (Cap::MaximumSize | Cap::Room(_)) => format!(
            "Size {}: {} allows no more; {share} % of equity would be {}.",
            exact(sized.size),
            cap.words(),
            exact(floor_step(sized.raw, instrument.size_step).unwrap_or(sized.raw))
        ),
    })
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
        // The one across the screen, else the first that waits.
        _ => model
            .urgent()
            .map(|row| row.id)
            .or_else(|| {
                let listed = visible.iter().filter_map(|id| {
                    if let RowId::Event(id) = id { model.desk.events.get(id) } else { None }
                });
                listed.filter(|row| row.wants_acknowledgement()).map(|row| row.id).next()
            })
            .map(|id| vec![id])
            .ok_or_else(|| "no risk event waits for an acknowledgement".to_owned()),
    }
}

/// Brings a ticket to review if its fields can be sent; else it stays in editing with its problem.
pub(super) fn at_review(model: &Model, mut ticket: Ticket) -> Ticket {
    // "In two hours" would be another time each time it is read: the sentence is frozen.
    for field in &mut ticket.fields {
        if let Some(fixed) = draft::fixed(model, field.name, field.text()) {
            field.set(fixed);
        }
    }
    match draft::draft(model, &ticket) {
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

/// Shows a ticket and asks the database what it has to say about it.
pub(super) fn show(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let wants_types = ticket.form == Form::NewLimit && model.limit_types.is_empty();
    model.overlay = Overlay::Ticket(Box::new(ticket));
    let mut effects = assess(model);
    if wants_types {
        effects.push(Effect::ReadLimitTypes);
    }
    effects
}

/// Asks the rulebook about the trade or the levels in the ticket, if its fields are some, or whom the
/// limit in it would bind.
pub(super) fn assess(model: &mut Model) -> Vec<Effect> {
    let Some(ticket) = model.ticket() else { return vec![] };
    let key = ticket.key;
    let drafted = draft::draft(model, ticket);
    let weighed = limit::weighed(model, ticket);
    let Overlay::Ticket(ticket) = &mut model.overlay else { return vec![] };
    if let Some(preview) = weighed {
        if ticket.impacts.preview() == Some(&preview) {
            return vec![];
        }
        ticket.impacts = Impacts::Asked(preview.clone());
        return vec![Effect::PreviewLimit(preview)];
    }
    ticket.impacts = Impacts::None;
    let Some(question) = drafted.ok().and_then(|verb| verb.question()) else {
        ticket.verdict = Verdict::None;
        return vec![];
    };
    if !matches!(&ticket.verdict, Verdict::Known { question: known, .. } if *known == question) {
        ticket.verdict = Verdict::Asked(question.clone());
    }
    vec![Effect::Assess { key, question }]
}
