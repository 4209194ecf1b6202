//! The ticket: the one form through which every write passes.
//!
//! A ticket is edited, reviewed, sent and answered. What it writes is its [`Form`]; what a person
//! types are its [`Field`]s. It latches what it is about when it opens (the row's
//! key, its version), so that a row that moves under the cursor cannot become its target.

mod field;
mod form;
pub mod read;

use std::time::Duration;

use rust_decimal::Decimal;

pub use field::{ANY, EACH_ACCOUNT, Field, FieldKind, FieldName, LONGEST_TEXT};
pub use form::*;

use crate::domain::ids::ClientKey;
use crate::domain::money::price_text;
use crate::domain::outcome::{Check, Finding, Impact, Refusal};
use crate::domain::request::{LimitPreview, Question};

/// Stage of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Editing,
    /// Frozen into one sentence. `y` is enabled from `armed_at` on, which is set once the sentence
    /// was on the screen.
    Review {
        armed_at: Option<Duration>,
    },
    /// Sent; keys are ignored until the answer.
    Sending,
    /// Unconfirmed; the outcome is being queried by key.
    Unknown,
}

/// The rulebook's checks of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Assessment {
    /// The fields are incomplete, or the form has no checks.
    #[default]
    None,
    Asked(Question),
    Known {
        question: Question,
        checks: Vec<Check>,
        /// When, by the monotonic clock.
        at: Duration,
    },
    /// It could not be asked.
    Failed(String),
}

impl Assessment {
    /// Returns the checks, if it answered.
    pub fn checks(&self) -> &[Check] {
        match self {
            Self::Known { checks, .. } => checks,
            Self::None | Self::Asked(_) | Self::Failed(_) => &[],
        }
    }

    /// Returns the worst finding.
    pub fn worst(&self) -> Option<Finding> {
        self.checks().iter().map(|check| check.finding).max()
    }
}

/// Preview of the limit in the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Impacts {
    /// There is nothing to ask about.
    #[default]
    None,
    Asked(LimitPreview),
    Known {
        preview: LimitPreview,
        rows: Vec<Impact>,
    },
    /// The desk would refuse it.
    Refused {
        preview: LimitPreview,
        refusal: Refusal,
    },
    /// It could not be asked.
    Failed {
        preview: LimitPreview,
        why: String,
    },
}

impl Impacts {
    /// Returns what it is about.
    pub fn preview(&self) -> Option<&LimitPreview> {
        match self {
            Self::None => None,
            Self::Asked(preview)
            | Self::Known { preview, .. }
            | Self::Refused { preview, .. }
            | Self::Failed { preview, .. } => Some(preview),
        }
    }

    /// Returns who would be in breach at once, those farthest beyond first.
    pub fn breached(&self) -> Vec<&Impact> {
        let Self::Known { rows, .. } = self else { return vec![] };
        let mut breached: Vec<&Impact> = rows.iter().filter(|row| row.is_breach()).collect();
        breached.sort_by_key(|row| row.room);
        breached
    }
}

/// A ticket.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The request key: the database executes it once. A new one after each refusal.
    pub key: ClientKey,
    pub form: Form,
    pub fields: Vec<Field>,
    /// Which field has the cursor.
    pub focus: usize,
    pub stage: Stage,
    pub assessment: Assessment,
    /// Preview of the limit in the fields.
    pub impacts: Impacts,
    /// First line that is shown of what is known about the fields, where not all of it fits.
    pub scrolled: usize,
    /// What is wrong with the fields, or why it was refused.
    pub problem: Option<String>,
    /// Something was typed: leaving asks first.
    pub is_edited: bool,
    /// Esc was pressed once on an edited ticket.
    pub is_leaving: bool,
}

impl Ticket {
    /// Opens a ticket with empty fields, in the order of Tab.
    pub fn new(key: ClientKey, form: Form, fields: &[(FieldName, FieldKind)]) -> Self {
        let fields = fields.iter().map(|(name, kind)| Field::new(*name, *kind)).collect();
        Self {
            key,
            form,
            fields,
            focus: 0,
            stage: Stage::Editing,
            assessment: Assessment::None,
            impacts: Impacts::None,
            scrolled: 0,
            problem: None,
            is_edited: false,
            is_leaving: false,
        }
    }

    /// Returns a field.
    pub fn field(&self, name: FieldName) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns what is typed in a field; an empty one is `None`.
    pub fn text(&self, name: FieldName) -> Option<&str> {
        self.field(name).map(Field::text).filter(|text| !text.is_empty())
    }

    /// Fills a field.
    pub fn fill(&mut self, name: FieldName, text: impl Into<String>) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            field.set(text);
        }
    }

    /// Fills a field with a number, or leaves it empty.
    pub fn fill_number(&mut self, name: FieldName, number: Option<Decimal>) {
        if let Some(number) = number {
            self.fill(name, number.normalize().to_string());
        }
    }

    /// Fills a field with a price, with at least `places` decimals: `0.65000` is read digit by digit
    /// as the market writes it, `0.65` is not. No digit is lost where it has more.
    pub fn fill_price(&mut self, name: FieldName, price: Option<Decimal>, places: u32) {
        if let Some(price) = price {
            self.fill(name, price_text(price, places));
        }
    }

    /// Sets the choices of a field and the chosen one.
    pub fn offer(&mut self, name: FieldName, choices: Vec<String>, chosen: Option<String>) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            field.choices = choices;
            if let Some(chosen) = chosen {
                field.set(chosen);
            }
        }
    }

    /// Moves the cursor to a field.
    pub fn focus_on(&mut self, name: FieldName) {
        if let Some(at) = self.fields.iter().position(|field| field.name == name) {
            self.focus = at;
        }
    }

    /// Returns the field with the cursor.
    pub fn focused(&self) -> Option<&Field> {
        self.fields.get(self.focus)
    }

    /// Returns the field with the cursor.
    pub fn focused_mut(&mut self) -> Option<&mut Field> {
        self.fields.get_mut(self.focus)
    }

    /// Goes to the next or previous field.
    pub fn cycle_focus(&mut self, forward: bool) {
        let count = self.fields.len().max(1);
        self.focus = if forward {
            self.focus.saturating_add(1) % count
        } else {
            self.focus.checked_sub(1).unwrap_or(count.saturating_sub(1))
        };
    }

    /// Wants the review at once, as far as the fields can be sent.
    pub(super) fn at_review(self) -> Self {
        Self { stage: Stage::Review { armed_at: None }, ..self }
    }
}
