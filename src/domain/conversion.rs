//! What one currency is worth in another.

use rust_decimal::Decimal;

/// Currencies over which an amount is converted where there is no direct rate, in this order.
const BRIDGES: [&str; 2] = ["USD", "EUR"];

/// Returns what one unit of `from` is worth in `to`, from what `pair` knows: the price of a base
/// currency (its first argument) in a quote currency.
///
/// In this order: the same currency, the pair itself, its inverse, over USD, over EUR (domain
/// rules, section 3; `desk.conversion` is the same). There is no search beyond: the answer must not
/// depend on which other rates happen to be known. `None` is [`super::code::Code::NoConversionRate`]: new risk is then refused,
/// a close never.
pub fn rate(from: &str, to: &str, pair: impl Fn(&str, &str) -> Option<Decimal>) -> Option<Decimal> {
    let leg = |from: &str, to: &str| {
        if from == to {
            return Some(Decimal::ONE);
        }
        pair(from, to).or_else(|| Decimal::ONE.checked_div(pair(to, from)?))
    };
    leg(from, to)
        .or_else(|| BRIDGES.iter().find_map(|over| leg(from, over)?.checked_mul(leg(over, to)?)))
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn of(known: &[(&str, &str, Decimal)], from: &str, to: &str) -> Option<Decimal> {
        rate(from, to, |base, quote| {
            known.iter().find(|(b, q, _)| *b == base && *q == quote).map(|(_, _, rate)| *rate)
        })
    }

    #[test]
    fn the_pair_itself_goes_before_its_inverse_and_both_before_a_bridge() {
        let all = [
            ("GBP", "JPY", dec!(190)),
            ("JPY", "GBP", dec!(0.01)),
            ("GBP", "USD", dec!(1.25)),
            ("USD", "JPY", dec!(150)),
            ("EUR", "GBP", dec!(0.8)),
            ("EUR", "JPY", dec!(160)),
        ];
        assert_eq!(of(&all, "GBP", "GBP"), Some(dec!(1)));
        assert_eq!(of(&all, "GBP", "JPY"), Some(dec!(190)));
        assert_eq!(of(&all[1..], "GBP", "JPY"), Some(dec!(100)));
        assert_eq!(of(&all[2..], "GBP", "JPY"), Some(dec!(187.5)));
        assert_eq!(of(&all[4..], "GBP", "JPY"), Some(dec!(200)));
        assert_eq!(of(&all[5..], "GBP", "JPY"), None);
    }

    #[test]
    fn a_rate_of_zero_is_no_rate_the_other_way_round() {
        assert_eq!(of(&[("USD", "JPY", dec!(0))], "JPY", "USD"), None);
    }
}
