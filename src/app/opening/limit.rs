//! Tickets on limits.

use rust_decimal::Decimal;

use super::{Declined, at_review};
use crate::app::draft::draft;
use crate::app::effect::Effect;
use crate::app::model::{Model, Overlay};
use crate::app::pane::RowId;
use crate::app::ticket::{ANY, EACH_ACCOUNT, FieldName, Form, Impacts, Stage, Ticket};
use crate::domain::ids::ClientKey;
use crate::domain::limit::{Limit, LimitState};
use crate::domain::money::typed;
use crate::domain::outcome::{Impact, PreviewError};
use crate::domain::request::{LimitPreview, NewLimit, Verb};

fn selected_limit(model: &Model) -> Result<&Limit, Declined> {
    match model.selected() {
        Some(RowId::Limit(id)) => {
            model.desk.limits.get(id).ok_or_else(|| "the limit is gone".to_owned())
        }
        _ => Err("select a limit first".to_owned()),
    }
}

/// Opens the change of the selected limit.
pub(in crate::app) fn edit(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let row = selected_limit(model)?;
    if row.state != LimitState::Active {
        return Err("this is a proposal: approve it with +, or reject it with -".to_owned());
    }
    let form = Form::EditLimit { limit: row.id, base_version: row.updated_at };
    Ok(Ticket::new(key, form))
}

/// Opens the end of the selected limit.
pub(in crate::app) fn retire(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let row = selected_limit(model)?;
    if row.state != LimitState::Active {
        return Err("this is a proposal: reject it with -".to_owned());
    }
    Ok(Ticket::new(key, Form::RetireLimit { limit: row.id, base_version: row.updated_at }))
}

