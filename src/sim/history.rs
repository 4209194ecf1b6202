//! The hours before the demo starts, so that no pane is empty at first.
//!
//! The market runs from its start to now; trades are then placed on its bars, with entries, stops
//! and exits at prices that occurred. Everything follows from the seed and the time.

mod draw;
mod events;
mod past;
mod trades;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{demo, rates};
use crate::domain::ids::InstrumentId;
use crate::domain::quote::Quote;
use crate::sim::tables::Seed;
use past::Past;

/// Makes all rows that a desk is seeded with.
pub(super) fn desk(seed: u64, now: DateTime<Utc>, prices: &[(InstrumentId, Decimal)]) -> Seed {
    let past = Past::play(seed, now, prices);
    let blotter = trades::Blotter::write(seed, &past);
    let quotes: Vec<Quote> = past.last.values().cloned().collect();
    Seed {
        instruments: demo::instruments(),
        rates: rates::rows(&quotes),
        agents: demo::agents(now),
        accounts: demo::accounts(now, &blotter.balances),
        limits: demo::limits(now),
        halts: demo::halts(now),
        events: events::risk(seed, now),
        system_events: events::system(seed, now),
        bars: past.bars(),
        signals: blotter.signals,
        positions: blotter.positions,
        trades: blotter.trades,
        fills: blotter.fills,
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn a_seed_gives_the_same_desk_on_every_machine() {
        let now = "2026-01-05T13:00:00Z".parse().expect("a time");
        let rows = serde_json::to_string(&desk(7, now, &[])).expect("JSON");

        let digest = Sha256::digest(&rows);
        assert_eq!(digest[..8], 0xd2ae_7d3b_02db_6d6a_u64.to_be_bytes(), "{} bytes", rows.len());
    }
}
