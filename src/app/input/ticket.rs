//! Keys while a ticket is open: typing, review, sending.

use super::line::edit_request;
use crate::app::cell::Tone;
use crate::app::chord::{Chord, Key};
use crate::app::effect::Effect;
use crate::app::form::{halt, sentence, trade};
use crate::app::keymap::{Context, Lookup, Step};
use crate::app::model::{Model, Overlay};
use crate::app::outbox;
use crate::app::pane::Pane;
use crate::app::review::{self, draft};
use crate::app::ticket::{FieldKind, FieldName, Form, Stage, Ticket};
use crate::domain::ids::ClientKey;
use crate::domain::money::typed as number;
use crate::domain::request::Request;

/// Lines that one press scrolls what is known about the fields.
const SCROLL: usize = 5;

/// Tells whether a key is one of a ticket's own, or the beginning of one.
fn is_command(model: &Model, chord: Chord) -> bool {
    let mut pressed = model.pressed.clone();
    pressed.push(chord);
    model.options.keymap.look_up(&[Context::Ticket], &pressed) != Lookup::Unbound
}

/// Typing into the focused field; `None` where the key is not text.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let is_command = is_command(model, chord);
    let Overlay::Ticket(ticket) = &mut model.overlay else { return None };
    let request = edit_request(chord);
    let notes = ticket.form.kind().coded_notes();
    let field = ticket.focused_mut()?;
    if field.kind == FieldKind::Choice {
        let is_back = matches!(chord.key, Key::Left | Key::Char('h'));
        if !is_back && !matches!(chord.key, Key::Right | Key::Char('l' | ' ')) {
            return None;
        }
        field.cycle(!is_back);
        let name = field.name;
        ticket.is_edited = true;
        return Some(rechosen(model, name));
    }
    if let Some(character) = chord.printable() {
        if is_command && !field.owns(character) {
            return None;
        }
        let code = character.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
        let coded = code
            .filter(|_| field.text().is_empty())
            .and_then(|digit| notes.get(digit.checked_sub(1)?));
        if let Some(note) = coded {
            field.set(*note);
            // Text typed next is appended to it.
            field.is_untouched = false;
        } else if field.takes(character) {
            field.insert(character);
        } else {
            return Some(vec![]);
        }
        model.pressed.clear();
    } else if let Some(request) = request {
        field.edit(request);
    } else {
        return None;
    }
    ticket.is_edited = true;
    ticket.is_leaving = false;
    ticket.problem = None;
    Some(review::assess(model))
}

/// Another account, instrument, halt or type was chosen.
fn rechosen(model: &mut Model, name: FieldName) -> Vec<Effect> {
    let Overlay::Ticket(ticket) = &model.overlay else { return vec![] };
    let mut ticket = ticket.clone();
    ticket.problem = None;
    let form = ticket.form.clone();
    form.kind().rechosen(model, &mut ticket, name);
    model.overlay = Overlay::Ticket(ticket);
    review::assess(model)
}

/// A digit at the review of a close goes back to editing its size, and is its first digit.
pub(super) fn retyped(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let Overlay::Ticket(ticket) = &mut model.overlay else { return None };
    let character = chord.printable().filter(char::is_ascii_digit)?;
    let field = ticket.form.kind().retyped()?;
    ticket.stage = Stage::Editing;
    ticket.is_edited = true;
    ticket.focus_on(field);
    if let Some(field) = ticket.focused_mut() {
        field.set("");
        field.insert(character);
    }
    Some(vec![])
}

