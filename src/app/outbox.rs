//! Writes in flight: sent once, answered once, and where the answer is lost, settled by key.

use std::time::Duration;

use rust_decimal::Decimal;

use super::cell::Tone;
use super::effect::Effect;
use super::model::{Model, Overlay};
use super::pending::Write;
use super::ticket::Stage;
use crate::domain::ids::{ClientKey, InstrumentId};
use crate::domain::money::{at_least, exact, price_text};
use crate::domain::outcome::{Accepted, Item, ItemEnd, Outcome};
use crate::domain::request::{Request, Verb};

/// Interval between two queries for an unconfirmed write.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Sends a write, once. The latch is set before the effect is performed: a held key finds it.
pub(super) fn send(model: &mut Model, request: Request, summary: String) -> Vec<Effect> {
    if model.writes.iter().any(|write| write.request.key == request.key) {
        model.reply(Tone::Warning, "already sent; awaiting response");
        return vec![];
    }
    let asked_at = model.elapsed;
    model.writes.push(Write { request: request.clone(), summary, unknown: None, asked_at });
    vec![Effect::Write(request)]
}

/// Takes over unconfirmed writes of an earlier console and queries them. More risk in the same
/// account and instrument waits for them.
pub(super) fn recover(model: &mut Model, left: Vec<(Request, String)>) -> Vec<Effect> {
    let asked_at = model.elapsed;
    let mut effects = Vec::new();
    for (request, summary) in left {
        let text = format!("UNCONFIRMED  {summary}  sent by a previous session; querying by key");
        model.reply(Tone::Warning, text);
        effects.push(Effect::Resolve(request.clone()));
        let unknown = Some("the console that sent it exited".to_owned());
        model.writes.push(Write { request, summary, unknown, asked_at });
    }
    effects
}

/// Handles the answer to a write.
pub(super) fn answered(model: &mut Model, key: ClientKey, outcome: Outcome) -> Vec<Effect> {
    let Some(at) = model.writes.iter().position(|write| write.request.key == key) else {
        model.report(Tone::Warning, format!("late answer to {}: already settled", key.short()));
        return vec![];
    };
    match outcome {
        Outcome::Accepted(accepted) => {
            let write = model.writes.remove(at);
            // The log lists each position below the summary; it shows the newest line first.
            for item in accepted.items.iter().rev() {
                let places = model.price_places(&InstrumentId::new(&item.instrument));
                let (tone, text) = item_text(item, places);
                model.report(tone, text);
            }
            let (account, _) = model.desk.touched(&write.request.verb);
            let whose = if let Verb::Resume { halt, .. } = &write.request.verb {
                model.desk.halts.get(halt).map(|row| model.desk.halted(row))
            } else {
                account.map(|id| model.desk.account_name(id))
            };
            let text = accepted_text(&write, &accepted, whose.as_deref());
            model.report(Tone::Plain, text);
            if holds(model, key) {
                let is_listed = !accepted.items.is_empty();
                model.overlay = if is_listed { Overlay::Log(0) } else { Overlay::None };
            }
            vec![Effect::LookAgain]
        }
        Outcome::Refused(refusal) => {
            let write = model.writes.remove(at);
            let why = format!("{}: {}", refusal.code, refusal.message);
            model.report(Tone::Critical, format!("Refused  {}  {why}", write.summary));
            if let Overlay::Ticket(ticket) = &mut model.overlay
                && ticket.key == key
            {
                // The draft is kept. Its key cannot be reused: the next review makes a new one.
                ticket.stage = Stage::Editing;
                ticket.problem = Some(why);
            }
            vec![Effect::LookAgain]
        }
        Outcome::Unknown(reason) => {
            let elapsed = model.elapsed;
            let is_news = model.writes.get(at).is_some_and(|write| write.unknown.is_none());
            let Some(write) = model.writes.get_mut(at) else { return vec![] };
            write.unknown = Some(reason.clone());
            write.asked_at = elapsed;
            let summary = write.summary.clone();
            if is_news {
                model.report(
                    Tone::Warning,
                    format!("UNCONFIRMED  {summary}  {reason}; querying by key, not resending"),
                );
            }
            if let Overlay::Ticket(ticket) = &mut model.overlay
                && ticket.key == key
            {
                ticket.stage = Stage::Unknown;
            }
            vec![]
        }
    }
}

