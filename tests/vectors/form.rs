//! What kinds of vectors there are: by group and by what is given.

use serde_json::Value;

use crate::reading::Vector;

/// A kind of vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Netting,
    AverageAndFifo,
    Hedging,
    OpenProfit,
    BothMarks,
    RateOrNone,
    Pips,
    Sizing,
    Validation,
    TradeRisk,
    Book,
    ByCurrency,
    AfterOrder,
    ExposureLimit,
    Margin,
    PortfolioLimit,
    RewardToRisk,
    StaticFloor,
    EndOfDayFloors,
    DayFloor,
    OnTheFloor,
    IntradayFloors,
    DeepestFall,
    DayBoundaries,
    DailyLossColumn,
    LimitStates,
    LimitsInForce,
    ReduceOnly,
    OrderRate,
    Duplicates,
    Collar,
    UnitReadings,
    FourEyes,
    Windows,
    SwapNights,
    Rounding,
    Steps,
    Floats,
    Splitting,
    TypicalPrice,
    Equity,
    GapLoss,
    Performance,
}

/// A kind, the group it belongs to, what must be given and what may.
type Row = (Form, &'static str, &'static [&'static str], &'static [&'static str]);

const FORMS: &[Row] = &[
    (
        Form::Netting,
        "netting",
        &["mode", "fills"],
        &["cost_method", "account_currency", "contract_size", "money_dp", "price_dp", "mark"],
    ),
    (Form::AverageAndFifo, "netting", &["fills", "mark"], &["account_currency"]),
    (
        Form::Hedging,
        "netting",
        &["mode", "fills", "mark_bid", "mark_ask"],
        &["account_currency", "contract_size"],
    ),
    (
        Form::OpenProfit,
        "fx_pnl",
        &["side", "size", "entry_price", "mark_price", "quote_currency", "account_currency"],
        &["contract_size", "conversion"],
    ),
    (Form::BothMarks, "fx_pnl", &["bid", "ask", "entry", "size"], &[]),
    (Form::RateOrNone, "fx_pnl", &["quote_currency", "account_currency", "rates"], &[]),
    (
        Form::Pips,
        "pip",
        &["pip_size", "size_units", "entry", "exit", "side"],
        &["conversion", "contract_size"],
    ),
    (
        Form::Sizing,
        "sizing",
        &["equity", "risk_fraction", "entry_price", "stop_loss", "size_step", "min_size"],
        &[
            "contract_size",
            "fx_quote_to_account",
            "commission_per_unit_per_side",
            "max_size",
            "legs",
        ],
    ),
    (
        Form::Validation,
        "validation",
        &[],
        &["trade_type", "entry_price", "stop_loss", "take_profit", "position_size", "instrument"],
    ),
    (
        Form::TradeRisk,
        "risk",
        &[
            "side",
            "position_size",
            "entry_price",
            "stop_loss",
            "risk_base",
            "max_risk_per_trade_fraction",
        ],
        &["fx_quote_to_account", "contract_size"],
    ),
    (Form::Book, "exposure", &["account_currency", "equity", "positions"], &[]),
    (Form::ByCurrency, "exposure", &["account_currency", "positions"], &[]),
    (Form::AfterOrder, "exposure", &["position", "order"], &[]),
    (
        Form::ExposureLimit,
        "exposure",
        &["limit_value", "limit_unit", "equity", "exposure_after"],
        &["warning_threshold"],
    ),
    (Form::Margin, "exposure", &["notional", "leverage", "margin_rate"], &[]),
    (Form::PortfolioLimit, "exposure", &["limit", "accounts", "order"], &[]),
    (
        Form::RewardToRisk,
        "rr",
        &["side", "entry_price", "stop_loss", "take_profit"],
        &["size", "round_trip_cost"],
    ),
    (
        Form::StaticFloor,
        "drawdown",
        &["mode", "initial", "max_total_drawdown"],
        &["equity", "balance", "floating"],
    ),
    (
        Form::EndOfDayFloors,
        "drawdown",
        &["mode", "initial", "max_loss_fraction_of_initial", "eod_balances"],
        &[],
    ),
    (
        Form::DayFloor,
        "drawdown",
        &["rule", "balance_at_reset"],
        &["pct", "amount", "initial", "equity_at_reset", "closed_today", "floating"],
    ),
    (Form::OnTheFloor, "drawdown", &["floor", "equity"], &[]),
    (Form::IntradayFloors, "drawdown", &["mode", "initial", "trail", "equity_path"], &["lock_at"]),
    (Form::DeepestFall, "drawdown", &["equity"], &[]),
    (Form::DayBoundaries, "drawdown", &["timezone", "reset"], &[]),
    (Form::DailyLossColumn, "drawdown", &["initial", "cases"], &[]),
    (Form::LimitStates, "limits", &["limit", "values"], &["warning", "clear_below"]),
    (
        Form::LimitsInForce,
        "limits",
        &["limits", "now", "instrument"],
        &["account_exposure_after", "instrument_exposure_after", "system_exposure_after"],
    ),
    (Form::ReduceOnly, "limits", &["status", "position", "orders"], &["pending_close"]),
    (Form::OrderRate, "limits", &["limit", "seconds"], &[]),
    (Form::Duplicates, "limits", &["window_s", "orders"], &[]),
    (Form::Collar, "limits", &["reference", "collar", "prices"], &[]),
    (Form::UnitReadings, "limits", &["equity", "cases"], &[]),
    (Form::FourEyes, "limits", &["current", "changes"], &[]),
    (Form::Windows, "limits", &["timezone", "now"], &[]),
    (
        Form::SwapNights,
        "swap",
        &["size", "swap_per_lot_per_night", "lot", "nights"],
        &["triple_day"],
    ),
    (Form::Rounding, "rounding", &["values", "dp"], &[]),
    (Form::Steps, "rounding", &["values", "steps"], &[]),
    (Form::Floats, "rounding", &["f64_sum", "decimal"], &[]),
    (Form::Splitting, "rounding", &["fills_exact", "split"], &[]),
    (Form::TypicalPrice, "rounding", &["high", "low", "close"], &[]),
    (Form::Equity, "account", &["balance", "unrealized", "margin_used"], &[]),
    (Form::GapLoss, "account", &["balance", "close_net"], &[]),
    (Form::Performance, "account", &["net_pnls"], &[]),
];

/// What may stand inside of a field, or inside of each of the list that it is.
const INSIDE: &[(&str, &[&str])] = &[
    (
        "fills",
        &["ticket", "side", "size", "price", "commission", "swap_fee", "fx_quote_to_account"],
    ),
    ("conversion", &["op", "rate"]),
    ("positions", &["instrument", "side", "size", "price", "contract_size", "fx_quote_to_account"]),
    ("position", &["side", "size", "price"]),
    ("order", &["side", "size", "price", "account"]),
    ("orders", &["side", "size", "t", "k"]),
    ("limit", &["scope", "value", "unit"]),
    (
        "limits",
        &["id", "scope", "identifier", "value", "is_active", "effective_from", "effective_until"],
    ),
    ("accounts", &["id", "currency", "exposure"]),
    ("changes", &["by", "approved_by", "new"]),
    ("split", &["amount", "weights"]),
    ("rates", &[]),
];

/// Returns the first name inside of a field that nobody knows.
fn strange_inside<'a>(field: &str, value: &'a Value) -> Option<&'a str> {
    let known = INSIDE.iter().find(|(name, _)| *name == field).map_or(&[][..], |row| row.1);
    let is_strange = |name: &&str| {
        let is_notional = field == "order" && name.starts_with("notional_");
        !known.contains(name) && !is_notional && !is_pair(name)
    };
    match value {
        Value::Object(inside) => inside.keys().map(String::as_str).find(is_strange),
        Value::Array(all) => all.iter().find_map(|one| strange_inside(field, one)),
        _ => None,
    }
}

impl Form {
    /// Returns the one kind that a vector is of. A field that its kind does not know is an error: a
    /// judge would pass over it, and over the rule that it stands for.
    pub(crate) fn of(vector: &Vector) -> Result<Self, String> {
        let input = vector.input.as_object().ok_or("its input is no object")?;
        let given: Vec<&str> =
            input.keys().map(String::as_str).filter(|name| !is_pair(name)).collect();
        let known = |(_, _, needs, _): &&&Row| needs.iter().all(|name| given.contains(name));
        let strange = |(_, _, needs, may): &Row| {
            let is_known = |name: &&&str| needs.contains(name) || may.contains(name);
            given.iter().find(|name| !is_known(name)).copied()
        };
        let group: Vec<&Row> = FORMS.iter().filter(|row| row.1 == vector.group).collect();
        if group.is_empty() {
            return Err(format!("nobody knows the group {}", vector.group));
        }
        if let Some((field, name)) =
            input.iter().find_map(|(field, value)| Some((field, strange_inside(field, value)?)))
        {
            return Err(format!("no judge knows {name} in {field}"));
        }
        if let Some((form, ..)) = group.iter().filter(known).find(|row| strange(row).is_none()) {
            return Ok(*form);
        }
        Err(match group.iter().filter(known).find(|(_, _, needs, _)| !needs.is_empty()) {
            Some(row) => format!("no judge knows {} of what is given", strange(row).unwrap_or("")),
            None => format!("no form of group {} is given by {given:?}", vector.group),
        })
    }
}

/// Tells whether a field is a rate, named by its pair: `EUR_USD`.
pub(crate) fn is_pair(name: &str) -> bool {
    let is_currency = |word: &str| word.len() >= 3 && word.bytes().all(|b| b.is_ascii_uppercase());
    name.split_once('_').is_some_and(|(base, quote)| is_currency(base) && is_currency(quote))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(group: &str, input: Value) -> Result<Form, String> {
        let expected = json!({});
        Form::of(&Vector { id: "A".to_owned(), group: group.to_owned(), input, expected })
    }

    #[test]
    fn what_is_given_tells_the_form_and_nothing_in_it_is_passed_over() {
        let book = json!({"account_currency": "USD", "positions": []});
        assert_eq!(form("exposure", book.clone()), Ok(Form::ByCurrency));
        let mut worth = book.clone();
        worth["equity"] = json!("1");
        assert_eq!(form("exposure", worth), Ok(Form::Book));
        let mut more = book.clone();
        more["haircut"] = json!("0.5");
        assert_eq!(
            form("exposure", more),
            Err("no judge knows haircut of what is given".to_owned())
        );
        let mut deep = book.clone();
        deep["positions"] = json!([{"side": "LONG"}, {"side": "LONG", "haircut": "0.5"}]);
        assert_eq!(form("exposure", deep), Err("no judge knows haircut in positions".to_owned()));
        assert_eq!(form("exposures", book), Err("nobody knows the group exposures".to_owned()));
        assert_eq!(
            form("rr", json!({"side": "BUY"})),
            Err("no form of group rr is given by [\"side\"]".to_owned())
        );
    }
}
