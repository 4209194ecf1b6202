//! The sessions of a trading day (`config/demo/sessions.toml`).

use std::sync::LazyLock;

use chrono::{DateTime, Timelike as _, Utc};
use serde::Deserialize;

use super::data::embedded;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    quiet: u32,
    rollover: Rollover,
    spreads: Vec<Spread>,
    sessions: [Session; 3],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollover {
    opens: u32,
    closes: u32,
    spread: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spread {
    activity_below: u32,
    percent: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    name: String,
    opens: u32,
    closes: u32,
}

static DAY: LazyLock<Day> = LazyLock::new(|| {
    embedded("sessions.toml", toml::from_str(include_str!("../../config/demo/sessions.toml")))
});

/// Returns how busy an instrument is, in percent of a normal hour, given how busy each session makes
/// it. Overlapping sessions add up.
pub(super) fn activity(time: DateTime<Utc>, sessions: [u32; 3]) -> u32 {
    let hour = time.hour();
    let open = DAY.sessions.iter().zip(sessions).filter(|(session, _)| session.is_open(hour));
    open.map(|(_, activity)| activity).sum::<u32>().max(DAY.quiet)
}

/// Returns the spread of the hour, in percent of that of a busy hour.
pub(super) fn spread(time: DateTime<Utc>, activity: u32) -> i64 {
    let Rollover { opens, closes, spread } = DAY.rollover;
    if (opens..closes).contains(&time.hour()) {
        return spread;
    }
    let thin = DAY.spreads.iter().find(|spread| activity < spread.activity_below);
    thin.map_or(100, |spread| spread.percent)
}

/// Returns the open sessions as `trades.trade_session` names them.
pub(super) fn name(time: DateTime<Utc>) -> String {
    let open = DAY.sessions.iter().filter(|session| session.is_open(time.hour()));
    let names: Vec<&str> = open.map(|session| session.name.as_str()).collect();
    if names.is_empty() { "off_hours".to_owned() } else { names.join("_") }
}

impl Session {
    fn is_open(&self, hour: u32) -> bool {
        (self.opens..self.closes).contains(&hour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-01-05T{hour:02}:30:00Z").parse().expect("a time")
    }

    #[test]
    fn overlapping_sessions_add_up() {
        let euro = [60, 130, 130];
        let day: Vec<(u32, String)> =
            [3, 8, 11, 14, 18, 22].map(|h| (activity(at(h), euro), name(at(h)))).to_vec();
        assert_eq!(
            day.iter().map(|(activity, name)| (*activity, name.as_str())).collect::<Vec<_>>(),
            [
                (60, "asia"),
                (190, "asia_london"),
                (130, "london"),
                (260, "london_new_york"),
                (130, "new_york"),
                (25, "off_hours"),
            ]
        );
        assert_eq!(spread(at(22), 25), 300);
        assert_eq!(spread(at(14), 260), 100);
    }
}
