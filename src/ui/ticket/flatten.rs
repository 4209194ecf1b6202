//! Flattening: the list of positions to close.

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::sheet::{Item, Sheet, right_width, split};
use crate::app::cell::Align;
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Flatten};
use crate::domain::money::exact;
use crate::domain::position::Position;
use crate::ui::table::gain_style;
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Most positions that are listed; the rest is counted.
const LISTED: usize = 12;

/// Returns the sheet of a flatten.
pub(super) fn sheet(model: &Model, form: &Flatten, theme: Theme, width: usize) -> Sheet {
    let left = vec![
        Item::Field(FieldName::Confirm, String::new()),
        Item::Field(FieldName::Reason, String::new()),
    ];
    let room = right_width(width);
    let held: Vec<&Position> =
        model.desk.positions.values().filter(|held| held.account == form.account).collect();
    let mut right = list(model, &held, Named::No, theme, room);
    let currency =
        model.desk.accounts.get(&form.account).map_or("", |row| row.base_currency.as_str());
    let text = format!(
        "P&L in {currency}. Positions close at market; any without a price stay open and are listed."
    );
    right.extend(popup::paragraph(&text, room, theme.style(Class::Quiet)));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}

/// Whether each line names its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Yes,
    No,
}

/// Returns the positions to close, with their P&L at current prices.
pub(super) fn list(
    model: &Model,
    held: &[&Position],
    named: Named,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let text = format!("Positions to close: {}", held.len());
    let mut lines = popup::paragraph(&text, width, theme.style(Class::Strong));
    let mut held = held.to_vec();
    held.sort_by_cached_key(|row| {
        (model.desk.account_name(row.account), row.instrument.clone(), row.id)
    });
    let rest = held.len().saturating_sub(LISTED);
    for row in held.iter().take(LISTED) {
        lines.extend(entry(model, row, named, theme, width));
    }
    if rest > 0 {
        lines.push(Line::styled(format!("and {rest} more"), theme.style(Class::Warning)));
    }
    lines
}

/// Returns a position in one line, or in two where its P&L does not fit behind it: neither is cut.
fn entry(
    model: &Model,
    row: &Position,
    named: Named,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let mark = model.marks.positions.get(&row.id);
    let pnl = mark.and_then(|mark| mark.pnl);
    let (text, style) = match (mark, pnl) {
        (_, Some(pnl)) => (format::gain(pnl), gain_style(pnl, theme)),
        (Some(_), None) => (format::ABSENT.to_owned(), theme.style(Class::Quiet)),
        (None, None) => ("no price".to_owned(), theme.style(Class::Warning)),
    };
    let currency = model.desk.accounts.get(&row.account).map(|row| row.base_currency.clone());
    let account = match named {
        Named::Yes => format::pad(&model.desk.account_name(row.account), 8, Align::Left) + " ",
        Named::No => String::new(),
    };
    let name = format!(
        "{account}{} {:<5} {:>9} ",
        format::pad(row.instrument.as_str(), 9, Align::Left),
        row.direction.as_str(),
        exact(row.size),
    );
    let unit = pnl.and(currency).filter(|_| named == Named::Yes).unwrap_or_default();
    let unit = Span::styled(format!(" {unit}").trim_end().to_owned(), theme.style(Class::Quiet));
    let beside = name.width().saturating_add(11).saturating_add(unit.width());
    if beside <= width {
        let text = Span::styled(format::pad(&text, 11, Align::Right), style);
        return vec![Line::from(vec![Span::raw(name), text, unit])];
    }
    let room = width.saturating_sub(unit.width());
    let text = Span::styled(format::pad(&text, room, Align::Right), style);
    vec![Line::raw(format::fit(&name, width)), Line::from(vec![text, unit])]
}
