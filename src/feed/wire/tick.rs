//! Decodes quotes: TMT's message and OANDA's.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Dropped, decimal, json};
use crate::domain::ids::InstrumentId;
use crate::domain::quote::{NotAQuote, Quote};

/// The fields of both messages, not yet checked.
#[derive(Deserialize)]
pub(super) struct Tick<'a> {
    #[serde(borrow, default, rename = "type")]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    instrument: Option<&'a RawValue>,
    #[serde(borrow, default)]
    time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    seq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    bid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ask: Option<&'a RawValue>,
    #[serde(borrow, default)]
    bids: Option<&'a RawValue>,
    #[serde(borrow, default)]
    asks: Option<&'a RawValue>,
}

/// A price level of OANDA.
#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
}

impl<'a> Tick<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Dropped> {
        json::object(text)
    }

    pub(super) fn is_heartbeat(&self) -> Result<bool, Dropped> {
        match self.message {
            None => Ok(false),
            Some(value) => match json::text(value) {
                Some(word) => Ok(word == "HEARTBEAT"),
                None => Err(Dropped::Unreadable("type")),
            },
        }
    }

    pub(super) fn time(&self) -> Result<DateTime<Utc>, Dropped> {
        let value = self.time.ok_or(Dropped::Missing("time"))?;
        json::text(value).and_then(|text| super::time(&text)).ok_or(Dropped::Unreadable("time"))
    }

    /// Builds the quote of `channel`'s instrument.
    pub(super) fn quote(&self, channel: InstrumentId) -> Result<Quote, Dropped> {
        let name = self.instrument.ok_or(Dropped::Missing("instrument"))?;
        match json::text(name) {
            Some(name) if name == channel.as_str() => {}
            Some(_) => return Err(Dropped::OtherInstrument),
            None => return Err(Dropped::Unreadable("instrument")),
        }
        let bid = side(self.bid, self.bids, "bid", Decimal::max)?;
        let ask = side(self.ask, self.asks, "ask", Decimal::min)?;
        let seq = self.seq.map(|value| json::digits(value).parse::<u64>()).transpose();
        let seq = seq.map_err(|_| Dropped::Unreadable("seq"))?;
        Quote::new(channel, bid, ask, self.time()?, seq).map_err(|why| match why {
            NotAQuote::NotPositive => Dropped::NotPositive,
            NotAQuote::Crossed => Dropped::Crossed,
        })
    }
}

/// Returns a single price, or the best level.
fn side(
    price: Option<&RawValue>,
    book: Option<&RawValue>,
    name: &'static str,
    better: fn(Decimal, Decimal) -> Decimal,
) -> Result<Decimal, Dropped> {
    let unreadable = Dropped::Unreadable(name);
    if let Some(value) = price {
        return decimal::exact(json::digits(value)).ok_or(unreadable);
    }
    let book = book.ok_or(Dropped::Missing(name))?;
    let levels: Vec<Level<'_>> = serde_json::from_str(book.get()).map_err(|_| unreadable)?;
    let mut best = None;
    for level in levels {
        let price = decimal::exact(json::digits(level.price)).ok_or(unreadable)?;
        best = Some(best.map_or(price, |best| better(best, price)));
    }
    best.ok_or(Dropped::Missing(name))
}
