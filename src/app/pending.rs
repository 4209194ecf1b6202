//! Writes that wait for the database.

use std::time::Duration;

use crate::domain::request::Request;

/// A write without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    pub request: Request,
    /// It as a sentence: `BUY 10,000 EUR_USD …`
    pub summary: String,
    /// Why the answer is missing; `None` while it is on its way.
    pub unknown: Option<String>,
    /// When the database was last asked what became of it.
    pub asked_at: Duration,
}
