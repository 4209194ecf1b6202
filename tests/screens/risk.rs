//! Risk events, limits, halts, and what the rulebook says of a trade.

use rust_decimal::{Decimal, dec};
use tmt::domain::code::Code;
use tmt::domain::event::{Acknowledged, RiskEvent, Severity};
use tmt::domain::halt::{Halt, HaltMode, Scope};
use tmt::domain::ids::{EventId, HaltId, LimitId};
use tmt::domain::limit::LimitKind;
use tmt::domain::limit::{Limit, LimitState, Parameters};
use tmt::domain::outcome::{Check, Finding};
use tmt::domain::unit::Unit;

use crate::desk::{account_id, at, id};

pub(crate) fn event(
    number: u32,
    severity: Severity,
    time: &str,
    account: Option<u32>,
    (name, measured, limit): (&str, Decimal, Decimal),
    message: &str,
) -> RiskEvent {
    RiskEvent {
        id: EventId(id(5, number)),
        account: account.map(account_id),
        event_type: name.to_owned(),
        severity,
        source: "sentinel".to_owned(),
        measure: Some(name.to_owned()),
        current_value: Some(measured),
        limit_value: Some(limit),
        limit: None,
        message: Some(message.to_owned()),
        occurrences: 1,
        occurred_at: at(time),
        resolved_at: None,
        acknowledged: None,
    }
}

pub(crate) fn events() -> Vec<RiskEvent> {
    use Severity::{Critical, Emergency, Info, Warning};
    let emergency = event(
        1,
        Emergency,
        "14:01:07",
        Some(3),
        ("daily_loss", dec!(1002.50), dec!(1000)),
        "daily loss 1,002.50 of 1,000.00 USD",
    );
    let mut exposure = event(
        2,
        Warning,
        "13:40:05",
        Some(2),
        ("max_exposure", dec!(146797), dec!(180000)),
        "81.6% of the limit, warning at 80%",
    );
    exposure.occurrences = 3;
    let mut spread = event(
        3,
        Warning,
        "11:05:10",
        None,
        ("max_spread", dec!(1.2), dec!(3)),
        "GBP_USD 3.1 -> 1.2 of 3.0 pips",
    );
    spread.resolved_at = Some(at("11:07:00"));
    let mut age = event(
        4,
        Critical,
        "12:52:40",
        None,
        ("max_price_age", dec!(14), dec!(5)),
        "XAU_USD 14 s of 5 s",
    );
    age.occurrences = 2;
    age.acknowledged = Some(Acknowledged { by: "risk1".to_owned(), at: Some(at("12:55:00")) });
    let mut collar = event(
        5,
        Info,
        "10:15:02",
        Some(1),
        ("price_collar", dec!(0.7), dec!(0.5)),
        "order refused: 0.7% from the market",
    );
    collar.acknowledged = Some(Acknowledged { by: "risk1".to_owned(), at: Some(at("10:20:00")) });
    vec![emergency, exposure, spread, age, collar]
}

pub(crate) fn limit(
    number: u32,
    kind: &str,
    account: Option<u32>,
    value: Decimal,
    unit: &str,
) -> Limit {
    Limit {
        id: LimitId(id(6, number)),
        account: account.map(account_id),
        limit_type: LimitKind::read(kind),
        scope: if account.is_some() { Scope::Account } else { Scope::System },
        identifier: None,
        value,
        unit: Unit::read(unit),
        warning: None,
        state: LimitState::Active,
        is_enforced: true,
        created_by: "risk1".to_owned(),
        approved_by: Some("risk2".to_owned()),
        change_reason: None,
        supersedes: None,
        retires: false,
        parameters: Parameters::default(),
        effective_from: Some(at("07:00:00")),
        effective_until: None,
        updated_at: Some(at("07:00:00")),
    }
}

