//! What may be done now, and why not: asked before a ticket opens, and again before it is sent.

use std::time::Duration;

use super::draft::right_of;
use super::keymap::{Action, BINDINGS};
use super::model::{Link, Model, is_too_small};
use super::opening;
use super::ticket::{FieldName, Form, Impacts, Stage, Ticket, Verdict};
use crate::domain::outcome::Finding;
use crate::domain::session::Right;

impl Model {
    /// Returns why `y` would not send the ticket under review now, or `None` if it would.
    pub fn send_obstacle(&self) -> Option<String> {
        let ticket = self.ticket()?;
        match ticket.stage {
            Stage::Review { armed_at } => not_yet(self, ticket, armed_at),
            Stage::Editing | Stage::Sending | Stage::Unknown => None,
        }
    }

    /// Returns why `action` cannot be done now, or `None` if it can. What cannot be done stays in
    /// the help and the footer, grey, with this reason.
    pub fn obstacle(&self, action: Action) -> Option<String> {
        obstacle(self, action)
    }
}

/// Returns why an action cannot be done now.
pub(super) fn obstacle(model: &Model, action: Action) -> Option<String> {
    let binding = BINDINGS.iter().find(|binding| binding.action == action)?;
    barred(model, binding.right)
}

/// Returns why nothing can be done now that needs a right.
pub(super) fn barred(model: &Model, right: Right) -> Option<String> {
    if right == Right::Read {
        return None;
    }
    if model.options.is_read_only {
        return Some("this console was started read-only".to_owned());
    }
    match (&model.database, &model.session) {
        (Link::Down { reason, .. }, _) => {
            return Some(format!("the database is away, nothing can be written ({reason})"));
        }
        (Link::Connecting, _) | (Link::Up { .. }, None) => {
            return Some("the database has not answered yet".to_owned());
        }
        (Link::Up { .. }, Some(session)) if session.in_recovery => {
            return Some("the server is a standby: nothing can be written".to_owned());
        }
        (Link::Up { .. }, Some(_)) => {}
    }
    if !model.may(right) {
        let needed = match right {
            Right::Risk => "needs the role of a risk officer",
            Right::Read | Right::Open | Right::Trade | Right::Halt => "needs the role of a trader",
        };
        return Some(format!("{needed}; you are {}", model.role().as_str()));
    }
    None
}

/// Returns why `y` does nothing now at the review of `ticket`.
pub(super) fn not_yet(
    model: &Model,
    ticket: &Ticket,
    armed_at: Option<Duration>,
) -> Option<String> {
    if is_too_small(model.size) {
        return Some("the terminal is too small to show what would be sent".to_owned());
    }
    if !model.has_focus || armed_at.is_none_or(|at| model.elapsed < at) {
        return Some("read it first: y counts after a moment".to_owned());
    }
    // The role may have been taken away, or the database lost, since the ticket opened.
    if let Some(reason) = barred(model, right_of(&ticket.form)) {
        return Some(reason);
    }
    // Also where it was opened by its key on the line.
    if let Form::Approve { limit } = ticket.form
        && let Some(row) = model.desk.limits.get(&limit)
        && opening::limit::is_own(model, row)
    {
        return Some(opening::limit::OWN_PROPOSAL.to_owned());
    }
    // Whoever tightens or agrees must see whom it puts in breach.
    match &ticket.impacts {
        Impacts::Asked(_) => {
            return Some("wait: the database is being asked whom it would bind".to_owned());
        }
        Impacts::Refused { refusal, .. } => return Some(format!("{} forbids it", refusal.code)),
        Impacts::None | Impacts::Known { .. } | Impacts::Failed { .. } => {}
    }
    // Less risk waits for nobody: the database says itself what stands in the way of an amendment.
    let amends = matches!(ticket.form, Form::Amend { .. })
        && matches!(ticket.verdict, Verdict::Asked(_) | Verdict::Known { .. });
    let is_judged = amends || matches!(ticket.form, Form::Open { .. });
    if !is_judged {
        return None;
    }
    match (&ticket.verdict, ticket.verdict.worst()) {
        (Verdict::Failed(why), _) => Some(format!("the rulebook cannot be asked: {why}")),
        (Verdict::None | Verdict::Asked(_), _) => Some("wait for the checks".to_owned()),
        (Verdict::Known { .. }, Some(Finding::Reject)) => {
            let first = ticket.verdict.checks().iter().find(|c| c.finding == Finding::Reject)?;
            Some(format!("{} forbids it", first.code))
        }
        (Verdict::Known { .. }, Some(Finding::Confirm)) => {
            let has_reason = ticket.text(FieldName::Reason).is_some();
            (!has_reason).then(|| "a soft limit asks for a reason: press Y and type it".to_owned())
        }
        (Verdict::Known { .. }, Some(Finding::Passes) | None) => None,
    }
}
