//! The second line, and a third in an alarm: halts, unacknowledged events, alarms.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;
use unicode_width::UnicodeWidthStr;

use super::{Piece, across};
use crate::app::cell::Align;
use crate::app::model::Model;
use crate::domain::event::Severity;
use crate::domain::halt::{Halt, HaltMode, Scope};
use crate::domain::limit::LimitState;
use crate::domain::session::Right;
use crate::ui::format;
use crate::ui::theme::{Class, Theme};

/// Columns from which severities are written out.
const WIDE: u16 = 110;

/// Draws halts on the left and unacknowledged events on the right.
pub(in crate::ui) fn view(model: &Model, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let right = unowned(model, theme, area.width < WIDE);
    let width: usize = right.iter().map(|(text, _)| text.width()).sum();
    let room = usize::from(area.width).saturating_sub(width).saturating_sub(2);
    across(halts(model, theme, room), right, frame, area);
}

/// Returns the halts in force, the widest first; those that do not fit are counted.
fn halts(model: &Model, theme: Theme, room: usize) -> Vec<Piece> {
    let mut halts: Vec<&Halt> = model.desk.halts.values().collect();
    if halts.is_empty() {
        return vec![("no halt in force".to_owned(), theme.style(Class::Quiet))];
    }
    halts.sort_by_key(|halt| (breadth(halt.scope), std::cmp::Reverse(halt.set_at)));
    let alarm = theme.style(Class::Alarm);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut used = 0;
    let count = halts.len();
    for (at, halt) in halts.into_iter().enumerate() {
        let rest = count.saturating_sub(at).saturating_sub(1);
        let text = format!(" {} ", sentence(model, halt));
        let more = if rest > 0 { 6 } else { 0 };
        let free = room.saturating_sub(used).saturating_sub(more);
        if at > 0 && text.width() > free {
            pieces.push((format!(" +{}", rest.saturating_add(1)), theme.style(Class::Critical)));
            break;
        }
        let text = format::fit(&text, free);
        used = used.saturating_add(text.width()).saturating_add(1);
        if at > 0 {
            pieces.push((" ".to_owned(), Style::new()));
        }
        pieces.push((text, alarm));
    }
    pieces
}

fn breadth(scope: Scope) -> u8 {
    match scope {
        Scope::System => 0,
        Scope::Portfolio => 1,
        Scope::Account => 2,
        Scope::Instrument => 3,
    }
}

/// Returns a halt as one sentence: `HALT carry: reduce-only since 14:01:07, daily loss`.
pub(in crate::ui) fn sentence(model: &Model, halt: &Halt) -> String {
    let mode = match halt.mode {
        HaltMode::ReduceOnly => "reduce-only",
        HaltMode::NoNewOrders => "no new orders",
        HaltMode::Flatten => "flatten",
    };
    let since = format::time(halt.set_at, model.now);
    let name = model.desk.halted(halt);
    let why = unnamed(&halt.reason, &name);
    format!("HALT {name}: {mode} since {since}, {why}")
}

/// Returns a sentence that stands behind a name without the same name at its beginning: the line has
/// no room for it twice.
fn unnamed<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text.strip_prefix(name).and_then(|rest| rest.strip_prefix([',', ':']));
    rest.map_or(text, str::trim_start)
}

fn word(severity: Severity, is_narrow: bool) -> &'static str {
    match severity {
        Severity::Warning if is_narrow => "warn",
        Severity::Critical if is_narrow => "crit",
        Severity::Emergency if is_narrow => "emerg",
        Severity::Info | Severity::Warning | Severity::Critical | Severity::Emergency => {
            severity.as_str()
        }
    }
}

/// Returns the counts of unacknowledged events, pending proposals and writes.
fn unowned(model: &Model, theme: Theme, is_narrow: bool) -> Vec<Piece> {
    let quiet = theme.style(Class::Quiet);
    let counts = model.unacknowledged();
    let mut pieces = Vec::new();
    if counts.iter().sum::<usize>() == 0 {
        pieces.push(("0 unacked".to_owned(), quiet));
    } else {
        pieces.push(("UNACKED".to_owned(), theme.style(Class::Strong)));
        for (severity, count) in Severity::ALL.into_iter().zip(counts).rev() {
            if count == 0 {
                continue;
            }
            let class = match severity {
                Severity::Info => Class::Plain,
                Severity::Warning => Class::Warning,
                Severity::Critical | Severity::Emergency => Class::Critical,
            };
            pieces.push((format!(" {count} {}", word(severity, is_narrow)), theme.style(class)));
        }
    }
    let waiting = model.desk.limits.values().filter(|row| row.state == LimitState::Pending).count();
    if waiting > 0 {
        pieces.push((" │ ".to_owned(), quiet));
        let what = if is_narrow { "to approve" } else { "pending approval" };
        pieces.push((format!("{waiting} {what}"), theme.style(Class::Warning)));
    }
    let unknown = model.writes.iter().filter(|write| write.unknown.is_some()).count();
    let under_way = model.writes.len().saturating_sub(unknown);
    if under_way > 0 {
        pieces.push((" │ ".to_owned(), quiet));
        pieces.push((format!("{under_way} in flight"), theme.style(Class::Strong)));
    }
    if unknown > 0 {
        pieces.push((" │ ".to_owned(), quiet));
        pieces.push((format!(" {unknown} UNCONFIRMED "), theme.style(Class::Unknown)));
    }
    pieces
}

/// The alarm line and the keys that clear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) struct Alarm {
    text: String,
    hint: &'static str,
}

/// Returns the alarm line, if there is an alarm or an emergency.
pub(in crate::ui) fn alarm(model: &Model) -> Option<Alarm> {
    if let Some(alarm) = model.alarm() {
        let at = format::time(alarm.at, model.now);
        // The row says it better than the bus, as soon as it is here.
        let halt = alarm.halt.and_then(|id| model.desk.halts.get(&id));
        let text = halt.map_or_else(
            || alarm.text.clone(),
            |halt| format!("{} (by {})", sentence(model, halt), halt.set_by),
        );
        let unfounded = if alarm.is_unfounded { " (not confirmed by the database)" } else { "" };
        let more = match model.alarms.len() {
            0 | 1 => String::new(),
            count => format!(" +{} more", count.saturating_sub(1)),
        };
        let text = format!("ALARM {at}{more}  {text}{unfounded}");
        return Some(Alarm { text, hint: "!a silences" });
    }
    let newest = model.urgent()?;
    let account = newest.account.map_or("system".to_owned(), |id| model.desk.account_name(id));
    let at = format::time(newest.occurred_at, model.now);
    let what = newest.message.as_deref().map(|text| format!(": {}", unnamed(text, &account)));
    let what = what.unwrap_or_default();
    let text = format!("EMERGENCY {at}  {account} {}{what}", newest.event_type);
    let hint = if model.may(Right::Risk) { "5, then a" } else { "press 5 to view" };
    Some(Alarm { text, hint })
}

/// Draws the alarm.
pub(in crate::ui) fn draw_alarm(alarm: &Alarm, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let hint = format!("  {} ", alarm.hint);
    let room = usize::from(area.width).saturating_sub(hint.width());
    let text = format::pad(&format!(" {}", alarm.text), room, Align::Left);
    frame.render_widget(Span::styled(format!("{text}{hint}"), theme.style(Class::Alarm)), area);
}
