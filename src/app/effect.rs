//! What is to be done: returned as data, performed by the runtime.

use crate::domain::ids::{ClientKey, InstrumentId};
use crate::domain::request::{LimitPreview, Question, Request};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the rulebook about what is being typed. The newest question replaces older ones.
    Assess {
        key: ClientKey,
        question: Question,
    },
    /// Ask whom a limit would bind as it is typed.
    PreviewLimit(LimitPreview),
    /// Ask what can be limited.
    ReadLimitTypes,
    Write(Request),
    /// Ask what became of a write whose answer was lost.
    Resolve(Request),
    /// Ask the database now what changed.
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
