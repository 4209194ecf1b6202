//! From editing to review: the ticket is frozen into one sentence and assessed by the database.

use super::effect::Effect;
use super::form::{facts, new_limit};
use super::model::{Model, Overlay};
use super::ticket::read::{self, Problem};
use super::ticket::{Assessment, FieldName, Form, Impacts, NewLimit, Stage, Ticket};
use crate::domain::ids::ClientKey;
use crate::domain::outcome::{Check, Impact, PreviewError};
use crate::domain::request::{LimitPreview, Question, Verb};

/// Reads the fields of a ticket, and its word where one must be typed.
///
/// # Errors
///
/// The first field that cannot be sent as it is.
pub fn draft(model: &Model, ticket: &Ticket) -> Result<Verb, Problem> {
    let verb = ticket.form.kind().read(model, ticket)?;
    match facts(model, &verb).word {
        Some(word)
            if !ticket
                .text(FieldName::Confirm)
                .is_some_and(|typed| typed.eq_ignore_ascii_case(&word)) =>
        {
            let text = format!("type {word} to confirm closing every position");
            Err(Problem::at(FieldName::Confirm, text))
        }
        Some(_) | None => Ok(verb),
    }
}

/// Brings a ticket to review if its fields can be sent; else it stays in editing with its problem.
pub(super) fn freeze(model: &Model, mut ticket: Ticket) -> Ticket {
    // "In two hours" would be another time each time it is read: the sentence is frozen.
    for field in &mut ticket.fields {
        if field.name == FieldName::Until
            && let Some(fixed) = read::fixed(field.text(), model.now)
        {
            field.set(fixed);
        }
    }
    match draft(model, &ticket) {
        Ok(_) => ticket.stage = Stage::Review { armed_at: None },
        Err(problem) => {
            if let Some(field) = problem.field {
                ticket.focus_on(field);
            }
            ticket.problem = Some(problem.text);
            ticket.stage = Stage::Editing;
        }
    }
    ticket
}

/// Shows a ticket that was opened, at review if it asks for it.
pub(super) fn open(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let wants_review = matches!(ticket.stage, Stage::Review { .. });
    let ticket = if wants_review { freeze(model, ticket) } else { ticket };
    show(model, ticket)
}

/// Shows a ticket and has it assessed.
pub(super) fn show(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let wants_types = matches!(ticket.form, Form::NewLimit(_)) && model.limit_types.is_empty();
    model.overlay = Overlay::Ticket(Box::new(ticket));
    let mut effects = assess(model);
    if wants_types {
        effects.push(Effect::ReadLimitTypes);
    }
    effects
}

/// Has the trade or the levels in the ticket assessed, or the limit in it previewed, if its fields
/// are complete.
pub(super) fn assess(model: &mut Model) -> Vec<Effect> {
    let Some(ticket) = model.ticket() else { return vec![] };
    let key = ticket.key;
    let drafted = draft(model, ticket).ok();
    let preview = preview(model, ticket, drafted.as_ref());
    let Overlay::Ticket(ticket) = &mut model.overlay else { return vec![] };
    if let Some(preview) = preview {
        if ticket.impacts.preview() == Some(&preview) {
            return vec![];
        }
        ticket.impacts = Impacts::Asked(preview.clone());
        return vec![Effect::PreviewLimit(preview)];
    }
    ticket.impacts = Impacts::None;
    let Some(question) = drafted.and_then(|verb| verb.question()) else {
        ticket.assessment = Assessment::None;
        return vec![];
    };
    if !matches!(&ticket.assessment, Assessment::Known { question: known, .. } if *known == question)
    {
        ticket.assessment = Assessment::Asked(question.clone());
    }
    vec![Effect::Assess { key, question }]
}

/// Returns the limit to preview for a ticket.
fn preview(model: &Model, ticket: &Ticket, drafted: Option<&Verb>) -> Option<LimitPreview> {
    let typed = ticket.form.kind().preview(model, ticket);
    typed.or_else(|| facts(model, drafted?).preview)
}

/// Stores the rulebook's assessment of a ticket.
pub(super) fn assessed(
    model: &mut Model,
    key: ClientKey,
    question: Question,
    checks: Result<Vec<Check>, String>,
) {
    let at = model.elapsed;
    if let Overlay::Ticket(ticket) = &mut model.overlay
        && ticket.key == key
    {
        ticket.assessment = match checks {
            Ok(checks) => Assessment::Known { question, checks, at },
            Err(why) => Assessment::Failed(why),
        };
    }
}

/// Stores a limit preview, unless the ticket holds another limit by now. The review shows it, so
/// `y` is disarmed.
pub(super) fn previewed(
    model: &mut Model,
    preview: LimitPreview,
    impacts: Result<Vec<Impact>, PreviewError>,
) {
    let asked = model
        .ticket()
        .and_then(|ticket| self::preview(model, ticket, draft(model, ticket).ok().as_ref()));
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

/// Offers the limit types to a ticket that waits for them. One opened from the `:` line before they
/// were read gets its usual unit now, and goes to review.
pub(super) fn types_read(model: &mut Model) -> Vec<Effect> {
    let Some(ticket) = model.ticket().filter(|ticket| ticket.form == Form::NewLimit(NewLimit))
    else {
        return vec![];
    };
    let mut ticket = ticket.clone();
    new_limit::offer_types(model, &mut ticket, None);
    if ticket.text(FieldName::Unit).is_none() {
        new_limit::usual_unit(model, &mut ticket);
    }
    if !ticket.is_edited && ticket.problem.is_some() && ticket.stage == Stage::Editing {
        ticket.problem = None;
        ticket = freeze(model, ticket);
    }
    show(model, ticket)
}
