//! The console without a terminal: what it knows and how a fact changes it.
//!
//! [`update`] is pure: the same [`Model`] and [`Msg`] always give the same model and the same
//! [`Effect`]s. It reads no clock, opens no connection and draws nothing; time, keys and answers
//! come to it as messages, and what is to be done leaves it as data.

pub mod cell;
pub mod chord;
pub mod columns;
pub mod command;
pub mod desk;
pub mod effect;
pub mod form;
mod input;
pub mod keymap;
pub mod limits;
pub mod lists;
pub mod marks;
pub mod model;
pub mod msg;
pub mod notice;
pub mod outbox;
pub mod pane;
pub mod pending;
pub mod permit;
pub mod prompt;
pub mod review;
mod selection;
pub mod ticket;

use std::time::Duration;

pub use effect::Effect;
pub use model::{Model, Options, SMALLEST, is_too_small};
pub use msg::Msg;

use cell::Tone;
use model::{Link, Overlay};
use pane::Pane;
use ticket::Stage;

use crate::domain::change::Kind;
use crate::domain::event::{RiskEvent, Severity};
use crate::domain::rows::Rows;

/// How often bars are read again while the market pane is open, in seconds.
const BARS_EVERY: u64 = 5;

/// Applies one message. The same model and message always give the same model and effects.
#[must_use = "an effect that is dropped never happens"]
#[expect(clippy::too_many_lines, reason = "one arm for each message, most of them a line")]
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::TimePassed { now, elapsed } => time_passed(model, now, elapsed),
        Msg::Pressed { chord, fresh } => input::keys::pressed(model, chord, fresh),
        Msg::Pasted(text) => input::line::pasted(model, &text),
        Msg::Resized(columns, rows) => {
            model.size = (columns, rows);
            vec![]
        }
        Msg::FocusChanged { has_focus } => {
            model.has_focus = has_focus;
            disarm(model);
            vec![]
        }
        Msg::FrameShown { elapsed, heights, scrolled } => {
            settle_scrolling(model, scrolled);
            frame_shown(model, elapsed, heights)
        }
        Msg::QuotesArrived(quotes) => {
            for quote in quotes {
                model.marks.record(&quote, model.now, model.elapsed);
                model.book.take(quote);
            }
            model.marks.refresh(&model.desk, &model.book);
            vec![]
        }
        Msg::FeedCounted(counts) => {
            model.counts = counts;
            vec![]
        }
        Msg::FeedUp { gap } => feed_up(model, gap),
        Msg::FeedDown { reason } => feed_down(model, reason),
        Msg::FeedSilent { silent } => {
            model.silent_since = Some(model.elapsed.saturating_sub(silent));
            model.notify(Tone::Warning, "price feed heartbeat lost; prices are stale");
            vec![]
        }
        Msg::FeedJumped { missed, restarts } => {
            let text = match restarts {
                0 => format!("{missed} quotes lost; resyncing"),
                _ => "price publisher restarted; resyncing".to_owned(),
            };
            model.notify(Tone::Warning, text);
            mark_gap(model);
            vec![Effect::ReadAll]
        }
        Msg::BusNotified { severity, text, is_alarm, halt } => {
            let text = model.with_names(text);
            if is_alarm {
                model.raise_alarm(text.clone(), halt);
            }
            bus_notified(model, severity, text)
        }
        Msg::AlarmEnded { halt } => {
            model.alarm_ended(halt);
            vec![]
        }
        Msg::BusEventLogged { event_type, source, severity } => {
            model.record_bus_event(event_type, source, severity);
            vec![]
        }
        Msg::SessionOpened { session, round_trip, offset } => {
            model.clock_offset = Some(offset);
            model.session = Some(session);
            database_up(model, round_trip);
            vec![]
        }
        Msg::DatabaseLost { reason } => database_lost(model, reason),
        Msg::Confirmed { kinds, asked_at, round_trip } => {
            database_up(model, round_trip);
            confirmed(model, &kinds, asked_at);
            vec![]
        }
        Msg::RowsRead { rows, asked, unreadable } => {
            rows_read(model, rows, asked.as_deref(), unreadable)
        }
        Msg::ReadFailed { kind, reason } => {
            for pane in Pane::ALL.into_iter().filter(|pane| pane.kind() == kind) {
                model.pane_mut(pane).trouble = Some(reason.clone());
            }
            vec![]
        }
        Msg::BarsRead { instrument, timeframe, bars } => {
            if model.chart.instrument.as_ref() == Some(&instrument)
                && model.chart.timeframe == timeframe
            {
                model.chart.bars = bars;
            }
            vec![]
        }
        Msg::Assessed { key, question, checks } => {
            review::assessed(model, key, question, checks);
            vec![]
        }
        Msg::LimitPreviewed { preview, impacts } => {
            review::previewed(model, preview, impacts);
            vec![]
        }
        Msg::LimitTypesRead(types) => {
            model.limit_types = types;
            review::types_read(model)
        }
        Msg::Answered { key, outcome } => outbox::answered(model, key, outcome),
        Msg::WritesLeft(left) => outbox::recover(model, left),
        Msg::JournalDamaged(sentences) => {
            for text in sentences {
                model.report(Tone::Critical, text);
            }
            vec![]
        }
        Msg::NotAnnounced { key, reason } => {
            let text = format!("written, but not announced on the bus ({}): {reason}", key.short());
            model.notify(Tone::Warning, text);
            vec![]
        }
        Msg::Resumed => resumed(model),
        Msg::StopRequested => vec![Effect::Quit],
    }
}

