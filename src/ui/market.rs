//! Pane 7: the watch list, and bars of the instrument that is selected in it.

mod candles;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding};

use super::theme::{Class, Theme};
use super::{format, pane, popup};
use crate::app::lists::TIMEFRAMES;
use crate::app::model::Model;
use crate::app::pane::Pane;

/// Draws list and chart side by side, and returns how many instruments fit.
pub(super) fn view(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) -> usize {
    let width = (area.width / 5 * 2).clamp(38, 72).min(area.width);
    let list = Rect { width, ..area };
    let chart =
        Rect { x: area.x.saturating_add(width), width: area.width.saturating_sub(width), ..area };
    let height = pane::view(model, Pane::Market, theme, frame, list);
    draw_chart(model, theme, frame, chart);
    height
}

fn draw_chart(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let chart = &model.chart;
    let quiet = theme.style(Class::Quiet);
    let name = chart.instrument.as_ref().map_or("chart".to_owned(), ToString::to_string);
    let mut frames = vec![Span::raw(" ")];
    for timeframe in TIMEFRAMES {
        let is_shown = timeframe == chart.timeframe;
        let text = if is_shown { format!("[{timeframe}]") } else { format!(" {timeframe} ") };
        frames.push(Span::styled(
            text,
            theme.style(if is_shown { Class::Strong } else { Class::Quiet }),
        ));
    }
    frames.push(Span::raw(" "));
    let block = Block::bordered()
        .border_style(quiet)
        .padding(Padding::horizontal(1))
        .title(Line::styled(format!(" {name} "), theme.style(Class::Strong)))
        .title(Line::from(frames).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let (Some(instrument), false) = (&chart.instrument, chart.bars.is_empty()) else {
        let text = match &chart.instrument {
            Some(_) => "no bars: press , or . to change timeframe",
            None => "select an instrument with j and k",
        };
        let [_, below] = pane::split_top(inner, inner.height / 2);
        let lines = popup::wrap(text, usize::from(below.width));
        for (line, row) in lines.into_iter().zip(below.rows()) {
            frame.render_widget(Line::styled(line, quiet).centered(), row);
        }
        return;
    };
    let [head, below] = pane::split_top(inner, 1);
    frame.render_widget(quote(model, theme), head);
    let places = model.price_places(instrument);
    candles::draw(&chart.bars, places, model.now, theme, frame, below);
}

/// Returns the current price and its age.
fn quote(model: &Model, theme: Theme) -> Line<'static> {
    let Some(instrument) = &model.chart.instrument else { return Line::raw("") };
    let places = model.price_places(instrument);
    let Some(quote) = model.book.quote(instrument) else {
        return Line::styled("no price yet", theme.style(Class::Quiet));
    };
    let age = model.price_age(instrument).unwrap_or_default();
    Line::from(vec![
        Span::styled("bid ", theme.style(Class::Quiet)),
        Span::styled(format::price(quote.bid, places), theme.style(Class::Strong)),
        Span::styled("  ask ", theme.style(Class::Quiet)),
        Span::styled(format::price(quote.ask, places), theme.style(Class::Strong)),
        Span::styled("  age ", theme.style(Class::Quiet)),
        Span::styled(format::age(age), pane::by_age(model, age, Class::Plain, theme)),
    ])
}
