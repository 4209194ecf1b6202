//! The fields of a ticket, and what may be typed into them.

use tui_input::{Input, InputRequest};

/// A field of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldName {
    Account,
    Instrument,
    Size,
    Price,
    Stop,
    Target,
    /// How far behind the best price the stop follows.
    Trailing,
    /// The word that must be typed.
    Confirm,
    Halt,
    LimitType,
    Portfolio,
    Value,
    Unit,
    Warning,
    /// Expiry.
    Until,
    /// What the type needs beyond a number.
    Parameters,
    Reason,
    Note,
}

impl FieldName {
    /// Returns its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Instrument => "Instrument",
            Self::Size => "Size",
            Self::Price => "Price",
            Self::Stop => "Stop",
            Self::Target => "Target",
            Self::Trailing => "Trailing",
            Self::Confirm => "Confirm",
            Self::Halt => "Halt",
            Self::LimitType => "Limit type",
            Self::Portfolio => "Portfolio",
            Self::Value => "New limit",
            Self::Unit => "Unit",
            Self::Warning => "Warning at",
            Self::Until => "Until",
            Self::Parameters => "Parameters",
            Self::Reason => "Reason",
            Self::Note => "Note",
        }
    }
}

/// What may be typed into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// One of a list; arrows change it.
    Choice,
    /// A number as the `:` line reads it. Anything stands there as it was typed: a key that is
    /// swallowed would make another number of it.
    Number,
    Text,
}

/// A field and its value.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: FieldName,
    pub kind: FieldKind,
    /// What is typed, with its cursor.
    pub input: Input,
    /// What a choice chooses from.
    pub choices: Vec<String>,
    /// The value was prefilled: the first typed character replaces it.
    pub is_untouched: bool,
}

/// The choice that names nothing.
pub const ANY: &str = "any";

/// The choice for every account separately.
pub const EACH_ACCOUNT: &str = "each account";

/// Longest text that a field takes; the columns behind them are wider.
pub const LONGEST_TEXT: usize = 200;

impl Field {
    pub(super) fn new(name: FieldName, kind: FieldKind) -> Self {
        Self { name, kind, input: Input::default(), choices: Vec::new(), is_untouched: false }
    }

    /// Returns what is typed, without blanks around it.
    pub fn text(&self) -> &str {
        self.input.value().trim()
    }

    /// Puts `text` in its place, the cursor behind it.
    pub fn set(&mut self, text: impl Into<String>) {
        self.input = Input::new(text.into());
        self.is_untouched = !self.input.value().is_empty();
    }

    /// Types a character. It replaces a prefilled value: appended, a 5 would turn 1000 into 10005.
    pub(in crate::app) fn insert(&mut self, character: char) {
        if std::mem::take(&mut self.is_untouched) {
            self.input.reset();
        }
        self.input.handle(InputRequest::InsertChar(character));
    }

    /// Applies an editing key; the prefilled value is kept.
    pub(in crate::app) fn edit(&mut self, request: InputRequest) {
        self.is_untouched = false;
        self.input.handle(request);
    }

    /// Tells whether `character` can be typed here.
    pub fn takes(&self, character: char) -> bool {
        if self.input.value().chars().count() >= LONGEST_TEXT && !self.is_untouched {
            return false;
        }
        match self.kind {
            FieldKind::Choice => false,
            FieldKind::Number | FieldKind::Text => !character.is_control(),
        }
    }

    /// Tells whether `character` belongs to what this field is for, whatever a key does elsewhere.
    pub(in crate::app) fn owns(&self, character: char) -> bool {
        match self.kind {
            FieldKind::Choice => false,
            FieldKind::Number => character.is_ascii_digit() || ".kKmM%-".contains(character),
            FieldKind::Text => true,
        }
    }

    /// Goes to the next (`1`) or previous (`-1`) choice.
    pub fn cycle(&mut self, forward: bool) {
        let count = self.choices.len();
        if count == 0 {
            return;
        }
        let at = self.choices.iter().position(|choice| choice == self.input.value());
        let next = match (at, forward) {
            (None, _) => 0,
            (Some(at), true) => at.saturating_add(1) % count,
            (Some(at), false) => at.checked_sub(1).unwrap_or(count.saturating_sub(1)),
        };
        if let Some(choice) = self.choices.get(next).cloned() {
            self.set(choice);
        }
    }
}