/// Since when a link is down: since now, unless it was before.
fn since(link: &Link, elapsed: Duration) -> Duration {
    match link {
        Link::Down { since, .. } => *since,
        Link::Connecting | Link::Up { .. } => elapsed,
    }
}

fn database_up(model: &mut Model, round_trip: Duration) {
    let elapsed = model.elapsed;
    let since = match &model.database {
        Link::Up { since, .. } => *since,
        Link::Down { since, .. } => {
            let away = elapsed.saturating_sub(*since).as_secs();
            model.notify(Tone::Plain, format!("database back after {away} s"));
            elapsed
        }
        Link::Connecting => elapsed,
    };
    model.database = Link::Up { since, heard_at: elapsed, round_trip: Some(round_trip) };
}

fn database_lost(model: &mut Model, reason: String) -> Vec<Effect> {
    if !matches!(model.database, Link::Down { .. }) {
        model.notify(Tone::Critical, format!("database unreachable: {reason}"));
    }
    let since = since(&model.database, model.elapsed);
    model.database = Link::Down { since, reason };
    vec![]
}

fn confirmed(model: &mut Model, kinds: &[Kind], asked_at: Duration) {
    for pane in Pane::ALL.into_iter().filter(|pane| kinds.contains(&pane.kind())) {
        let state = model.pane_mut(pane);
        state.confirmed_at = Some(asked_at);
        state.trouble = None;
        state.has_gap = false;
    }
    if kinds.contains(&Kind::Halts) {
        model.halts_confirmed(asked_at);
    }
}

fn feed_down(model: &mut Model, reason: String) -> Vec<Effect> {
    if !matches!(model.feed, Link::Down { .. }) {
        model.notify(Tone::Warning, format!("Redis unreachable: {reason}; polling the database"));
    }
    let since = since(&model.feed, model.elapsed);
    model.feed = Link::Down { since, reason };
    vec![]
}

fn feed_up(model: &mut Model, gap: Option<Duration>) -> Vec<Effect> {
    let elapsed = model.elapsed;
    model.feed = Link::Up { since: elapsed, heard_at: elapsed, round_trip: None };
    model.silent_since = None;
    let Some(gap) = gap else { return vec![] };
    let tenths = gap.as_millis() / 100;
    model.notify(Tone::Plain, format!("feed gap of {}.{} s; resyncing", tenths / 10, tenths % 10));
    mark_gap(model);
    vec![Effect::ReadAll]
}

/// Messages were lost: until everything has been read again, no pane is live.
fn mark_gap(model: &mut Model) {
    model.gaps = model.gaps.saturating_add(1);
    for pane in Pane::ALL {
        model.pane_mut(pane).has_gap = true;
    }
}

/// What was on the screen may be hours old: a ticket that was not sent is void.
fn resumed(model: &mut Model) -> Vec<Effect> {
    let is_sent = |ticket: &ticket::Ticket| matches!(ticket.stage, Stage::Sending | Stage::Unknown);
    if model.ticket().is_some_and(|ticket| !is_sent(ticket)) {
        model.overlay = Overlay::None;
        model.reply(Tone::Warning, "ticket discarded: the console was suspended");
    }
    mark_gap(model);
    vec![Effect::ReadAll, Effect::Redraw]
}