/// Opens a limit that is not there yet, like the selected one.
pub(in crate::app) fn new(model: &Model, key: ClientKey) -> Ticket {
    let like = selected_limit(model).ok();
    let mut ticket = Ticket::new(key, Form::NewLimit);
    let desk = &model.desk;
    offer_types(model, &mut ticket, like.map(|row| row.limit_type.to_string()));
    let named = |mut names: Vec<String>| {
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut accounts = vec![ANY.to_owned(), EACH_ACCOUNT.to_owned()];
    accounts.extend(named(desk.accounts.values().map(|row| row.name.clone()).collect()));
    let account = like.and_then(|row| row.account).map(|id| desk.account_name(id));
    ticket.offer(FieldName::Account, accounts, Some(account.unwrap_or_else(|| ANY.to_owned())));
    let mut instruments = vec![ANY.to_owned()];
    instruments.extend(named(model.book.instruments().map(|row| row.id.to_string()).collect()));
    ticket.offer(FieldName::Instrument, instruments, Some(ANY.to_owned()));
    let mut portfolios = vec![ANY.to_owned()];
    portfolios
        .extend(named(desk.accounts.values().filter_map(|row| row.portfolio.clone()).collect()));
    ticket.offer(FieldName::Portfolio, portfolios, Some(ANY.to_owned()));
    ticket.fill(FieldName::Unit, like.map(|row| row.unit.clone()).unwrap_or_default());
    ticket
}

/// Offers the types of limits that the database knows.
pub(in crate::app) fn offer_types(model: &Model, ticket: &mut Ticket, chosen: Option<String>) {
    let types = model.limit_types.iter().map(|row| row.name.to_string()).collect();
    ticket.offer(FieldName::LimitType, types, chosen);
}

/// Fills the unit that the chosen type is usually in.
pub(in crate::app) fn usual_unit(model: &Model, ticket: &mut Ticket) {
    let chosen = ticket.text(FieldName::LimitType);
    let Some(row) = model.limit_types.iter().find(|row| Some(row.name.as_str()) == chosen) else {
        return;
    };
    let account = ticket.text(FieldName::Account).and_then(|name| model.desk.account_named(name));
    let currency = account.or_else(|| model.desk.accounts.values().next());
    let unit = match row.units.first().map(String::as_str) {
        Some("money") => currency.map_or("USD", |row| row.base_currency.as_str()),
        Some(unit) => unit,
        None => return,
    };
    ticket.fill(FieldName::Unit, unit.to_owned());
}

/// Returns the limit that the ticket is about, as it would be: the database is asked whom it would
/// bind.
pub(super) fn weighed(model: &Model, ticket: &Ticket) -> Option<LimitPreview> {
    match &ticket.form {
        Form::EditLimit { limit, .. } => {
            let value = typed(ticket.text(FieldName::Value)?).ok()?;
            (value > Decimal::ZERO).then_some(LimitPreview::Value { limit: *limit, value })
        }
        Form::Approve { limit } => {
            let row = model.desk.limits.get(limit)?;
            let limit = row.supersedes.unwrap_or(row.id);
            (!row.retires).then_some(LimitPreview::Value { limit, value: row.value })
        }
        Form::NewLimit => match draft(model, ticket) {
            Ok(Verb::CreateLimit(limit)) => {
                Some(LimitPreview::New(Box::new(NewLimit { until: None, reason: None, ..*limit })))
            }
            Ok(_) | Err(_) => None,
        },
        Form::Open { .. }
        | Form::Close { .. }
        | Form::Amend { .. }
        | Form::Flatten { .. }
        | Form::Acknowledge { .. }
        | Form::Unacknowledge { .. }
        | Form::RetireLimit { .. }
        | Form::Reject { .. }
        | Form::Halt { .. }
        | Form::Resume { .. } => None,
    }
}

/// Why nobody approves what they asked for.
pub(in crate::app) const OWN_PROPOSAL: &str =
    "you asked for this change: another person must approve it";

/// Tells whether a proposal is that of whoever sits here; persons compare as the database does it.
pub(in crate::app) fn is_own(model: &Model, row: &Limit) -> bool {
    let operator = model.session.as_ref().map_or("", |session| session.operator.as_str());
    row.created_by.trim().eq_ignore_ascii_case(operator.trim())
}

/// Opens the approval of the selected proposal, at review.
pub(in crate::app) fn approve(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let row = selected_limit(model)?;
    if row.state != LimitState::Pending {
        return Err("this limit is in force: there is nothing to approve".to_owned());
    }
    if is_own(model, row) {
        return Err(OWN_PROPOSAL.to_owned());
    }
    Ok(at_review(model, Ticket::new(key, Form::Approve { limit: row.id })))
}

/// Opens the rejection of the selected proposal.
pub(in crate::app) fn reject(model: &Model, key: ClientKey) -> Result<Ticket, Declined> {
    let row = selected_limit(model)?;
    if row.state != LimitState::Pending {
        return Err("this limit is in force: there is nothing to reject".to_owned());
    }
    Ok(Ticket::new(key, Form::Reject { limit: row.id }))
}

/// Takes the answer to the question whom a limit would bind, unless another one stands there by now.
/// The sentence under review says it: it must be read again.
pub(in crate::app) fn answered(
    model: &mut Model,
    preview: LimitPreview,
    impacts: Result<Vec<Impact>, PreviewError>,
) {
    let asked = model.ticket().and_then(|ticket| weighed(model, ticket));
    if asked.as_ref() == Some(&preview)
        && let Overlay::Ticket(ticket) = &mut model.overlay
    {
        ticket.impacts = match impacts {
            Ok(rows) => Impacts::Known { preview, rows },
            Err(PreviewError::Refused(refusal)) => Impacts::Refused { preview, refusal },
            Err(PreviewError::Failed(why)) => Impacts::Failed { preview, why },
        };
        if let Stage::Review { armed_at } = &mut ticket.stage {
            *armed_at = None;
        }
    }
}

/// Offers what can be limited to a ticket that waits for it. One that was spoken before its types were
/// here gets the usual unit now, and stands at review as it would have then.
pub(in crate::app) fn types_read(model: &mut Model) -> Vec<Effect> {
    let Some(ticket) = model.ticket().filter(|ticket| ticket.form == Form::NewLimit) else {
        return vec![];
    };
    let mut ticket = ticket.clone();
    offer_types(model, &mut ticket, None);
    if ticket.text(FieldName::Unit).is_none() {
        usual_unit(model, &mut ticket);
    }
    if !ticket.is_edited && ticket.problem.is_some() && ticket.stage == Stage::Editing {
        ticket.problem = None;
        ticket = at_review(model, ticket);
    }
    super::show(model, ticket)
}
