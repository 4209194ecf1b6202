//! Keys while a ticket is open: typing, review, sending.

use super::line::edit_request;
use crate::app::cell::Tone;
use crate::app::chord::{Chord, Key};
use crate::app::draft::{draft, instrument_of, sentence};
use crate::app::effect::Effect;
use crate::app::keymap::{Context, Lookup, Step};
use crate::app::model::{Model, Overlay};
use crate::app::pane::Pane;
use crate::app::ticket::CODED_NOTES;
use crate::app::ticket::{FieldKind, FieldName, Form, HaltScope, Stage, Ticket};
use crate::app::{opening, outbox, permit};
use crate::domain::halt::HaltMode;
use crate::domain::ids::ClientKey;
use crate::domain::request::Request;
use crate::domain::session::Right;

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
    let is_coded = matches!(ticket.form, Form::Acknowledge { .. });
    let field = ticket.focused_mut()?;
    if field.kind == FieldKind::Choice {
        let is_back = matches!(chord.key, Key::Left | Key::Char('h'));
        if !is_back && !matches!(chord.key, Key::Right | Key::Char('l' | ' ')) {
            return None;
        }
        field.turn(!is_back);
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
            .filter(|_| is_coded && field.text().is_empty())
            .and_then(|digit| CODED_NOTES.get(digit.checked_sub(1)?));
        if let Some(note) = coded {
            field.set(*note);
            // More may be said behind it.
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
    Some(opening::assess(model))
}

/// Another account or instrument was chosen: another instrument has other prices.
fn rechosen(model: &mut Model, name: FieldName) -> Vec<Effect> {
    let Overlay::Ticket(ticket) = &model.overlay else { return vec![] };
    let mut ticket = ticket.clone();
    ticket.problem = None;
    if name == FieldName::Instrument {
        for stale in [FieldName::Size, FieldName::Price, FieldName::Stop, FieldName::Target] {
            ticket.fill(stale, "");
        }
        if let Form::Open { .. } = ticket.form {
            opening::prefill(model, &mut ticket);
        }
    }
    if let Some(halt) = opening::halt::chosen(model, &ticket).filter(|_| name == FieldName::Halt) {
        ticket.form = Form::Resume { halt };
    }
    if ticket.form == Form::NewLimit && name != FieldName::Instrument {
        opening::limit::usual_unit(model, &mut ticket);
    }
    model.overlay = Overlay::Ticket(ticket);
    opening::assess(model)
}

/// A digit at the review of a close goes back to editing its size, and is its first digit.
pub(super) fn retyped(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let Overlay::Ticket(ticket) = &mut model.overlay else { return None };
    let character = chord.printable().filter(char::is_ascii_digit)?;
    if !matches!(ticket.form, Form::Close { .. }) {
        return None;
    }
    ticket.stage = Stage::Editing;
    ticket.is_edited = true;
    ticket.focus_on(FieldName::Size);
    if let Some(size) = ticket.focused_mut() {
        size.set("");
        size.insert(character);
    }
    Some(vec![])
}

/// Works on the open ticket.
pub(super) fn in_ticket(model: &mut Model, step: Step, fresh: ClientKey) -> Vec<Effect> {
    let Overlay::Ticket(shown) = &model.overlay else { return vec![] };
    let mut ticket = shown.clone();
    match step {
        Step::NextField => ticket.turn(true),
        Step::PreviousField => ticket.turn(false),
        Step::ToReview => return to_review(model, *ticket, fresh),
        Step::RiskSize => match opening::risk_size(model, &mut ticket) {
            Err(why) => ticket.problem = Some(why),
            Ok(words) => {
                ticket.problem = None;
                ticket.is_edited = true;
                model.say(Tone::Plain, words);
            }
        },
        Step::Reprice => opening::reprice(model, &mut ticket),
        Step::TickUp => move_by_tick(model, &mut ticket, true),
        Step::TickDown => move_by_tick(model, &mut ticket, false),
        Step::ScrollDown => ticket.scrolled = ticket.scrolled.saturating_add(SCROLL),
        Step::ScrollUp => ticket.scrolled = ticket.scrolled.saturating_sub(SCROLL),
        Step::WidenScope => widen(model, &mut ticket),
        Step::Send => return confirm(model, *ticket),
        Step::GiveReason | Step::BackToEdit => {
            ticket.stage = Stage::Editing;
            if step == Step::GiveReason {
                ticket.focus_on(FieldName::Reason);
            }
        }
    }
    model.overlay = Overlay::Ticket(ticket);
    opening::assess(model)
}

/// Freezes the fields into a sentence; what can be taken back is sent at once.
fn to_review(model: &mut Model, mut ticket: Ticket, fresh: ClientKey) -> Vec<Effect> {
    // A refused key is spent, and one that was only typed about costs nothing to replace.
    ticket.key = fresh;
    ticket.problem = None;
    let ticket = opening::at_review(model, ticket);
    let is_ready = matches!(ticket.stage, Stage::Review { .. });
    if is_ready && ticket.is_reversible() {
        model.overlay = Overlay::Ticket(Box::new(ticket.clone()));
        return send(model, ticket);
    }
    opening::show(model, ticket)
}

/// Moves the number in the focused price field by one tick.
fn move_by_tick(model: &Model, ticket: &mut Ticket, upward: bool) {
    let tick = instrument_of(model, ticket)
        .and_then(|id| model.book.instrument(id.as_str()))
        .map(|row| row.tick_size);
    let is_price = |name| {
        matches!(name, FieldName::Price | FieldName::Stop | FieldName::Target | FieldName::Trailing)
    };
    let Some((field, tick)) = ticket.focused_mut().filter(|field| is_price(field.name)).zip(tick)
    else {
        return;
    };
    let Ok(number) = crate::domain::money::typed(field.text()) else { return };
    let moved = if upward { number.checked_add(tick) } else { number.checked_sub(tick) };
    if let Some(moved) = moved {
        field.set(moved.to_string());
        ticket.is_edited = true;
    }
}

fn widen(model: &mut Model, ticket: &mut Ticket) {
    let may_widen = model.may(Right::Risk);
    let Form::Halt { mode, scope, narrow } = &mut ticket.form else { return };
    let wider = match (&scope, narrow) {
        (HaltScope::System, Some(narrow)) => narrow.clone(),
        _ if !may_widen => {
            model.say(Tone::Warning, "only a risk officer halts more than an account");
            return;
        }
        _ => HaltScope::System,
    };
    *scope = wider;
    // Another sentence: it must be read again, and its word typed again.
    if *mode == HaltMode::Flatten {
        ticket.fill(FieldName::Confirm, "");
        ticket.focus_on(FieldName::Confirm);
        ticket.stage = Stage::Editing;
    } else {
        ticket.stage = Stage::Review { armed_at: None };
    }
}

/// `y`: sends what is on the screen, if it has been there long enough to be read, and if the
/// rulebook has nothing against it.
fn confirm(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let Stage::Review { armed_at } = ticket.stage else { return vec![] };
    if let Some(why) = permit::not_yet(model, &ticket, armed_at) {
        model.say(Tone::Warning, why);
        return vec![];
    }
    send(model, ticket)
}

/// Drafts a ticket's verb and sends it.
pub(super) fn send(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let verb = match draft(model, &ticket) {
        Ok(verb) => verb,
        Err(problem) => {
            model.say(Tone::Warning, problem.text.clone());
            let shown = opening::at_review(model, ticket);
            return opening::show(model, shown);
        }
    };
    if let Some(write) = outbox::bars(model, &verb) {
        let text = format!("waits: it is not known yet what became of {}", write.summary);
        if let Overlay::Ticket(shown) = &mut model.overlay {
            shown.problem = Some(text.clone());
        }
        model.say(Tone::Warning, text);
        return vec![];
    }
    let summary = sentence(model, &verb);
    let request = Request { key: ticket.key, verb };
    if let Overlay::Ticket(shown) = &mut model.overlay {
        shown.stage = Stage::Sending;
        shown.problem = None;
    }
    if let Form::Acknowledge { .. } = ticket.form {
        model.pane_mut(Pane::Events).marked.clear();
    }
    outbox::send(model, request, summary)
}
