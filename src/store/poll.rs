//! What changed, and the rows of it.
//!
//! A console asks once a second what changed and reads only that. Every answer is bounded: a pane
//! shows the newest rows and says when there are more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_postgres::Row;
use uuid::Uuid;

use super::error::StoreError;
use super::lease::Store;
use super::rows::{self, Bad, Cells, Keys, Source};
use crate::domain::bar::Bar;
use crate::domain::change::Kind;
use crate::domain::ids::InstrumentId;
use crate::domain::rows::Rows;

const CHANGES: &str = "SELECT cursor, server_time, kind, ids FROM desk.changes_since($1)";

/// The newest bars. A bar that several sources have is taken from the best of them. The newest
/// rows come from the index first, enough for four sources; sorted as one, all of an instrument's
/// history would be.
///
/// Bars of a length that nobody stores are put together from the longest shorter ones; where
/// several sources have those, they may be fewer than asked for.
const BARS: &str = "
    WITH length (name, span, minutes) AS (
        VALUES ('M1', interval '1 minute', 1), ('M5', interval '5 minutes', 5),
               ('M15', interval '15 minutes', 15), ('H1', interval '1 hour', 60)
    ), stored AS (
        SELECT l.name, w.span, w.minutes / l.minutes AS parts
          FROM length w JOIN length l ON l.minutes <= w.minutes
         WHERE w.name = $2
           AND EXISTS (SELECT FROM market_data m WHERE m.instrument = $1 AND m.timeframe = l.name)
         ORDER BY l.minutes DESC LIMIT 1
    ), bar AS (
        SELECT DISTINCT ON (m.time) m.*
          FROM (SELECT time, open, high, low, close, COALESCE(volume, 0) AS volume, quality_score,
                       data_source
                  FROM market_data
                 WHERE instrument = $1 AND timeframe = (SELECT name FROM stored)
                 ORDER BY time DESC LIMIT ($3::bigint + 1) * (3 + (SELECT parts FROM stored))) m
         ORDER BY m.time DESC, m.quality_score DESC NULLS LAST, m.data_source
    )
    SELECT date_bin(s.span, b.time, timestamptz '2000-01-01 00:00Z') AS time,
           (array_agg(b.open ORDER BY b.time))[1] AS open, max(b.high) AS high, min(b.low) AS low,
           (array_agg(b.close ORDER BY b.time DESC))[1] AS close, sum(b.volume)::bigint AS volume
      FROM bar b, stored s
     GROUP BY 1
     ORDER BY 1 DESC
     LIMIT $3";

/// Most keys that one read by key takes; more are not worth a list.
const MOST_KEYS: usize = 1000;

/// What changed since a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Pass it to the next call.
    pub cursor: String,
    /// The database's clock when it answered.
    pub server_time: DateTime<Utc>,
    /// How long the answer took, from asking to having it.
    pub round_trip: Duration,
    /// Kinds that changed, with the keys of the rows; `None` means: read the whole pane again.
    pub changed: Vec<(Kind, Option<Vec<String>>)>,
}

/// Rows that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The rows. Of keys that were asked for, those that are absent here are gone from the pane.
    pub rows: Rows,
    /// One sentence for each row that could not be read, and so is not among them.
    pub unreadable: Vec<String>,
    /// There are more rows than were read.
    pub is_cut: bool,
}

impl Store {
    /// Asks which kinds of rows changed since `cursor`. Without one, or with one that is too old,
    /// every kind did. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; ask again with the same cursor.
    pub async fn changes(&self, cursor: Option<&str>) -> Result<Changes, StoreError> {
        let asked = Instant::now();
        let rows = self.fetch("asking what changed", CHANGES, &[&cursor]).await?;
        let round_trip = asked.elapsed();
        let corrupt = |bad: Bad| bad.of("desk.changes_since");
        let mut head = None;
        let mut changed = Vec::new();
        for row in &rows {
            let cells = Cells(row);
            if head.is_none() {
                let cursor = cells.raw("cursor").map_err(corrupt)?.to_owned();
                head = Some((cursor, cells.time("server_time").map_err(corrupt)?));
            }
            // A kind that this program does not know belongs to a newer one.
            if let Some(kind) = cells.raw_if_any("kind").map_err(corrupt)?.and_then(Kind::from_word)
            {
                changed.push((kind, cells.raws_if_any("ids").map_err(corrupt)?));
            }
        }
        let (cursor, server_time) = head.ok_or_else(|| {
            corrupt(Bad { column: "cursor", why: "is missing: it answered no row".to_owned() })
        })?;
        Ok(Changes { cursor, server_time, round_trip, changed })
    }

    /// Reads rows of one kind: the whole pane (bounded, the newest first), or those with the given
    /// keys. A text that is no key names no row. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. A row that cannot be read is no error: see [`Read::unreadable`].
    pub async fn read(&self, kind: Kind, ids: Option<&[String]>) -> Result<Read, StoreError> {
        let source = rows::source(kind);
        let fetched = match ids.filter(|ids| ids.len() <= MOST_KEYS) {
            None => self.fetch(kind.as_str(), source.all, &[]).await?,
            Some(ids) => self.by_id(kind.as_str(), source, ids).await?,
        };
        let mut unreadable = Vec::new();
        let is_cut = ids.is_none() && fetched.len() >= source.most;
        let rows = rows::read(kind, &fetched, &mut unreadable);
        Ok(Read { rows, unreadable, is_cut })
    }

    async fn by_id(
        &self,
        what: &'static str,
        source: &Source,
        ids: &[String],
    ) -> Result<Vec<Row>, StoreError> {
        let uuids: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        match source.keys {
            Keys::Text => self.fetch(what, source.by_id, &[&ids]).await,
            Keys::Uuid => self.fetch(what, source.by_id, &[&uuids]).await,
            Keys::UuidWithin(span) => {
                let found = self.fetch(what, span, &[&uuids]).await?;
                let time = |column| Cells(found.first()?).time_if_any(column).ok().flatten();
                match (time("first"), time("last")) {
                    (Some(first), Some(last)) => {
                        self.fetch(what, source.by_id, &[&uuids, &first, &last]).await
                    }
                    _ => Ok(Vec::new()),
                }
            }
        }
    }

    /// Reads the newest `most` bars of an instrument (at most 2,000), the oldest first. `timeframe`
    /// is a word of `market_data.timeframe`: `M1`, `M5`, `M15`, `H1`. The newest bar may still grow.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. A bar that cannot be read is left out.
    pub async fn bars(
        &self,
        instrument: &InstrumentId,
        timeframe: &str,
        most: u16,
    ) -> Result<Vec<Bar>, StoreError> {
        let most = i64::from(most.min(2000));
        let rows =
            self.fetch("market_data", BARS, &[&instrument.as_str(), &timeframe, &most]).await?;
        let mut unreadable = Vec::new();
        let mut bars = rows::each("market_data", &rows, &mut unreadable, bar);
        if let Some(first) = unreadable.first() {
            tracing::warn!(count = unreadable.len(), first, "bars left out");
        }
        bars.reverse();
        Ok(bars)
    }
}

fn bar(cells: &Cells<'_>) -> Result<Bar, Bad> {
    Ok(Bar {
        time: cells.time("time")?,
        open: cells.number("open")?,
        high: cells.number("high")?,
        low: cells.number("low")?,
        close: cells.number("close")?,
        volume: cells.count("volume")?,
    })
}
