//! The instruments of the simulated desk: what they are, and how their prices behave.
//!
//! Sizes are in units of the base currency, as TMT's broker counts them; an ounce of gold and one
//! dollar per index point are the units there. Margins are those of a European retail broker (30:1
//! on majors, 20:1 on other pairs, gold and indices).

use rust_decimal::{Decimal, dec};

use crate::domain::ids::InstrumentId;
use crate::domain::instrument::Instrument;

/// An instrument of the simulated desk.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    asset_class: &'static str,
    base: &'static str,
    quote: &'static str,
    /// Decimals of a price: the tick is one of the last.
    pub(super) places: u32,
    pub(super) pip_ticks: i64,
    min_size: Decimal,
    size_step: Decimal,
    max_size: Decimal,
    margin_rate: Decimal,
    aliases: &'static [&'static str],
    /// Price, in ticks, where nothing is known yet: about what it was in autumn 2025.
    pub(super) first_price: i64,
    pub(super) spread: i64,
    /// How its middle price moves.
    pub(super) motion: Motion,
    /// How busy Asia, London and New York make it, in percent of a usual hour.
    pub(super) sessions: [u32; 3],
    /// Its share of the quotes.
    pub(super) weight: u32,
}

/// How a middle price moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    /// At random: thousandths of a tick, standard deviation over one second.
    Walk(i64),
    /// As the product of two others, which makes a triangle that cannot be traded for free.
    Product(usize, usize),
    /// As the quotient of two others.
    Quotient(usize, usize),
}

/// A currency pair in units of the base currency, in steps of a micro lot.
const fn pair(name: &'static str, base: &'static str, quote: &'static str) -> Spec {
    Spec {
        name,
        description: "",
        asset_class: "fx",
        base,
        quote,
        places: 5,
        pip_ticks: 10,
        min_size: dec!(1000),
        size_step: dec!(1000),
        max_size: dec!(10000000),
        margin_rate: dec!(0.0333),
        aliases: &[],
        first_price: 100_000,
        spread: 10,
        motion: Motion::Walk(4_000),
        sessions: [60, 130, 130],
        weight: 10,
    }
}

/// Index of EUR/USD in [`SPECS`].
const EUR_USD: usize = 0;
const GBP_USD: usize = 1;
const USD_JPY: usize = 2;
const AUD_USD: usize = 3;
const USD_CAD: usize = 4;

/// The twelve. A pair's deviation over a second is 2.5 times that of a usual trading day (0.4 % to
/// 0.6 % a day), gold's and the index's too: a demo of ten minutes has to show stops and targets
/// that are hit. The order matters: it numbers the streams of chance.
pub(super) static SPECS: [Spec; 12] = [
    Spec {
        description: "Euro / US dollar",
        aliases: &["EURUSD", "EUR/USD"],
        first_price: 116_000,
        spread: 8,
        motion: Motion::Walk(4_600),
        weight: 20,
        ..pair("EUR_USD", "EUR", "USD")
    },
    Spec {
        description: "Pound sterling / US dollar",
        aliases: &["GBPUSD", "GBP/USD", "CABLE"],
        first_price: 131_500,
        spread: 12,
        motion: Motion::Walk(6_100),
        weight: 16,
        ..pair("GBP_USD", "GBP", "USD")
    },
    Spec {
        description: "US dollar / Japanese yen",
        aliases: &["USDJPY", "USD/JPY"],
        places: 3,
        first_price: 155_000,
        spread: 10,
        motion: Motion::Walk(7_900),
        sessions: [130, 100, 110],
        weight: 16,
        ..pair("USD_JPY", "USD", "JPY")
    },
    Spec {
        description: "Australian dollar / US dollar",
        aliases: &["AUDUSD", "AUD/USD"],
        first_price: 65_200,
        spread: 11,
        motion: Motion::Walk(3_300),
        sessions: [130, 80, 90],
        ..pair("AUD_USD", "AUD", "USD")
    },
    Spec {
        description: "US dollar / Canadian dollar",
        aliases: &["USDCAD", "USD/CAD"],
        first_price: 140_500,
        spread: 14,
        motion: Motion::Walk(4_800),
        sessions: [40, 90, 150],
        ..pair("USD_CAD", "USD", "CAD")
    },
    Spec {
        description: "US dollar / Swiss franc",
        aliases: &["USDCHF", "USD/CHF"],
        first_price: 80_500,
        spread: 13,
        motion: Motion::Walk(3_400),
        ..pair("USD_CHF", "USD", "CHF")
    },
    Spec {
        description: "New Zealand dollar / US dollar",
        aliases: &["NZDUSD", "NZD/USD"],
        first_price: 56_500,
        spread: 15,
        motion: Motion::Walk(2_900),
        sessions: [130, 70, 80],
        weight: 7,
        ..pair("NZD_USD", "NZD", "USD")
    },
    Spec {
        description: "Euro / Pound sterling",
        aliases: &["EURGBP", "EUR/GBP"],
        first_price: 88_213,
        spread: 12,
        motion: Motion::Quotient(EUR_USD, GBP_USD),
        sessions: [30, 150, 80],
        ..pair("EUR_GBP", "EUR", "GBP")
    },
    Spec {
        description: "Euro / Japanese yen",
        aliases: &["EURJPY", "EUR/JPY"],
        places: 3,
        first_price: 179_800,
        spread: 16,
        motion: Motion::Product(EUR_USD, USD_JPY),
        sessions: [120, 120, 80],
        ..pair("EUR_JPY", "EUR", "JPY")
    },
    Spec {
        description: "Australian dollar / Canadian dollar",
        aliases: &["AUDCAD", "AUD/CAD"],
        first_price: 91_606,
        spread: 20,
        motion: Motion::Product(AUD_USD, USD_CAD),
        sessions: [110, 60, 100],
        margin_rate: dec!(0.05),
        weight: 6,
        ..pair("AUD_CAD", "AUD", "CAD")
    },
    Spec {
        description: "Gold, troy ounce / US dollar",
        asset_class: "metal",
        aliases: &["XAUUSD", "XAU/USD", "GOLD"],
        places: 2,
        min_size: dec!(1),
        size_step: dec!(1),
        max_size: dec!(5000),
        margin_rate: dec!(0.05),
        first_price: 408_000,
        spread: 28,
        motion: Motion::Walk(28_000),
        sessions: [70, 110, 150],
        weight: 14,
        ..pair("XAU_USD", "XAU", "USD")
    },
    Spec {
        description: "US 500 index, one dollar per point",
        asset_class: "index",
        aliases: &["US500", "SPX500_USD", "SPX500"],
        places: 1,
        min_size: dec!(0.1),
        size_step: dec!(0.1),
        max_size: dec!(1000),
        margin_rate: dec!(0.05),
        first_price: 66_500,
        spread: 5,
        motion: Motion::Walk(5_000),
        sessions: [30, 70, 200],
        weight: 12,
        ..pair("US500_USD", "US500", "USD")
    },
];

