//! A verb in words: the sentence that a person confirms and that the log keeps.

use rust_decimal::Decimal;

use crate::app::model::Model;
use crate::domain::event::RiskEvent;
use crate::domain::halt::{HaltMode, Scope};
use crate::domain::ids::{AccountId, InstrumentId, LimitId, PositionId};
use crate::domain::limit::{LimitState, amount_in};
use crate::domain::money::{exact, price_text};
use crate::domain::position::Protection;
use crate::domain::request::{Closing, NewLimit, NewTrade, Verb};

/// Returns a verb as the sentence that a person confirms and that the log keeps.
pub fn sentence(model: &Model, verb: &Verb) -> String {
    match verb {
        Verb::Place(trade) => trade_words(model, trade),
        Verb::Close { what, size, price, .. } => close_words(model, *what, *size, *price),
        Verb::Amend { position, stop, target, trailing, .. } => {
            amend_words(model, *position, [*stop, *target, *trailing])
        }
        Verb::Flatten { account, .. } => {
            let held = model.desk.positions.values().filter(|held| held.account == *account);
            let name = model.desk.account_name(*account);
            format!("FLATTEN account {name}: close all {} positions at the market", held.count())
        }
        Verb::Acknowledge { events, .. } => match events.as_slice() {
            [only] => match model.desk.events.get(only) {
                Some(row) => format!("ACK {}", event_words(model, row)),
                None => format!("ACK {}", only.short()),
            },
            several => format!("ACK {} events", several.len()),
        },
        Verb::Unacknowledge { event, .. } => match model.desk.events.get(event) {
            Some(row) => format!("UN-ACK {}", event_words(model, row)),
            None => format!("UN-ACK {}", event.short()),
        },
        Verb::ProposeLimit { limit, value, until, .. } => match model.desk.limits.get(limit) {
            Some(row) => {
                let way = if row.is_tightened_by(*value) { "tighten" } else { "loosen" };
                format!(
                    "LIMIT {} of {}: {way} {}{}",
                    row.limit_type,
                    model.limit_subject(row),
                    change(row.value, *value, &row.unit),
                    until_words(*until),
                )
            }
            None => format!("LIMIT {} -> {}", limit.short(), exact(*value)),
        },
        Verb::CreateLimit(limit) => new_limit_words(model, limit),
        Verb::RetireLimit { limit, .. } => format!("TAKE AWAY {}", limit_words(model, *limit)),
        Verb::ApproveLimit { limit, .. } => format!("APPROVE {}", limit_words(model, *limit)),
        Verb::RejectLimit { limit, .. } => format!("REJECT {}", limit_words(model, *limit)),
        Verb::Halt { scope, identifier, mode, .. } => {
            halt_words(model, *scope, identifier.as_deref(), *mode)
        }
        Verb::Resume { halt, .. } => match model.desk.halts.get(halt) {
            Some(row) => {
                let who = row.account.map(|id| model.desk.account_name(id));
                let who = who.or_else(|| row.identifier.clone());
                let who = who.map_or_else(
                    || "everything".to_owned(),
                    |who| format!("{} {who}", row.scope.as_str()),
                );
                format!("RESUME {who}, halted for: {}", row.reason)
            }
            None => format!("RESUME halt {}", halt.short()),
        },
    }
}

fn close_words(model: &Model, what: Closing, size: Option<Decimal>, price: Decimal) -> String {
    let of = match what {
        Closing::Position(id) => format!("position {}", id.short()),
        Closing::Trade(id) => format!("trade {}", id.short()),
    };
    let Some(held) = model.desk.holding(what) else { return format!("CLOSE {of}") };
    let ticket = if let Closing::Trade(_) = what { format!("  {of}") } else { String::new() };
    format!(
        "CLOSE {} of {} {} {} @ {}{ticket}  account {}",
        size.map_or("all".to_owned(), exact),
        exact(held.size),
        held.instrument,
        held.direction,
        price_words(model, &held.instrument, price),
        model.desk.account_name(held.account),
    )
}

/// Returns a price with all the digits that the market writes, and none fewer than it has.
fn price_words(model: &Model, instrument: &InstrumentId, price: Decimal) -> String {
    price_text(price, model.price_places(instrument))
}