pub(crate) fn limits() -> Vec<Limit> {
    let mut pending = limit(8, "max_exposure", Some(2), dec!(220000), "USD");
    pending.state = LimitState::Pending;
    pending.approved_by = None;
    pending.change_reason = Some("client asked for a larger hedge".to_owned());
    pending.supersedes = Some(LimitId(id(6, 2)));
    pending.effective_from = None;
    let mut heat = limit(7, "max_weekend_heat", None, dec!(3), "percentage");
    heat.is_enforced = false;
    vec![
        limit(1, "max_exposure", Some(1), dec!(200000), "USD"),
        limit(2, "max_exposure", Some(2), dec!(180000), "USD"),
        limit(3, "max_exposure", Some(3), dec!(50000), "USD"),
        limit(4, "max_exposure", None, dec!(400000), "USD"),
        limit(5, "max_daily_loss", Some(3), dec!(1000), "USD"),
        limit(6, "max_open_positions", Some(2), dec!(10), "count"),
        heat,
        pending,
    ]
}

pub(crate) fn halts() -> Vec<Halt> {
    vec![Halt {
        id: HaltId(id(7, 1)),
        scope: Scope::Account,
        account: Some(account_id(3)),
        identifier: None,
        mode: HaltMode::ReduceOnly,
        reason: "daily loss".to_owned(),
        set_by: "sentinel".to_owned(),
        set_at: at("14:01:07"),
    }]
}

/// A check of the rulebook.
pub(crate) fn check(
    code: Code,
    finding: Finding,
    [before, measured, allowed, room]: [Option<Decimal>; 4],
    unit: &str,
    message: &str,
) -> Check {
    Check {
        code,
        finding,
        before,
        measured,
        allowed,
        unit: Some(Unit::read(unit)),
        room,
        limit: None,
        message: Some(message.to_owned()),
    }
}

/// What the rulebook says of the ticket in the specification; `exposure` is its finding on
/// `MAX_EXPOSURE`.
pub(crate) fn checks(exposure: Finding) -> Vec<Check> {
    use Finding::Passes;
    let line =
        |code: Code, finding, [before, after, limit]: [Decimal; 3], unit: &str, text: &str| {
            let figures = [Some(before), Some(after), Some(limit), Some(limit - after)];
            check(code, finding, figures, unit, text)
        };
    let passes = |code: Code, figures, unit: &str| line(code, Passes, figures, unit, "");
    let of = |number, check| Check { limit: Some(LimitId(id(6, number))), ..check };
    let after = if exposure == Finding::Reject { dec!(184900) } else { dec!(179393.50) };
    let bravo = [dec!(146797), after, dec!(180000)];
    let text = "the exposure of bravo would be 99.7% of its limit";
    let age = [None, Some(dec!(0.8)), Some(dec!(5)), None];
    let risk = [dec!(0), dec!(135), dec!(1500.69)];
    // Two say what may be lost in a day: a limit, and the account's own column.
    let loss = |limit| passes(Code::MaxDailyLoss, [dec!(164), dec!(299), limit], "USD");
    vec![
        check(Code::TradingHalt, Passes, [None; 4], "", "active, no halt"),
        check(Code::PriceAge, Passes, age, "seconds", ""),
        check(Code::DuplicateOrder, Passes, [None; 4], "", "none in 60 s"),
        passes(Code::MaxRiskPerTrade, risk, "USD"),
        passes(Code::MaxPositionSize, [dec!(100000), dec!(130000), dec!(200000)], "units"),
        of(2, line(Code::MaxExposure, exposure, bravo, "USD", text)),
        of(4, passes(Code::MaxExposure, [dec!(244386), dec!(276982.50), dec!(400000)], "USD")),
        of(9, loss(dec!(4000))),
        passes(Code::Margin, [dec!(4888.34), dec!(5973.80), dec!(100046)], "USD"),
        loss(dec!(5000)),
        passes(Code::MaxDailyTrades, [dec!(3), dec!(4), dec!(10)], "count"),
    ]
}
