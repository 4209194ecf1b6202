//! The desk's own words: what an account, a position, a limit is, and the arithmetic on them.
//!
//! Pure: no I/O, no clock, no runtime. Every time is an argument, every amount is a
//! [`rust_decimal::Decimal`], every calculation is checked, and what is not known is `None`, never
//! zero. Nothing here rounds, except where the doc comment of the function says so.

#[macro_use]
mod words;

pub mod account;
pub mod agent;
pub mod bar;
pub mod change;
pub mod code;
pub mod conversion;
pub mod drawdown;
pub mod event;
pub mod exposure;
pub mod halt;
pub mod ids;
pub mod instrument;
pub mod levels;
pub mod limit;
pub mod limit_kind;
pub mod margin;
pub mod marking;
pub mod money;
pub mod outcome;
pub mod position;
pub mod quote;
pub mod request;
pub mod rounding;
pub mod rows;
pub mod session;
pub mod side;
pub mod signal;
pub mod sizing;
pub mod standing;
pub mod text;
pub mod threshold;
pub mod trade;
pub mod unit;
pub mod utilisation;
pub mod valuation;
