//! What is held, valued.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tmt::domain::code::Code;
use tmt::domain::conversion;
use tmt::domain::drawdown::Edge;
use tmt::domain::exposure::{self, Leg};
use tmt::domain::money::round;
use tmt::domain::position::Direction;
use tmt::domain::quote::Quote;
use tmt::domain::threshold::{Bound, Threshold};
use tmt::domain::{margin, valuation};

use super::some;
use crate::comparing::OTHER_SIDE;
use crate::form::is_pair;
use crate::reading::{Fields, Judged, Vector, currencies, decimal, rounded};
use crate::reference::figures;
use crate::reference::netting::{self, Holding};

/// Rates by base and quote currency.
#[derive(Default)]
struct Rates(HashMap<(String, String), Decimal>);

impl Rates {
    fn know(&mut self, base: &str, quote: &str, rate: Decimal) {
        self.0.insert((base.to_owned(), quote.to_owned()), rate);
    }

    /// Takes the steps of a conversion: each multiplies by a pair, or divides by it.
    fn know_steps(&mut self, from: &str, to: &str, steps: &[Value]) -> Result<(), String> {
        let hub = if from == "USD" || to == "USD" { "EUR" } else { "USD" };
        let route: Vec<&str> = match steps.len() {
            0 => vec![],
            1 => vec![from, to],
            2 => vec![from, hub, to],
            many => return Err(format!("a conversion in {many} steps")),
        };
        for (step, leg) in steps.iter().zip(route.windows(2)) {
            match step.word("op")? {
                "*" => self.know(leg[0], leg[1], step.number("rate")?),
                "/" => self.know(leg[1], leg[0], step.number("rate")?),
                other => return Err(format!("the operation {other}")),
            }
        }
        Ok(())
    }

    fn rate(&self, from: &str, to: &str) -> Option<Decimal> {
        conversion::rate(from, to, |base, quote| {
            self.0.get(&(base.to_owned(), quote.to_owned())).copied()
        })
    }
}

/// FX-01 to FX-07.
pub(super) fn open_profit(vector: &Vector) -> Judged {
    let input = &vector.input;
    let (quote, account) = (input.word("quote_currency")?, input.word("account_currency")?);
    let mut rates = Rates::default();
    rates.know_steps(quote, account, &input.steps("conversion")?)?;
    let fx = some(rates.rate(quote, account))?;
    let size = input.number("size")?;
    let contract = input.number_or("contract_size", Decimal::ONE)?;
    let cost = input.number("entry_price")? * size;
    let mark = input.number("mark_price")?;
    let at = |fx| valuation::pnl(input.direction("side").ok()?, size, cost, mark, contract, fx);
    Ok(json!({
        "pnl_quote": some(at(Decimal::ONE))?,
        "fx_quote_to_account": rounded(Some(fx), 12),
        "pnl_account": rounded(at(fx), 2),
    }))
}

/// FX-08.
pub(super) fn both_marks(vector: &Vector) -> Judged {
    let input = &vector.input;
    let (bid, ask) = (input.number("bid")?, input.number("ask")?);
    let (size, cost) = (input.number("size")?, input.number("entry")? * input.number("size")?);
    let open = |direction| {
        let price = Quote::closing_price(bid, ask, direction);
        Holding::of(direction, size, cost)?.open_pnl(price, Decimal::ONE, Decimal::ONE)
    };
    let long = round(some(open(Direction::Long))?, 2);
    let short = round(some(open(Direction::Short))?, 2);
    // Equity is the sum of what the rows say.
    Ok(json!({
        "long_unrealized": rounded(Some(long), 2),
        "short_unrealized": rounded(Some(short), 2),
        "long_plus_short": rounded(Some(long + short), 2),
    }))
}

/// FX-09. Who may trade without a rate is the database's to say.
pub(super) fn rate_or_none(vector: &Vector) -> Judged {
    let mut rates = Rates::default();
    for (pair, rate) in vector.input.object("rates")? {
        let (base, quote) = currencies(pair)?;
        rates.know(base, quote, decimal(rate)?);
    }
    let rate =
        rates.rate(vector.input.word("quote_currency")?, vector.input.word("account_currency")?);
    Ok(json!({
        "error": if rate.is_none() { Some(Code::NoConversionRate) } else { None },
        "fx_quote_to_account": rounded(rate, 12),
        "new_risk_allowed": OTHER_SIDE,
        "close_allowed": OTHER_SIDE,
    }))
}

/// PIP-01 and PIP-02.
pub(super) fn pips(vector: &Vector) -> Judged {
    let input = &vector.input;
    let mut rates = Rates::default();
    let steps = input.steps("conversion")?;
    rates.know_steps("QQQ", if steps.is_empty() { "QQQ" } else { "AAA" }, &steps)?;
    let fx = some(rates.rate("QQQ", if steps.is_empty() { "QQQ" } else { "AAA" }))?;
    let contract = input.number_if_any("contract_size")?.unwrap_or(Decimal::ONE);
    let pip = input.number("pip_size")?;
    let value = some(figures::pip_value(pip, input.number("size_units")?, contract, fx))?;
    let pips = valuation::pips(
        input.direction("side")?,
        input.number("entry")?,
        input.number("exit")?,
        pip,
    );
    Ok(json!({
        "pip_value_account": rounded(Some(value), 2),
        "pip_value_exact": rounded(Some(value), 10),
        "pips": rounded(pips, 1),
    }))
}

