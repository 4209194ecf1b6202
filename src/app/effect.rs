//! What is to be done: returned as data, performed by the runtime.

use crate::domain::ids::{ClientKey, InstrumentId};
use crate::domain::request::{LimitPreview, Question, Request};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Assess what is being typed. The newest question replaces older ones.
    Assess {
        key: ClientKey,
        question: Question,
    },
    /// Preview the limit that is being typed.
    PreviewLimit(LimitPreview),
    /// Read the limit types.
    ReadLimitTypes,
    Write(Request),
    /// Query the outcome of an unconfirmed write by its key.
    Resolve(Request),
    /// Poll now.
    LookAgain,
    ReadAll,
    /// Read bars for the market pane.
    ReadBars {
        instrument: InstrumentId,
        timeframe: String,
    },
    /// Put text into the terminal's clipboard.
    Copy(String),
    Bell,
    Redraw,
    /// Give the terminal back and stop, until the shell says go on.
    Suspend,
    Quit,
}