/// Works on the open ticket.
pub(super) fn in_ticket(model: &mut Model, step: Step, fresh: ClientKey) -> Vec<Effect> {
    let Overlay::Ticket(shown) = &model.overlay else { return vec![] };
    let mut ticket = shown.clone();
    match step {
        Step::NextField => ticket.cycle_focus(true),
        Step::PreviousField => ticket.cycle_focus(false),
        Step::ToReview => return to_review(model, *ticket, fresh),
        Step::RiskSize => match trade::risk_size(model, &mut ticket) {
            Err(why) => ticket.problem = Some(why),
            Ok(words) => {
                ticket.problem = None;
                ticket.is_edited = true;
                model.reply(Tone::Plain, words);
            }
        },
        Step::Reprice => {
            let form = ticket.form.clone();
            form.kind().reprice(model, &mut ticket);
        }
        Step::TickUp => move_by_tick(model, &mut ticket, true),
        Step::TickDown => move_by_tick(model, &mut ticket, false),
        Step::ScrollDown => ticket.scrolled = ticket.scrolled.saturating_add(SCROLL),
        Step::ScrollUp => ticket.scrolled = ticket.scrolled.saturating_sub(SCROLL),
        Step::WidenScope => {
            if let Err(why) = halt::widen(model, &mut ticket) {
                model.reply(Tone::Warning, why);
            }
        }
        Step::Send => return confirm(model, *ticket),
        Step::GiveReason | Step::BackToEdit => {
            ticket.stage = Stage::Editing;
            if step == Step::GiveReason {
                ticket.focus_on(FieldName::Reason);
            }
        }
    }
    model.overlay = Overlay::Ticket(ticket);
    review::assess(model)
}

/// Freezes the fields into a sentence; what can be taken back is sent at once.
fn to_review(model: &mut Model, mut ticket: Ticket, fresh: ClientKey) -> Vec<Effect> {
    // A refused key cannot be reused; replacing an unused one is free.
    ticket.key = fresh;
    ticket.problem = None;
    let ticket = review::freeze(model, ticket);
    let is_ready = matches!(ticket.stage, Stage::Review { .. });
    if is_ready && ticket.form.kind().is_reversible() {
        model.overlay = Overlay::Ticket(Box::new(ticket.clone()));
        return send(model, ticket);
    }
    review::show(model, ticket)
}

/// Moves the number in the focused price field by one tick.
fn move_by_tick(model: &Model, ticket: &mut Ticket, upward: bool) {
    let tick = ticket
        .form
        .kind()
        .instrument(model, ticket)
        .and_then(|id| model.book.instrument(id.as_str()))
        .map(|row| row.tick_size);
    let is_price = |name| {
        matches!(name, FieldName::Price | FieldName::Stop | FieldName::Target | FieldName::Trailing)
    };
    let Some((field, tick)) = ticket.focused_mut().filter(|field| is_price(field.name)).zip(tick)
    else {
        return;
    };
    let Ok(level) = number(field.text()) else { return };
    let moved = if upward { level.checked_add(tick) } else { level.checked_sub(tick) };
    if let Some(moved) = moved {
        field.set(moved.to_string());
        ticket.is_edited = true;
    }
}

/// `y`: sends what is on the screen, if it has been there long enough to be read, and if the
/// rulebook has nothing against it.
fn confirm(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    if !matches!(ticket.stage, Stage::Review { .. }) {
        return vec![];
    }
    if let Some(why) = model.send_obstacle() {
        model.reply(Tone::Warning, why);
        return vec![];
    }
    send(model, ticket)
}

/// Drafts a ticket's verb and sends it.
pub(super) fn send(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let verb = match draft(model, &ticket) {
        Ok(verb) => verb,
        Err(problem) => {
            model.reply(Tone::Warning, problem.text.clone());
            let shown = review::freeze(model, ticket);
            return review::show(model, shown);
        }
    };
    if let Some(write) = outbox::blocking_write(model, &verb) {
        let text = format!("not sent: an earlier write is unconfirmed: {}", write.summary);
        if let Overlay::Ticket(shown) = &mut model.overlay {
            shown.problem = Some(text.clone());
        }
        model.reply(Tone::Warning, text);
        return vec![];
    }
    let summary = sentence(model, &verb);
    let request = Request { key: ticket.key, verb };
    if let Overlay::Ticket(shown) = &mut model.overlay {
        shown.stage = Stage::Sending;
        shown.problem = None;
    }
    if let Form::Acknowledge(_) = ticket.form {
        model.pane_mut(Pane::Events).marked.clear();
    }
    outbox::send(model, request, summary)
}
