//! The loop on a paused clock: frames capped, input first, idle quiet, floods harmless, stops at
//! once. The screen is ratatui's test backend; no server is asked for anything.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "fixtures of tests")]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures_util::stream;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use rust_decimal::Decimal;
use tmt::app::{self, Model, Msg};
use tmt::domain::ids::InstrumentId;
use tmt::domain::quote::Quote;
use tmt::feed::board::Board;
use tmt::feed::publish::Announcer;
use tmt::feed::supervise::FeedReport;
use tmt::runtime::poll::Poller;
use tmt::runtime::{Clock, Console, Display, EffectRunner, Exit, Queues};
use tmt::store::{self, Store};
use tmt::ui::{self, Shown, Theme};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const FRAME: Duration = Duration::from_millis(33);

/// What the screen saw: when each frame was drawn, and how many notices it showed.
type Frames = Arc<Mutex<Vec<(tokio::time::Instant, usize)>>>;

struct Screen {
    terminal: Terminal<TestBackend>,
    frames: Frames,
    /// How long a frame takes to reach the terminal; `None` is no time at all.
    accepts_after: Option<Duration>,
    busy_until: Option<tokio::time::Instant>,
}

impl Display for Screen {
    fn is_busy(&self) -> bool {
        self.busy_until.is_some()
    }

    async fn written(&mut self) -> io::Result<()> {
        if let Some(until) = self.busy_until {
            tokio::time::sleep_until(until).await;
        }
        self.busy_until = None;
        Ok(())
    }

    fn draw(&mut self, model: &Model) -> io::Result<Shown> {
        let mut shown = Shown::default();
        self.terminal
            .draw(|frame| shown = ui::view(model, Theme::Plain, frame))
            .map_err(|never| io::Error::other(never.to_string()))?;
        let now = tokio::time::Instant::now();
        self.frames.lock().unwrap().push((now, model.notices.len()));
        self.busy_until = self.accepts_after.map(|after| now + after);
        Ok(shown)
    }

    fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

struct Bench {
    console: Console<Screen>,
    queues: Option<Queues>,
    frames: Frames,
    replies: mpsc::Sender<Msg>,
    reports: mpsc::Sender<FeedReport>,
    board: Arc<Board>,
    stop: CancellationToken,
    keys: mpsc::Sender<io::Result<Event>>,
    input: Option<mpsc::Receiver<io::Result<Event>>>,
}

fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_340_000, 0).unwrap()
}

fn bench(accepts_after: Option<Duration>) -> Bench {
    let frames = Frames::default();
    let terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    let screen = Screen { terminal, frames: Arc::clone(&frames), accepts_after, busy_until: None };
    let clock = Clock::starting_at(morning());
    // Nothing listens there, and nothing is asked: a store opens its connections when it is used.
    let options = store::Options::parse("postgresql://nobody@127.0.0.1:1/none").unwrap();
    let store = Store::connect(options);
    let announcer = Announcer::new(tmt::feed::Options::new("redis://127.0.0.1:1"));
    let (reply, replies) = mpsc::channel(256);
    let (report, reports) = mpsc::channel(64);
    let hour = Duration::from_hours(1);
    let (_poller, doorbell) = Poller::new(store.clone(), clock.clone(), reply.clone(), hour, hour);
    let runner =
        EffectRunner::new(store, announcer, clock.clone(), reply.clone(), doorbell.clone());
    let board = Arc::new(Board::new());
    let stop = CancellationToken::new();
    let queues = Queues {
        replies,
        reports,
        board: Arc::clone(&board),
        doorbell,
        suspend: None,
        who: tokio::sync::watch::channel(None).0,
        stop: stop.clone(),
    };
    let console = Console::new(app::Options::default(), clock, screen, runner, FRAME);
    let (keys, input) = mpsc::channel(1024);
    Bench {
        console,
        queues: Some(queues),
        frames,
        replies: reply,
        reports: report,
        board,
        stop,
        keys,
        input: Some(input),
    }
}

impl Bench {
    async fn run_for(&mut self, time: Duration) {
        let input = self.input.take().expect("run once");
        let input = stream::unfold(input, async |mut input| {
            let event = input.recv().await?;
            Some((event, input))
        });
        let queues = self.queues.take().expect("run once");
        let run = self.console.run(Box::pin(input), queues);
        tokio::time::timeout(time, run).await.expect_err("ended by itself");
    }

    fn frames(&self) -> usize {
        self.frames.lock().unwrap().len()
    }
}

