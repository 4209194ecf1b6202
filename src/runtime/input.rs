//! From the terminal's events to messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::clock::Clock;
use crate::app::Msg;
use crate::app::chord::{Chord, Key};

/// Returns what an event of the terminal means, or `None` if it means nothing here.
///
/// Only presses count: a terminal that reports releases would double every key.
pub fn translate(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => {
            chord(key).map(|chord| Msg::Pressed { chord, fresh: Clock::fresh_key() })
        }
        Event::Paste(text) => Some(Msg::Pasted(text)),
        Event::Resize(columns, rows) => Some(Msg::Resized(columns, rows)),
        Event::FocusGained => Some(Msg::FocusChanged { has_focus: true }),
        Event::FocusLost => Some(Msg::FocusChanged { has_focus: false }),
        Event::Mouse(_) => None,
    }
}

/// Returns the console's name of a key, or `None` for a key that it does not know.
pub fn chord(event: KeyEvent) -> Option<Chord> {
    if event.kind != KeyEventKind::Press {
        return None;
    }
    // An Alt chord is not the plain key: an escape sequence cut in two must not become a command.
    if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META) {
        return None;
    }
    let key = match event.code {
        KeyCode::Char(character) => Key::Char(character),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::F(number) => Key::F(number),
        KeyCode::Insert
        | KeyCode::Null
        | KeyCode::CapsLock
        | KeyCode::ScrollLock
        | KeyCode::NumLock
        | KeyCode::PrintScreen
        | KeyCode::Pause
        | KeyCode::Menu
        | KeyCode::KeypadBegin
        | KeyCode::Media(_)
        | KeyCode::Modifier(_) => return None,
    };
    Some(Chord { key, ctrl: event.modifiers.contains(KeyModifiers::CONTROL) })
}
