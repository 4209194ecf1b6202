//! What the rulebook says of a trade, as a table: the same rules that decide when it is sent.

pub(super) mod names;

use ratatui::text::{Line, Span};
use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use crate::app::cell::Align;
use crate::app::model::Model;
use crate::app::ticket::{Assessment, Ticket};
use crate::domain::money::price_text;
use crate::domain::outcome::{Check, Finding, has_share};
use crate::domain::unit::Plain;
use crate::domain::unit::Unit;
use crate::ui::format;
use crate::ui::popup;
use crate::ui::theme::{Class, Theme};

/// Columns of the word in front: `ok`, `SOFT`, `HARD`.
const WORD: usize = 5;
/// Columns of a share: `99.7%`.
const USED: usize = 6;

/// Columns of the word for whose rule it is, and of the one where there is little room.
const WHOSE: [usize; 2] = [9, 3];

/// Widths of the columns that depend on the room there is.
#[derive(Debug, Clone, Copy)]
struct Widths {
    whose: usize,
    code: usize,
    /// `now -> after`, or only `after` where it is narrow.
    values: usize,
    has_before: bool,
    allowed: usize,
    places: u32,
}

impl Widths {
    fn of(width: usize, places: u32) -> Self {
        let [long, short] = WHOSE;
        // Values and limit where both fit beside a name that can be read.
        let has_before = width >= 64;
        let (values, allowed) = if has_before { (23, 11) } else { (11, 0) };
        let gaps = if has_before { 4 } else { 3 };
        let rest = width.saturating_sub(WORD + values + allowed + USED + gaps);
        let whose = if rest >= long + 14 { long } else { short };
        Self {
            whose,
            code: rest.saturating_sub(whose).clamp(8, 22),
            values,
            has_before,
            allowed,
            places,
        }
    }
}

/// Returns the tightest check and the counts: what must be on the screen
/// however long the table is.
pub(super) fn result(
    model: &Model,
    ticket: &Ticket,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let Assessment::Known { checks, .. } = &ticket.assessment else { return vec![] };
    let mut lines = binding(model, checks, width, theme);
    lines.push(count(checks, theme));
    lines
}

/// Returns the table with its heading.
pub(super) fn lines(
    model: &Model,
    ticket: &Ticket,
    theme: Theme,
    width: usize,
) -> Vec<Line<'static>> {
    let places =
        ticket.form.kind().instrument(model, ticket).map_or(0, |id| model.price_places(&id));
    let widths = Widths::of(width, places);
    let mut lines = vec![heading(widths, theme)];
    match &ticket.assessment {
        Assessment::None => {
            let text = "checks appear when the order is complete";
            lines.extend(popup::paragraph(text, width, theme.style(Class::Quiet)));
            return lines;
        }
        Assessment::Asked(_) => {
            lines.push(Line::styled("checking…", theme.style(Class::Quiet)));
            return lines;
        }
        Assessment::Failed(why) => {
            let text = format!("checks unavailable: {why}");
            lines.extend(popup::paragraph(&text, width, theme.style(Class::Critical)));
            return lines;
        }
        Assessment::Known { .. } => {}
    }
    let checks = ticket.assessment.checks();
    // Rejections first: the end of the list may not fit.
    for finding in [Finding::Reject, Finding::Confirm, Finding::Passes] {
        for check in checks.iter().filter(|check| check.finding == finding) {
            lines.extend(row(model, check, widths, width, theme));
            lines.extend(sentence(check, width, theme));
        }
    }
    lines
}

/// Returns the whole sentence of what does not pass, below its figures.
fn sentence(check: &Check, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(text) = check.message.as_deref().filter(|_| check.finding != Finding::Passes) else {
        return vec![];
    };
    popup::wrap(text, width.saturating_sub(WORD))
        .into_iter()
        .map(|part| {
            let style = theme.style(word(check.finding).1);
            Line::from(vec![Span::raw(" ".repeat(WORD)), Span::styled(part, style)])
        })
        .collect()
}

fn heading(widths: Widths, theme: Theme) -> Line<'static> {
    let values = if widths.has_before { "NOW → AFTER" } else { "AFTER" };
    let mut parts = vec![
        format::pad(if widths.whose == WHOSE[0] { "SCOPE" } else { "" }, widths.whose, Align::Left),
        format::pad("CHECK", widths.code, Align::Left),
        format::pad(values, widths.values, Align::Right),
    ];
    if widths.allowed > 0 {
        parts.push(format::pad("LIMIT", widths.allowed, Align::Right));
    }
    parts.push(format::pad("USED", USED, Align::Right));
    let text = format!("{}{}", " ".repeat(WORD), parts.join(" "));
    Line::styled(text, theme.style(Class::Header))
}

fn word(finding: Finding) -> (&'static str, Class) {
    match finding {
        Finding::Passes => ("ok", Class::Good),
        Finding::Confirm => ("SOFT", Class::Warning),
        Finding::Reject => ("HARD", Class::Critical),
    }
}

