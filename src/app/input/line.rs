//! The `:` and `/` lines, and what is pasted.

use tui_input::InputRequest;

use crate::app::cell::Tone;
use crate::app::chord::{Chord, Key};
use crate::app::effect::Effect;
use crate::app::model::{Model, Overlay};
use crate::app::prompt::{self, Prompt};
use crate::app::ticket::Stage;
use crate::app::{command, review};
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
        (Overlay::Command(prompt), Key::Enter) => {
            let prompt = std::mem::take(prompt);
            entered(model, prompt, fresh)
        }
        (Overlay::Command(prompt), Key::Up | Key::Down) => {
            prompt.look_back(&model.lines, chord.key == Key::Up);
            vec![]
        }
        (Overlay::Command(prompt), Key::Tab) => {
            let mut prompt = prompt.clone();
            prompt.complete(&command::completions(model, &prompt));
            model.overlay = Overlay::Command(prompt);
            vec![]
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
        (Overlay::Command(_) | Overlay::Filter(..), _) => {
            let inserted = chord.printable().map(InputRequest::InsertChar);
            if let Some(request) = inserted.or_else(|| edit_request(chord)) {
                handle(&mut model.overlay, request);
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

/// Runs a line. On an error the line stays open for editing.
fn entered(model: &mut Model, mut prompt: Prompt, fresh: ClientKey) -> Vec<Effect> {
    let line = prompt.input.value().to_owned();
    prompt::remember(&mut model.lines, &line);
    model.overlay = Overlay::None;
    match command::entered(model, &line, fresh) {
        Ok(effects) => effects,
        Err(why) => {
            prompt.fault = Some(why.clone());
            model.overlay = Overlay::Command(prompt);
            model.reply(Tone::Warning, why);
            vec![]
        }
    }
}

fn handle(overlay: &mut Overlay, request: InputRequest) {
    match overlay {
        Overlay::Command(prompt) => prompt.handle(request),
        Overlay::Filter(input, _) => drop(input.handle(request)),
        Overlay::None
        | Overlay::Help(_)
        | Overlay::Log(_)
        | Overlay::Detail(..)
        | Overlay::Ticket(_) => {}
    }
}

/// Takes pasted text: into the focused text field, its first line, or nowhere.
pub(in crate::app) fn pasted(model: &mut Model, text: &str) -> Vec<Effect> {
    /// Longest text that is taken from a paste.
    const LONGEST: usize = 64;
    // Terminals paste a line break as a carriage return.
    let mut lines = text.split(['\r', '\n']);
    let line = lines.next().unwrap_or_default();
    let is_whole = lines.all(str::is_empty);
    let refused = if line.chars().count() > LONGEST {
        Some(format!("paste ignored: longer than {LONGEST} characters"))
    } else if line.chars().any(char::is_control) {
        Some("paste ignored: it has control characters".to_owned())
    } else {
        None
    };
    if let Some(why) = refused {
        model.reply(Tone::Warning, why);
        return vec![];
    }
    let mut taken = false;
    match &mut model.overlay {
        overlay @ (Overlay::Command(_) | Overlay::Filter(..)) => {
            for character in line.chars() {
                handle(overlay, InputRequest::InsertChar(character));
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
        model.reply(Tone::Warning, "paste ignored: no text field has the focus");
        return vec![];
    }
    if !is_whole {
        model.reply(Tone::Warning, "only the first line was pasted");
    }
    if let Overlay::Filter(input, _) = &model.overlay {
        let filter = input.value().to_owned();
        let focus = model.focus;
        model.pane_mut(focus).filter = filter;
    }
    review::assess(model)
}
