//! Colours and their stand-ins: the only place that names them.

use ratatui::style::{Color, Modifier, Style};

use crate::app::cell::Tone;
use crate::domain::account::Environment;

/// Which colours are used. No colour ever says something alone: sign, arrow, word or position says
/// it too, so that the plain theme loses nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Theme {
    /// The terminal's own sixteen colours, so that they fit the person's choice of light or dark.
    #[default]
    Colour,
    /// None, as `NO_COLOR` asks: bold, dim and reversed remain.
    Plain,
}

/// What a piece of the screen is. Widgets name this; a theme makes a style of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ink {
    Plain,
    /// What matters among ordinary text.
    Strong,
    /// What matters less: old rows, hints, units, frames.
    Quiet,
    Header,
    /// Frame of the pane that keys go to.
    Focus,
    Selected,
    Gain,
    Loss,
    Good,
    Warning,
    Critical,
    /// A halt or an alarm, across the screen.
    Alarm,
    /// Something whose outcome nobody knows.
    Unknown,
    /// A key that can be pressed.
    Key,
    /// The field that is typed into.
    Field,
    Badge(Environment),
    /// Badge of a console that writes nothing.
    ReadOnly,
}

impl Theme {
    /// Returns the style of `ink`.
    pub(super) fn style(self, ink: Ink) -> Style {
        match self {
            Self::Colour => coloured(ink),
            Self::Plain => plain(ink),
        }
    }

    /// Returns the ink of a row's tone.
    pub(super) fn tone(self, tone: Tone) -> Style {
        self.style(match tone {
            Tone::Quiet => Ink::Quiet,
            Tone::Plain => Ink::Plain,
            Tone::Warning => Ink::Warning,
            Tone::Critical => Ink::Critical,
        })
    }
}

fn coloured(ink: Ink) -> Style {
    let style = Style::new();
    match ink {
        Ink::Plain => style,
        Ink::Strong => style.add_modifier(Modifier::BOLD),
        Ink::Quiet => style.fg(Color::DarkGray),
        Ink::Header => style.fg(Color::DarkGray).add_modifier(Modifier::BOLD),
        Ink::Focus | Ink::Key => style.fg(Color::Cyan),
        // Both colours are named: on a light terminal its own text would vanish on this ground.
        Ink::Selected => {
            style.fg(Color::White).bg(Color::Indexed(238)).add_modifier(Modifier::BOLD)
        }
        Ink::Gain | Ink::Good => style.fg(Color::Green),
        Ink::Loss => style.fg(Color::Red),
        Ink::Warning => style.fg(Color::Yellow),
        Ink::Critical => style.fg(Color::LightRed).add_modifier(Modifier::BOLD),
        Ink::Alarm => style.fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
        Ink::Unknown => style.fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD),
        Ink::Field => style.add_modifier(Modifier::UNDERLINED),
        Ink::Badge(Environment::Live) => {
            style.fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD)
        }
        Ink::Badge(Environment::Paper) => {
            style.fg(Color::Black).bg(Color::Cyan).add_modifier(Modifier::BOLD)
        }
        Ink::Badge(Environment::Demo) => {
            style.fg(Color::White).bg(Color::Blue).add_modifier(Modifier::BOLD)
        }
        Ink::ReadOnly => style.fg(Color::White).bg(Color::DarkGray),
    }
}

fn plain(ink: Ink) -> Style {
    let style = Style::new();
    match ink {
        Ink::Plain | Ink::Gain | Ink::Loss | Ink::Good => style,
        Ink::Quiet => style.add_modifier(Modifier::DIM),
        Ink::Header | Ink::Strong | Ink::Focus | Ink::Key | Ink::Warning => {
            style.add_modifier(Modifier::BOLD)
        }
        Ink::Critical => style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Ink::Field => style.add_modifier(Modifier::UNDERLINED),
        Ink::Selected
        | Ink::Alarm
        | Ink::Unknown
        | Ink::Badge(Environment::Live | Environment::Paper | Environment::Demo)
        | Ink::ReadOnly => style.add_modifier(Modifier::REVERSED),
    }
}