fn row(
    model: &Model,
    check: &Check,
    widths: Widths,
    width: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    let (word, class) = word(check.finding);
    let unit = check.unit.as_ref();
    let figure = |value: Option<Decimal>, room| {
        value.map(|value| match unit {
            Some(Unit::Other(Plain::Price)) => price_text(value, widths.places),
            unit => format::measured_in(value, unit, room),
        })
    };
    let whose = names::whose(model, check)
        .map_or("", |(long, short)| if widths.whose >= long.width() { long } else { short });
    let quiet = theme.style(Class::Quiet);
    let mut spans = vec![
        Span::styled(format::pad(word, WORD, Align::Left), theme.style(class)),
        Span::styled(format::pad(whose, widths.whose, Align::Left), quiet),
        Span::raw(" "),
        Span::raw(format::pad(&names::name(check, widths.code), widths.code, Align::Left)),
        Span::raw(" "),
    ];
    let Some(after) = figure(check.measured, widths.values) else {
        // Without a figure the sentence says it: of what does not pass, below.
        if check.finding != Finding::Passes {
            let name = check.code.as_str().replace('_', " ");
            let name = if whose.is_empty() { name } else { format!("{whose} {name}") };
            spans.truncate(1);
            spans.push(Span::raw(format::fit(&name, width.saturating_sub(WORD))));
            return vec![Line::from(spans)];
        }
        let text = check.message.clone().unwrap_or_default();
        let room = width.saturating_sub(WORD + widths.whose + widths.code + 2);
        if text.width() <= room {
            spans.push(Span::styled(text, quiet));
            return vec![Line::from(spans)];
        }
        // A sentence that is cut says nothing: it takes the room of the columns, and goes on below.
        let text = format!("{} {text}", names::name(check, widths.code));
        let text = if whose.is_empty() { text } else { format!("{whose} {text}") };
        let mut parts = popup::wrap(&text, width.saturating_sub(WORD)).into_iter();
        spans.truncate(1);
        spans.push(Span::styled(parts.next().unwrap_or_default(), quiet));
        let below = parts
            .map(|part| Line::from(vec![Span::raw(" ".repeat(WORD)), Span::styled(part, quiet)]));
        return std::iter::once(Line::from(spans)).chain(below).collect();
    };
    let values = match figure(check.before, widths.values).filter(|_| widths.has_before) {
        Some(before) => {
            let both = format!("{before} → {after}");
            if both.width() <= widths.values { both } else { after }
        }
        None => after,
    };
    spans.push(Span::raw(format::pad(&values, widths.values, Align::Right)));
    if widths.allowed > 0 {
        let allowed = figure(check.allowed, widths.allowed).unwrap_or_default();
        spans.push(Span::raw(format!(" {}", format::pad(&allowed, widths.allowed, Align::Right))));
    }
    let used = used(check).map(format::percent_used).unwrap_or_default();
    let style = theme.style(if check.finding == Finding::Passes { Class::Plain } else { class });
    spans.push(Span::styled(format!(" {}", format::pad(&used, USED, Align::Right)), style));
    vec![Line::from(spans)]
}

/// Returns the share of a limit that would be used; `None` where there is no ceiling to share.
fn used(check: &Check) -> Option<Decimal> {
    if !has_share(&check.code, check.unit.as_ref()) {
        return None;
    }
    let (measured, allowed) = check.measured.zip(check.allowed)?;
    // A gain uses nothing of a loss.
    let used = measured.max(Decimal::ZERO);
    (allowed > Decimal::ZERO).then(|| used.checked_div(allowed))?
}

/// Names the tightest check and the room it leaves.
fn binding(model: &Model, checks: &[Check], width: usize, theme: Theme) -> Vec<Line<'static>> {
    let worst = checks
        .iter()
        .filter_map(|check| Some((check.finding, used(check)?, check)))
        .max_by(|one, two| (one.0, one.1).cmp(&(two.0, two.1)));
    let Some((finding, share, check)) = worst else { return vec![] };
    let unit = check.unit.as_ref();
    let room = check.room.map(|room| {
        let word = if room < Decimal::ZERO { "over by" } else { "room" };
        format!(", {word} {}", format::measured_of(room.abs(), unit))
    });
    let text = format!(
        "Tightest: {} at {}{}",
        names::with_owner(model, check),
        format::percent_used(share),
        room.unwrap_or_default().trim_end(),
    );
    let class = if finding == Finding::Passes { Class::Quiet } else { word(finding).1 };
    popup::paragraph(&text, width, theme.style(class))
}

fn count(checks: &[Check], theme: Theme) -> Line<'static> {
    let count = |finding| checks.iter().filter(|check| check.finding == finding).count();
    let (soft, hard) = (count(Finding::Confirm), count(Finding::Reject));
    let class = if hard > 0 {
        Class::Critical
    } else if soft > 0 {
        Class::Warning
    } else {
        Class::Good
    };
    let text = format!("{soft} soft, {hard} hard, {} passed", count(Finding::Passes));
    Line::styled(text, theme.style(class))
}
