//! Quotes as rows of `fx_rates`.

use crate::domain::quote::Quote;
use crate::sim::tables::RateRow;

/// Returns the rates that quotes say. A name that is no pair of base and quote currency has none.
pub(super) fn rows(quotes: &[Quote]) -> Vec<RateRow> {
    quotes.iter().filter_map(row).collect()
}

fn row(quote: &Quote) -> Option<RateRow> {
    let (from, to) = quote.instrument.as_str().split_once('_')?;
    Some(RateRow {
        from_currency: from.to_owned(),
        to_currency: to.to_owned(),
        rate: quote.mid()?,
        bid: quote.bid,
        ask: quote.ask,
        as_of: quote.time,
    })
}
