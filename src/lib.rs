//! `tmt`: the keyboard console of the TMT trading system.
//!
//! Layers, each importing only what stands to its left:
//!
//! ```text
//! domain <- store, feed <- runtime <- main
//! domain <- app <- ui   <- runtime
//! ```

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod feed;
pub mod local;
pub mod runtime;
pub mod sim;
pub mod store;
pub mod ui;
