//! The ticket before the panes: fields, what they mean, what the rulebook says, and the sentence
//! that `y` would send.

mod acknowledge;
mod amend;
mod breakeven;
mod checks;
mod close;
mod decide_limit;
mod edit_limit;
mod flatten;
mod halt;
mod impact;
mod limit;
mod new_limit;
mod resume;
mod retire_limit;
mod review;
mod sheet;
mod trade;
mod unacknowledge;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use self::sheet::Sheet;
use super::popup;
use super::theme::{Class, Theme};
use crate::app::model::Model;
use crate::app::ticket::{Assessment, Form, Ticket};

/// Widest ticket, in columns: longer lines are hard to read.
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
        Form::Trade(form) => trade::sheet(model, ticket, form, theme, width),
        Form::Close(form) => close::sheet(model, ticket, form, theme, width),
        Form::Amend(form) => amend::sheet(model, ticket, form, theme, width),
        Form::Breakeven(form) => breakeven::sheet(model, ticket, form, theme, width),
        Form::Flatten(form) => flatten::sheet(model, form, theme, width),
        Form::Acknowledge(form) => acknowledge::sheet(model, ticket, form, theme, width),
        Form::Unacknowledge(form) => unacknowledge::sheet(model, form, theme, width),
        Form::EditLimit(form) => edit_limit::sheet(model, ticket, form, theme, width),
        Form::NewLimit(_) => new_limit::sheet(model, ticket, theme, width),
        Form::RetireLimit(form) => retire_limit::sheet(model, form, theme, width),
        Form::DecideLimit(form) => decide_limit::sheet(model, ticket, form, theme, width),
        Form::Halt(form) => halt::sheet(model, form, theme, width),
        Form::Resume(form) => resume::sheet(model, form, theme, width),
    }
}

/// Returns the name of what a ticket writes, with the environment that it would touch.
fn title(model: &Model, ticket: &Ticket, theme: Theme) -> Line<'static> {
    let name = ticket.form.kind().title(model, ticket);
    let mut spans = vec![Span::styled(
        format!(" {name} "),
        theme.style(Class::Focus).patch(theme.style(Class::Strong)),
    )];
    if let Some(environment) = ticket.form.kind().environment(model, ticket) {
        let text = format!("[ {} ]", environment.as_str().to_uppercase());
        spans.push(Span::raw(" "));
        spans.push(Span::styled(text, theme.style(Class::Badge(environment))));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

/// Returns the ticket's key and the ages of its price and checks.
fn corner(model: &Model, ticket: &Ticket) -> String {
    let mut parts = vec![format!("ticket {}", ticket.key.short())];
    let instrument = ticket.form.kind().instrument(model, ticket);
    if let Some(instrument) = instrument {
        let age = model.price_age(&instrument);
        let age = age.map_or_else(
            || "no price".to_owned(),
            |age| format!("price {}", super::format::age(age)),
        );
        parts.push(age);
    }
    if let Assessment::Known { at, .. } = &ticket.assessment {
        let age = model.elapsed.saturating_sub(*at);
        parts.push(format!("checks {}", super::format::age(age)));
    }
    parts.join(" │ ")
}
