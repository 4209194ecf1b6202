//! Names and scopes of checks, shortened to the width.

use unicode_width::UnicodeWidthStr;

use crate::app::limits::RuleOf;
use crate::app::model::Model;
use crate::domain::code::Code;
use crate::domain::halt::Scope;
use crate::domain::outcome::{Check, Finding};
use crate::ui::format;

/// Names that fit where the whole word does not.
const SHORT: [(Code, &str); 60] = [
    (Code::AccountClosed, "account"),
    (Code::AccountRiskHalt, "account"),
    (Code::AccountStatus, "account"),
    (Code::AccountSuspended, "account"),
    (Code::AccountUnknown, "account"),
    (Code::ConversionRateStale, "rate age"),
    (Code::DuplicateOrder, "duplicate"),
    (Code::InstrumentNotTradable, "instrument"),
    (Code::InstrumentUnknown, "instrument"),
    (Code::InsufficientMargin, "margin"),
    (Code::LimitNotEnforced, "limit"),
    (Code::LimitParametersInvalid, "limit"),
    (Code::LimitUnitUnknown, "limit"),
    (Code::LimitWindowUnused, "window?"),
    (Code::MaxCorrelatedExposure, "group expo"),
    (Code::MaxCurrencyExposure, "ccy expo"),
    (Code::MaxDailyTrades, "trades/day"),
    (Code::MaxLossPerPosition, "loss/pos"),
    (Code::MaxMonthlyLoss, "month loss"),
    (Code::MaxNetExposure, "net expo"),
    (Code::MaxOpenPositions, "positions"),
    (Code::MaxOrdersPerMinute, "orders/min"),
    (Code::MaxOrderValue, "value"),
    (Code::MaxPositionSize, "position"),
    (Code::MaxRiskPerTrade, "risk/trade"),
    (Code::MaxStopDistance, "stop dist"),
    (Code::MaxWeeklyLoss, "week loss"),
    (Code::MinMarginLevel, "margin lvl"),
    (Code::MinRiskReward, "min R:R"),
    (Code::MinStopDistance, "min stop"),
    (Code::NotPermitted, "right"),
    (Code::NoConversionRate, "no rate"),
    (Code::OutsideTradingHours, "hours"),
    (Code::PercentageLooksLikeFraction, "fraction?"),
    (Code::PositionStop, "stop"),
    (Code::PriceCollar, "collar"),
    (Code::PriceNotATick, "tick"),
    (Code::PriceOutOfRange, "price"),
    (Code::PriceStale, "price age"),
    (Code::PriceUnknown, "no price"),
    (Code::RestrictedInstrument, "instrument"),
    (Code::RiskAmount, "risk"),
    (Code::RiskPercentage, "risk %"),
    (Code::RiskReward, "R:R"),
    (Code::RiskUnknown, "risk"),
    (Code::RrOutOfRange, "R:R"),
    (Code::SignalAlreadyExecuted, "signal"),
    (Code::SignalExpired, "signal"),
    (Code::SignalMismatch, "signal"),
    (Code::SignalNotPending, "signal"),
    (Code::SignalSlippage, "slippage"),
    (Code::SizeAboveMaximum, "size max"),
    (Code::SizeBelowMinimum, "size min"),
    (Code::SizeNotAStep, "size step"),
    (Code::SizeOutOfRange, "size"),
    (Code::StopDistanceZero, "stop dist"),
    (Code::StopRequired, "stop"),
    (Code::StopWrongSide, "stop side"),
    (Code::TargetWrongSide, "target"),
    (Code::TradingHalt, "halt"),
];

/// Returns the name of a check in at most `width` columns. What passes is said quietly and shortly;
/// what does not, by the word that the log has too.
pub(super) fn name(check: &Check, width: usize) -> String {
    let code = check.code.as_str().replace('_', " ");
    let bare = code.strip_prefix("MAX ").unwrap_or(&code).to_owned();
    let short = SHORT.iter().find(|(known, _)| known == &check.code).map(|(_, short)| *short);
    let short = short.map_or_else(|| bare.to_lowercase(), str::to_owned);
    let names = match check.finding {
        Finding::Passes => vec![bare.to_lowercase(), short],
        Finding::Confirm | Finding::Reject => vec![code, bare, short.to_uppercase()],
    };
    let fitting = names.iter().find(|name| name.width() <= width).or(names.last());
    format::fit(fitting.map_or("", String::as_str), width)
}

/// Returns the scope of a check's rule: the full word, and a short one for narrow screens.
/// Several limits of one kind can bind, and an account's own rule beside them.
pub(super) fn whose(model: &Model, check: &Check) -> Option<(&'static str, &'static str)> {
    Some(match model.rule_of(check)? {
        RuleOf::Account => ("own rule", "own"),
        RuleOf::Unread => ("limit", "lim"),
        RuleOf::Limit(row) => match (row.scope, row.account) {
            (Scope::System, _) => ("system", "sys"),
            (Scope::Portfolio, _) => ("portfolio", "ptf"),
            (Scope::Account, _) => ("account", "acc"),
            (Scope::Instrument, None) => ("instr", "ins"),
            (Scope::Instrument, Some(_)) => ("acc+instr", "a+i"),
        },
    })
}

/// Returns the code of a check with whose rule it is, where nothing else says so: `MAX_DAILY_LOSS
/// (account's own)`.
pub(super) fn with_owner(model: &Model, check: &Check) -> String {
    let whose = match model.rule_of(check) {
        None | Some(RuleOf::Unread) => return check.code.to_string(),
        Some(RuleOf::Account) => "account's own".to_owned(),
        Some(RuleOf::Limit(row)) => match (row.scope, row.identifier.as_deref()) {
            (Scope::System | Scope::Account, _) | (_, None) => row.scope.as_str().to_owned(),
            (Scope::Portfolio | Scope::Instrument, Some(name)) => name.to_owned(),
        },
    };
    format!("{} ({whose})", check.code)
}

/// Returns the code of a check before its sentence. The sentence about a limit names its scope; the
/// one about a rule of the account itself reads like that of a limit.
pub(in crate::ui::ticket) fn before_sentence(model: &Model, check: &Check) -> String {
    if check.is_accounts_own() { with_owner(model, check) } else { check.code.to_string() }
}
