//! Changing a limit.

use chrono::{DateTime, Utc};
use clap::Args;
use rust_decimal::Decimal;

use super::kind::{Facts, Fields, FormKind, Opened};
use super::limit;
use super::words::number;
use crate::app::model::Model;
use crate::app::ticket::read::{self, Problem, note};
use crate::app::ticket::{EditLimit, FieldKind as Kind, FieldName, Form, Ticket};
use crate::domain::code::Code;
use crate::domain::ids::{AccountId, ClientKey, LimitId};
use crate::domain::limit::{Limit, LimitState};
use crate::domain::money::{exact, typed};
use crate::domain::request::{LimitPreview, Verb};

const FIELDS: Fields = &[
    (FieldName::Value, Kind::Number),
    (FieldName::Warning, Kind::Number),
    (FieldName::Until, Kind::Text),
    (FieldName::Reason, Kind::Text),
];

/// `limit set`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Words {
    /// ID of the limit, or its last 4 characters
    pub limit: String,
    /// New value, in the limit's unit
    #[arg(value_parser = number)]
    pub value: Decimal,
    /// New warning, in the limit's unit
    #[arg(long, value_parser = number)]
    pub warning: Option<Decimal>,
    /// Expiry: 45m, 2h, 3d, or a time in UTC; then the old limit returns
    #[arg(long)]
    pub until: Option<String>,
    /// Why; needed to loosen
    #[arg(long)]
    pub reason: Option<String>,
}

/// Opens it on the selected limit.
pub(super) fn open(model: &Model, key: ClientKey) -> Opened {
    let row = limit::selected(model)?;
    if row.state != LimitState::Active {
        return Err("this is a proposal: + approves it, - rejects it".into());
    }
    Ok(about(key, row))
}

/// Opens it from the arguments of a verb.
pub(in crate::app) fn from_words(model: &Model, key: ClientKey, words: &Words) -> Opened {
    let mut ticket = about(key, limit::named(model, &words.limit)?);
    ticket.fill_number(FieldName::Value, Some(words.value));
    ticket.fill_number(FieldName::Warning, words.warning);
    ticket.fill(FieldName::Until, words.until.clone().unwrap_or_default());
    ticket.fill(FieldName::Reason, words.reason.clone().unwrap_or_default());
    Ok(ticket)
}

fn about(key: ClientKey, row: &Limit) -> Ticket {
    let form = EditLimit { limit: row.id, base_version: row.updated_at };
    Ticket::new(key, Form::EditLimit(form), FIELDS)
}

impl FormKind for EditLimit {
    fn title(&self, _model: &Model, _ticket: &Ticket) -> String {
        "EDIT LIMIT".to_owned()
    }

    fn read(&self, model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
        let row = model.desk.limits.get(&self.limit).ok_or_else(|| {
            Problem::plain("the limit has changed: select it again").refused(Code::LimitChanged)
        })?;
        let value = limit::value(ticket)?;
        let warning = read::number(ticket, FieldName::Warning)?;
        let until = read::until(ticket, model.now)?;
        let reason = note(ticket, FieldName::Reason);
        if !row.is_tightened_by(value) && reason.is_none() {
            let text = "loosening needs a reason and a second person's approval";
            return Err(Problem::at(FieldName::Reason, text));
        }
        let (limit, base_version) = (self.limit, self.base_version);
        Ok(Verb::ProposeLimit { limit, base_version, value, warning, until, reason })
    }

    fn account(&self, model: &Model, _ticket: &Ticket) -> Option<AccountId> {
        limit::account(model, self.limit)
    }

    /// As soon as there is a value: a reason is typed after it.
    fn preview(&self, _model: &Model, ticket: &Ticket) -> Option<LimitPreview> {
        let value = typed(ticket.text(FieldName::Value)?).ok()?;
        (value > Decimal::ZERO).then_some(LimitPreview::Value { limit: self.limit, value })
    }
}

pub(super) fn facts(
    model: &Model,
    limit: LimitId,
    value: Decimal,
    until: Option<DateTime<Utc>>,
) -> Facts {
    let sentence = match model.desk.limits.get(&limit) {
        Some(row) => {
            let way = if row.is_tightened_by(value) { "tighten" } else { "loosen" };
            format!(
                "LIMIT {} of {}: {way} {}{}",
                row.limit_type,
                model.limit_subject(row),
                limit::change(row.value, value, &row.unit),
                limit::until_words(until),
            )
        }
        None => format!("LIMIT {} -> {}", limit.short(), exact(value)),
    };
    let preview = Some(LimitPreview::Value { limit, value });
    Facts { preview, ..Facts::new(sentence, limit::account(model, limit)) }
}
