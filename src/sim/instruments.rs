//! The instruments of the simulated desk: what they are, and how their prices move
//! (`config/demo/instruments.toml`).

use std::sync::LazyLock;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::data::embedded;
use crate::domain::ids::InstrumentId;
use crate::domain::instrument::Instrument;

/// An instrument. The file explains each field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) description: String,
    asset_class: String,
    base: String,
    quote: String,
    pub(super) decimals: u32,
    pub(super) pip_ticks: i64,
    min_size: Decimal,
    size_step: Decimal,
    max_size: Decimal,
    margin_rate: Decimal,
    aliases: Vec<String>,
    first_price: Decimal,
    pub(super) spread: i64,
    pub(super) motion: Motion,
    pub(super) activity: [u32; 3],
    pub(super) weight: u32,
}

/// How a mid price moves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Motion {
    /// At random, with this standard deviation over one second. Thousandths of a tick.
    Walk(i64),
    /// As the product of two others.
    Product(String, String),
    /// As the quotient of two others.
    Quotient(String, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    defaults: toml::Table,
    instrument: Vec<toml::Table>,
}

pub(super) static SPECS: LazyLock<Vec<Spec>> = LazyLock::new(|| {
    let text = include_str!("../../config/demo/instruments.toml");
    let File { defaults, instrument } = embedded("instruments.toml", toml::from_str(text));
    let spec = |own: toml::Table| {
        let name = own.get("name").map_or_else(String::new, ToString::to_string);
        let mut whole = defaults.clone();
        whole.extend(own);
        embedded(&format!("instruments.toml: {name}"), Spec::deserialize(whole))
    };
    instrument.into_iter().map(spec).collect()
});

impl Spec {
    /// The mid price where none is known yet, in ticks.
    pub(super) fn first_ticks(&self) -> i64 {
        self.ticks(self.first_price).unwrap_or_default()
    }

    pub(super) fn price(&self, ticks: i64) -> Decimal {
        Decimal::new(ticks, self.decimals)
    }

    /// Rounds a price to the nearest tick.
    pub(super) fn ticks(&self, price: Decimal) -> Option<i64> {
        let scaled = crate::domain::money::round(price, self.decimals);
        i64::try_from(scaled.mantissa()).ok()
    }

    /// Returns the instrument as the domain knows it.
    pub(super) fn row(&self) -> Instrument {
        Instrument {
            id: InstrumentId::new(&self.name),
            asset_class: self.asset_class.clone(),
            base_currency: self.base.clone(),
            quote_currency: self.quote.clone(),
            contract_size: Decimal::ONE,
            size_step: self.size_step,
            min_size: self.min_size,
            max_size: Some(self.max_size),
            tick_size: self.price(1),
            pip_size: self.price(self.pip_ticks),
            margin_rate: self.margin_rate,
            is_tradable: true,
            aliases: self.aliases.clone(),
        }
    }
}

/// Finds an instrument by name or alias, in any case; returns its index.
pub(super) fn find(name: &str) -> Option<usize> {
    let is_meant = |known: &String| known.eq_ignore_ascii_case(name);
    SPECS.iter().position(|spec| is_meant(&spec.name) || spec.aliases.iter().any(is_meant))
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn spec(name: &str) -> &'static Spec {
        &SPECS[find(name).expect(name)]
    }

    #[test]
    fn ticks_and_prices_convert_both_ways() {
        let yen = spec("USD_JPY");
        assert_eq!((yen.first_ticks(), yen.price(155_000)), (155_000, dec!(155.000)));
        assert_eq!(yen.ticks(dec!(86.6915)), Some(86_692));
        let euro = spec("EUR_USD").row();
        assert_eq!((euro.tick_size, euro.pip_size), (dec!(0.00001), dec!(0.0001)));
        let gold = spec("gold").row();
        assert_eq!((gold.tick_size, gold.pip_size), (dec!(0.01), dec!(0.1)));
    }

    #[test]
    fn a_cross_follows_its_legs_in_the_file_and_shares_their_currencies() {
        let mut crosses = 0;
        for (at, cross) in SPECS.iter().enumerate() {
            let (Motion::Product(first, second) | Motion::Quotient(first, second)) = &cross.motion
            else {
                continue;
            };
            let legs = [first, second].map(|leg| find(leg).expect(leg));
            assert!(legs.iter().all(|leg| *leg < at), "{}", cross.name);
            let [first, second] = legs.map(|leg| &SPECS[leg]);
            assert_eq!(first.base, cross.base);
            match cross.motion {
                Motion::Quotient(..) => assert_eq!(second.base, cross.quote),
                Motion::Product(..) | Motion::Walk(_) => assert_eq!(second.quote, cross.quote),
            }
            crosses += 1;
        }
        assert_eq!((crosses, SPECS.len()), (3, 12));
    }
}
