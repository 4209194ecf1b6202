//! What a connection string cannot be.

use thiserror::Error;

/// A connection setting that makes no sense. No variant quotes a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadOption {
    /// The whole text cannot be split.
    #[error("database address: {0}")]
    Malformed(&'static str),
    /// A word has a value it cannot have.
    #[error("database address: {word} is {value:?}, but must be {must}")]
    Value { word: &'static str, value: String, must: &'static str },
    #[error("database address: {hosts} hosts but {others} in {word}")]
    Counts { word: &'static str, hosts: usize, others: usize },
    /// A word of libpq that would change who is trusted, and that this program does not follow.
    #[error("database address: {word} is not supported; {instead}")]
    Unsupported { word: &'static str, instead: &'static str },
    /// A word that nobody knows.
    #[error("database address: there is no word {0:?}")]
    Unknown(String),
}
