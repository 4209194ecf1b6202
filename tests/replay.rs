//! Recorded quotes on real servers: every quote arrives, bars are right, bad lines are reported.

#![expect(clippy::unwrap_used, reason = "a fixture that fails fails its test")]
#![expect(clippy::disallowed_methods, reason = "a replay takes its time from here")]

#[path = "support/database.rs"]
mod database;
#[path = "support/listener.rs"]
mod listener;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::GzDecoder;
use rust_decimal::{Decimal, RoundingStrategy, dec};
use tmt::domain::ids::InstrumentId;
use tmt::local::Redis;
use tmt::sim::replay::{self, Options, Progress, ReplayError, Speed, Summary};
use tmt::sim::{self, SeedOptions, SimError};
use tmt::store::Store;
use tokio::sync::watch;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use database::{Database, database};
use listener::{Listener, feed, redis, until};

/// A seeded desk, Redis, and a listener.
struct Bench {
    store: Store,
    client: Client,
    redis: Redis,
    listener: Listener,
    /// Last, so that it is dropped after its connections.
    _database: Database,
}

impl Bench {
    async fn new() -> Self {
        let database = database().await;
        let store = Store::connect(tmt::store::Options::parse(&database.url()).unwrap());
        let options = SeedOptions { seed: 1, now: Utc::now(), prices: Vec::new() };
        sim::seed(&store, &options).await.unwrap();
        let (client, redis) = (database.client().await, redis().await);
        let listener = Listener::to(feed(&redis)).await;
        Self { store, client, redis, listener, _database: database }
    }

    async fn replay(&self, options: &Options) -> Result<Summary, SimError> {
        let (progress, _) = watch::channel(Progress::default());
        self.replay_with(options, progress, CancellationToken::new()).await
    }

    async fn replay_with(
        &self,
        options: &Options,
        progress: watch::Sender<Progress>,
        stop: CancellationToken,
    ) -> Result<Summary, SimError> {
        replay::run(options, &self.store, &feed(&self.redis), Utc::now, progress, stop).await
    }

    async fn bars(&self, instrument: &str) -> Vec<Bar> {
        let sql = "SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI'), open, high,
                          low, close, volume
                     FROM market_data WHERE data_source = 'replay' AND timeframe = 'M1'
                      AND instrument = $1 ORDER BY time";
        let rows = self.client.query(sql, &[&instrument]).await.unwrap();
        let bar = |row: &tokio_postgres::Row| Bar {
            minute: row.try_get(0).unwrap(),
            prices: [1, 2, 3, 4].map(|at| row.try_get::<_, Decimal>(at).unwrap()),
            quotes: row.try_get(5).unwrap(),
        };
        rows.iter().map(bar).collect()
    }
}

/// A bar as this test computes it: the text of its minute, open, high, low, close, quotes.
#[derive(Debug, PartialEq)]
struct Bar {
    minute: String,
    prices: [Decimal; 4],
    quotes: i64,
}

fn at_max(files: Vec<PathBuf>) -> Options {
    Options { files, instrument: None, speed: Speed::Max }
}

