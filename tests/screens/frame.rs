//! One frame as text and colours.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::{Backend, TestBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Position;
use ratatui::style::Color;
use tmt::app::{Model, Msg, update};
use tmt::ui::{self, Shown, Theme};

use crate::console::Console;

/// Columns and rows of a terminal.
pub(crate) type Size = (u16, u16);

/// The smallest terminal.
pub(crate) const SMALL: Size = (80, 24);
/// The smallest one with a dashboard.
pub(crate) const MEDIUM: Size = (120, 40);
pub(crate) const LARGE: Size = (200, 60);

/// One frame, and where it left the cursor.
pub(crate) struct Frame {
    pub(crate) buffer: Buffer,
    pub(crate) shown: Shown,
    pub(crate) cursor: Position,
}

impl Frame {
    /// Returns what the loop says when the frame is on the screen.
    pub(crate) fn shown(&self, elapsed: Duration) -> Msg {
        let Shown { heights, scrolled } = self.shown;
        Msg::FrameShown { elapsed, heights, scrolled }
    }

    pub(crate) fn line(&self, y: u16) -> String {
        (0..self.buffer.area.width).map(|x| self.buffer[(x, y)].symbol()).collect()
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for y in 0..self.buffer.area.height {
            text.push_str(self.line(y).trim_end());
            text.push('\n');
        }
        text
    }

    /// Returns the words of the sheet in the right part of a ticket, without frames and line ends.
    pub(crate) fn sheet(&self) -> String {
        let text = self.text();
        let right = text.lines().filter_map(|line| line.split('│').nth(1));
        words(&right.map(|line| line.replace('┃', " ")).collect::<Vec<_>>().join(" "))
    }

    /// Returns the words of the whole screen, without frames and line ends.
    pub(crate) fn words(&self) -> String {
        words(&self.text().replace(['┃', '\n', '│'], " "))
    }

    /// Returns the first line with this text.
    #[track_caller]
    pub(crate) fn line_with(&self, text: &str) -> String {
        let screen = self.text();
        let line = screen.lines().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("{text:?} is not on the screen:\n{screen}")).to_owned()
    }

    /// Returns the colours of the first place where `text` stands.
    #[track_caller]
    pub(crate) fn colours_of(&self, text: &str) -> (Color, Color) {
        let area = self.buffer.area;
        for y in 0..area.height {
            for x in 0..area.width {
                let found = text.chars().enumerate().all(|(at, wanted)| {
                    let place = (x.saturating_add(u16::try_from(at).unwrap()), y);
                    let cell = self.buffer.cell(place);
                    cell.is_some_and(|cell| cell.symbol() == wanted.to_string())
                });
                if found {
                    return (self.buffer[(x, y)].fg, self.buffer[(x, y)].bg);
                }
            }
        }
        panic!("{text:?} is not on the screen:\n{}", self.text());
    }

    /// Every line that begins with a frame ends with one: nothing was pushed over it.
    #[track_caller]
    pub(crate) fn assert_unbroken(&self) {
        for y in 0..self.buffer.area.height {
            let line = self.line(y);
            let begins = line.starts_with(['│', '┃', '┌', '┏', '└', '┗', '┠']);
            let ends = line.trim_end().ends_with(['│', '┃', '█', '┐', '┓', '┘', '┛', '┨']);
            assert!(!begins || ends, "line {y}:\n{}", self.text());
        }
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn frame(model: &Model, theme: Theme, (columns, rows): Size) -> Frame {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let mut shown = Shown::default();
    terminal.draw(|frame| shown = ui::view(model, theme, frame)).unwrap();
    let cursor = terminal.backend_mut().get_cursor_position().unwrap();
    Frame { buffer: terminal.backend().buffer().clone(), shown, cursor }
}

/// Draws twice, as the loop does: the second frame knows how many rows fitted into the first.
pub(crate) fn draw(console: &mut Console, size: Size) -> Frame {
    console.tell(Msg::Resized(size.0, size.1));
    let first = frame(&console.model, Theme::Colour, size);
    // On a copy: a frame that is shown also arms the confirmation, which is what some screens are
    // about.
    let mut model = console.model.clone();
    let elapsed = model.elapsed;
    let effects = update(&mut model, first.shown(elapsed));
    assert!(effects.is_empty(), "a frame asks for nothing");
    frame(&model, Theme::Colour, size)
}

/// Presses keys at this size, shows a frame and returns the next.
pub(crate) fn press_and_draw(console: &mut Console, keys: &str, size: Size) -> Frame {
    console.press(keys);
    let elapsed = console.model.elapsed;
    let drawn = frame(&console.model, Theme::Colour, size);
    console.tell(drawn.shown(elapsed));
    frame(&console.model, Theme::Colour, size)
}
