//! Accounts, positions, trades and signals of the desk.

use chrono::TimeDelta;
use rust_decimal::{Decimal, dec};
use tmt::domain::account::{Account, AccountStatus, Commission, Environment, Start};
use tmt::domain::ids::{InstrumentId, PositionId, SignalId, TradeId};
use tmt::domain::position::{Direction, Position};
use tmt::domain::signal::{Signal, SignalStatus};
use tmt::domain::trade::{Side, Trade, TradeStatus};

use crate::desk::{account_id, at, id, now};

pub(crate) fn account(number: u32, name: &str, balance: Decimal, start: Decimal) -> Account {
    Account {
        id: account_id(number),
        name: name.to_owned(),
        broker: "oanda".to_owned(),
        prop_firm: (number < 3).then(|| "FTMO".to_owned()),
        portfolio: Some("main".to_owned()),
        environment: Environment::Live,
        base_currency: "USD".to_owned(),
        initial_balance: balance,
        balance,
        available: balance,
        margin_used: balance / dec!(20.2),
        equity: balance,
        status: AccountStatus::Active,
        max_daily_loss: dec!(0.05),
        max_total_drawdown: dec!(0.1),
        day: Some(Start { balance: start, equity: start }),
        week: None,
        month: None,
        peaks: None,
        commission: Commission::default(),
        updated_at: Some(now()),
    }
}

pub(crate) fn accounts() -> Vec<Account> {
    let mut carry = account(3, "carry", dec!(25000), dec!(25950));
    carry.status = AccountStatus::RiskHalt;
    carry.max_daily_loss = dec!(1000);
    vec![
        account(1, "alpha", dec!(50000), dec!(49900)),
        account(2, "bravo", dec!(100000), dec!(100210)),
        carry,
    ]
}

fn position(
    number: u32,
    account: u32,
    name: &str,
    direction: Direction,
    size: Decimal,
    [entry, stop, target]: [Decimal; 3],
) -> Position {
    Position {
        id: PositionId(id(2, number)),
        account: account_id(account),
        instrument: InstrumentId::new(name),
        direction,
        size,
        average_entry: entry,
        exact_cost: None,
        booked_price: Some(entry),
        stored_pnl: Some(dec!(0)),
        realized_pnl: Some(dec!(0)),
        stop_loss: Some(stop),
        take_profit: Some(target),
        trailing_distance: None,
        is_closing: false,
        opened_at: at("12:15:40"),
        last_updated_at: now(),
    }
}

pub(crate) fn positions() -> Vec<Position> {
    use Direction::{Long, Short};
    vec![
        position(
            1,
            2,
            "EUR_USD",
            Long,
            dec!(100000),
            [dec!(1.08510), dec!(1.08210), dec!(1.09110)],
        ),
        position(2, 1, "EUR_USD", Long, dec!(50000), [dec!(1.08420), dec!(1.08120), dec!(1.09020)]),
        position(3, 1, "USD_JPY", Short, dec!(20000), [dec!(155.21), dec!(155.61), dec!(154.41)]),
        position(4, 3, "XAU_USD", Long, dec!(10), [dec!(2331.40), dec!(2321.40), dec!(2351.40)]),
        position(
            5,
            2,
            "GBP_USD",
            Short,
            dec!(30000),
            [dec!(1.26810), dec!(1.27210), dec!(1.26010)],
        ),
    ]
}

fn trade(
    number: u32,
    time: &str,
    account: u32,
    side: Side,
    (name, size, price): (&str, Decimal, Decimal),
    net: Option<Decimal>,
) -> Trade {
    Trade {
        id: TradeId(id(3, 0x0198_f2c0 + number)),
        account: account_id(account),
        position: None,
        signal: None,
        instrument: InstrumentId::new(name),
        side,
        size,
        closed_size: if net.is_some() { size } else { dec!(0) },
        entry_price: price,
        exit_price: net.map(|_| price),
        stop_loss: Some(price - side.sign() * price * dec!(0.003)).map(|n| n.round_dp(5)),
        take_profit: None,
        risk_amount: dec!(150),
        risk_percentage: dec!(0.003),
        net_pnl: net,
        entry_time: at(time),
        exit_time: net.map(|_| at("13:00:00")),
        status: if net.is_some() { TradeStatus::Closed } else { TradeStatus::Open },
        close_reason: net.map(|_| "target".to_owned()),
    }
}

pub(crate) fn trades() -> Vec<Trade> {
    use Side::{Buy, Sell};
    vec![
        trade(1, "14:02:11", 1, Buy, ("EUR_USD", dec!(50000), dec!(1.08420)), None),
        trade(2, "13:40:05", 2, Sell, ("GBP_USD", dec!(30000), dec!(1.26810)), None),
        trade(3, "12:15:40", 2, Buy, ("EUR_USD", dec!(100000), dec!(1.08510)), None),
        trade(4, "11:58:02", 1, Sell, ("USD_JPY", dec!(20000), dec!(155.210)), None),
        trade(5, "10:21:33", 1, Buy, ("GBP_USD", dec!(20000), dec!(1.26500)), Some(dec!(100))),
        trade(6, "09:47:10", 2, Sell, ("EUR_USD", dec!(60000), dec!(1.08300)), Some(dec!(-210))),
        trade(7, "08:40:10", 3, Buy, ("XAU_USD", dec!(10), dec!(2331.40)), None),
        trade(8, "08:15:52", 3, Buy, ("XAU_USD", dec!(50), dec!(2350.40)), Some(dec!(-950))),
    ]
}

fn signal(
    number: u32,
    time: &str,
    side: Side,
    (name, confidence, entry, frame): (&str, Decimal, Decimal, &str),
    status: SignalStatus,
) -> Signal {
    let distance = entry * dec!(0.003);
    Signal {
        id: SignalId(id(4, number)),
        instrument: InstrumentId::new(name),
        side,
        confidence,
        entry_price: entry,
        stop_loss: (entry - side.sign() * distance).round_dp(3),
        take_profit: (entry + side.sign() * distance * dec!(2)).round_dp(3),
        risk_reward: dec!(2),
        timeframe: frame.to_owned(),
        wyckoff_phase: Some("accumulation".to_owned()),
        agent: "market-analysis".to_owned(),
        generated_at: at(time),
        valid_until: Some(now() + TimeDelta::seconds(649)),
        status,
        executions: i32::from(status == SignalStatus::Executed),
    }
}

pub(crate) fn signals() -> Vec<Signal> {
    use Side::{Buy, Sell};
    use SignalStatus::{Executed, Expired, Pending};
    vec![
        signal(1, "14:03:20", Buy, ("EUR_USD", dec!(0.82), dec!(1.08650), "M15"), Pending),
        signal(2, "13:55:00", Sell, ("AUD_USD", dec!(0.71), dec!(0.66420), "H1"), Pending),
        signal(3, "13:31:12", Buy, ("USD_JPY", dec!(0.64), dec!(155.100), "M15"), Expired),
        signal(4, "12:15:01", Buy, ("EUR_USD", dec!(0.77), dec!(1.08500), "H1"), Executed),
        signal(5, "11:57:40", Sell, ("USD_JPY", dec!(0.69), dec!(155.200), "H1"), Executed),
    ]
}
