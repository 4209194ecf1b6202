//! Keys: from a press to an action, and what each action does.

use tui_input::{Input, InputRequest};

use super::cell::Tone;
use super::chord::{Chord, Key};
use super::columns;
use super::draft::{draft, sentence};
use super::effect::Effect;
use super::keymap::{Action, BINDINGS, Lookup};
use super::model::{Link, Model, Overlay};
use super::opening::{self, Declined, Subject};
use super::pane::{Pane, RowId};
use super::ticket::{FieldKind, FieldName, Form, HaltScope, Stage, Ticket, Verdict};
use super::{command, lists, writing};
use crate::domain::event::Severity;
use crate::domain::halt::HaltMode;
use crate::domain::ids::ClientKey;
use crate::domain::outcome::Finding;
use crate::domain::request::{Request, Verb};
use crate::domain::session::Right;
use crate::domain::trade::Side;

/// Coded notes for an acknowledgement, by digit.
pub const CODED_NOTES: [&str; 6] = [
    "true, reducing",
    "true, accepted until reviewed",
    "data fault",
    "late trade",
    "limit change asked",
    "duplicate",
];

/// Takes a key press.
pub(super) fn pressed(model: &mut Model, chord: Chord, fresh: ClientKey) -> Vec<Effect> {
    if chord == (Chord { key: Key::Char('c'), ctrl: true }) {
        return interrupt(model);
    }
    match &model.overlay {
        Overlay::Command(_) | Overlay::Filter(..) => return line_pressed(model, chord, fresh),
        Overlay::Ticket(ticket) => match ticket.stage {
            Stage::Editing => {
                if let Some(effects) = typed(model, chord) {
                    return effects;
                }
            }
            Stage::Sending => {
                model.say(Tone::Warning, "already sent: wait for the answer");
                return vec![];
            }
            Stage::Unknown if chord.key == Key::Esc => {
                // It stays in the log and in the status bar until the database has answered.
                model.overlay = Overlay::None;
                return vec![];
            }
            Stage::Unknown => {
                model.say(Tone::Warning, "the answer was lost: the database is being asked");
                return vec![];
            }
            Stage::Review { .. } => {
                if chord.key == Key::Enter {
                    model.say(Tone::Warning, "Enter does not send: press y");
                    return vec![];
                }
                if let Some(effects) = retyped(model, chord) {
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
            if pressed.len() > 1 {
                let spelled = super::chord::spell(&pressed);
                model.say(Tone::Quiet, format!("no key {spelled} here: ? lists them"));
            }
            vec![]
        }
        Lookup::Bound(binding) => {
            model.pressed.clear();
            if binding.action != Action::QuitKey {
                model.is_leaving = false;
            }
            if let Some(reason) = obstacle(model, binding.action) {
                model.say(Tone::Warning, format!("{}: {reason}", binding.label));
                return vec![];
            }
            perform(model, binding.action, fresh)
        }
    }
}

/// Returns why an action cannot be done now.
pub(super) fn obstacle(model: &Model, action: Action) -> Option<String> {
    let binding = BINDINGS.iter().find(|binding| binding.action == action)?;
    if binding.right == Right::Read {
        return None;
    }
    if model.options.is_read_only {
        return Some("this console was started read-only".to_owned());
    }
    match (&model.database, &model.session) {
        (Link::Down { reason, .. }, _) => {
            return Some(format!("the database is away, nothing can be written ({reason})"));
        }
        (Link::Connecting, _) | (Link::Up { .. }, None) => {
            return Some("the database has not answered yet".to_owned());
        }
        (Link::Up { .. }, Some(session)) if session.in_recovery => {
            return Some("the server is a standby: nothing can be written".to_owned());
        }
        (Link::Up { .. }, Some(_)) => {}
    }
    if !model.role().may(binding.right) {
        let needed = match binding.right {
            Right::Risk => "needs the role of a risk officer",
            Right::Read | Right::Trade | Right::Halt => "needs the role of a trader",
        };
        return Some(format!("{needed}; you are {}", model.role().as_str()));
    }
    None
}

/// Does what a key says.
pub(super) fn perform(model: &mut Model, action: Action, fresh: ClientKey) -> Vec<Effect> {
    match action {
        Action::Down
        | Action::Up
        | Action::First
        | Action::Last
        | Action::HalfPageDown
        | Action::HalfPageUp => lists::moved(model, action),
        Action::NextPane => lists::turn(model, true),
        Action::PreviousPane => lists::turn(model, false),
        Action::ShowAccounts => lists::go(model, Pane::Accounts),
        Action::ShowPositions => lists::go(model, Pane::Positions),
        Action::ShowTrades => lists::go(model, Pane::Trades),
        Action::ShowSignals => lists::go(model, Pane::Signals),
        Action::ShowEvents => lists::go(model, Pane::Events),
        Action::ShowLimits => lists::go(model, Pane::Limits),
        Action::ShowMarket => lists::go(model, Pane::Market),
        Action::ShowAgents => lists::go(model, Pane::Agents),
        Action::Zoom => {
            model.is_zoomed = !model.is_zoomed;
            vec![]
        }
        Action::Detail => detail(model),
        Action::Filter => {
            let before = model.pane(model.focus).filter.clone();
            model.overlay = Overlay::Filter(Input::new(before.clone()), before);
            vec![]
        }
        Action::SortNext | Action::SortReverse => lists::sort(model, action),
        Action::Mark | Action::MarkAll => lists::mark(model, action),
        Action::GoPositions => lists::follow(model, Pane::Positions),
        Action::GoTrades => lists::follow(model, Pane::Trades),
        Action::GoSignals => lists::follow(model, Pane::Signals),
        Action::GoEvents => lists::follow(model, Pane::Events),
        Action::CopyRow => copy(model),
        Action::Reload => {
            model.say(Tone::Quiet, "reading everything again");
            vec![Effect::ReadAll]
        }
        Action::Help => overlay(model, Overlay::Help(0)),
        Action::Log => overlay(model, Overlay::Log(0)),
        Action::Command => overlay(model, Overlay::Command(Input::default())),
        Action::Redraw => vec![Effect::Redraw],
        Action::Back => back(model),
        Action::QuitKey => quit(model),
        Action::SilenceAlarm => {
            if let Some(alarm) = model.alarm.take() {
                model.say(Tone::Plain, format!("alarm acknowledged: {}", alarm.text));
            }
            vec![]
        }
        Action::ShowAcknowledged => {
            model.hides_acknowledged = !model.hides_acknowledged;
            vec![]
        }
        Action::NextTimeframe => lists::timeframe(model, true),
        Action::PreviousTimeframe => lists::timeframe(model, false),
        Action::Buy
        | Action::Sell
        | Action::Close
        | Action::Take
        | Action::Acknowledge
        | Action::Unacknowledge
        | Action::EditLimit
        | Action::Approve
        | Action::Reject
        | Action::Halt
        | Action::ReduceOnly
        | Action::Resume => open(model, action, fresh),
        Action::NextField
        | Action::PreviousField
        | Action::ToReview
        | Action::RiskSize
        | Action::Reprice
        | Action::TickUp
        | Action::TickDown
        | Action::WidenScope
        | Action::Send
        | Action::GiveReason
        | Action::BackToEdit => in_ticket(model, action, fresh),
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
        None => model.say(Tone::Quiet, "nothing is selected: j and k choose a row"),
    }
    vec![]
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let Some(id) = model.selected().cloned() else {
        model.say(Tone::Quiet, "nothing is selected: j and k choose a row");
        return vec![];
    };
    let Some((_, cells)) = columns::cells(model, model.focus, &id) else { return vec![] };
    let text: Vec<String> = cells.iter().map(super::cell::plain).collect();
    model.say(Tone::Quiet, "row copied");
    vec![Effect::Copy(text.join("\t"))]
}

/// One level up; never out of the program.
fn back(model: &mut Model) -> Vec<Effect> {
    match &mut model.overlay {
        Overlay::Ticket(ticket) if ticket.is_edited && !ticket.is_leaving => {
            ticket.is_leaving = true;
            ticket.problem = Some("Esc again throws away what you typed".to_owned());
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
        _ => model.overlay = Overlay::None,
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
        model.say(Tone::Warning, format!("{waiting} write(s) without an answer; q again leaves, they are settled at the next start"));
    } else {
        model.say(Tone::Plain, "q again leaves");
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

fn open(model: &mut Model, action: Action, fresh: ClientKey) -> Vec<Effect> {
    let about = opening::subject(model);
    let opened: Result<Ticket, Declined> = match action {
        Action::Buy => open_trade(model, fresh, Side::Buy, &about),
        Action::Sell => open_trade(model, fresh, Side::Sell, &about),
        Action::Take => match model.selected() {
            Some(RowId::Signal(id)) => opening::take(model, fresh, *id),
            _ => Err("select a signal first".to_owned()),
        },
        Action::Close => {
            opening::selected_position(model).and_then(|id| opening::close(model, fresh, id))
        }
        Action::Acknowledge => opening::acknowledge(model, fresh),
        Action::Unacknowledge => match model.selected() {
            Some(RowId::Event(id)) => Ok(Ticket::new(fresh, Form::Unacknowledge { event: *id })),
            _ => Err("select a risk event first".to_owned()),
        },
        Action::EditLimit => opening::edit_limit(model, fresh),
        Action::Approve => opening::approve(model, fresh),
        Action::Reject => opening::reject(model, fresh),
        Action::Halt => Ok(opening::halt(model, fresh, HaltMode::NoNewOrders)),
        Action::ReduceOnly => Ok(opening::halt(model, fresh, HaltMode::ReduceOnly)),
        Action::Resume => opening::resume(model, fresh),
        _ => return vec![],
    };
    match opened {
        Ok(ticket) => {
            if let Form::Acknowledge { needs_note: false, .. } = ticket.form {
                return send(model, ticket);
            }
            opening::show(model, ticket)
        }
        Err(why) => {
            model.say(Tone::Warning, why);
            vec![]
        }
    }
}

fn open_trade(
    model: &Model,
    fresh: ClientKey,
    side: Side,
    about: &Subject,
) -> Result<Ticket, Declined> {
    if model.focus == Pane::Signals && about.instrument.is_none() {
        return Err("select a signal first".to_owned());
    }
    Ok(opening::open(model, fresh, side, about))
}

/// Drafts a ticket's verb and sends it.
fn send(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let verb = match draft(model, &ticket) {
        Ok(verb) => verb,
        Err(problem) => {
            model.say(Tone::Warning, problem.text.clone());
            let shown = opening::at_review(model, ticket);
            return opening::show(model, shown);
        }
    };
    if let Some(write) = writing::bars(model, &verb) {
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
    writing::send(model, request, summary)
}

/// Typing into the focused field; `None` where the key is not text.
fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let Overlay::Ticket(ticket) = &mut model.overlay else { return None };
    let request = edit_request(chord);
    let is_coded = matches!(ticket.form, Form::Acknowledge { .. });
    let field = ticket.focused_mut()?;
    if field.kind == FieldKind::Choice {
        let forward = match chord.key {
            Key::Left | Key::Char('h') => false,
            Key::Right | Key::Char('l' | ' ') => true,
            _ => return None,
        };
        field.turn(forward);
        let name = field.name;
        ticket.is_edited = true;
        return Some(rechosen(model, name));
    }
    if let Some(character) = chord.printable() {
        let code = character.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
        let coded = code
            .filter(|_| is_coded && field.text().is_empty())
            .and_then(|digit| CODED_NOTES.get(digit.checked_sub(1)?));
        if let Some(note) = coded {
            field.set(*note);
        } else if field.takes(character) {
            field.input.handle(InputRequest::InsertChar(character));
        } else if field.kind == FieldKind::Text {
            return Some(vec![]);
        } else {
            return None;
        }
    } else if let Some(request) = request {
        field.input.handle(request);
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
        opening::prefill(model, &mut ticket);
    }
    model.overlay = Overlay::Ticket(ticket);
    opening::assess(model)
}

/// A digit at the review of a close goes back to editing its size, and is its first digit.
fn retyped(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let Overlay::Ticket(ticket) = &mut model.overlay else { return None };
    let character = chord.printable().filter(char::is_ascii_digit)?;
    if !matches!(ticket.form, Form::Close { .. }) {
        return None;
    }
    ticket.stage = Stage::Editing;
    ticket.is_edited = true;
    ticket.fill(FieldName::Size, character.to_string());
    ticket.focus_on(FieldName::Size);
    Some(vec![])
}

/// What an editing key does to a line of text.
fn edit_request(chord: Chord) -> Option<InputRequest> {
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

fn in_ticket(model: &mut Model, action: Action, fresh: ClientKey) -> Vec<Effect> {
    let Overlay::Ticket(shown) = &model.overlay else { return vec![] };
    let mut ticket = shown.clone();
    match action {
        Action::NextField => ticket.turn(true),
        Action::PreviousField => ticket.turn(false),
        Action::ToReview => return to_review(model, *ticket, fresh),
        Action::RiskSize => {
            if let Err(why) = opening::risk_size(model, &mut ticket) {
                ticket.problem = Some(why);
            } else {
                ticket.problem = None;
                ticket.is_edited = true;
            }
        }
        Action::Reprice => opening::reprice(model, &mut ticket),
        Action::TickUp => step(model, &mut ticket, true),
        Action::TickDown => step(model, &mut ticket, false),
        Action::WidenScope => widen(&mut ticket),
        Action::Send => return confirm(model, *ticket),
        Action::GiveReason | Action::BackToEdit => {
            ticket.stage = Stage::Editing;
            if action == Action::GiveReason {
                ticket.focus_on(FieldName::Reason);
            }
        }
        _ => return vec![],
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
fn step(model: &Model, ticket: &mut Ticket, upward: bool) {
    let tick = match &ticket.form {
        Form::Open { .. } => {
            super::draft::chosen_instrument(model, ticket).map(|row| row.tick_size)
        }
        Form::Close { position } => model
            .desk
            .positions
            .get(position)
            .and_then(|held| model.book.instrument(held.instrument.as_str()))
            .map(|row| row.tick_size),
        _ => None,
    };
    let is_price = |name| matches!(name, FieldName::Price | FieldName::Stop | FieldName::Target);
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

fn widen(ticket: &mut Ticket) {
    if let Form::Halt { scope, account, .. } = &mut ticket.form {
        *scope = match (&scope, *account) {
            (HaltScope::System, Some(id)) => HaltScope::Account(id),
            _ => HaltScope::System,
        };
        // Another sentence: it must be read again.
        ticket.stage = Stage::Review { armed_at: None };
    }
}

/// `y`: sends what is on the screen, if it has been there long enough to be read, and if the
/// rulebook has nothing against it.
fn confirm(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let Stage::Review { armed_at } = ticket.stage else { return vec![] };
    if let Some(why) = not_yet(model, &ticket, armed_at) {
        model.say(Tone::Warning, why);
        return vec![];
    }
    send(model, ticket)
}

/// Returns why `y` does nothing now at the review of `ticket`.
pub(super) fn not_yet(
    model: &Model,
    ticket: &Ticket,
    armed_at: Option<std::time::Duration>,
) -> Option<String> {
    if super::is_too_small(model.size) {
        return Some("the terminal is too small to show what would be sent".to_owned());
    }
    if !model.has_focus || armed_at.is_none_or(|at| model.elapsed < at) {
        return Some("read it first: y counts after a moment".to_owned());
    }
    // The role may have been taken away, or the database lost, since the ticket opened.
    let action = match super::draft::right_of(&ticket.form) {
        Right::Trade => Action::Buy,
        Right::Risk => Action::Acknowledge,
        Right::Halt => Action::Halt,
        Right::Read => return None,
    };
    if let Some(reason) = obstacle(model, action) {
        return Some(reason);
    }
    let Form::Open { .. } = ticket.form else { return None };
    match (&ticket.verdict, ticket.verdict.worst()) {
        (Verdict::Failed(why), _) => Some(format!("the rulebook cannot be asked: {why}")),
        (Verdict::None | Verdict::Asked(_), _) => Some("wait for the checks".to_owned()),
        (Verdict::Known { .. }, Some(Finding::Reject)) => {
            let first = ticket.verdict.checks().iter().find(|c| c.finding == Finding::Reject)?;
            let message = first.message.clone().unwrap_or_default();
            Some(format!("{} forbids it. {message}", first.code))
        }
        (Verdict::Known { .. }, Some(Finding::Confirm)) => {
            let has_reason = ticket.text(FieldName::Reason).is_some();
            (!has_reason).then(|| "a soft limit asks for a reason: press Y and type it".to_owned())
        }
        (Verdict::Known { .. }, Some(Finding::Passes) | None) => None,
    }
}

/// The `:` and `/` lines.
fn line_pressed(model: &mut Model, chord: Chord, fresh: ClientKey) -> Vec<Effect> {
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
    let line = text.lines().next().unwrap_or_default();
    let is_whole = text.lines().count() <= 1;
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
                    field.input.handle(InputRequest::InsertChar(character));
                }
                ticket.is_edited = true;
                taken = true;
            }
        }
        _ => {}
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

/// Returns whether a verb may be sent by a role; used by the command line before it opens a ticket.
pub(super) fn obstacle_for(model: &Model, verb: &Verb) -> Option<String> {
    let action = match verb {
        Verb::Place(_) | Verb::Close { .. } => Action::Buy,
        Verb::Halt { .. } => Action::Halt,
        Verb::Acknowledge { .. }
        | Verb::Unacknowledge { .. }
        | Verb::ProposeLimit { .. }
        | Verb::ApproveLimit { .. }
        | Verb::RejectLimit { .. }
        | Verb::Resume { .. } => Action::Acknowledge,
    };
    obstacle(model, action)
}

/// Tells whether an event's severity rings.
pub(super) fn rings(severity: Severity) -> bool {
    severity.needs_note()
}
