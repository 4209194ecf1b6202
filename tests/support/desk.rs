//! A small desk in a database of its own: two accounts, two instruments with fresh prices, one
//! limit, three risk events, and a login for each group.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

use rust_decimal::{Decimal, dec};
use tmt::domain::ids::{
    AccountId, ClientKey, EventId, InstrumentId, LimitId, PositionId, SignalId,
};
use tmt::domain::outcome::{Accepted, Outcome, Refusal};
use tmt::domain::request::{NewTrade, Request, Verb};
use tmt::domain::trade::Side;
use tmt::store::{Options, Store};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::database::{self, Database};

/// What every test begins with.
pub(crate) struct Desk {
    pub(crate) database: Database,
    /// As the superuser.
    pub(crate) admin: Client,
}

/// The account most tests trade on: 100,000 USD.
pub(crate) const ALPHA: AccountId = AccountId(Uuid::from_u128(0xa1));
/// Another one.
pub(crate) const BRAVO: AccountId = AccountId(Uuid::from_u128(0xa2));
/// `max_exposure` of alpha, 150,000 USD.
pub(crate) const EXPOSURE: LimitId = LimitId(Uuid::from_u128(0xb1));
/// A warning that nobody owns.
pub(crate) const WARNING: EventId = EventId(Uuid::from_u128(0xc1));
/// A critical event that nobody owns.
pub(crate) const CRITICAL: EventId = EventId(Uuid::from_u128(0xc2));
/// A signal to buy that is still good.
pub(crate) const SIGNAL: SignalId = SignalId(Uuid::from_u128(0xd1));

pub(crate) const SEED: &str = "
    UPDATE tmt.settings SET value = 'paper' WHERE key = 'environment';
    INSERT INTO instruments (instrument, base_currency, quote_currency, size_step, min_size,
                             max_size, tick_size, pip_size, margin_rate, aliases)
    VALUES ('EUR_USD', 'EUR', 'USD', 1, 1000, 500000, 0.00001, 0.0001, 0.0333, '{EURUSD}'),
           ('USD_JPY', 'USD', 'JPY', 1, 1000, 500000, 0.001, 0.01, 0.0333, '{}');
    INSERT INTO accounts (account_id, account_name, broker, platform, account_type, prop_firm,
                          base_currency, initial_balance, current_balance, available_balance,
                          equity, max_daily_loss, max_total_drawdown, metadata)
    VALUES ('00000000-0000-0000-0000-0000000000a1', 'alpha', 'oanda', 'v20', 'paper', 'ftmo', 'USD',
            100000, 100000, 100000, 100000, 0.05, 0.10, '{\"portfolio\": \"majors\"}'),
           ('00000000-0000-0000-0000-0000000000a2', 'bravo', 'oanda', 'v20', 'demo', NULL, 'USD',
            50000, 50000, 50000, 50000, 2500, 0.10, '{}');
    INSERT INTO risk_limits (limit_id, account_id, limit_type, limit_scope, limit_value, limit_unit,
                             warning_threshold, created_by)
    VALUES ('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-0000000000a1',
            'max_exposure', 'account', 150000, 'USD', 120000, 'seed');
    INSERT INTO risk_events (event_id, account_id, event_type, severity, event_source,
                             current_value, limit_value, event_data)
    VALUES ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1',
            'max_exposure', 'warning', 'seed', 125000, 150000, '{\"message\": \"83 % used\"}'),
           ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a1',
            'daily_loss', 'critical', 'seed', 5100, 5000, '{}');
    INSERT INTO signals (signal_id, instrument, signal_type, confidence, entry_price, stop_loss,
                         take_profit, risk_reward_ratio, timeframe, agent_id, valid_until)
    VALUES ('00000000-0000-0000-0000-0000000000d1', 'EUR_USD', 'BUY', 0.8, 1.085, 1.08, 1.095, 2,
            'M15', 'market-analysis', 'infinity');
";

const QUOTES: &str = "
    INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of)
    VALUES ('EUR', 'USD', 1.085, 1.0849, 1.0851, clock_timestamp()),
           ('USD', 'JPY', 155.2, 155.19, 155.21, clock_timestamp())
    ON CONFLICT (from_currency, to_currency) DO UPDATE SET as_of = EXCLUDED.as_of";

impl Desk {
    /// Seeds a database.
    pub(crate) async fn open() -> Self {
        let database = database::database().await;
        let admin = database.client().await;
        admin.batch_execute(SEED).await.unwrap();
        let desk = Self { database, admin };
        desk.quote().await;
        desk
    }

    /// Gives every instrument a price of now.
    pub(crate) async fn quote(&self) {
        self.admin.batch_execute(QUOTES).await.unwrap();
    }

    /// A trader's store, over the Unix socket.
    pub(crate) async fn trader(&self) -> Store {
        Store::connect(self.options("trader", "tmt_trader").await)
    }

    /// A risk officer's store.
    pub(crate) async fn officer(&self, name: &str) -> Store {
        Store::connect(self.options(name, "tmt_risk_officer").await)
    }

    /// Options for a new login of a group.
    pub(crate) async fn options(&self, name: &str, group: &str) -> Options {
        let login = self.database.login(name, group).await;
        Options::parse(&self.database.url_as(&login)).unwrap()
    }

    /// A count that the superuser takes.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap()
    }

    /// How many trades there are.
    pub(crate) async fn trades(&self) -> i64 {
        self.count("SELECT count(*) FROM trades").await
    }

    /// The one live position.
    pub(crate) async fn position(&self) -> PositionId {
        let sql = "SELECT position_id FROM positions WHERE status = 'open'";
        PositionId(self.admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap())
    }
}

/// A request with a key of its own.
pub(crate) fn request(verb: Verb) -> Request {
    Request { key: ClientKey(Uuid::new_v4()), verb }
}

/// A trade that passes every check.
pub(crate) fn buy(size: Decimal) -> NewTrade {
    NewTrade {
        account: ALPHA,
        instrument: InstrumentId::new("EUR_USD"),
        side: Side::Buy,
        size,
        price: dec!(1.0851),
        stop: Some(dec!(1.0801)),
        target: Some(dec!(1.0951)),
        signal: None,
        reason: None,
    }
}

/// What must have been accepted.
#[track_caller]
pub(crate) fn accepted(outcome: Outcome) -> Accepted {
    match outcome {
        Outcome::Accepted(accepted) => accepted,
        other @ (Outcome::Refused(_) | Outcome::Unknown(_)) => unexpected(&other),
    }
}

/// What must have been refused.
#[track_caller]
pub(crate) fn refused(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other @ (Outcome::Accepted(_) | Outcome::Unknown(_)) => unexpected(&other),
    }
}

/// What must be unknown.
#[track_caller]
pub(crate) fn unknown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unknown(why) => why,
        other @ (Outcome::Accepted(_) | Outcome::Refused(_)) => unexpected(&other),
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "a fixture for tests")]
fn unexpected(outcome: &Outcome) -> ! {
    panic!("unexpected: {outcome:?}")
}