/// Describes an accepted write: first the message of the database, last the request, which a narrow
/// screen may cut.
fn accepted_text(write: &Write, accepted: &Accepted, whose: Option<&str>) -> String {
    let mut parts = vec!["Accepted".to_owned()];
    parts.extend(accepted.code.as_ref().map(ToString::to_string));
    if accepted.message.is_empty() {
        parts.push(write.summary.clone());
    } else {
        // Their messages do not name the account.
        let held =
            matches!(write.request.verb, Verb::Place(_) | Verb::Close { .. } | Verb::Amend { .. });
        let whose = whose.filter(|_| held);
        let whose = whose.map(|name| format!("{name}: ")).unwrap_or_default();
        parts.push(format!("{whose}{}", accepted.message));
    }
    if !accepted.taken.is_empty() {
        let by: Vec<&str> = accepted.taken.iter().map(|(_, by)| by.as_str()).collect();
        parts.push(format!("{} already acknowledged by {}", accepted.taken.len(), by.join(", ")));
    }
    parts.extend(accepted.subject.map(|id| format!("id {}", ClientKey(id).short())));
    if !accepted.message.is_empty() {
        parts.push(format!("│ {}", write.summary));
    }
    parts.join("  ")
}

/// Returns what became of one position as a sentence; prices have at least `places` decimals.
pub fn item_text(item: &Item, places: u32) -> (Tone, String) {
    let Item { position, instrument, end } = item;
    let id = ClientKey(*position).short();
    match end {
        ItemEnd::Closed { size, price, pnl } => {
            let size = size.map(|size| format!(" {}", exact(size))).unwrap_or_default();
            let price = price.map(|price| format!(" @ {}", price_text(price, places)));
            let pnl = pnl.map(|pnl| {
                let plus = if pnl > Decimal::ZERO { "+" } else { "" };
                format!("  P&L {plus}{}", at_least(pnl, 2))
            });
            let (price, pnl) = (price.unwrap_or_default(), pnl.unwrap_or_default());
            (Tone::Plain, format!("  closed  {instrument}{size}{price}{pnl}  id {id}"))
        }
        ItemEnd::Kept { code, message } => {
            (Tone::Critical, format!("  STILL OPEN  {instrument}  {code}: {message}  id {id}"))
        }
    }
}

fn holds(model: &Model, key: ClientKey) -> bool {
    model.ticket().is_some_and(|ticket| ticket.key == key)
}

/// Queries unconfirmed writes again, each at most every [`ASK_EVERY`].
pub(super) fn query_unconfirmed(model: &mut Model) -> Vec<Effect> {
    let elapsed = model.elapsed;
    let mut effects = Vec::new();
    for write in &mut model.writes {
        let is_due = elapsed.saturating_sub(write.asked_at) >= ASK_EVERY;
        if write.unknown.is_some() && is_due {
            write.asked_at = elapsed;
            effects.push(Effect::Resolve(write.request.clone()));
        }
    }
    effects
}

/// Returns an unconfirmed write in the same account and instrument: new risk waits for its outcome.
pub(super) fn blocking_write<'a>(model: &'a Model, verb: &Verb) -> Option<&'a Write> {
    let Verb::Place(wanted) = verb else { return None };
    model.writes.iter().find(|write| {
        write.unknown.is_some()
            && matches!(&write.request.verb, Verb::Place(sent)
                if sent.account == wanted.account && sent.instrument == wanted.instrument)
    })
}
