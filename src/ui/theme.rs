//! Styles: the only place that names colours.

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

/// Style class of a piece of the screen. Widgets name a class; a theme maps it to a style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
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
    /// An unconfirmed write.
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
    /// Returns the style of a class.
    pub(super) fn style(self, class: Class) -> Style {
        match self {
            Self::Colour => coloured(class),
            Self::Plain => plain(class),
        }
    }

    /// Returns the style of a row's tone.
    pub(super) fn tone(self, tone: Tone) -> Style {
        self.style(match tone {
            Tone::Quiet => Class::Quiet,
            Tone::Plain => Class::Plain,
            Tone::Warning => Class::Warning,
            Tone::Critical => Class::Critical,
        })
    }
}

fn coloured(class: Class) -> Style {
    let style = Style::new();
    match class {
        Class::Plain => style,
        Class::Strong => style.add_modifier(Modifier::BOLD),
        Class::Quiet => style.fg(Color::DarkGray),
        Class::Header => style.fg(Color::DarkGray).add_modifier(Modifier::BOLD),
        Class::Focus | Class::Key => style.fg(Color::Cyan),
        // Both colours are named: on a light terminal its own text would vanish on this ground.
        Class::Selected => {
            style.fg(Color::White).bg(Color::Indexed(238)).add_modifier(Modifier::BOLD)
        }
        Class::Gain | Class::Good => style.fg(Color::Green),
        Class::Loss => style.fg(Color::Red),
        Class::Warning => style.fg(Color::Yellow),
        Class::Critical => style.fg(Color::LightRed).add_modifier(Modifier::BOLD),
        Class::Alarm => style.fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
        Class::Unknown => style.fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD),
        Class::Field => style.add_modifier(Modifier::UNDERLINED),
        Class::Badge(Environment::Live) => {
            style.fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD)
        }
        Class::Badge(Environment::Paper) => {
            style.fg(Color::Black).bg(Color::Cyan).add_modifier(Modifier::BOLD)
        }
        Class::Badge(Environment::Demo) => {
            style.fg(Color::White).bg(Color::Blue).add_modifier(Modifier::BOLD)
        }
        Class::ReadOnly => style.fg(Color::White).bg(Color::DarkGray),
    }
}

fn plain(class: Class) -> Style {
    let style = Style::new();
    match class {
        Class::Plain | Class::Gain | Class::Loss | Class::Good => style,
        Class::Quiet => style.add_modifier(Modifier::DIM),
        Class::Header | Class::Strong | Class::Focus | Class::Key | Class::Warning => {
            style.add_modifier(Modifier::BOLD)
        }
        Class::Critical => style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Class::Field => style.add_modifier(Modifier::UNDERLINED),
        Class::Selected
        | Class::Alarm
        | Class::Unknown
        | Class::Badge(Environment::Live | Environment::Paper | Environment::Demo)
        | Class::ReadOnly => style.add_modifier(Modifier::REVERSED),
    }
}