fn bus_notified(model: &mut Model, severity: Severity, text: String) -> Vec<Effect> {
    let tone = match severity {
        Severity::Info => Tone::Quiet,
        Severity::Warning => Tone::Warning,
        Severity::Critical | Severity::Emergency => Tone::Critical,
    };
    model.notify(tone, text);
    if severity.needs_note() { vec![Effect::Bell] } else { vec![] }
}

fn time_passed(
    model: &mut Model,
    now: chrono::DateTime<chrono::Utc>,
    elapsed: Duration,
) -> Vec<Effect> {
    let is_new_second = elapsed.as_secs() != model.elapsed.as_secs();
    model.now = now;
    model.elapsed = elapsed;
    if !is_new_second {
        return vec![];
    }
    let mut effects = outbox::query_unconfirmed(model);
    // The checks age with the prices they were made at.
    if model
        .ticket()
        .is_some_and(|ticket| matches!(ticket.stage, Stage::Editing | Stage::Review { .. }))
    {
        effects.extend(review::assess(model));
    }
    if model.focus == Pane::Market && elapsed.as_secs().is_multiple_of(BARS_EVERY) {
        effects.extend(lists::read_bars(model));
    }
    effects
}

/// Disarms `y`: the review must be on a focused screen again for a moment.
fn disarm(model: &mut Model) {
    if let Overlay::Ticket(ticket) = &mut model.overlay
        && let Stage::Review { armed_at } = &mut ticket.stage
    {
        *armed_at = None;
    }
}

/// Takes over the scroll position that was drawn: after scrolling past the end, the next press up
/// moves.
fn settle_scrolling(model: &mut Model, scrolled: Option<usize>) {
    match (&mut model.overlay, scrolled) {
        (Overlay::Help(line) | Overlay::Log(line), Some(first)) => *line = first,
        (Overlay::Ticket(ticket), Some(first)) => ticket.scrolled = first,
        _ => {}
    }
}

fn frame_shown(model: &mut Model, elapsed: Duration, heights: [usize; 8]) -> Vec<Effect> {
    for (pane, height) in Pane::ALL.into_iter().zip(heights) {
        if height > 0 && model.pane(pane).height != height {
            model.pane_mut(pane).height = height;
            lists::scroll(model, pane);
        }
    }
    let has_focus = model.has_focus;
    let arm_after = model.options.arm_after;
    if let Overlay::Ticket(ticket) = &mut model.overlay
        && let Stage::Review { armed_at: armed_at @ None } = &mut ticket.stage
        && has_focus
    {
        *armed_at = Some(elapsed.saturating_add(arm_after));
    }
    vec![]
}

fn rows_read(
    model: &mut Model,
    rows: Rows,
    asked: Option<&[String]>,
    unreadable: Vec<String>,
) -> Vec<Effect> {
    for sentence in unreadable {
        model.notify(Tone::Warning, sentence);
    }
    let chosen = lists::chosen_limit(model);
    let kind = rows.kind();
    let mut effects = Vec::new();
    if let Rows::Events(events) = &rows {
        let is_started = model.pane(Pane::Events).confirmed_at.is_some();
        let is_news = |row: &&RiskEvent| {
            row.wants_acknowledgement()
                && row.severity.needs_note()
                && !model.desk.events.get(&row.id).is_some_and(RiskEvent::wants_acknowledgement)
        };
        // What was there before this console came is on the screen; only what is new rings.
        if is_started && events.iter().any(|row| is_news(&row)) {
            effects.push(Effect::Bell);
        }
    }
    if let Rows::Instruments(instruments) = rows {
        model.book.set_instruments(instruments);
    } else {
        model.desk.apply(rows, asked);
    }
    if kind == Kind::Limits {
        lists::follow_successor(model, chosen);
    }
    if kind == Kind::Halts {
        model.settle_alarms();
    }
    if matches!(kind, Kind::Accounts | Kind::Positions | Kind::Instruments | Kind::Limits) {
        model.marks.refresh(&model.desk, &model.book);
    }
    for pane in Pane::ALL.into_iter().filter(|pane| pane.kind() == kind) {
        lists::scroll(model, pane);
    }
    effects
}
