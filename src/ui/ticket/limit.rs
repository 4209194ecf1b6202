//! Limits: what is in force, what it would become, who would be in breach, and who must agree.

pub(super) mod impact;

use std::cmp::Ordering;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use super::sheet::{Item, Sheet, labelled, right_width, split, words};
use crate::app::model::Model;
use crate::app::ticket::{FieldName, Ticket};
use crate::domain::ids::LimitId;
use crate::domain::limit::{DEFAULT_WARNING, Limit, Standing};
use crate::domain::money::typed;
use crate::ui::theme::{Ink, Theme};
use crate::ui::{format, popup};

/// Columns of a utilisation bar with its figure.
const BAR: usize = 25;

/// Returns the sheet of a change.
pub(super) fn edit(
    model: &Model,
    ticket: &Ticket,
    limit: LimitId,
    theme: Theme,
    width: usize,
) -> Sheet {
    let Some(row) = model.desk.limits.get(&limit) else { return gone(theme) };
    let number = |name| ticket.text(name).and_then(|text| typed(text).ok());
    let unit = format::unit_name(&row.unit).to_owned();
    let now = format!("now {}", format::measured(row.value, &row.unit));
    let warning = row.warning_level().map(|level| format::measured(level, &row.unit));
    let left = vec![
        Item::Field(FieldName::Value, format!("{now} {unit}").trim_end().to_owned()),
        Item::Field(FieldName::Warning, format!("now {}", warning.unwrap_or_default())),
        Item::Field(FieldName::Until, String::new()),
        Item::Field(FieldName::Reason, String::new()),
    ];
    let new = number(FieldName::Value);
    let room = right_width(width);
    let mut right = about(model, row, theme, room);
    let warning = number(FieldName::Warning);
    let loosens = "Loosens: needs a reason, then another risk officer's approval.";
    right.extend(change(model, row, (new, warning), loosens, theme, room));
    right.extend(impact::lines(ticket, theme, room));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}

/// Returns the sheet of the end of a limit.
pub(super) fn retire(model: &Model, limit: LimitId, theme: Theme, width: usize) -> Sheet {
    let Some(row) = model.desk.limits.get(&limit) else { return gone(theme) };
    let room = right_width(width);
    let left = vec![Item::Field(FieldName::Reason, String::new())];
    let mut right = about(model, row, theme, room);
    right.extend(words("Limit is", &amount(row, row.value), room, theme));
    let text = "Taken away, it binds nobody: that needs another risk officer's approval.";
    right.extend(popup::paragraph(text, room, theme.style(Ink::Warning)));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}

/// Returns the sheet of a second person's decision.
pub(super) fn judge(
    model: &Model,
    ticket: &Ticket,
    limit: LimitId,
    theme: Theme,
    width: usize,
) -> Sheet {
    let Some(row) = model.desk.limits.get(&limit) else { return gone(theme) };
    let room = right_width(width);
    let mut left = vec![Item::Field(FieldName::Note, String::new()), Item::Blank];
    let asked = row.change_reason.as_deref().unwrap_or("no reason given");
    let by = words("Asked by", &row.created_by, split(width), theme);
    let why = words("Because", asked, split(width), theme);
    left.extend(by.into_iter().chain(why).map(Item::Fact));
    let base = row.supersedes.and_then(|id| model.desk.limits.get(&id));
    let mut right = about(model, base.unwrap_or(row), theme, room);
    if row.retires {
        let text = "Takes the limit away: approved by a second person, it binds nobody.";
        right.extend(popup::paragraph(text, room, theme.style(Ink::Critical)));
    } else if let Some(base) = base {
        let new = (Some(row.value), row.warning);
        let loosens = "Loosens: approved by a second person, it counts at once.";
        right.extend(change(model, base, new, loosens, theme, room));
    } else {
        let text = format!("becomes {}", amount(row, row.value));
        right.extend(words("New", &text, room, theme));
    }
    right.extend(impact::lines(ticket, theme, room));
    Sheet { left, right, split: split(width), ..Sheet::default() }
}

fn gone(theme: Theme) -> Sheet {
    let text = " the limit was replaced meanwhile: leave and select it again";
    let line = Line::styled(text, theme.style(Ink::Warning));
    Sheet { left: vec![Item::Fact(line)], ..Sheet::default() }
}

fn amount(row: &Limit, value: Decimal) -> String {
    let text = format!("{} {}", format::measured(value, &row.unit), format::unit_name(&row.unit));
    text.trim_end().to_owned()
}

/// Returns which limit it is, and how much of it is used.
fn about(model: &Model, row: &Limit, theme: Theme, width: usize) -> Vec<Line<'static>> {
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
fn change(
    model: &Model,
    row: &Limit,
    (new, warning): (Option<Decimal>, Option<Decimal>),
    loosens: &str,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let Some(new) = new else {
        let text = "type the new limit to see what it changes";
        return popup::paragraph(text, width, theme.style(Ink::Quiet));
    };
    // It is refused, and the line below says so: it changes nothing.
    if new <= Decimal::ZERO {
        return vec![];
    }
    // A warning that nobody types stays, as far as it lies below the new limit.
    let warning = warning.or(row.warning.filter(|kept| *kept <= new));
    let then = Limit { value: new, warning, ..row.clone() };
    let measured = model.measure(row);
    let mut lines = vec![bar("Then", measured, &then, theme, width)];
    let share = new
        .checked_sub(row.value)
        .and_then(|more| more.checked_div(row.value))
        .and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED))
        .map(|points| format!(" ({}%)", format::signed(points, 1)));
    let text =
        format!("{} → {}{}", amount(row, row.value), amount(row, new), share.unwrap_or_default());
    lines.extend(words("Change", &text, width, theme));
    let (sentence, ink) = match (new.cmp(&row.value), row.is_tightened_by(new)) {
        (Ordering::Equal, _) => ("The value stays as it is.", Ink::Quiet),
        (_, true) => ("Tightens: counts at once.", Ink::Good),
        (_, false) => (loosens, Ink::Warning),
    };
    lines.extend(popup::paragraph(sentence, width, theme.style(ink)));
    if measured.and_then(|now| then.standing(now)) == Some(Standing::Breach) {
        let text = "In breach from the moment it counts: new risk is refused, nothing is closed.";
        lines.extend(popup::paragraph(text, width, theme.style(Ink::Critical)));
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
        return Line::from(vec![label, Span::styled(format::ABSENT, theme.style(Ink::Quiet))]);
    };
    let level = limit.warning_level().and_then(|level| limit.used(level));
    let from = level.unwrap_or(DEFAULT_WARNING);
    let warns = format!(" warns at {}", format::percent(from, 0));
    // The bar gives way: what stands behind it is read.
    let room = width.saturating_sub(label.width()).saturating_sub(warns.width());
    let gauge = format::gauge(share, BAR.min(room));
    let ink = match limit.standing(now) {
        Some(Standing::Breach) => Ink::Critical,
        Some(Standing::Warning) => Ink::Warning,
        Some(Standing::Ok | Standing::Unmeasured | Standing::Unknown(_)) | None => Ink::Good,
    };
    let quiet = theme.style(Ink::Quiet);
    Line::from(vec![
        label,
        Span::styled("[", quiet),
        Span::styled(gauge.used, theme.style(ink)),
        Span::styled(gauge.free, quiet),
        Span::styled("]", quiet),
        Span::styled(gauge.figure, theme.style(ink)),
        Span::styled(warns, Style::new().patch(quiet)),
    ])
}
