//! What the views of limits have in common: what is in force, and what it would become.

use std::cmp::Ordering;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use super::sheet::{Item, Sheet, labelled, words};
use crate::app::model::Model;
use crate::domain::limit::{DEFAULT_WARNING, Limit, Standing};
use crate::ui::theme::{Class, Theme};
use crate::ui::{format, popup};

/// Columns of a utilisation bar with its figure.
const BAR: usize = 25;

pub(super) fn gone(theme: Theme) -> Sheet {
    let text = " the limit has changed: select it again";
    let line = Line::styled(text, theme.style(Class::Warning));
    Sheet { left: vec![Item::Fact(line)], ..Sheet::default() }
}

pub(super) fn amount(row: &Limit, value: Decimal) -> String {
    let text = format::measured_of(value, Some(&row.unit));
    text.trim_end().to_owned()
}

/// Returns which limit it is, and how much of it is used.
pub(super) fn about(model: &Model, row: &Limit, theme: Theme, width: usize) -> Vec<Line<'static>> {
    let covers = model.limit_subject(row);
    let enforced = if row.is_enforced { "" } else { "  NOT ENFORCED" };
    let mut lines =
        words("Limit", &format!("{} · {covers}{enforced}", row.limit_type), width, theme);
    let measured = model.measure(row);
    let now = measured.map_or_else(|| format::ABSENT.to_owned(), |now| amount(row, now));
    lines.extend(words("Measured", &now, width, theme));
    lines.push(bar("Now", measured, row, theme, width));
    lines
}

/// Returns what a change to a new value and warning does; `loosens` says what loosening needs.
pub(super) fn change(
    model: &Model,
    row: &Limit,
    (new, warning): (Option<Decimal>, Option<Decimal>),
    loosens: &str,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let Some(new) = new else {
        let text = "enter the new limit to preview it";
        return popup::paragraph(text, width, theme.style(Class::Quiet));
    };
    // It is refused, and the line below says so: it changes nothing.
    if new <= Decimal::ZERO {
        return vec![];
    }
    // Without a typed warning the present one stays, if it is below the new limit.
    let warning = warning.or(row.warning.filter(|kept| *kept <= new));
    let then = Limit { value: new, warning, ..row.clone() };
    let measured = model.measure(row);
    let mut lines = vec![bar("After", measured, &then, theme, width)];
    let share = new
        .checked_sub(row.value)
        .and_then(|more| more.checked_div(row.value))
        .and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED))
        .map(|points| format!(" ({}%)", format::signed(points, 1)));
    let text =
        format!("{} → {}{}", amount(row, row.value), amount(row, new), share.unwrap_or_default());
    lines.extend(words("Change", &text, width, theme));
    let (sentence, class) = match (new.cmp(&row.value), row.is_tightened_by(new)) {
        (Ordering::Equal, _) => ("Value unchanged.", Class::Quiet),
        (_, true) => ("Tightens: takes effect immediately.", Class::Good),
        (_, false) => (loosens, Class::Warning),
    };
    lines.extend(popup::paragraph(sentence, width, theme.style(class)));
    if measured.and_then(|now| then.standing(now)) == Some(Standing::Breach) {
        let text = "In breach once effective: new risk is refused, nothing is closed.";
        lines.extend(popup::paragraph(text, width, theme.style(Class::Critical)));
    }
    lines
}

/// Returns how much of a limit is used, with the place of the warning marked `¦`.
fn bar(
    label: &str,
    measured: Option<Decimal>,
    limit: &Limit,
    theme: Theme,
    width: usize,
) -> Line<'static> {
    let label = labelled(label, theme);
    let Some((now, share)) = measured.and_then(|now| Some((now, limit.used(now)?))) else {
        return Line::from(vec![label, Span::styled(format::ABSENT, theme.style(Class::Quiet))]);
    };
    let level = limit.warning_level().and_then(|level| limit.used(level));
    let from = level.unwrap_or(DEFAULT_WARNING);
    let warns = format!(" warns at {}", format::percent(from, 0));
    // The bar shrinks first: the figures after it matter more.
    let room = width.saturating_sub(label.width()).saturating_sub(warns.width());
    let gauge = format::gauge(share, BAR.min(room));
    let class = match limit.standing(now) {
        Some(Standing::Breach) => Class::Critical,
        Some(Standing::Warning) => Class::Warning,
        Some(Standing::Ok | Standing::Unmeasured | Standing::Unknown(_)) | None => Class::Good,
    };
    let quiet = theme.style(Class::Quiet);
    Line::from(vec![
        label,
        Span::styled("[", quiet),
        Span::styled(gauge.used, theme.style(class)),
        Span::styled(gauge.free, quiet),
        Span::styled("]", quiet),
        Span::styled(gauge.figure, theme.style(class)),
        Span::styled(warns, Style::new().patch(quiet)),
    ])
}
