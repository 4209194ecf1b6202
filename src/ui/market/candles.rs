//! Bars as candles, two steps of price to a row.
//!
//! A body that rose is a heavy line, one that fell a half block: told apart without colour, and
//! neither outweighs the other. Everything is
//! counted in half rows, with exact numbers.

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use crate::domain::bar::Bar;
use crate::domain::money::round;
use crate::ui::format;
use crate::ui::pane::split_top;
use crate::ui::theme::{Class, Theme};

/// Rows between two labels of the price axis.
const LABEL_EVERY: u16 = 4;

/// Columns between two labels of the time axis.
const TIME_EVERY: usize = 16;

/// What one half of a cell shows of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Nothing,
    Wick,
    Body,
}

/// Prices of the axis.
#[derive(Debug, Clone, Copy)]
struct Scale {
    top: Decimal,
    span: Decimal,
    steps: u16,
}

impl Scale {
    /// Returns the half row of a price, from the top.
    fn step(self, price: Decimal) -> u16 {
        let last = Decimal::from(self.steps.saturating_sub(1));
        let at = self
            .top
            .checked_sub(price)
            .and_then(|below| below.checked_mul(last)?.checked_div(self.span))
            .unwrap_or_default();
        u16::try_from(round(at, 0).mantissa()).unwrap_or(0).min(self.steps.saturating_sub(1))
    }

    /// Returns the price of a half row.
    fn price(self, step: u16) -> Option<Decimal> {
        let last = Decimal::from(self.steps.saturating_sub(1).max(1));
        let below = self.span.checked_mul(Decimal::from(step))?.checked_div(last)?;
        self.top.checked_sub(below)
    }
}

/// Draws the newest bars that fit, the price axis on the right and the time axis below.
pub(super) fn draw(
    bars: &[Bar],
    places: u32,
    now: DateTime<Utc>,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let area = area.intersection(frame.area());
    let axis = bars.last().map_or(0, |bar| format::price(bar.close, places).width());
    let axis = u16::try_from(axis).unwrap_or(0).saturating_add(2);
    let plot = Rect {
        width: area.width.saturating_sub(axis),
        height: area.height.saturating_sub(1),
        ..area
    };
    if plot.width < 4 || plot.height < 2 {
        return;
    }
    let columns = usize::from(plot.width);
    // A blank between candles as long as that hides none.
    let pitch = if bars.len().saturating_mul(2) <= columns { 2 } else { 1 };
    let first = bars.len().saturating_sub(columns / pitch);
    let shown = bars.get(first..).unwrap_or_default();
    let Some(scale) = scale(shown, plot.height) else { return };
    for (at, bar) in shown.iter().enumerate() {
        let x = plot.x.saturating_add(u16::try_from(at.saturating_mul(pitch)).unwrap_or(0));
        candle(bar, scale, theme, frame, Rect { x, width: 1, ..plot }.intersection(plot));
    }
    let side = Rect { x: plot.right(), width: axis, height: plot.height, ..area };
    draw_prices(shown, scale, places, theme, frame, side.intersection(area));
    let [_, foot] = split_top(area, plot.height);
    draw_times(shown, pitch, now, theme, frame, Rect { width: plot.width, ..foot });
}

fn scale(bars: &[Bar], height: u16) -> Option<Scale> {
    let top = bars.iter().map(|bar| bar.high).max()?;
    let bottom = bars.iter().map(|bar| bar.low).min()?;
    let span = top.checked_sub(bottom)?;
    // One price only: any scale shows it in the first row.
    let span = if span > Decimal::ZERO { span } else { Decimal::ONE };
    Some(Scale { top, span, steps: height.saturating_mul(2) })
}

fn candle(bar: &Bar, scale: Scale, theme: Theme, frame: &mut Frame<'_>, column: Rect) {
    let has_risen = bar.close >= bar.open;
    let wick = scale.step(bar.high)..=scale.step(bar.low);
    let body = scale.step(bar.open.max(bar.close))..=scale.step(bar.open.min(bar.close));
    let half = |step: u16| {
        if body.contains(&step) {
            Half::Body
        } else if wick.contains(&step) {
            Half::Wick
        } else {
            Half::Nothing
        }
    };
    let style = theme.style(if has_risen { Class::Gain } else { Class::Loss });
    for (at, cell) in column.rows().enumerate() {
        let step = u16::try_from(at).unwrap_or(u16::MAX).saturating_mul(2);
        let sign = sign(half(step), half(step.saturating_add(1)), has_risen);
        if sign != " " {
            frame.render_widget(Span::styled(sign, style), cell);
        }
    }
}

