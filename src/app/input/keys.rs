//! Keys: from a press to an action, and what each action does.

use tui_input::Input;

use super::{line, ticket};
use crate::app::cell::Tone;
use crate::app::chord::{Chord, Key};
use crate::app::effect::Effect;
use crate::app::keymap::{Action, Danger, Lookup, Opening, View};
use crate::app::model::{Model, Overlay};
use crate::app::prompt::Prompt;
use crate::app::ticket::{Form, Stage};
use crate::app::{cell, chord, columns, form, lists, review};
use crate::domain::ids::ClientKey;

/// Takes a key press.
pub(in crate::app) fn pressed(model: &mut Model, chord: Chord, fresh: ClientKey) -> Vec<Effect> {
    if chord == (Chord { key: Key::Char('c'), ctrl: true }) {
        return interrupt(model);
    }
    // Job control, as in every program of a shell.
    if chord == (Chord { key: Key::Char('z'), ctrl: true }) {
        return vec![Effect::Suspend];
    }
    match &model.overlay {
        Overlay::Command(_) | Overlay::Filter(..) => {
            return line::line_pressed(model, chord, fresh);
        }
        Overlay::Ticket(ticket) => match ticket.stage {
            Stage::Editing => {
                if let Some(effects) = ticket::typed(model, chord) {
                    return effects;
                }
            }
            Stage::Sending => {
                model.reply(Tone::Warning, "already sent; awaiting response");
                return vec![];
            }
            Stage::Unknown if chord.key == Key::Esc => {
                // It stays in the log and in the status bar until the database has answered.
                model.overlay = Overlay::None;
                return vec![];
            }
            Stage::Unknown => {
                model.reply(Tone::Warning, "outcome unconfirmed; querying by key");
                return vec![];
            }
            Stage::Review { .. } => {
                if chord.key == Key::Enter {
                    model.reply(Tone::Warning, "Enter does not send: press y");
                    return vec![];
                }
                if let Some(effects) = ticket::retyped(model, chord) {
                    return effects;
                }
            }
        },
        Overlay::None | Overlay::Help(_) | Overlay::Log(_) | Overlay::Detail(..) => {}
    }
    dispatch(model, chord, fresh)
}

fn dispatch(model: &mut Model, chord: Chord, fresh: ClientKey) -> Vec<Effect> {
    model.pressed.push(chord);
    let pressed = model.pressed.clone();
    let contexts = model.contexts();
    match model.options.keymap.look_up(&contexts, &pressed) {
        Lookup::Prefix => vec![],
        Lookup::Unbound => {
            model.pressed.clear();
            // A stray prefix must not swallow a harmless key after it.
            let alone = model.options.keymap.look_up(&contexts, &[chord]);
            if pressed.len() > 1
                && matches!(alone, Lookup::Bound(binding) if binding.danger == Danger::Harmless)
            {
                return dispatch(model, chord, fresh);
            }
            if pressed.len() > 1 {
                let spelled = chord::spell(&pressed);
                model.reply(Tone::Quiet, format!("{spelled} is not bound here; ? lists the keys"));
            }
            vec![]
        }
        Lookup::Bound(binding) => {
            model.pressed.clear();
            if binding.action != Action::Quit {
                model.is_leaving = false;
            }
            if let Some(reason) = model.obstacle(binding.action) {
                model.reply(Tone::Warning, format!("{}: {reason}", binding.label));
                return vec![];
            }
            perform(model, binding.action, fresh)
        }
    }
}

/// Does what a key says.
pub(in crate::app) fn perform(model: &mut Model, action: Action, fresh: ClientKey) -> Vec<Effect> {
    match action {
        Action::Move(motion) => lists::move_selection(model, motion),
        Action::Show(pane) => lists::show_pane(model, pane),
        Action::Follow(pane) => lists::follow(model, pane),
        Action::View(look) => looked(model, look),
        Action::Open(opening) => open(model, opening, fresh),
        Action::Ticket(step) => ticket::in_ticket(model, step, fresh),
        Action::Back => back(model),
        Action::Quit => quit(model),
    }
}

