//! The `:` and `/` lines, and what is pasted.

use tui_input::InputRequest;

use super::cell::Tone;
use super::chord::{Chord, Key};
use super::effect::Effect;
use super::model::{Model, Overlay};
use super::ticket::Stage;
use super::{command, opening};
use crate::domain::ids::ClientKey;

/// What an editing key does to a line of text.
pub(super) fn edit_request(chord: Chord) -> Option<InputRequest> {
    match (chord.key, chord.ctrl) {
        (Key::Backspace, _) => Some(InputRequest::DeletePrevChar),
        (Key::Delete, _) => Some(InputRequest::DeleteNextChar),
        (Key::Left, false) => Some(InputRequest::GoToPrevChar),
        (Key::Right, false) => Some(InputRequest::GoToNextChar),
        (Key::Home, _) => Some(InputRequest::GoToStart),
        (Key::End, _) => Some(InputRequest::GoToEnd),
        (Key::Char('u'), true) => Some(InputRequest::DeleteLine),
        (Key::Char('w'), true) => Some(InputRequest::DeletePrevWord),
        _ => None,
    }
}

/// The `:` and `/` lines.
pub(super) fn line_pressed(model: &mut Model, chord: Chord, fresh: ClientKey) -> Vec<Effect> {
    let focus = model.focus;
    match (&mut model.overlay, chord.key) {
        (Overlay::Command(input), Key::Enter) => {
            let line = input.value().to_owned();
            model.overlay = Overlay::None;
            command::entered(model, &line, fresh)
        }
        (Overlay::Filter(..), Key::Enter) | (Overlay::Command(_), Key::Esc) => {
            model.overlay = Overlay::None;
            vec![]
        }
        (Overlay::Filter(_, before), Key::Esc) => {
            let before = std::mem::take(before);
            model.pane_mut(focus).filter = before;
            model.overlay = Overlay::None;
            vec![]
        }
        (Overlay::Command(input) | Overlay::Filter(input, _), _) => {
            if let Some(character) = chord.printable() {
                input.handle(InputRequest::InsertChar(character));
            } else if let Some(request) = edit_request(chord) {
                input.handle(request);
            }
            if let Overlay::Filter(input, _) = &model.overlay {
                let filter = input.value().to_owned();
                model.pane_mut(focus).filter = filter;
            }
            vec![]
        }
        _ => vec![],
    }
}

/// Takes pasted text: into the focused text field, its first line, or nowhere.
pub(super) fn pasted(model: &mut Model, text: &str) -> Vec<Effect> {
    /// Longest text that is taken from a paste.
    const LONGEST: usize = 64;
    // Terminals paste a line break as a carriage return.
    let mut lines = text.split(['\r', '\n']);
    let line = lines.next().unwrap_or_default();
    let is_whole = lines.all(str::is_empty);
    let refused = if line.chars().count() > LONGEST {
        Some(format!("a paste of more than {LONGEST} characters is not taken"))
    } else if line.chars().any(char::is_control) {
        Some("a paste with control characters is not taken".to_owned())
    } else {
        None
    };
    if let Some(why) = refused {
        model.say(Tone::Warning, why);
        return vec![];
    }
    let mut taken = false;
    match &mut model.overlay {
        Overlay::Command(input) | Overlay::Filter(input, _) => {
            for character in line.chars() {
                input.handle(InputRequest::InsertChar(character));
            }
            taken = true;
        }
        Overlay::Ticket(ticket) if ticket.stage == Stage::Editing => {
            if let Some(field) = ticket.focused_mut()
                && line.chars().all(|character| field.takes(character))
            {
                for character in line.chars() {
                    field.insert(character);
                }
                ticket.is_edited = true;
                taken = true;
            }
        }
        Overlay::Ticket(_)
        | Overlay::None
        | Overlay::Help(_)
        | Overlay::Log(_)
        | Overlay::Detail(..) => {}
    }
    if !taken {
        model.say(Tone::Warning, "the paste went nowhere: open a text field first");
        return vec![];
    }
    if !is_whole {
        model.say(Tone::Warning, "only the first line of the paste was taken");
    }
    if let Overlay::Filter(input, _) = &model.overlay {
        let filter = input.value().to_owned();
        let focus = model.focus;
        model.pane_mut(focus).filter = filter;
    }
    opening::assess(model)
}
