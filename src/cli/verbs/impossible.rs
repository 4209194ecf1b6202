//! Which refusal it is, where the database says of a limit that is only tried that it cannot be.

use crate::app::Model;
use crate::domain::outcome::Refusal;
use crate::domain::request::NewLimit;
use rust_decimal::Decimal;

/// How the database says that a limit which is tried cannot be: in the words of its refusal, but
/// without the code.
pub(super) const SQLSTATE: &str = "22023";

/// Returns the refusal that a limit would get; `message` is the database's sentence.
pub(super) fn refusal(model: &Model, limit: &NewLimit, message: String) -> Refusal {
    Refusal::plain(code(model, limit), message)
}

/// Returns the code, by the order in which the desk decides.
fn code(model: &Model, limit: &NewLimit) -> &'static str {
    let name = limit.limit_type.trim().to_lowercase();
    let Some(kind) = model.limit_types.iter().find(|kind| kind.name == name) else {
        return "LIMIT_TYPE_UNKNOWN";
    };
    if !kind.scopes.iter().any(|scope| scope == limit.scope.as_str()) {
        return "LIMIT_SCOPE_INVALID";
    }
    let is_money = kind.units.iter().any(|unit| unit == "money") && is_currency(model, &limit.unit);
    if !is_money && !kind.units.iter().any(|unit| unit.eq_ignore_ascii_case(&limit.unit)) {
        return "LIMIT_UNIT_UNKNOWN";
    }
    let is_warned = limit.warning.is_some_and(|at| at <= Decimal::ZERO || at > limit.value);
    if limit.value <= Decimal::ZERO {
        "LIMIT_VALUE_INVALID"
    } else if is_warned {
        "WARNING_INVALID"
    } else if limit.parameters.is_none() && (limit.identifier.is_some() || limit.account.is_some())
    {
        "LIMIT_TARGET_UNKNOWN"
    } else {
        "LIMIT_PARAMETERS_INVALID"
    }
}

/// Tells whether anything here is in a currency.
fn is_currency(model: &Model, unit: &str) -> bool {
    let is_it = |currency: &str| currency.trim().eq_ignore_ascii_case(unit.trim());
    model.desk.accounts.values().any(|row| is_it(&row.base_currency))
        || model
            .book
            .instruments()
            .any(|row| is_it(&row.base_currency) || is_it(&row.quote_currency))
}
