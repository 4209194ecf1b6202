//! The screen: a function of the model.
//!
//! [`view`] draws everything, every frame: ratatui keeps nothing of the frame before. It reads the
//! model and never changes it; what the model must know of a frame, how many rows fitted, goes back
//! as [`Shown`]. Only `format` makes text of numbers, only `theme` names colours.

mod theme;

use ratatui::Frame;
pub use theme::Theme;

use crate::app::Model;

/// What a frame showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// Rows that fit into each pane, by the pane's number; 0 where it was not on the screen.
    pub heights: [usize; 8],
}

/// Draws the console.
pub fn view(_model: &Model, _theme: Theme, _frame: &mut Frame<'_>) -> Shown {
    Shown::default()
}