fn amend_words(
    model: &Model,
    position: PositionId,
    [stop, target, trailing]: [Option<Decimal>; 3],
) -> String {
    let Some(held) = model.desk.positions.get(&position) else {
        return format!("AMEND position {}", position.short());
    };
    let level = |level: Option<Decimal>| {
        level.map_or_else(|| "none".to_owned(), |level| price_words(model, &held.instrument, level))
    };
    let change = |name: &str, old: Option<Decimal>, new: Option<Decimal>| {
        if old == new {
            old.map(|_| format!("  {name} {}", level(old))).unwrap_or_default()
        } else {
            format!("  {name} {} -> {}", level(old), level(new))
        }
    };
    let mark = model.book.mark(&held.instrument, held.direction).filter(|_| stop != held.stop_loss);
    let is_hit = stop.zip(mark).is_some_and(|(stop, mark)| held.is_past(stop, mark));
    let risk = match held.protection(stop, trailing) {
        // It would be no stop, but a close.
        _ if is_hit => "  (WOULD BE HIT AT ONCE)",
        Protection::Same => "",
        Protection::Tightens => "  (tightens)",
        Protection::Widens => "  (WIDENS)",
    };
    format!(
        "AMEND {} {} {}{}{}{}{risk}  account {}",
        held.instrument,
        held.direction,
        exact(held.size),
        change("SL", held.stop_loss, stop),
        change("TP", held.take_profit, target),
        change("trailing", held.trailing_distance, trailing),
        model.desk.account_name(held.account),
    )
}

/// Returns an old and a new amount, with the unit once.
fn change(old: Decimal, new: Decimal, unit: &str) -> String {
    let (old, new) = (amount_in(old, unit), amount_in(new, unit));
    let old = old.strip_suffix(unit).map_or(old.as_str(), str::trim_end);
    format!("{old} -> {new}")
}

fn until_words(until: Option<chrono::DateTime<chrono::Utc>>) -> String {
    until.map(|until| format!(" until {}", until.format("%Y-%m-%d %H:%M:%SZ"))).unwrap_or_default()
}

fn new_limit_words(model: &Model, limit: &NewLimit) -> String {
    let account = limit.account.map(|id| model.desk.account_name(id));
    let who = match (limit.scope, account, limit.identifier.as_deref()) {
        (Scope::System, _, _) => "everything".to_owned(),
        (_, Some(account), Some(identifier)) => format!("{account} {identifier}"),
        (_, Some(account), None) => account,
        (_, None, Some(identifier)) => identifier.to_owned(),
        (_, None, None) => "each account".to_owned(),
    };
    // A list has no amount: what it lists is its parameters.
    let amount = match limit.unit.as_str() {
        "list" => String::new(),
        unit => format!(": {}", amount_in(limit.value, unit)),
    };
    let parameters = limit.parameters.as_deref().map(|text| format!(" with {text}"));
    format!(
        "NEW LIMIT {} of {who}{amount}{}{}",
        limit.limit_type,
        parameters.unwrap_or_default(),
        until_words(limit.until),
    )
}

fn event_words(model: &Model, row: &RiskEvent) -> String {
    let account = row.account.map_or("system".to_owned(), |id| model.desk.account_name(id));
    format!("{} {} of {account}", row.severity.as_str(), row.event_type)
}

fn trade_words(model: &Model, trade: &NewTrade) -> String {
    let level = |name: &str, level: Option<Decimal>| {
        level
            .map(|level| format!("  {name} {}", price_words(model, &trade.instrument, level)))
            .unwrap_or_default()
    };
    format!(
        "{} {} {} @ {}{}{}  account {}",
        trade.side,
        exact(trade.size),
        trade.instrument,
        price_words(model, &trade.instrument, trade.price),
        level("SL", trade.stop),
        level("TP", trade.target),
        model.desk.account_name(trade.account),
    )
}

fn halt_words(model: &Model, scope: Scope, identifier: Option<&str>, mode: HaltMode) -> String {
    let what = match mode {
        HaltMode::ReduceOnly => "REDUCE ONLY",
        HaltMode::NoNewOrders => "HALT",
        HaltMode::Flatten => "HALT AND CLOSE ALL POSITIONS OF",
    };
    let who = identifier.map(|text| match text.parse::<AccountId>() {
        Ok(id) => model.desk.account_name(id),
        Err(_) => text.to_owned(),
    });
    match who {
        Some(who) => format!("{what} {} {who}", scope.as_str()),
        None => format!("{what} everything"),
    }
}

fn limit_words(model: &Model, limit: LimitId) -> String {
    model.desk.limits.get(&limit).map_or_else(
        || format!("limit {}", limit.short()),
        |row| {
            let subject = model.limit_subject(row);
            let ends = if row.retires { "the end of " } else { "" };
            // Of a proposal: what it would replace.
            let base = row.supersedes.filter(|_| row.state == LimitState::Pending && !row.retires);
            let base = base.and_then(|id| model.desk.limits.get(&id));
            let value = base.map_or_else(
                || amount_in(row.value, &row.unit),
                |base| change(base.value, row.value, &row.unit),
            );
            format!("{ends}{} of {subject}: {value}", row.limit_type)
        },
    )
}
