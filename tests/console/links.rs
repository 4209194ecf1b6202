//! Servers that go away and come back, and what the badges say.

use std::time::Duration;

use chrono::TimeDelta;
use rust_decimal::dec;

use super::Console;
use super::desk::{HELD, eur_usd, quote};
use tmt::app::model::{Badge, Freshness, Link};
use tmt::app::pane::{Pane, RowId};
use tmt::app::{Effect, Msg};
use tmt::domain::change::Kind;
use tmt::domain::session::Role;

impl Console {
    fn confirm(&mut self) {
        let asked_at = self.model.elapsed;
        let round_trip = Duration::from_millis(2);
        self.tell(Msg::Confirmed { kinds: Kind::ALL.to_vec(), asked_at, round_trip });
    }
}

#[test]
fn a_badge_counts_from_when_the_question_was_asked() {
    let mut console = Console::of(Role::Trader);
    console.confirm();
    console.wait(Duration::from_millis(1500));
    assert_eq!(console.model.badge(Pane::Trades), Badge::Live(Duration::from_millis(1500)));
}

#[test]
fn without_redis_panes_are_polled_and_say_so() {
    let mut console = Console::of(Role::Trader);
    console.tell(Msg::FeedDown { reason: "refused".to_owned() });
    console.confirm();
    assert_eq!(console.model.badge(Pane::Trades), Badge::Poll(Duration::ZERO));
}

#[test]
fn a_silent_publisher_is_not_live() {
    let mut console = Console::of(Role::Trader);
    console.tell(Msg::FeedSilent { silent: Duration::from_secs(3) });
    console.confirm();
    assert!(matches!(console.model.badge(Pane::Positions), Badge::Poll(_)));
}

#[test]
fn a_gap_marks_every_pane_until_all_is_read_again() {
    let mut console = Console::of(Role::Trader);
    console.tell(Msg::FeedDown { reason: "refused".to_owned() });
    console.tell(Msg::FeedUp { gap: Some(Duration::from_secs(25)) });
    assert!(console.effects.contains(&Effect::ReadAll));
    assert_eq!(console.model.badge(Pane::Signals), Badge::Gap);
    console.confirm();
    assert!(matches!(console.model.badge(Pane::Signals), Badge::Live(_)));
}

#[test]
fn without_the_database_the_rows_stay_and_nothing_can_be_written() {
    let mut console = Console::of(Role::Trader);
    console.tell(Msg::DatabaseLost { reason: "no answer".to_owned() });
    console.wait(Duration::from_secs(14));
    console.tell(Msg::DatabaseLost { reason: "still none".to_owned() });

    assert_eq!(console.model.badge(Pane::Positions), Badge::Stale(Duration::from_secs(14)));
    assert_eq!(console.model.visible(Pane::Positions).len(), 1);
    assert!(matches!(console.model.database, Link::Down { since: Duration::ZERO, .. }));
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press("x");
    assert!(console.model.ticket().is_none());
    assert!(console.last_notice().contains("database unreachable"), "{}", console.last_notice());

    console.confirm();
    assert!(console.model.notices.iter().any(|n| n.text == "database back after 14 s"));
}

#[test]
fn a_ticket_that_was_open_is_not_sent_into_a_dead_database() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press("x");
    console.tell(Msg::DatabaseLost { reason: "gone".to_owned() });
    console.press("y");
    assert!(console.writes().is_empty());
    assert!(console.model.ticket().is_some(), "the draft is kept");
}

#[test]
fn the_age_of_a_price_is_that_of_its_data() {
    let mut console = Console::of(Role::Trader);
    console.tell(Msg::QuotesArrived(vec![quote(dec!(1), dec!(1), TimeDelta::seconds(-3))]));
    assert_eq!(console.model.price_freshness(&eur_usd()), Freshness::Old);
    console.wait(Duration::from_secs(8));
    assert_eq!(console.model.price_age(&eur_usd()), Some(Duration::from_secs(11)));
    assert_eq!(console.model.price_freshness(&eur_usd()), Freshness::TooOld);
}

#[test]
fn an_alarm_stays_until_somebody_acknowledges_it() {
    let mut console = Console::of(Role::Viewer);
    let severity = tmt::domain::event::Severity::Emergency;
    console.tell(Msg::BusNotified {
        severity,
        text: "stop".to_owned(),
        is_alarm: true,
        halt: None,
    });
    console.wait(Duration::from_hours(1));
    assert!(console.model.alarm().is_some());
    assert!(console.effects.contains(&Effect::Bell));
    console.press("! a");
    assert!(console.model.alarm().is_none());
}

#[test]
fn a_ticket_is_void_after_the_console_was_stopped() {
    let mut console = Console::of(Role::Trader);
    console.select(Pane::Positions, RowId::Position(HELD));
    console.press("x Ctrl-z");
    assert!(console.effects.contains(&Effect::Suspend));
    console.tell(Msg::Resumed);
    assert!(console.model.ticket().is_none());
    assert!(console.effects.contains(&Effect::ReadAll));
}

#[test]
fn an_event_that_nobody_knows_stands_among_the_system_events() {
    let mut console = Console::of(Role::Viewer);
    let severity = tmt::domain::event::Severity::Info;
    let (event_type, source) = ("moon.landed".to_owned(), "nobody".to_owned());
    console.tell(Msg::BusEventLogged { event_type, source, severity });
    let log = console.model.system_log();
    assert_eq!((log[0].message.as_str(), log[0].source.as_str()), ("moon.landed", "nobody"));
}

/// Where messages were lost before the database went away, the age says more than the gap.
#[test]
fn without_its_database_a_pane_says_how_old_it_is() {
    let mut console = Console::of(Role::Trader);
    console.model.pane_mut(Pane::Positions).has_gap = true;
    assert_eq!(console.model.badge(Pane::Positions), Badge::Gap);
    console.model.database = Link::Down { since: console.model.elapsed, reason: "gone".to_owned() };
    assert!(matches!(console.model.badge(Pane::Positions), Badge::Stale(_)));
}