fn sign(upper: Half, lower: Half, has_risen: bool) -> &'static str {
    use Half::{Body, Nothing, Wick};
    match (upper, lower, has_risen) {
        (Nothing, Nothing, _) => " ",
        (Wick, Wick, _) => "│",
        (Wick, Nothing, _) => "╵",
        (Nothing, Wick, _) => "╷",
        (Body, Body, true) => "┃",
        (Body, Wick, true) => "╿",
        (Wick, Body, true) => "╽",
        (Body, Nothing, true) => "╹",
        (Nothing, Body, true) => "╻",
        (Body, Body, false) => "▌",
        (Body, Wick | Nothing, false) => "▘",
        (Wick | Nothing, Body, false) => "▖",
    }
}

fn draw_prices(
    bars: &[Bar],
    scale: Scale,
    places: u32,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let quiet = theme.style(Class::Quiet);
    let last = bars.last().map(|bar| (scale.step(bar.close) / 2, bar.close));
    for (at, row) in area.rows().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        let (text, style) = match last {
            Some((place, close)) if place == at => {
                (format!("◂{}", format::price(close, places)), theme.style(Class::Strong))
            }
            _ if at % LABEL_EVERY == 0 => {
                let price = scale.price(at.saturating_mul(2));
                let text = price.map_or_else(String::new, |price| format::price(price, places));
                (format!("┤{text}"), quiet)
            }
            _ => ("│".to_owned(), quiet),
        };
        frame.render_widget(Span::styled(text, style), row);
    }
}

fn draw_times(
    bars: &[Bar],
    pitch: usize,
    now: DateTime<Utc>,
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let mut text = String::new();
    let every = (TIME_EVERY / pitch).max(1);
    for (at, bar) in bars.iter().enumerate() {
        let x = at.saturating_mul(pitch);
        if at % every != 0 || text.width() > x {
            continue;
        }
        text.push_str(&" ".repeat(x.saturating_sub(text.width())));
        let is_today = bar.time.date_naive() == now.date_naive();
        let label = if is_today { bar.time.format("%H:%M") } else { bar.time.format("%d %b") };
        text.push_str(&label.to_string());
    }
    let style: Style = theme.style(Class::Quiet);
    frame.render_widget(Line::styled(format::fit(&text, usize::from(area.width)), style), area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use rust_decimal::dec;

    use super::*;

    fn bar([open, high, low, close]: [Decimal; 4]) -> Bar {
        Bar { time: DateTime::UNIX_EPOCH, open, high, low, close, volume: 1 }
    }

    fn drawn(bars: &[Bar], columns: u16, rows: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let now = DateTime::UNIX_EPOCH;
        terminal.draw(|frame| draw(bars, 2, now, Theme::Plain, frame, frame.area())).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..rows).map(|y| line(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_rise_is_thin_a_fall_is_solid_and_wicks_reach_the_extremes() {
        let bars = [
            bar([dec!(2), dec!(5), dec!(1), dec!(3.5)]),
            bar([dec!(3.5), dec!(5), dec!(1), dec!(2)]),
        ];
        let lines = drawn(&bars, 14, 6);
        assert_eq!(
            lines,
            ["│ │     ┤5.00", "╽ ▖     │", "┃ ▌     │", "┃ ▌     ◂2.00", "│ │     ┤1.44", "00:00",]
        );
    }

    #[test]
    fn one_price_and_extreme_prices_are_drawn() {
        let flat = bar([dec!(1.5); 4]);
        assert!(drawn(std::slice::from_ref(&flat), 20, 8)[0].starts_with('╹'));
        let extreme = bar([Decimal::ZERO, Decimal::MAX, Decimal::MIN, Decimal::MAX]);
        for (columns, rows) in [(0, 0), (1, 1), (5, 3), (12, 2), (60, 20)] {
            drawn(&[flat.clone(), extreme.clone()], columns, rows);
        }
    }
}
