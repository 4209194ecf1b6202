//! `tmt`: the keyboard console of the TMT trading system.
