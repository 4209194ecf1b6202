//! The screen: a function of the model.
//!
//! [`view`] draws everything, every frame: ratatui keeps nothing of the frame before. It reads the
//! model and never changes it; what the model must know of a frame, how many rows fitted, goes back
//! as [`Shown`]. Only `format` makes text of numbers, only `theme` names colours.

mod agents;
mod dashboard;
mod detail;
pub mod format;
mod help;
mod line;
mod log;
mod market;
mod pane;
mod popup;
mod status;
mod table;
mod theme;
mod ticket;
mod totals;

pub use dashboard::Shown;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
pub use theme::Theme;

use crate::app::model::Overlay;
use crate::app::{Model, SMALLEST, is_too_small};

/// Draws the console.
///
/// Status, halts and alarms stand at the top, and nothing is ever drawn over them. Below 80 columns
/// or 24 rows only the need for more is shown: half a ticket is worse than none.
pub fn view(model: &Model, theme: Theme, frame: &mut Frame<'_>) -> Shown {
    let area = frame.area();
    if is_too_small((area.width, area.height)) {
        too_small(frame, area);
        return Shown::default();
    }
    let alarm = status::banner::alarm(model);
    let parts = Parts::of(area, alarm.is_some());
    status::view(model, theme, frame, parts.status);
    status::banner::view(model, theme, frame, parts.banner);
    if let Some(text) = &alarm {
        status::banner::draw_alarm(text, theme, frame, parts.alarm);
    }
    let mut shown = dashboard::view(model, theme, frame, parts.panes);
    shown.scrolled = overlay(model, theme, frame, parts.panes);
    match parts.prompt {
        Some(prompt) if line::is_typing(model) => {
            if !line::fault(model, theme, frame, parts.panes.union(parts.toast)) {
                line::toast(model, theme, frame, parts.toast);
            }
            line::prompt(model, theme, frame, prompt);
        }
        // While nothing is typed, a long notice goes on in the line below it.
        Some(prompt) => {
            let both = Rect { height: prompt.height.saturating_add(1), ..parts.toast };
            if !line::toast(model, theme, frame, both) {
                line::prompt(model, theme, frame, prompt);
            }
        }
        // One line for both: typing hides the notice, not the other way round.
        None if line::is_typing(model) => {
            line::fault(model, theme, frame, parts.panes);
            line::prompt(model, theme, frame, parts.toast);
        }
        None => {
            line::toast(model, theme, frame, parts.toast);
        }
    }
    line::footer(model, theme, frame, parts.footer);
    shown
}

/// Draws the overlay, and returns the first visible line of what can be scrolled.
fn overlay(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> Option<usize> {
    match &model.overlay {
        Overlay::Ticket(shown) => return Some(ticket::view(model, shown, theme, frame, area)),
        Overlay::Help(line) => return Some(help::view(model, *line, theme, frame, area)),
        Overlay::Log(line) => return Some(log::view(model, *line, theme, frame, area)),
        Overlay::Detail(pane, id) => detail::view(model, *pane, id, theme, frame, area),
        Overlay::None | Overlay::Command(_) | Overlay::Filter(..) => {}
    }
    None
}

/// The areas of the screen.
struct Parts {
    status: Rect,
    banner: Rect,
    alarm: Rect,
    panes: Rect,
    toast: Rect,
    /// The line that is typed into, where it has one for itself.
    prompt: Option<Rect>,
    footer: Rect,
}

impl Parts {
    fn of(area: Rect, has_alarm: bool) -> Self {
        let line = |y: u16| Rect { y: area.y.saturating_add(y), height: 1, ..area };
        let top = 2 + u16::from(has_alarm);
        let is_tall = area.height >= dashboard::SMALLEST.1;
        let bottom = if is_tall { 3 } else { 2 };
        let panes = Rect {
            y: area.y.saturating_add(top),
            height: area.height.saturating_sub(top).saturating_sub(bottom),
            ..area
        };
        let below = |up: u16| line(area.height.saturating_sub(up));
        Self {
            status: line(0),
            banner: line(1),
            alarm: line(2),
            panes,
            toast: below(bottom),
            prompt: is_tall.then(|| below(2)),
            footer: below(1),
        }
    }
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let (columns, rows) = SMALLEST;
    let text = format!("Terminal too small: {}x{}, need {columns}x{rows}", area.width, area.height);
    let middle =
        Rect { y: area.y.saturating_add(area.height / 2), height: area.height.min(1), ..area };
    frame.render_widget(Line::raw(text).centered(), middle.intersection(area));
}
