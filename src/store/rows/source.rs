//! How a kind of row is asked for, and what its readers share.

use rust_decimal::Decimal;
use serde_json::Value;

/// How one kind is asked for.
#[derive(Debug)]
pub(in crate::store) struct Source {
    /// The whole pane, newest first, bounded. No parameters.
    pub(in crate::store) all: &'static str,
    /// Rows by their keys: the first parameter, an array. Bounded by it.
    pub(in crate::store) by_id: &'static str,
    pub(in crate::store) keys: Keys,
    /// How many rows `all` brings at most; as many means that there may be more.
    pub(in crate::store) most: usize,
}

/// What the keys of a kind are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Keys {
    /// `uuid[]`
    Uuid,
    /// `uuid[]`, then the first and the last time of the rows; this statement finds them.
    UuidWithin(&'static str),
    /// `text[]`
    Text,
}

/// Reads a number out of JSON, written as such or as text.
pub(super) fn number_in(value: &Value) -> Option<Decimal> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
}
