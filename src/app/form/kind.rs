//! What every form does with its ticket.

use rust_decimal::Decimal;

use crate::app::model::Model;
use crate::app::ticket::read::Problem;
use crate::app::ticket::{FieldKind, FieldName, Ticket};
use crate::domain::account::Environment;
use crate::domain::ids::{AccountId, InstrumentId};
use crate::domain::instrument::Instrument;
use crate::domain::request::{LimitPreview, Verb};
use crate::domain::session::Right;

/// A ticket that opens, or why none does.
pub(in crate::app) type Opened = Result<Ticket, Problem>;

/// Fields in the order of Tab.
pub(super) type Fields = &'static [(FieldName, FieldKind)];

/// What one form does with its ticket.
pub trait FormKind {
    /// Returns the heading of the ticket.
    fn title(&self, model: &Model, ticket: &Ticket) -> String;

    fn right(&self) -> Right {
        Right::Risk
    }

    /// Reads the fields.
    ///
    /// # Errors
    ///
    /// The first field that cannot be sent as it is.
    fn read(&self, model: &Model, ticket: &Ticket) -> Result<Verb, Problem>;

    /// Returns the account that the ticket is about, where it is about one.
    fn account(&self, model: &Model, ticket: &Ticket) -> Option<AccountId>;

    /// Returns the environment that the ticket would touch: that of its account, else the most
    /// serious of the desk.
    fn environment(&self, model: &Model, ticket: &Ticket) -> Option<Environment> {
        environment_of(model, self.account(model, ticket))
    }

    /// Returns the instrument that the ticket is about, where it is about one.
    fn instrument(&self, _model: &Model, _ticket: &Ticket) -> Option<InstrumentId> {
        None
    }

    /// Returns the current price for the price field.
    fn price(&self, _model: &Model, _ticket: &Ticket) -> Option<Decimal> {
        None
    }

    /// Fills the price field with the current price.
    fn reprice(&self, model: &Model, ticket: &mut Ticket) {
        if let Some(instrument) = self.instrument(model, ticket) {
            let price = self.price(model, ticket);
            ticket.fill_price(FieldName::Price, price, model.price_places(&instrument));
        }
    }

    /// Returns the limit to preview while the ticket is incomplete.
    fn preview(&self, _model: &Model, _ticket: &Ticket) -> Option<LimitPreview> {
        None
    }

    /// Updates fields that depend on a changed choice.
    fn rechosen(&self, _model: &Model, _ticket: &mut Ticket, _field: FieldName) {}

    /// Returns the notes that a digit writes into an empty field.
    fn coded_notes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the field that a digit typed at review edits.
    fn retyped(&self) -> Option<FieldName> {
        None
    }

    /// Tells whether Enter sends it without a review, because it can be undone.
    fn is_reversible(&self) -> bool {
        false
    }

    fn waits_for(&self) -> Waits {
        Waits::Nothing
    }

    /// Returns why this login may not send it, besides its rights.
    fn denial(&self, _model: &Model) -> Option<String> {
        None
    }
}

/// Which checks must be known before `y` sends a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    Nothing,
    /// Those that are asked for: where the database cannot be asked, it says itself at the write
    /// what is wrong. Less risk is never delayed.
    Asked,
    All,
}

/// What console and shell must know of a write before sending it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The sentence that is confirmed and logged.
    pub sentence: String,
    /// The account that it is about, where it is about one.
    pub account: Option<AccountId>,
    /// The word that must be typed first, where it moves much at once.
    pub word: Option<String>,
    /// The limit to preview before sending.
    pub preview: Option<LimitPreview>,
}

impl Facts {
    pub(super) fn new(sentence: String, account: Option<AccountId>) -> Self {
        Self { sentence, account, word: None, preview: None }
    }
}

/// Returns the environment of an account; without one, the most serious of the desk.
pub fn environment_of(model: &Model, account: Option<AccountId>) -> Option<Environment> {
    let own = account.and_then(|id| model.desk.accounts.get(&id)).map(|row| row.environment);
    own.or_else(|| model.environment())
}

/// Returns the account that is chosen in a ticket.
pub fn chosen_account(model: &Model, ticket: &Ticket) -> Option<AccountId> {
    model.desk.account_named(ticket.text(FieldName::Account)?).map(|row| row.id)
}

/// Returns the instrument that is chosen in a ticket.
pub fn chosen_instrument<'a>(model: &'a Model, ticket: &Ticket) -> Option<&'a Instrument> {
    model.book.instrument(ticket.text(FieldName::Instrument)?)
}
