//! The lower part of a ticket: the sentence that would be sent, what stands against it, and what the
//! keys do right now.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::checks::names;
use super::impact;
use crate::app::form::sentence;
use crate::app::model::Model;
use crate::app::review::draft;
use crate::app::ticket::{FieldKind, FieldName, Form, Stage, Ticket};
use crate::domain::outcome::{Check, Finding};
use crate::domain::request::Verb;
use crate::domain::session::Right;
use crate::ui::popup;
use crate::ui::theme::{Class, Theme};

/// Returns the lines below the sheet.
pub(super) fn lines(
    model: &Model,
    ticket: &Ticket,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    match &ticket.stage {
        Stage::Editing => editing(model, ticket, theme, width),
        Stage::Review { .. } => review(model, ticket, theme, width),
        Stage::Sending => {
            let mut lines = said(model, ticket, "SENDING…", Class::Strong, theme, width);
            lines.push(quiet("sent; awaiting response", theme));
            lines
        }
        Stage::Unknown => unknown(model, ticket, theme, width),
    }
}

fn quiet(text: &str, theme: Theme) -> Line<'static> {
    Line::styled(text.to_owned(), theme.style(Class::Quiet))
}

/// Returns the ticket's sentence after a status word.
fn said(
    model: &Model,
    ticket: &Ticket,
    word: &str,
    class: Class,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let text = match draft(model, ticket) {
        Ok(verb) => with_environment(model, &verb),
        Err(problem) => problem.text,
    };
    popup::wrap(&format!("{word}  {text}"), width)
        .into_iter()
        .map(|line| Line::styled(line, theme.style(class)))
        .collect()
}

/// Returns a sentence with the environment behind it, where it names an account.
fn with_environment(model: &Model, verb: &Verb) -> String {
    let (account, _) = model.desk.touched(verb);
    let text = sentence(model, verb);
    match account.and_then(|id| model.desk.accounts.get(&id)) {
        Some(row) => format!("{text}  {}", row.environment.as_str().to_uppercase()),
        None => text,
    }
}

fn editing(model: &Model, ticket: &Ticket, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    match (&ticket.problem, draft(model, ticket)) {
        (Some(problem), _) => {
            lines.extend(popup::paragraph(problem, width, theme.style(Class::Warning)));
        }
        (None, Ok(verb)) => {
            let text = with_environment(model, &verb);
            lines.extend(popup::paragraph(&text, width, Style::new()));
        }
        (None, Err(problem)) => {
            lines.extend(popup::paragraph(&problem.text, width, theme.style(Class::Quiet)));
        }
    }
    lines.extend(against(model, ticket, theme, width));
    let does = if ticket.form.kind().is_reversible() { "send" } else { "review" };
    let mut offered = vec![("Enter", does, true)];
    if ticket.fields.len() > 1 {
        offered.push(("Tab", "next", true));
    }
    match ticket.focused() {
        Some(field) if field.kind == FieldKind::Choice => {
            offered.push(("Left Right", "choose", true));
        }
        Some(field) if field.is_untouched => {
            offered.push(("Ctrl-u", "clear (typing replaces)", true));
        }
        Some(_) | None => offered.push(("Ctrl-u", "clear", true)),
    }
    offered.push(("Esc", "cancel", true));
    lines.push(keys(&offered, theme));
    lines
}

fn review(model: &Model, ticket: &Ticket, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = said(model, ticket, "REVIEW", Class::Strong, theme, width);
    if let Some(problem) = &ticket.problem {
        lines.extend(popup::paragraph(problem, width, theme.style(Class::Warning)));
    }
    if let Some(text) = impact::sentence(ticket) {
        lines.extend(popup::paragraph(&text, width, theme.style(Class::Critical)));
    }
    let obstacle = model.send_obstacle();
    let against = against(model, ticket, theme, width);
    if obstacle.is_none() && against.is_empty() {
        lines.push(quiet("Review it, then press y. Enter and Space do nothing here.", theme));
    }
    lines.extend(against);
    if let Some(why) = &obstacle {
        let text = format!("y is disabled: {why}");
        lines.extend(popup::paragraph(&text, width, theme.style(Class::Warning)));
    }
    let has_reason = ticket.field(FieldName::Reason).is_some();
    let widens = matches!(ticket.form, Form::Halt(_)) && model.may(Right::Risk);
    let mut offered = vec![("y", "send", obstacle.is_none())];
    if has_reason {
        offered.push(("Y", "reason", true));
    }
    if widens {
        offered.push(("Tab", "scope", true));
    }
    offered.push(("n or Esc", "edit", true));
    lines.push(keys(&offered, theme));
    lines
}

/// Returns the message of the worst check, in full.
fn against(model: &Model, ticket: &Ticket, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let Some(worst) = ticket.assessment.worst() else { return vec![] };
    let is_worst = |check: &&Check| check.finding == worst;
    let Some(first) = ticket.assessment.checks().iter().find(is_worst) else { return vec![] };
    let count = ticket.assessment.checks().iter().filter(is_worst).count().saturating_sub(1);
    let more = if count > 0 { format!(" (+{count} more)") } else { String::new() };
    let message = first.message.clone().unwrap_or_default();
    let (word, class) = match worst {
        Finding::Passes => return vec![],
        Finding::Confirm => ("SOFT", Class::Warning),
        Finding::Reject => ("HARD", Class::Critical),
    };
    let text = format!("{word} {}{more}: {message}", names::before_sentence(model, first));
    popup::paragraph(&text, width, theme.style(class))
}

/// Returns the keys, the disabled ones dimmed.
fn keys(offered: &[(&str, &str, bool)], theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (at, (key, does, counts)) in offered.iter().enumerate() {
        let (class, text) =
            if *counts { (Class::Key, Class::Plain) } else { (Class::Quiet, Class::Quiet) };
        let off = if *counts { "" } else { " (off)" };
        let gap = if at == 0 { "" } else { "   " };
        spans.push(Span::styled(format!("{gap}{key}"), theme.style(class)));
        spans.push(Span::styled(format!(" {does}{off}"), theme.style(text)));
    }
    Line::from(spans)
}

fn unknown(model: &Model, ticket: &Ticket, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = said(model, ticket, "UNCONFIRMED", Class::Unknown, theme, width);
    let why = model
        .writes
        .iter()
        .find(|write| write.request.key == ticket.key)
        .and_then(|write| write.unknown.clone())
        .unwrap_or_default();
    let text = format!("Outcome unconfirmed: {why}. Querying by key, not resending.");
    lines.extend(popup::paragraph(&text, width, theme.style(Class::Warning)));
    if let Form::Trade(_) = ticket.form {
        let text = "Until then, no new trade in this account and instrument.";
        lines.extend(popup::paragraph(text, width, theme.style(Class::Warning)));
    }
    lines.push(keys(&[("Esc", "close; query continues", true)], theme));
    lines
}
