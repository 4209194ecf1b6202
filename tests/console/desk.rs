//! A small desk: two accounts, two instruments, a position, a signal, three events, two limits.

use std::time::Duration;

use chrono::TimeDelta;
use rust_decimal::{Decimal, dec};
use uuid::Uuid;

use super::{Console, morning};
use tmt::app::Msg;
use tmt::app::pane::{Pane, RowId};
use tmt::domain::account::{Account, AccountStatus, Commission, Environment, Start};
use tmt::domain::change::Kind;
use tmt::domain::event::{RiskEvent, Severity};
use tmt::domain::halt::Scope;
use tmt::domain::ids::{AccountId, EventId, InstrumentId, LimitId, PositionId, SignalId};
use tmt::domain::instrument::Instrument;
use tmt::domain::limit::LimitKind;
use tmt::domain::limit::{Limit, LimitState, Parameters};
use tmt::domain::position::{Direction, Position};
use tmt::domain::quote::Quote;
use tmt::domain::rows::Rows;
use tmt::domain::session::{Role, Session};
use tmt::domain::signal::{Signal, SignalStatus};
use tmt::domain::trade::Side;
use tmt::domain::unit::Unit;

pub(crate) const ALPHA: AccountId = AccountId(Uuid::from_u128(0xa1));
pub(crate) const BRAVO: AccountId = AccountId(Uuid::from_u128(0xb1));
pub(crate) const HELD: PositionId = PositionId(Uuid::from_u128(0x10));
pub(crate) const SIGNAL: SignalId = SignalId(Uuid::from_u128(0x20));
pub(crate) const WARNING: EventId = EventId(Uuid::from_u128(0x31));
pub(crate) const CRITICAL: EventId = EventId(Uuid::from_u128(0x32));
pub(crate) const EMERGENCY: EventId = EventId(Uuid::from_u128(0x33));
pub(crate) const LIMIT: LimitId = LimitId(Uuid::from_u128(0x41));
pub(crate) const PROPOSAL: LimitId = LimitId(Uuid::from_u128(0x42));

pub(crate) fn eur_usd() -> InstrumentId {
    InstrumentId::new("EUR_USD")
}

fn instrument(name: &str, tick: Decimal, pip: Decimal) -> Instrument {
    let (base, quote) = name.split_once('_').unwrap();
    Instrument {
        id: InstrumentId::new(name),
        asset_class: "fx".to_owned(),
        base_currency: base.to_owned(),
        quote_currency: quote.to_owned(),
        contract_size: Decimal::ONE,
        size_step: Decimal::ONE,
        min_size: Decimal::ONE,
        max_size: Some(dec!(10_000_000)),
        tick_size: tick,
        pip_size: pip,
        margin_rate: dec!(0.0333),
        is_tradable: true,
        aliases: vec![name.replace('_', "")],
    }
}

fn account(id: AccountId, name: &str) -> Account {
    Account {
        id,
        name: name.to_owned(),
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

fn event(id: EventId, severity: Severity) -> RiskEvent {
    RiskEvent {
        id,
        account: Some(ALPHA),
        event_type: "max_exposure".to_owned(),
        severity,
        source: "risk-monitor".to_owned(),
        measure: None,
        current_value: Some(dec!(90)),
        limit_value: Some(dec!(100)),
        limit: None,
        message: None,
        occurrences: 1,
        occurred_at: morning(),
        resolved_at: None,
        acknowledged: None,
    }
}

fn limit(id: LimitId, value: Decimal, state: LimitState, by: &str) -> Limit {
    Limit {
        id,
        account: Some(ALPHA),
        limit_type: LimitKind::MaxExposure,
        scope: Scope::Account,
        identifier: None,
        value,
        unit: Unit::read("USD"),
        warning: None,
        state,
        is_enforced: true,
        created_by: by.to_owned(),
        approved_by: None,
        change_reason: None,
        supersedes: None,
        retires: false,
        parameters: Parameters::default(),
        effective_from: None,
        effective_until: None,
        updated_at: Some(morning()),
    }
}

pub(crate) fn held() -> Position {
    Position {
        id: HELD,
        account: ALPHA,
        instrument: eur_usd(),
        direction: Direction::Long,
        size: dec!(50_000),
        average_entry: dec!(1.08420),
        exact_cost: None,
        booked_price: Some(dec!(1.08400)),
        stored_pnl: Some(dec!(-10.00)),
        realized_pnl: None,
        stop_loss: Some(dec!(1.08120)),
        take_profit: None,
        trailing_distance: None,
        is_closing: false,
        opened_at: morning(),
        last_updated_at: morning(),
    }
}

pub(crate) fn quote(bid: Decimal, ask: Decimal, at: TimeDelta) -> Quote {
    Quote::new(eur_usd(), bid, ask, morning() + at, None).unwrap()
}

impl Console {
    pub(crate) fn session(&self, role: Role) -> Session {
        Session {
            operator: "ann".to_owned(),
            role,
            opens: role.may(tmt::domain::session::Right::Open),
            environment: Environment::Live,
            database: "tmt".to_owned(),
            server_version: "15.18".to_owned(),
            timescale: None,
            in_recovery: false,
            server_time: self.model.now,
        }
    }

    /// Both servers are there and everything was read.
    pub(crate) fn fill(&mut self, role: Role) {
        let session = self.session(role);
        let round_trip = Duration::from_millis(3);
        self.tell(Msg::SessionOpened { session, round_trip, offset: TimeDelta::zero() });
        self.tell(Msg::FeedUp { gap: None });
        let all = [
            Rows::Instruments(vec![
                instrument("EUR_USD", dec!(0.00001), dec!(0.0001)),
                instrument("USD_JPY", dec!(0.001), dec!(0.01)),
            ]),
            Rows::Accounts(vec![account(ALPHA, "alpha"), account(BRAVO, "bravo")]),
            Rows::Positions(vec![held()]),
            Rows::Events(vec![
                event(WARNING, Severity::Warning),
                event(CRITICAL, Severity::Critical),
                event(EMERGENCY, Severity::Emergency),
            ]),
            Rows::Limits(vec![
                limit(LIMIT, dec!(100_000), LimitState::Active, "bob"),
                limit(PROPOSAL, dec!(120_000), LimitState::Pending, "bob"),
            ]),
            Rows::Signals(vec![Signal {
                id: SIGNAL,
                instrument: eur_usd(),
                side: Side::Sell,
                confidence: dec!(0.8),
                entry_price: dec!(1.08600),
                stop_loss: dec!(1.08900),
                take_profit: dec!(1.08000),
                risk_reward: dec!(2),
                timeframe: "M15".to_owned(),
                wyckoff_phase: None,
                agent: "market-analysis".to_owned(),
                generated_at: morning(),
                valid_until: Some(morning() + TimeDelta::hours(1)),
                status: SignalStatus::Pending,
                executions: 0,
            }]),
        ];
        for rows in all {
            self.tell(Msg::RowsRead { rows, asked: None, unreadable: vec![] });
        }
        let asked_at = self.model.elapsed;
        self.tell(Msg::Confirmed { kinds: Kind::ALL.to_vec(), asked_at, round_trip });
        self.tell(Msg::QuotesArrived(vec![quote(dec!(1.08640), dec!(1.08655), TimeDelta::zero())]));
        self.effects.clear();
    }

    /// Selects a row of a pane, as j and k would.
    pub(crate) fn select(&mut self, pane: Pane, id: RowId) {
        self.model.focus = pane;
        self.model.pane_mut(pane).selected = Some(id);
    }
}
