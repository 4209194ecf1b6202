//! What a person does: keys, lines that are typed, text that is pasted.

pub(super) mod keys;
pub(super) mod line;
mod ticket;
