//! The three sessions of a trading day.

use chrono::{DateTime, Timelike as _, Utc};

/// Opening and closing hour, UTC, of Asia, London and New York.
const HOURS: [(u32, u32); 3] = [(0, 9), (7, 16), (12, 21)];

/// How busy an hour is in which no session is open, in percent.
const QUIET: u32 = 25;

/// The hours around 21:00 UTC, when banks roll the day and liquidity is thin.
const ROLLOVER: std::ops::Range<u32> = 21..23;

/// Returns how busy an instrument is, in percent of a usual hour, given how busy each session makes
/// it. Two sessions that overlap add up.
pub(super) fn activity(time: DateTime<Utc>, sessions: [u32; 3]) -> u32 {
    let open = open(time);
    let sum: u32 = sessions.iter().zip(open).filter(|(_, is_open)| *is_open).map(|(s, _)| s).sum();
    sum.max(QUIET)
}

/// Returns the usual spread of the hour, in percent of that of a busy one.
pub(super) fn spread(time: DateTime<Utc>, activity: u32) -> i64 {
    if ROLLOVER.contains(&time.hour()) {
        300
    } else if activity < 60 {
        160
    } else if activity < 110 {
        120
    } else {
        100
    }
}

/// Returns the word for `trades.trade_session`.
pub(super) fn name(time: DateTime<Utc>) -> &'static str {
    match open(time) {
        [_, true, true] => "london_new_york",
        [true, true, false] => "asia_london",
        [true, false, false] => "asia",
        [_, true, false] => "london",
        [_, false, true] => "new_york",
        [false, false, false] => "off_hours",
    }
}

fn open(time: DateTime<Utc>) -> [bool; 3] {
    HOURS.map(|(from, to)| (from..to).contains(&time.hour()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-01-05T{hour:02}:30:00Z").parse().expect("a time")
    }

    #[test]
    fn sessions_follow_each_other_and_add_up_where_they_overlap() {
        let euro = [60, 130, 130];
        let day: Vec<(u32, &str)> =
            [3, 8, 11, 14, 18, 22].map(|h| (activity(at(h), euro), name(at(h)))).to_vec();
        assert_eq!(
            day,
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