/// The folder of recorded quotes. They are test inputs and not part of the project.
fn recordings() -> PathBuf {
    std::env::var_os("TMT_DATA_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
}

fn text_of(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let mut text = String::new();
    match path.extension().unwrap().to_str() {
        Some("gz") => GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap(),
        _ => (&bytes[..]).read_to_string(&mut text).unwrap(),
    };
    text
}

/// Computes the bars of a file in another way than the program: by the text of its times.
fn bars_of(path: &Path) -> Vec<Bar> {
    let mut minutes: BTreeMap<String, Vec<Decimal>> = BTreeMap::new();
    for line in text_of(path).lines().skip(1) {
        let mut fields = line.split(',');
        let minute = fields.next().unwrap()[..16].replace(' ', "T");
        let [bid, ask] = [(); 2].map(|()| fields.next().unwrap().parse::<Decimal>().unwrap());
        let mid = ((bid + ask) / dec!(2))
            .round_dp_with_strategy(5, RoundingStrategy::MidpointAwayFromZero);
        minutes.entry(minute).or_default().push(mid);
    }
    let bar = |(minute, mids): (String, Vec<Decimal>)| Bar {
        minute,
        prices: [
            *mids.first().unwrap(),
            *mids.iter().max().unwrap(),
            *mids.iter().min().unwrap(),
            *mids.last().unwrap(),
        ],
        quotes: i64::try_from(mids.len()).unwrap(),
    };
    minutes.into_iter().map(bar).collect()
}

mod needs_recordings {
    use super::*;

    #[tokio::test]
    #[ignore = "needs the recorded quotes: TMT_DATA_DIR"]
    async fn both_recordings_are_published_in_full_and_their_bars_are_right() {
        let folder = recordings();
        let files =
            ["EUR_USD-2014-05-02.csv.gz", "USD_JPY-2013-01-01.csv"].map(|name| folder.join(name));
        let bench = Bench::new().await;
        let (progress, seen) = watch::channel(Progress::default());

        let summary =
            bench.replay_with(&at_max(files.to_vec()), progress, CancellationToken::new()).await;

        let summary = summary.unwrap();
        let counts: Vec<(&str, u64, u64)> = summary
            .files
            .iter()
            .map(|file| (file.instrument.as_str(), file.quotes, file.bad_lines))
            .collect();
        assert_eq!(counts, [("EUR_USD", 49_341, 0), ("USD_JPY", 1_000, 0)]);
        until("every quote arrived", async || bench.listener.counters().quotes >= 50_341).await;
        let counters = bench.listener.counters();
        let odd = (counters.missed, counters.duplicates, counters.old, counters.dropped);
        assert_eq!((counters.quotes, odd), (50_341, (0, 0, 0, 0)), "{counters:?}");

        let (euro, yen) = (bench.bars("EUR_USD").await, bench.bars("USD_JPY").await);
        assert_eq!(euro, bars_of(&files[0]));
        assert_eq!(yen, bars_of(&files[1]));
        assert_eq!(u64::try_from(euro.len() + yen.len()).unwrap(), summary.bars);

        let last = seen.borrow().clone();
        assert_eq!((last.quotes, last.bad_lines), (50_341, 0));
        assert_eq!(last.bytes_read, last.bytes_total);
        // The desk is valued at the last quotes of both.
        let rates = "SELECT rate FROM fx_rates WHERE from_currency IN ('EUR', 'USD')
                      AND to_currency IN ('USD', 'JPY') AND from_currency || to_currency <> 'EURJPY'
                    ORDER BY from_currency";
        let rates = bench.client.query(rates, &[]).await.unwrap();
        let rates: Vec<Decimal> = rates.iter().map(|row| row.try_get(0).unwrap()).collect();
        assert_eq!(rates, [dec!(1.387335), dec!(86.845)]);

        // Again: the same bars, none of them twice.
        let again = bench.replay(&at_max(files.to_vec())).await.unwrap();
        assert_eq!(again.bars, summary.bars);
        assert_eq!((bench.bars("EUR_USD").await, bench.bars("USD_JPY").await), (euro, yen));
    }
}

/// A folder with one recording of the given name.
fn recording(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn file_of(lines: impl Iterator<Item = String>) -> String {
    let header = std::iter::once("time,bid,ask".to_owned());
    header.chain(lines).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn bad_lines_are_reported_and_the_rest_is_published() {
    let mut text = "time,bid,ask\n".to_owned();
    for second in 0..60 {
        let line = match second {
            7 => "2020-03-02T10:00:07Z,1.1,\n".to_owned(),
            // From here on every other line is bad, more than are listed.
            20..60 if second % 2 == 0 => "rubbish\n".to_owned(),
            _ => format!("2020-03-02T10:00:{second:02}Z,1.1000{},1.1002\n", second % 10),
        };
        text += &line;
    }
    let (_folder, path) = recording("EUR_USD-2020.csv", &text);
    let bench = Bench::new().await;

    let summary = bench.replay(&at_max(vec![path])).await.unwrap();

    let file = &summary.files[0];
    assert_eq!((file.quotes, file.bad_lines), (39, 21));
    assert_eq!(file.named.len(), replay::MOST_NAMED);
    assert_eq!((file.named[0].number, file.named[0].reason.as_str()), (9, "no ask"));
    assert_eq!(file.named[1].reason, "\"rubbish\" is not a time");
    until("the rest arrived", async || bench.listener.counters().quotes == 39).await;
}

#[tokio::test]
async fn intervals_of_a_recording_are_scaled_and_moved_to_the_present() {
    let text = "timestamp,bid,ask\n\
        2013-01-01 22:00:00.000000+00:00,86.655,86.728\n\
        2013-01-01 22:00:10.000000+00:00,86.656,86.728\n\
        2013-01-01 22:00:30.500000+00:00,86.657,86.728\n";
    let (_folder, path) = recording("USD_JPY-2013.csv", text);
    let bench = Bench::new().await;
    let options = Options { speed: Speed::Times(60), ..at_max(vec![path]) };
    let began = Utc::now();

    let times = watch_times(&bench, 3);
    let (summary, times) = tokio::join!(bench.replay(&options), times);

    assert_eq!(summary.unwrap().files[0].quotes, 3);
    let ended = Utc::now();
    assert!(ended - began >= TimeDelta::milliseconds(508), "{began} to {ended}");
    assert!(times[0] >= began && times[2] <= ended, "{times:?}");
    let apart = [times[1] - times[0], times[2] - times[1]];
    let [first, second] =
        [10_000_000, 20_500_000].map(|micros| TimeDelta::microseconds(micros) / 60);
    // The wire carries microseconds or better.
    for (measured, meant) in apart.into_iter().zip([first, second]) {
        assert!((measured - meant).abs() < TimeDelta::milliseconds(1), "{measured} {meant}");
    }
    let bars = bench.bars("USD_JPY").await;
    assert_eq!(bars.len(), 1);
    assert_eq!((bars[0].minute.as_str(), bars[0].quotes), ("2013-01-01T22:00", 3));
}

/// The times of the next quotes on the board.
async fn watch_times(bench: &Bench, count: usize) -> Vec<DateTime<Utc>> {
    let mut times = Vec::new();
    while times.len() < count {
        bench.listener.board.changed().await;
        times.extend(bench.listener.board.drain().into_iter().map(|quote| quote.time));
    }
    times
}

#[tokio::test]
async fn no_quote_is_lost_when_redis_is_down_at_the_start() {
    let line = |n: u32| {
        let (minute, second) = (n / 100, n / 2 % 50);
        format!("2020-03-02T10:{minute:02}:{second:02}Z,1.10{:03},1.11", n % 1000)
    };
    let (_folder, path) = recording("EURUSD_march.csv", &file_of((0..5_000).map(line)));
    let mut bench = Bench::new().await;
    bench.redis.halt().await.unwrap();
    let (progress, _seen) = watch::channel(Progress::default());
    let (store, bus) = (bench.store.clone(), feed(&bench.redis));
    let options = at_max(vec![path]);
    let running = tokio::spawn(async move {
        replay::run(&options, &store, &bus, Utc::now, progress, CancellationToken::new()).await
    });

    bench.redis.start_again().await.unwrap();
    let summary = running.await.unwrap().unwrap();

    assert_eq!((summary.files[0].quotes, summary.files[0].bad_lines), (5_000, 0));
}

#[tokio::test]
async fn a_replay_stops_soon_after_it_is_cancelled() {
    let text = "time,bid,ask\n2020-03-02T10:00:00Z,1.1,1.2\n2020-03-02T20:00:00Z,1.1,1.2\n";
    let (_folder, path) = recording("EUR_USD-2020.csv", text);
    let bench = Bench::new().await;
    let stop = CancellationToken::new();
    let (progress, _) = watch::channel(Progress::default());
    let options = Options { speed: Speed::Times(1), ..at_max(vec![path]) };

    let first_arrives = async {
        until("the first arrived", async || bench.listener.counters().quotes == 1).await;
        stop.cancel();
    };
    let (summary, ()) =
        tokio::join!(bench.replay_with(&options, progress, stop.clone()), first_arrives);

    assert_eq!(summary.unwrap().files[0].quotes, 1);
    assert_eq!(bench.bars("EUR_USD").await.len(), 1, "the bar of what was played is written");
}

#[tokio::test]
async fn a_bad_file_is_refused_before_anything_is_published() {
    let bench = Bench::new().await;
    let good = "time,bid,ask\n2020-03-02T10:00:00Z,1.1,1.2\n";
    let refused = async |name: &str, text: &str| {
        let (_folder, path) = recording(name, text);
        match bench.replay(&at_max(vec![path])).await {
            Err(SimError::Replay(why)) => why,
            other => panic!("{other:?}"),
        }
    };

    let why = refused("NOK_SEK-2020.csv", good).await;
    assert!(
        matches!(&why, ReplayError::UnknownInstrument { known, .. } if known.contains("EUR_USD"))
    );
    let why = refused("ticks.csv", good).await;
    assert!(matches!(why, ReplayError::NoInstrument { .. }), "{why}");
    let why = refused("EUR_USD.csv", "a,b,c\n").await;
    assert!(matches!(why, ReplayError::NoHeader { .. }), "{why}");
    let missing = bench.replay(&at_max(vec![PathBuf::from("/nowhere/EUR_USD.csv")])).await;
    assert!(matches!(missing, Err(SimError::Replay(ReplayError::Unreadable { .. }))));
    assert_eq!(bench.listener.counters().quotes, 0);

    let (_folder, path) = recording("ticks.csv", good);
    let named = Options { instrument: Some(InstrumentId::new("eurusd")), ..at_max(vec![path]) };
    assert_eq!(bench.replay(&named).await.unwrap().files[0].instrument.as_str(), "EUR_USD");
}

#[tokio::test]
async fn the_market_continues_from_the_last_recorded_price() {
    let line =
        |n: u32| format!("2014-05-02T00:00:{n:02}Z,1.38{n:03},1.38{:03}", n.saturating_add(11));
    let (_folder, path) = recording("EUR_USD-2014.csv", &file_of((0..40).map(line)));
    let replay = at_max(vec![path]);
    let database = database().await;
    let store = Store::connect(tmt::store::Options::parse(&database.url()).unwrap());
    let prices = replay::first_prices(&replay).unwrap();
    assert_eq!(prices, [(InstrumentId::new("EUR_USD"), dec!(1.380055))]);
    sim::seed(&store, &SeedOptions { seed: 1, now: Utc::now(), prices }).await.unwrap();
    let redis = redis().await;
    let listener = Listener::to(feed(&redis)).await;
    let options = sim::Options { replay: Some(replay), ..sim::Options::new(1, Utc::now) };
    let stop = CancellationToken::new();
    let running = tokio::spawn(sim::run(options, store, feed(&redis), stop.clone()));

    let euro = || {
        let newest = listener.board.newest();
        newest.into_iter().find(|quote| quote.instrument.as_str() == "EUR_USD")
    };
    until("the market took over", async || {
        euro().is_some_and(|quote| quote.seq.is_some_and(|seq| seq > 45))
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();

    let distance = (euro().unwrap().mid().unwrap() - dec!(1.380445)).abs();
    assert!(distance < dec!(0.002), "{distance}");
    let counters = listener.counters();
    assert_eq!((counters.missed, counters.restarts, counters.old), (0, 0, 0), "{counters:?}");
}
