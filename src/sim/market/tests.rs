//! Properties of the random market.

use rust_decimal::dec;

use super::*;

fn monday() -> DateTime<Utc> {
    "2026-01-05T13:00:00Z".parse().expect("a time")
}

fn after(seconds: i64) -> DateTime<Utc> {
    monday() + chrono::TimeDelta::seconds(seconds)
}

fn quotes(market: &mut Market, until: DateTime<Utc>) -> Vec<Quote> {
    std::iter::from_fn(|| market.next(until)).collect()
}

fn line(quote: &Quote) -> String {
    let Quote { instrument, bid, ask, time, seq } = quote;
    format!("{time} {instrument} {bid} {ask} {}", seq.expect("a number"))
}

#[test]
fn a_seed_gives_the_same_market_on_every_machine() {
    let mut market = Market::new(42, monday(), 30, &[]);
    let quotes = quotes(&mut market, after(600));

    assert_eq!(quotes.len(), 18_001);
    let shown: Vec<String> = quotes.iter().step_by(4_500).map(line).collect();
    assert_eq!(shown, MARKET_OF_SEED_42);
}

const MARKET_OF_SEED_42: [&str; 5] = [
    "2026-01-05 13:00:00 UTC US500_USD 6649.8 6650.2 1",
    "2026-01-05 13:02:30 UTC EUR_JPY 179.683 179.700 262",
    "2026-01-05 13:05:00 UTC XAU_USD 4077.76 4078.01 1003",
    "2026-01-05 13:07:30 UTC XAU_USD 4071.51 4071.80 1541",
    "2026-01-05 13:10:00 UTC US500_USD 6658.7 6659.1 1814",
];

#[test]
fn quotes_do_not_depend_on_how_often_the_market_is_polled() {
    let mut often = Market::new(1, monday(), 25, &[]);
    let mut seldom = often.clone();

    let in_steps: Vec<Quote> =
        (1..=600).flat_map(|tenth| quotes(&mut often, after(tenth))).collect();

    assert_eq!(in_steps, quotes(&mut seldom, after(600)));
    let other = quotes(&mut Market::new(2, monday(), 25, &[]), after(600));
    assert_ne!(in_steps, other);
}

#[test]
fn prices_and_spreads_stay_plausible_for_half_a_day() {
    let mut market = Market::new(9, monday(), 1, &[]);
    let mut widest = Decimal::ZERO;
    let mut seen = std::collections::BTreeMap::new();
    while let Some(quote) = market.next(after(43_200)) {
        let first = seen.entry(quote.instrument.clone()).or_insert((quote.bid, quote.seq));
        let moved = (quote.bid / first.0 - Decimal::ONE).abs();
        assert!(moved < dec!(0.04), "{} moved by {moved}", quote.instrument);
        assert!(quote.ask > quote.bid, "{quote:?}");
        let spec = &SPECS[find(quote.instrument.as_str()).expect("known")];
        widest = widest.max((quote.ask - quote.bid) / spec.price(spec.spread));
    }
    assert_eq!(seen.len(), 12);
    assert!(widest > dec!(4), "no jump widened a spread: {widest}");
}

#[test]
fn crosses_follow_their_legs_even_those_of_another_publisher() {
    let mut market = Market::new(5, monday(), 30, &[]);
    let euro = InstrumentId::new("EUR_USD");
    market.leave(&euro);
    market.follow(&euro, dec!(1.38695));

    let quotes = quotes(&mut market, after(120));

    assert!(quotes.iter().all(|quote| quote.instrument != euro));
    let last = |name: &str| {
        quotes
            .iter()
            .rev()
            .find(|q| q.instrument.as_str() == name)
            .and_then(Quote::mid)
            .expect(name)
    };
    let through = dec!(1.38695) * last("USD_JPY");
    assert!((last("EUR_JPY") - through).abs() < dec!(0.2), "{} {through}", last("EUR_JPY"));
    let through = dec!(1.38695) / last("GBP_USD");
    assert!((last("EUR_GBP") - through).abs() < dec!(0.002), "{} {through}", last("EUR_GBP"));
}

#[test]
fn sequence_numbers_rise_by_one_per_instrument() {
    let mut market = Market::new(5, monday(), 50, &[]);
    let mut last = std::collections::BTreeMap::new();
    market.snapshot(monday()).iter().for_each(|quote| {
        last.insert(quote.instrument.clone(), quote.seq);
    });
    assert!(last.values().all(|seq| *seq == Some(1)));
    for quote in quotes(&mut market, after(60)) {
        let before = last.insert(quote.instrument, quote.seq).flatten().expect("a number");
        assert_eq!(quote.seq, Some(before + 1));
    }
}

#[test]
fn quotes_missed_during_a_suspend_are_skipped() {
    let mut market = Market::new(5, monday(), 30, &[]);
    quotes(&mut market, after(10));
    let morning = after(8 * 3600);
    assert!(market.lag(morning) > std::time::Duration::from_secs(28_000));

    assert_eq!(market.skip(morning), 30 * 28_790 - 1);

    assert_eq!(market.lag(morning), std::time::Duration::ZERO);
    assert_eq!(quotes(&mut market, morning).len(), 1);
    assert_eq!(quotes(&mut market, after(8 * 3600 + 1)).len(), 30);
}
