//! One frame at 200×60 with 1,000 positions, each of them marked again.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::widgets::Block;
use rust_decimal::{Decimal, dec};
use tmt::app::{Model, Msg, Options, update};
use tmt::domain::account::{Account, AccountStatus, Commission, Environment, Start};
use tmt::domain::ids::{AccountId, InstrumentId, PositionId};
use tmt::domain::instrument::Instrument;
use tmt::domain::position::{Direction, Position};
use tmt::domain::quote::Quote;
use tmt::domain::rows::Rows;
use tmt::ui::{self, Theme};
use uuid::Uuid;

const POSITIONS: u128 = 1000;
const INSTRUMENTS: u128 = 500;
const ACCOUNTS: u128 = 20;
const FRAMES: u32 = 200;

fn name(number: u128) -> InstrumentId {
    InstrumentId::new(&format!("I{number:03}_USD"))
}

fn quote(number: u128, step: u32, now: DateTime<Utc>) -> Quote {
    let bid = dec!(1.08) + Decimal::new(step.into(), 5);
    Quote::new(name(number), bid, bid + dec!(0.0001), now, None).unwrap()
}

fn instrument(number: u128) -> Instrument {
    Instrument {
        id: name(number),
        asset_class: "fx".to_owned(),
        base_currency: format!("I{number:03}"),
        quote_currency: "USD".to_owned(),
        contract_size: Decimal::ONE,
        size_step: Decimal::ONE,
        min_size: Decimal::ONE,
        max_size: None,
        tick_size: dec!(0.00001),
        pip_size: dec!(0.0001),
        margin_rate: dec!(0.0333),
        is_tradable: true,
        aliases: vec![],
    }
}

fn account(number: u128) -> Account {
    Account {
        id: AccountId(Uuid::from_u128(number)),
        name: format!("account{number:02}"),
        broker: "OANDA".to_owned(),
        prop_firm: None,
        portfolio: None,
        environment: Environment::Live,
        base_currency: "USD".to_owned(),
        initial_balance: dec!(100_000),
        balance: dec!(100_000),
        available: dec!(100_000),
        margin_used: Decimal::ZERO,
        equity: dec!(100_000),
        status: AccountStatus::Active,
        max_daily_loss: dec!(0.05),
        max_total_drawdown: dec!(0.10),
        day: Some(Start { balance: dec!(100_000), equity: dec!(100_000) }),
        week: None,
        month: None,
        peaks: None,
        commission: Commission::default(),
        updated_at: None,
    }
}

fn position(number: u128, now: DateTime<Utc>) -> Position {
    Position {
        id: PositionId(Uuid::from_u128(number)),
        account: AccountId(Uuid::from_u128(number % ACCOUNTS)),
        instrument: name(number % INSTRUMENTS),
        direction: if number.is_multiple_of(2) { Direction::Long } else { Direction::Short },
        size: dec!(10_000),
        average_entry: dec!(1.0842),
        exact_cost: None,
        booked_price: None,
        stored_pnl: None,
        realized_pnl: None,
        stop_loss: Some(dec!(1.08)),
        take_profit: None,
        trailing_distance: None,
        is_closing: false,
        opened_at: now,
        last_updated_at: now,
    }
}

/// A model with a thousand positions.
pub(crate) fn crowded(now: DateTime<Utc>) -> Model {
    let mut model = Model::new(Options::default(), now);
    let mut tell = |rows| {
        let effects = update(&mut model, Msg::RowsRead { rows, asked: None, unreadable: vec![] });
        assert!(effects.is_empty());
    };
    tell(Rows::Instruments((0..INSTRUMENTS).map(instrument).collect()));
    tell(Rows::Accounts((0..ACCOUNTS).map(account).collect()));
    tell(Rows::Positions((0..POSITIONS).map(|number| position(number, now)).collect()));
    model
}

pub(crate) fn measure() {
    let now = Utc::now();
    let mut model = crowded(now);
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    let mut empty = Terminal::new(TestBackend::new(200, 60)).unwrap();
    let (mut marks, mut frames, mut baselines) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..FRAMES {
        let quotes = (0..INSTRUMENTS).map(|number| quote(number, step, now)).collect();
        let began = Instant::now();
        assert!(update(&mut model, Msg::QuotesArrived(quotes)).is_empty());
        let marked = began.elapsed();
        let began = Instant::now();
        terminal
            .draw(|frame| {
                ui::view(&model, Theme::Colour, frame);
            })
            .unwrap();
        frames.push(began.elapsed() + marked);
        marks.push(marked);
        let began = Instant::now();
        empty.draw(|frame| frame.render_widget(Block::bordered(), frame.area())).unwrap();
        baselines.push(began.elapsed());
    }
    let baseline = crate::quantile(&mut baselines, 0.5);
    let what = "a frame with one empty border";
    crate::figure("draw_frame_p50", "ms", crate::quantile(&mut frames, 0.5), what, baseline);
    crate::figure("draw_frame_p99", "ms", crate::quantile(&mut frames, 0.99), what, baseline);
    crate::figure("draw_marks_p50", "ms", crate::quantile(&mut marks, 0.5), what, baseline);
    let bound = Duration::from_millis(10);
    crate::fact(
        "draw_bound",
        &serde_json::json!({ "one_frame_below_ms": bound.as_millis(),
        "holds": crate::quantile(&mut frames, 0.5) < 10.0 }),
    );
}
