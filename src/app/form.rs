//! What each form does, a file for each: how it opens, what its fields mean, what is sent and in
//! which words, and who may.
//!
//! A form is data in [`Form`](super::ticket::Form) and behaviour in [`FormKind`]. A new one needs its
//! file here, its view in `ui/ticket`, and a line in each of the tables that the compiler then asks
//! for: [`Form`], its `kind` and [`open`] below, the key table and the grammar of the `:` line.

pub mod acknowledge;
pub mod amend;
pub mod close;
pub mod edit_limit;
pub mod flatten;
pub mod halt;
pub mod judge_limit;
pub mod limit;
pub mod new_limit;
pub mod resume;
pub mod retire_limit;
pub mod trade;
pub mod unacknowledge;
pub mod words;

use super::keymap::Opening;
use super::model::Model;
use super::ticket::read::Problem;
use super::ticket::{Decision, FieldKind, FieldName, Form, Ticket};
use crate::domain::account::Environment;
use crate::domain::halt::HaltMode;
use crate::domain::ids::{AccountId, ClientKey, InstrumentId};
use crate::domain::instrument::Instrument;
use crate::domain::request::{LimitPreview, Verb};
use crate::domain::session::Right;
use crate::domain::trade::Side;
use rust_decimal::Decimal;

/// Why no ticket opens, as a sentence.
pub(super) type Declined = String;

/// Fields in the order of Tab.
type Fields = &'static [(FieldName, FieldKind)];

/// What one form does with its ticket.
pub trait FormKind {
    /// Returns the heading of the ticket.
    fn title(&self, model: &Model, ticket: &Ticket) -> String;

    fn right(&self) -> Right;

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

    /// Returns the price of now for the price field.
    fn price(&self, _model: &Model, _ticket: &Ticket) -> Option<Decimal> {
        None
    }

    /// Returns what the database is asked while the limit in the fields is typed.
    fn preview(&self, model: &Model, ticket: &Ticket) -> Option<LimitPreview> {
        facts(model, &self.read(model, ticket).ok()?).preview
    }

    /// Puts right what another choice in a field makes wrong.
    fn rechosen(&self, _model: &Model, _ticket: &mut Ticket, _field: FieldName) {}

    /// Returns the notes that a digit writes into an empty field.
    fn coded_notes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the field that a digit at the review types anew.
    fn retyped(&self) -> Option<FieldName> {
        None
    }

    /// Tells whether Enter sends it without a review: it can be taken back.
    fn is_reversible(&self) -> bool {
        false
    }

    fn waits_for(&self) -> Waits {
        Waits::Nothing
    }

    /// Returns why this person may not send it, whatever their rights.
    fn bar(&self, _model: &Model) -> Option<String> {
        None
    }
}

/// Which checks must be known before `y` sends a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    Nothing,
    /// Those that are asked for: where the database cannot be asked, it says itself at the write
    /// what stands in the way. Less risk waits for nobody.
    Asked,
    All,
}

impl Form {
    /// Returns what a form does.
    pub fn kind(&self) -> &dyn FormKind {
        match self {
            Self::Trade(form) => form,
            Self::Close(form) => form,
            Self::Amend(form) => form,
            Self::Flatten(form) => form,
            Self::Acknowledge(form) => form,
            Self::Unacknowledge(form) => form,
            Self::EditLimit(form) => form,
            Self::NewLimit(form) => form,
            Self::RetireLimit(form) => form,
            Self::JudgeLimit(form) => form,
            Self::Halt(form) => form,
            Self::Resume(form) => form,
        }
    }
}

/// Opens the ticket that a key asks for, on the selected row.
pub(super) fn open(model: &Model, opening: Opening, key: ClientKey) -> Result<Ticket, Declined> {
    match opening {
        Opening::Buy => trade::open(model, key, Side::Buy),
        Opening::Sell => trade::open(model, key, Side::Sell),
        Opening::Take => trade::take(model, key),
        Opening::Close => close::open(model, key),
        Opening::Amend => amend::open(model, key),
        Opening::Flatten => flatten::open(model, key),
        Opening::Acknowledge => acknowledge::open(model, key),
        Opening::Unacknowledge => unacknowledge::open(model, key),
        Opening::EditLimit => edit_limit::open(model, key),
        Opening::NewLimit => Ok(new_limit::open(model, key)),
        Opening::RetireLimit => retire_limit::open(model, key),
        Opening::Approve => judge_limit::open(model, key, Decision::Approve),
        Opening::Reject => judge_limit::open(model, key, Decision::Reject),
        Opening::Halt => halt::open(model, key, HaltMode::NoNewOrders),
        Opening::ReduceOnly => halt::open(model, key, HaltMode::ReduceOnly),
        Opening::Resume => resume::open(model, key),
    }
}

/// What must be known of a write before it is sent, whoever makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What a person confirms and the log keeps.
    pub sentence: String,
    /// The account that it is about, where it is about one.
    pub account: Option<AccountId>,
    /// The word that must be typed first, where it moves much at once.
    pub word: Option<String>,
    /// The limit that would count then: whom would it bind?
    pub preview: Option<LimitPreview>,
}

impl Facts {
    fn new(sentence: String, account: Option<AccountId>) -> Self {
        Self { sentence, account, word: None, preview: None }
    }
}

/// Returns the facts of a write.
pub fn facts(model: &Model, verb: &Verb) -> Facts {
    match verb {
        Verb::Place(trade) => trade::facts(model, trade),
        Verb::Close { what, size, price, .. } => close::facts(model, *what, *size, *price),
        Verb::Amend { position, stop, target, trailing, .. } => {
            amend::facts(model, *position, [*stop, *target, *trailing])
        }
        Verb::Flatten { account, .. } => flatten::facts(model, *account),
        Verb::Acknowledge { events, .. } => acknowledge::facts(model, events),
        Verb::Unacknowledge { event, .. } => unacknowledge::facts(model, *event),
        Verb::ProposeLimit { limit, value, until, .. } => {
            edit_limit::facts(model, *limit, *value, *until)
        }
        Verb::CreateLimit(limit) => new_limit::facts(model, limit),
        Verb::RetireLimit { limit, .. } => retire_limit::facts(model, *limit),
        Verb::ApproveLimit { limit, .. } => judge_limit::facts(model, *limit, Decision::Approve),
        Verb::RejectLimit { limit, .. } => judge_limit::facts(model, *limit, Decision::Reject),
        Verb::Halt { scope, identifier, mode, .. } => {
            halt::facts(model, *scope, identifier.as_deref(), *mode)
        }
        Verb::Resume { halt, .. } => resume::facts(model, *halt),
    }
}

/// Returns a write as the sentence that a person confirms and that the log keeps.
pub fn sentence(model: &Model, verb: &Verb) -> String {
    facts(model, verb).sentence
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

/// Puts the price of now into the ticket: the ask for a buy, the bid for a sell.
pub(super) fn reprice(model: &Model, ticket: &mut Ticket) {
    let kind = ticket.form.kind();
    if let Some(instrument) = kind.instrument(model, ticket) {
        let price = kind.price(model, ticket);
        ticket.fill_price(FieldName::Price, price, model.price_places(&instrument));
    }
}
