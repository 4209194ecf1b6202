//! A desk at 14:04:31 of a Monday, as the screens show it: three live accounts, one of them halted,
//! five positions, a day of trades. Everything reaches the model as messages.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tmt::app::msg::FeedCounts;
use tmt::app::{Msg, Options};
use tmt::domain::account::Environment;
use tmt::domain::change::Kind;
use tmt::domain::ids::AccountId;
use tmt::domain::rows::Rows;
use tmt::domain::session::{Role, Session};
use uuid::Uuid;

use crate::console::Console;
use crate::{market, risk, rows};

/// The moment of every screen.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-03-02T14:04:31Z".parse().unwrap()
}

/// A time of the same day: `"13:40:05"`.
pub(crate) fn at(time: &str) -> DateTime<Utc> {
    format!("2026-03-02T{time}Z").parse().unwrap()
}

/// Monotonic time of every screen: the console has run for 20 minutes.
pub(crate) const ELAPSED: Duration = Duration::from_mins(20);

/// Makes an id that is the same in every run.
pub(crate) fn id(table: u8, number: u32) -> Uuid {
    Uuid::from_u128(u128::from(table) << 96 | u128::from(number))
}

/// Returns the id of an account.
pub(crate) fn account_id(number: u32) -> AccountId {
    AccountId(id(1, number))
}

/// A console that has read nothing.
pub(crate) fn starting() -> Console {
    with(Options::default())
}

pub(crate) fn with(options: Options) -> Console {
    let mut console = Console::new(options, now());
    console.tell(Msg::TimePassed { now: now(), elapsed: ELAPSED });
    console
}

/// The console of an administrator who has read everything.
pub(crate) fn normal() -> Console {
    of(Role::Admin)
}

/// The console of one with this role who has read everything.
pub(crate) fn of(role: Role) -> Console {
    let mut console = starting();
    connect(&mut console, role);
    read_all(&mut console);
    console
}

/// A normal console after these keys.
pub(crate) fn pressed(keys: &str) -> Console {
    let mut console = normal();
    console.press(keys);
    console
}

pub(crate) fn connect(console: &mut Console, role: Role) {
    let operator = match role {
        Role::Viewer => "viewer1",
        Role::Trader => "trader1",
        Role::RiskOfficer => "risk1",
        Role::Admin => "admin1",
    };
    console.tell(Msg::SessionOpened {
        session: Session {
            operator: operator.to_owned(),
            role,
            opens: matches!(role, Role::Trader | Role::Admin),
            environment: Environment::Live,
            database: "db1/tmt".to_owned(),
            server_version: "17.5".to_owned(),
            timescale: Some("2.20.0".to_owned()),
            in_recovery: false,
            server_time: now(),
        },
        round_trip: Duration::from_millis(3),
        offset: TimeDelta::milliseconds(20),
    });
    console.tell(Msg::FeedUp { gap: None });
    console.tell(Msg::FeedCounted(FeedCounts {
        received: 48_211,
        replaced: 1_204,
        dropped: 0,
        gaps: 0,
    }));
}

pub(crate) fn read_all(console: &mut Console) {
    console.rows(Rows::Instruments(market::instruments()));
    console.rows(Rows::Accounts(rows::accounts()));
    console.tell(Msg::QuotesArrived(market::quotes()));
    console.rows(Rows::Positions(rows::positions()));
    console.rows(Rows::Trades(rows::trades()));
    console.rows(Rows::Signals(rows::signals()));
    console.rows(Rows::Events(risk::events()));
    console.rows(Rows::Limits(risk::limits()));
    console.rows(Rows::Halts(risk::halts()));
    console.rows(Rows::Agents(market::agents()));
    console.rows(Rows::SystemEvents(market::system_events()));
    confirm(console);
}

/// The database confirmed everything, 0.3 s ago.
pub(crate) fn confirm(console: &mut Console) {
    let asked_at = console.model.elapsed.saturating_sub(Duration::from_millis(300));
    console.tell(Msg::Confirmed {
        kinds: Kind::ALL.to_vec(),
        asked_at,
        round_trip: Duration::from_millis(3),
    });
}