fn leg(value: &Value) -> Result<Leg, String> {
    let (base, quote) = currencies(value.word("instrument")?)?;
    Ok(Leg {
        base: base.to_owned(),
        quote: quote.to_owned(),
        size: value.number("size")? * value.direction("side")?.sign(),
        contract: value.number_if_any("contract_size")?.unwrap_or(Decimal::ONE),
        price: value.number("price")?,
        fx: value.number_or("fx_quote_to_account", Decimal::ONE)?,
    })
}

/// EXP-01.
pub(super) fn book(vector: &Vector) -> Judged {
    let (mut each, mut nets) = (Vec::new(), HashMap::new());
    for value in vector.input.list("positions")? {
        let worth = some(leg(value)?.value())?;
        *nets.entry(value.word("instrument")?).or_insert(Decimal::ZERO) += worth;
        each.push(rounded(Some(worth), 2));
    }
    let totals = some(exposure::totals(nets.into_values()))?;
    let leverage = exposure::leverage(totals.gross, vector.input.number("equity")?);
    Ok(json!({
        "per_position": each,
        "gross": rounded(Some(totals.gross), 2),
        "net": rounded(Some(totals.net), 2),
        "leverage_exact": rounded(leverage, 10),
        "leverage": rounded(leverage, 2),
    }))
}

/// EXP-02.
pub(super) fn by_currency(vector: &Vector) -> Judged {
    let legs: Vec<Leg> =
        vector.input.list("positions")?.iter().map(leg).collect::<Result<_, _>>()?;
    let held = some(exposure::by_currency(&legs))?;
    let held: HashMap<String, Value> =
        held.into_iter().map(|(currency, amount)| (currency, rounded(Some(amount), 2))).collect();
    Ok(json!({ "currencies": held }))
}

/// EXP-03 and EXP-04.
pub(super) fn after_order(vector: &Vector) -> Judged {
    let (position, order) = (vector.input.at("position")?, vector.input.at("order")?);
    let (size, price) = (position.number("size")?, position.number("price")?);
    let direction = position.direction("side")?;
    let mut held = some(Holding::of(direction, size, size * price))?;
    let (side, ordered) = (order.side("side")?, order.number("size")?);
    let at = order.number("price")?;
    let was = held.size();
    let after = netting::value_after(was, ordered * side.sign(), Decimal::ONE, at, Decimal::ONE);
    let netted = some(held.take(side, ordered, at))?;
    Ok(json!({
        "exposure_after": rounded(after, 2),
        "reduces_only": netted.reduces_only(),
        "risk_increasing_size": netted.opened,
    }))
}

/// EXP-08.
pub(super) fn margin(vector: &Vector) -> Judged {
    let notional = vector.input.number("notional")?;
    Ok(json!({
        "by_leverage": rounded(figures::by_leverage(notional, vector.input.number("leverage")?), 2),
        "by_rate": rounded(margin::by_rate(notional, vector.input.number("margin_rate")?), 2),
    }))
}

/// EXP-09.
pub(super) fn portfolio_limit(vector: &Vector) -> Judged {
    let (input, mut rates) = (&vector.input, Rates::default());
    for (name, rate) in input.as_object().into_iter().flatten().filter(|(name, _)| is_pair(name)) {
        let (base, quote) = currencies(name)?;
        rates.know(base, quote, decimal(rate)?);
    }
    let limit = input.at("limit")?;
    let unit = limit.word("unit")?;
    let mut before = Decimal::ZERO;
    for account in input.list("accounts")? {
        let rate = some(rates.rate(account.word("currency")?, unit))?;
        before += account.number("exposure")? * rate;
    }
    let order = input.object("order")?;
    let (currency, notional) = order
        .iter()
        .find_map(|(name, value)| Some((name.strip_prefix("notional_")?.to_uppercase(), value)))
        .ok_or("the order has no notional")?;
    let after = before + decimal(notional)? * some(rates.rate(&currency, unit))?;
    let level = Threshold::new(Bound::AtMost, Edge::Exclusive, limit.number("value")?, None);
    Ok(json!({
        "before": rounded(Some(before), 2),
        "after": rounded(Some(after), 2),
        "state": some(level)?.standing(after),
    }))
}

/// ACC-01.
pub(super) fn equity(vector: &Vector) -> Judged {
    let input = &vector.input;
    let used = input.number("margin_used")?;
    let equity = some(margin::equity(input.number("balance")?, input.numbers("unrealized")?))?;
    let level = margin::level(equity, used).map(|level| level * Decimal::ONE_HUNDRED);
    Ok(json!({
        "equity": rounded(Some(equity), 2),
        "free_margin": rounded(figures::free(equity, used), 2),
        "margin_level_pct": rounded(level, 2),
    }))
}
