//! Converts terminal events to messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::clock::Clock;
use crate::app::Msg;
use crate::app::chord::{Chord, Key};

/// Converts an event; `None` if it has no meaning here.
///
/// Only presses count: some terminals report releases too.
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

/// Converts a key; `None` if it is unknown.
pub fn chord(event: KeyEvent) -> Option<Chord> {
    if event.kind != KeyEventKind::Press {
        return None;
    }
    // An Alt chord is not the plain key: a split escape sequence must not become a command.
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
