//! The ticket before the panes: fields, what they mean, what the rulebook says, and the sentence
//! that `y` would send.

mod acknowledge;
mod amend;
mod checks;
mod close;
mod flatten;
mod halt;
mod limit;
mod new_limit;
mod review;
mod sheet;
mod trade;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use self::sheet::Sheet;
use super::popup;
use super::theme::{Ink, Theme};
use crate::app::model::Model;
use crate::app::ticket::{Form, HaltScope, Ticket, Verdict};
use crate::domain::account::Environment;
use crate::domain::halt::HaltMode;

/// Widest a ticket becomes: the eye must not travel.
const WIDEST: u16 = 120;

/// Draws a ticket into the middle of `area`, and returns the first line of what is known that is shown.
pub(super) fn view(
    model: &Model,
    ticket: &Ticket,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let outer = popup::middle(area, WIDEST, area.height);
    let width = usize::from(outer.width.saturating_sub(4));
    let sheet = sheet(model, ticket, theme, width);
    let below = review::lines(model, ticket, theme, width);
    let height = sheet.height().saturating_add(below.len()).saturating_add(3);
    let outer = popup::middle(area, WIDEST, u16::try_from(height).unwrap_or(u16::MAX));
    let inner =
        popup::open(title(model, ticket, theme), &corner(model, ticket), theme, frame, outer);
    // The sentence comes first: a screen that is too low loses the end of the list of checks.
    let foot = u16::try_from(below.len()).unwrap_or(u16::MAX).min(inner.height);
    let body = inner.height.saturating_sub(foot).saturating_sub(1);
    let upper = Rect { height: body, ..inner };
    let lower = Rect { y: inner.bottom().saturating_sub(foot), height: foot, ..inner };
    let scrolled = sheet.draw(ticket, theme, frame, upper);
    if body > 0 {
        popup::rule(theme, frame, outer, upper.bottom());
    }
    popup::lines(below, 0, frame, lower);
    scrolled
}

fn sheet(model: &Model, ticket: &Ticket, theme: Theme, width: usize) -> Sheet {
    match &ticket.form {
        Form::Open { side, signal } => trade::sheet(model, ticket, *side, *signal, theme, width),
        Form::Close { what } => close::sheet(model, ticket, *what, theme, width),
        Form::Amend { position } => amend::sheet(model, ticket, *position, theme, width),
        Form::Flatten { account } => flatten::sheet(model, *account, theme, width),
        Form::Acknowledge { events, needs_note } => {
            acknowledge::sheet(model, ticket, events, *needs_note, theme, width)
        }
        Form::Unacknowledge { event } => acknowledge::undo(model, ticket, *event, theme, width),
        Form::EditLimit { limit, .. } => limit::edit(model, ticket, *limit, theme, width),
        Form::NewLimit => new_limit::sheet(model, ticket, theme, width),
        Form::RetireLimit { limit, .. } => limit::retire(model, *limit, theme, width),
        Form::Approve { limit } | Form::Reject { limit } => {
            limit::judge(model, ticket, *limit, theme, width)
        }
        Form::Halt { mode, scope, narrow } => {
            halt::sheet(model, ticket, (*mode, scope, narrow.as_ref()), theme, width)
        }
        Form::Resume { halt } => halt::resume(model, ticket, *halt, theme, width),
    }
}

