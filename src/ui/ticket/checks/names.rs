//! What a check is called, and whose rule it is, in the room that there is.

use unicode_width::UnicodeWidthStr;

use crate::app::limits::RuleOf;
use crate::app::model::Model;
use crate::domain::halt::Scope;
use crate::domain::outcome::{Check, Finding};
use crate::ui::format;

/// Names that fit where the whole word does not.
const SHORT: [(&str, &str); 60] = [
    ("ACCOUNT_CLOSED", "account"),
    ("ACCOUNT_RISK_HALT", "account"),
    ("ACCOUNT_STATUS", "account"),
    ("ACCOUNT_SUSPENDED", "account"),
    ("ACCOUNT_UNKNOWN", "account"),
    ("CONVERSION_RATE_STALE", "rate age"),
    ("DUPLICATE_ORDER", "duplicate"),
    ("INSTRUMENT_NOT_TRADABLE", "instrument"),
    ("INSTRUMENT_UNKNOWN", "instrument"),
    ("INSUFFICIENT_MARGIN", "margin"),
    ("LIMIT_NOT_ENFORCED", "limit"),
    ("LIMIT_PARAMETERS_INVALID", "limit"),
    ("LIMIT_UNIT_UNKNOWN", "limit"),
    ("LIMIT_WINDOW_UNUSED", "window?"),
    ("MAX_CORRELATED_EXPOSURE", "group expo"),
    ("MAX_CURRENCY_EXPOSURE", "ccy expo"),
    ("MAX_DAILY_TRADES", "trades/day"),
    ("MAX_LOSS_PER_POSITION", "loss/pos"),
    ("MAX_MONTHLY_LOSS", "month loss"),
    ("MAX_NET_EXPOSURE", "net expo"),
    ("MAX_OPEN_POSITIONS", "positions"),
    ("MAX_ORDERS_PER_MINUTE", "orders/min"),
    ("MAX_ORDER_VALUE", "value"),
    ("MAX_POSITION_SIZE", "position"),
    ("MAX_RISK_PER_TRADE", "risk/trade"),
    ("MAX_STOP_DISTANCE", "stop dist"),
    ("MAX_WEEKLY_LOSS", "week loss"),
    ("MIN_MARGIN_LEVEL", "margin lvl"),
    ("MIN_RISK_REWARD", "min R:R"),
    ("MIN_STOP_DISTANCE", "min stop"),
    ("NOT_PERMITTED", "right"),
    ("NO_CONVERSION_RATE", "no rate"),
    ("OUTSIDE_TRADING_HOURS", "hours"),
    ("PERCENTAGE_LOOKS_LIKE_FRACTION", "fraction?"),
    ("POSITION_STOP", "stop"),
    ("PRICE_COLLAR", "collar"),
    ("PRICE_NOT_A_TICK", "tick"),
    ("PRICE_OUT_OF_RANGE", "price"),
    ("PRICE_STALE", "price age"),
    ("PRICE_UNKNOWN", "no price"),
    ("RESTRICTED_INSTRUMENT", "instrument"),
    ("RISK_AMOUNT", "risk"),
    ("RISK_PERCENTAGE", "risk %"),
    ("RISK_REWARD", "R:R"),
    ("RISK_UNKNOWN", "risk"),
    ("RR_OUT_OF_RANGE", "R:R"),
    ("SIGNAL_ALREADY_EXECUTED", "signal"),
    ("SIGNAL_EXPIRED", "signal"),
    ("SIGNAL_MISMATCH", "signal"),
    ("SIGNAL_NOT_PENDING", "signal"),
    ("SIGNAL_SLIPPAGE", "slippage"),
    ("SIZE_ABOVE_MAXIMUM", "size max"),
    ("SIZE_BELOW_MINIMUM", "size min"),
    ("SIZE_NOT_A_STEP", "size step"),
    ("SIZE_OUT_OF_RANGE", "size"),
    ("STOP_DISTANCE_ZERO", "stop dist"),
    ("STOP_REQUIRED", "stop"),
    ("STOP_WRONG_SIDE", "stop side"),
    ("TARGET_WRONG_SIDE", "target"),
    ("TRADING_HALT", "halt"),
];

/// Returns the name of a check in at most `width` columns. What passes is said quietly and shortly;
/// what does not, by the word that the log has too.
pub(super) fn name(check: &Check, width: usize) -> String {
    let code = check.code.replace('_', " ");
    let bare = code.strip_prefix("MAX ").unwrap_or(&code).to_owned();
    let short = SHORT.iter().find(|(known, _)| *known == check.code).map(|(_, short)| *short);
    let short = short.map_or_else(|| bare.to_lowercase(), str::to_owned);
    let names = match check.finding {
        Finding::Passes => vec![bare.to_lowercase(), short],
        Finding::Confirm | Finding::Reject => vec![code, bare, short.to_uppercase()],
    };
    let fitting = names.iter().find(|name| name.width() <= width).or(names.last());
    format::fit(fitting.map_or("", String::as_str), width)
}

/// Returns whose rule a check is about: a word for a column, and one where there is little room.
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
        None | Some(RuleOf::Unread) => return check.code.clone(),
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
    if check.is_accounts_own() { with_owner(model, check) } else { check.code.clone() }
}