fn key(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn quote(number: i64) -> Quote {
    let bid = Decimal::new(108_000 + number % 1000, 5);
    Quote::new(InstrumentId::new("EUR_USD"), bid, bid, morning(), None).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_idle_console_draws_once_a_second() {
    let mut bench = bench(None);
    bench.run_for(Duration::from_millis(10_500)).await;
    assert_eq!(bench.frames(), 11, "one at the start, and one for each second");
}

#[tokio::test(start_paused = true)]
async fn confirmations_alone_draw_no_frame() {
    let mut bench = bench(None);
    let replies = bench.replies.clone();
    tokio::spawn(async move {
        loop {
            let (kinds, round_trip) = (vec![], Duration::from_millis(1));
            let confirmed = Msg::Confirmed { kinds, asked_at: Duration::ZERO, round_trip };
            replies.send(confirmed).await.unwrap();
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    });
    bench.run_for(Duration::from_millis(10_500)).await;
    // The first one tells that the database is there.
    assert!(bench.frames() <= 12, "{} frames", bench.frames());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_quotes_draws_fifteen_frames_a_second() {
    let mut bench = bench(None);
    let board = Arc::clone(&bench.board);
    tokio::spawn(async move {
        for number in 0.. {
            for step in 0..100 {
                board.put(quote(number * 100 + step));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    bench.run_for(Duration::from_secs(2)).await;
    let frames = bench.frames();
    assert!((28..=32).contains(&frames), "{frames} frames in two seconds");
    let gaps: Vec<Duration> = {
        let frames = bench.frames.lock().unwrap();
        frames.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    };
    assert!(gaps.iter().all(|gap| *gap >= FRAME), "{:?}", gaps.iter().min());
}

#[tokio::test(start_paused = true)]
async fn a_key_is_drawn_at_once_during_a_flood_of_quotes() {
    let mut bench = bench(None);
    let board = Arc::clone(&bench.board);
    tokio::spawn(async move {
        for number in 0.. {
            board.put(quote(number));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let (keys, pressed) = (bench.keys.clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&pressed);
    tokio::spawn(async move {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(137)).await;
            noted.lock().unwrap().push(tokio::time::Instant::now());
            keys.send(Ok(key(KeyCode::Char('j')))).await.unwrap();
        }
    });
    bench.run_for(Duration::from_secs(2)).await;
    let frames = bench.frames.lock().unwrap();
    for at in pressed.lock().unwrap().iter() {
        let answered = frames.iter().map(|(drawn, _)| *drawn).find(|drawn| drawn >= at).unwrap();
        assert!(answered - *at <= Duration::from_millis(2), "{:?}", answered - *at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_key_draws_no_more_than_thirty_frames_a_second() {
    let mut bench = bench(None);
    let keys = bench.keys.clone();
    tokio::spawn(async move {
        loop {
            keys.send(Ok(key(KeyCode::Char('j')))).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    bench.run_for(Duration::from_secs(5)).await;
    let frames = bench.frames.lock().unwrap();
    let busiest = frames.iter().map(|(from, _)| {
        frames.iter().filter(|(at, _)| at >= from && *at - *from < Duration::from_secs(1)).count()
    });
    let busiest = busiest.max().unwrap();
    assert!(busiest <= 30, "{busiest} frames in one second");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_handled_before_queued_replies() {
    let mut bench = bench(None);
    for _ in 0..256 {
        let reason = "flood".to_owned();
        let kind = tmt::domain::change::Kind::Trades;
        bench.replies.try_send(Msg::ReadFailed { kind, reason }).unwrap();
    }
    bench.keys.try_send(Ok(key(KeyCode::Char('?')))).unwrap();
    bench.run_for(Duration::from_millis(1)).await;
    let model = bench.console.model();
    assert!(matches!(model.overlay, app::model::Overlay::Help(_)));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_replies_delays_no_key_and_no_frame() {
    let mut bench = bench(None);
    let replies = bench.replies.clone();
    tokio::spawn(async move {
        loop {
            let reason = "flood".to_owned();
            let kind = tmt::domain::change::Kind::Trades;
            replies.send(Msg::ReadFailed { kind, reason }).await.unwrap();
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
    });
    let keys = bench.keys.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(900)).await;
        keys.send(Ok(key(KeyCode::Char('?')))).await.unwrap();
    });
    bench.run_for(Duration::from_secs(1)).await;
    assert!(bench.frames() >= 14, "{} frames", bench.frames());
    assert!(matches!(bench.console.model().overlay, app::model::Overlay::Help(_)));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_terminal_delays_no_key() {
    let mut bench = bench(Some(Duration::from_mins(1)));
    let keys = bench.keys.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        keys.send(Ok(key(KeyCode::Char('?')))).await.unwrap();
    });
    bench.run_for(Duration::from_secs(5)).await;
    assert_eq!(bench.frames(), 1, "a frame waits for the one before it");
    assert!(matches!(bench.console.model().overlay, app::model::Overlay::Help(_)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_terminal_shows_the_newest_state() {
    let mut bench = bench(Some(Duration::from_millis(400)));
    let reports = bench.reports.clone();
    tokio::spawn(async move {
        for _ in 0..20 {
            reports.send(FeedReport::Up { gap: Some(Duration::from_secs(1)) }).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    bench.run_for(Duration::from_secs(4)).await;
    let seen = bench.frames.lock().unwrap().last().map(|(_, notices)| *notices);
    assert_eq!(seen, Some(bench.console.model().notices.len()));
    assert!(bench.frames() <= 10, "{} frames", bench.frames());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_loop_when_all_queues_are_full() {
    let mut bench = bench(None);
    for _ in 0..256 {
        bench.replies.try_send(Msg::Resized(120, 40)).unwrap();
    }
    bench.stop.cancel();
    let queues = bench.queues.take().unwrap();
    let exit = bench.console.run(stream::pending(), queues).await.unwrap();
    assert_eq!(exit, Exit::Stopped);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_terminal_ends_the_loop() {
    let mut bench = bench(None);
    let queues = bench.queues.take().unwrap();
    let exit = bench.console.run(stream::empty(), queues).await.unwrap();
    assert_eq!(exit, Exit::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_wall_clock_changes_no_age() {
    let clock = Clock::starting_at(morning());
    tokio::time::advance(Duration::from_secs(5)).await;
    let off = clock.learn(morning() + TimeDelta::hours(1), Duration::ZERO);
    assert_eq!(off, TimeDelta::hours(1) - TimeDelta::seconds(5));
    assert_eq!(clock.now(), morning() + TimeDelta::hours(1));
    assert_eq!(clock.elapsed(), Duration::from_secs(5));
}