/// Returns the name of what a ticket writes, with the environment that it would touch.
fn title(model: &Model, ticket: &Ticket, theme: Theme) -> Line<'static> {
    let name = match &ticket.form {
        Form::Open { side, .. } => {
            let what = ticket.text(crate::app::ticket::FieldName::Instrument);
            format!("{side} {}", what.unwrap_or("…"))
        }
        Form::Close { what } => {
            let held = model.desk.holding(*what);
            format!("CLOSE {}", held.as_ref().map_or("position", |held| held.instrument.as_str()))
        }
        Form::Amend { position } => {
            let held = model.desk.positions.get(position);
            format!("AMEND {}", held.map_or("position", |held| held.instrument.as_str()))
        }
        Form::Flatten { account } => format!("FLATTEN {}", model.desk.account_name(*account)),
        Form::Acknowledge { events, .. } => match events.len() {
            1 => "ACKNOWLEDGE".to_owned(),
            several => format!("ACKNOWLEDGE {several} events"),
        },
        Form::Unacknowledge { .. } => "UN-ACKNOWLEDGE".to_owned(),
        Form::EditLimit { .. } => "CHANGE LIMIT".to_owned(),
        Form::NewLimit => "NEW LIMIT".to_owned(),
        Form::RetireLimit { .. } => "TAKE LIMIT AWAY".to_owned(),
        Form::Approve { .. } => "APPROVE LIMIT".to_owned(),
        Form::Reject { .. } => "REJECT LIMIT".to_owned(),
        Form::Halt { mode: HaltMode::ReduceOnly, .. } => "REDUCE ONLY".to_owned(),
        Form::Halt { mode: HaltMode::Flatten, .. } => "HALT AND FLATTEN".to_owned(),
        Form::Halt { .. } => "HALT".to_owned(),
        Form::Resume { halt } => match model.desk.halts.get(halt) {
            Some(row) => format!("RESUME {}", model.desk.halted(row)),
            None => "RESUME".to_owned(),
        },
    };
    let mut spans = vec![Span::styled(
        format!(" {name} "),
        theme.style(Ink::Focus).patch(theme.style(Ink::Strong)),
    )];
    if let Some(environment) = environment(model, ticket) {
        let text = format!("[ {} ]", environment.as_str().to_uppercase());
        spans.push(Span::raw(" "));
        spans.push(Span::styled(text, theme.style(Ink::Badge(environment))));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

/// Returns the environment of the account that a ticket is about, else the most serious one.
fn environment(model: &Model, ticket: &Ticket) -> Option<Environment> {
    let desk = &model.desk;
    let account = match &ticket.form {
        // Before an account is chosen, nothing is known about whose money it is.
        Form::Open { .. } => {
            return {
                let id = crate::app::draft::chosen_account(model, ticket);
                id.and_then(|id| desk.accounts.get(&id)).map(|row| row.environment)
            };
        }
        Form::Close { what } => desk.holding(*what).map(|row| row.account),
        Form::Amend { position } => desk.positions.get(position).map(|row| row.account),
        Form::Flatten { account } => Some(*account),
        Form::EditLimit { limit, .. }
        | Form::RetireLimit { limit, .. }
        | Form::Approve { limit }
        | Form::Reject { limit } => desk.limits.get(limit).and_then(|row| row.account),
        Form::NewLimit => crate::app::draft::chosen_account(model, ticket),
        // Whose row was selected says nothing of whom a wider halt stops.
        Form::Halt { scope: HaltScope::Account(id), .. } => Some(*id),
        Form::Resume { halt } => desk.halts.get(halt).and_then(|row| row.account),
        Form::Halt { .. } | Form::Acknowledge { .. } | Form::Unacknowledge { .. } => None,
    };
    let own = account.and_then(|id| desk.accounts.get(&id)).map(|row| row.environment);
    own.or_else(|| model.environment())
}

/// Returns the ticket's key and how old what it stands on is.
fn corner(model: &Model, ticket: &Ticket) -> String {
    let mut parts = vec![format!("ticket {}", ticket.key.short())];
    let instrument = crate::app::draft::instrument_of(model, ticket);
    if let Some(instrument) = instrument {
        let age = model.price_age(&instrument);
        let age = age.map_or_else(
            || "no price".to_owned(),
            |age| format!("price {}", super::format::age(age)),
        );
        parts.push(age);
    }
    if let Verdict::Known { at, .. } = &ticket.verdict {
        let age = model.elapsed.saturating_sub(*at);
        parts.push(format!("checks {}", super::format::age(age)));
    }
    parts.join(" │ ")
}
