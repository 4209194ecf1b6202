//! `tmt`: keyboard console of the TMT trading system.
//!
//! Layers; each imports only layers to its left:
//!
//! ```text
//! domain <- store, feed <- runtime <- main
//! domain <- app <- ui   <- runtime
//! domain <- store, feed <- sim, sentinel        local: imports no other layer
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`domain`] | types of the trade and their arithmetic; no I/O, no clock |
//! | [`store`] | PostgreSQL |
//! | [`feed`] | Redis |
//! | [`app`] | the state of the console, and `update`, which changes it |
//! | [`ui`] | draws the state |
//! | [`runtime`] | the event loop, the terminal, the journal |
//! | [`local`] | private PostgreSQL and Redis servers |
//! | [`sim`] | the simulated desk, and replay of recorded quotes |
//! | [`sentinel`] | the loop of the limit monitor |
//! | [`cli`], [`config`] | command line and configuration; no other layer imports them |
//!
//! `docs/ARCHITECTURE.md` follows a quote, a key and a polled row through the layers.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod feed;
pub mod local;
pub mod runtime;
pub mod sentinel;
pub mod sim;
pub mod store;
pub mod ui;
