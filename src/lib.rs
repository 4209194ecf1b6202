//! `tmt`: the keyboard console of the TMT trading system.
//!
//! Layers, each importing only what stands to its left:
//!
//! ```text
//! domain <- store, feed <- runtime <- main
//! domain <- app <- ui   <- runtime
//! domain <- store, feed <- sim, sentinel        local: processes, nothing of the desk
//! ```
//!
//! [`domain`] is what the desk is, [`store`] PostgreSQL, [`feed`] Redis, [`app`] the model and what
//! changes it, [`ui`] the screen as a function of the model, [`runtime`] the loop that owns it.
//! [`local`] runs private servers, [`sim`] a desk to look at, [`sentinel`] watches the limits. [`cli`] and [`config`] belong to the
//! binary: they wire the rest, and nothing names them. `docs/ARCHITECTURE.md` says more.

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
