//! Input: keys, typed lines, pasted text.

pub(super) mod keys;
pub(super) mod line;
mod ticket;