impl Spec {
    /// Returns the smallest difference between two prices.
    pub(super) fn tick(&self) -> Decimal {
        self.price(1)
    }

    /// Turns a number of ticks into a price.
    pub(super) fn price(&self, ticks: i64) -> Decimal {
        Decimal::new(ticks, self.places)
    }

    /// Turns a price into the nearest number of ticks.
    pub(super) fn ticks(&self, price: Decimal) -> Option<i64> {
        let scaled = crate::domain::money::round(price, self.places);
        i64::try_from(scaled.mantissa()).ok()
    }

    /// Returns the row of `instruments`.
    pub(super) fn row(&self) -> Instrument {
        Instrument {
            id: InstrumentId::new(self.name),
            asset_class: self.asset_class.to_owned(),
            base_currency: self.base.to_owned(),
            quote_currency: self.quote.to_owned(),
            contract_size: Decimal::ONE,
            size_step: self.size_step,
            min_size: self.min_size,
            max_size: Some(self.max_size),
            tick_size: self.tick(),
            pip_size: self.price(self.pip_ticks),
            margin_rate: self.margin_rate,
            is_tradable: true,
            aliases: self.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        }
    }
}

/// Returns the index of an instrument by its name or an alias, in any case.
pub(super) fn find(name: &str) -> Option<usize> {
    SPECS.iter().position(|spec| {
        spec.name.eq_ignore_ascii_case(name)
            || spec.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_prices_turn_into_each_other() {
        let yen = &SPECS[USD_JPY];
        assert_eq!(yen.price(155_000), dec!(155.000));
        assert_eq!(yen.ticks(dec!(86.6915)), Some(86_692));
        let euro = SPECS[EUR_USD].row();
        assert_eq!((euro.tick_size, euro.pip_size), (dec!(0.00001), dec!(0.0001)));
        let gold = SPECS[find("gold").expect("gold")].row();
        assert_eq!((gold.tick_size, gold.pip_size), (dec!(0.01), dec!(0.1)));
    }

    #[test]
    fn a_cross_stands_behind_its_legs_and_names_the_right_ones() {
        for (at, spec) in SPECS.iter().enumerate() {
            let (Motion::Product(first, second) | Motion::Quotient(first, second)) = spec.motion
            else {
                continue;
            };
            assert!(first < at && second < at, "{}", spec.name);
            assert_eq!(SPECS[first].base, spec.base);
            let other = &SPECS[second];
            match spec.motion {
                Motion::Quotient(..) => assert_eq!(other.base, spec.quote),
                Motion::Product(..) | Motion::Walk(_) => assert_eq!(other.quote, spec.quote),
            }
        }
    }
}