fn looked(model: &mut Model, view: View) -> Vec<Effect> {
    match view {
        View::NextPane => lists::cycle_pane(model, true),
        View::PreviousPane => lists::cycle_pane(model, false),
        View::Zoom => {
            model.is_zoomed = !model.is_zoomed;
            vec![]
        }
        View::Detail => detail(model),
        View::Filter => {
            let before = model.pane(model.focus).filter.clone();
            overlay(model, Overlay::Filter(Input::new(before.clone()), before))
        }
        View::SortNext => lists::sort_next(model),
        View::SortReverse => lists::sort_reverse(model),
        View::Mark => lists::mark(model),
        View::MarkAll => lists::mark_all(model),
        View::CopyRow => copy(model),
        View::Reload => {
            model.reply(Tone::Quiet, "reloading all panes");
            vec![Effect::ReadAll]
        }
        View::Help => overlay(model, Overlay::Help(0)),
        View::Log => overlay(model, Overlay::Log(0)),
        View::Command => {
            overlay(model, Overlay::Command(Prompt::default()));
            // Their names are offered on the line.
            if model.limit_types.is_empty() { vec![Effect::ReadLimitTypes] } else { vec![] }
        }
        View::Redraw => vec![Effect::Redraw],
        View::SilenceAlarm => {
            if let Some(alarm) = model.alarms.pop() {
                model.reply(Tone::Plain, format!("alarm silenced: {}", alarm.text));
            }
            vec![]
        }
        View::ShowAcknowledged => {
            model.hides_acknowledged = !model.hides_acknowledged;
            vec![]
        }
        View::NextTimeframe => lists::timeframe(model, true),
        View::PreviousTimeframe => lists::timeframe(model, false),
    }
}

fn overlay(model: &mut Model, overlay: Overlay) -> Vec<Effect> {
    model.overlay = overlay;
    vec![]
}

fn detail(model: &mut Model) -> Vec<Effect> {
    match model.selected().cloned() {
        Some(id) => {
            model.overlay = Overlay::Detail(model.focus, id);
        }
        None => model.reply(Tone::Quiet, "no row selected: move with j and k"),
    }
    vec![]
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let Some(id) = model.selected().cloned() else {
        model.reply(Tone::Quiet, "no row selected: move with j and k");
        return vec![];
    };
    let Some((_, cells)) = columns::cells(model, model.focus, &id) else { return vec![] };
    let text: Vec<String> = cells.iter().map(cell::plain).collect();
    model.reply(Tone::Quiet, "row copied");
    vec![Effect::Copy(text.join("\t"))]
}

/// One level up; never out of the program.
fn back(model: &mut Model) -> Vec<Effect> {
    match &mut model.overlay {
        Overlay::Ticket(ticket) if ticket.is_edited && !ticket.is_leaving => {
            ticket.is_leaving = true;
            ticket.problem = Some("press Esc again to discard your changes".to_owned());
        }
        Overlay::None => {
            let focus = model.focus;
            if model.is_zoomed {
                model.is_zoomed = false;
            } else if !model.pane(focus).marked.is_empty() {
                model.pane_mut(focus).marked.clear();
            } else if !model.pane(focus).filter.is_empty() {
                model.pane_mut(focus).filter.clear();
            } else {
                model.pane_mut(focus).selected = None;
            }
        }
        Overlay::Ticket(_)
        | Overlay::Help(_)
        | Overlay::Log(_)
        | Overlay::Detail(..)
        | Overlay::Command(_)
        | Overlay::Filter(..) => model.overlay = Overlay::None,
    }
    vec![]
}

fn quit(model: &mut Model) -> Vec<Effect> {
    if model.is_zoomed {
        model.is_zoomed = false;
        return vec![];
    }
    if model.is_leaving {
        return vec![Effect::Quit];
    }
    model.is_leaving = true;
    let waiting = model.writes.len();
    if waiting > 0 {
        model.reply(
            Tone::Warning,
            format!("unconfirmed writes: {waiting}, will be resolved at next start; press q again to quit"),
        );
    } else {
        model.reply(Tone::Plain, "press q again to quit");
    }
    vec![]
}

/// Ctrl-C: closes what is open, then asks, then leaves.
fn interrupt(model: &mut Model) -> Vec<Effect> {
    model.pressed.clear();
    if !matches!(model.overlay, Overlay::None) {
        if !matches!(model.ticket().map(|ticket| &ticket.stage), Some(Stage::Sending)) {
            model.overlay = Overlay::None;
        }
        return vec![];
    }
    model.is_zoomed = false;
    quit(model)
}

fn open(model: &mut Model, opening: Opening, fresh: ClientKey) -> Vec<Effect> {
    let opened = match form::open(model, opening, fresh) {
        Ok(ticket) => ticket,
        Err(why) => {
            model.reply(Tone::Warning, why.text);
            return vec![];
        }
    };
    // Events that were not selected are shown before they are sent.
    if let Form::Acknowledge(form) = &opened.form
        && form.is_ready(model)
    {
        return ticket::send(model, opened);
    }
    review::open(model, opened)
}
