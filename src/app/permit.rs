//! What is allowed now, and why not: checked before a ticket opens and before it is sent, by
//! console and shell.

use std::fmt;
use std::time::Duration;

use super::form::kind::Waits;
use super::keymap::{Action, BINDINGS};
use super::model::{Link, Model, is_too_small};
use super::ticket::{Assessment, FieldName, Impacts, Stage, Ticket};
use crate::domain::code::Code;
use crate::domain::outcome::{Check, Finding};
use crate::domain::request::{NewTrade, Verb};
use crate::domain::session::{Right, Role};

/// Why an action that needs a right is not available now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// The console was started read-only.
    ReadOnly,
    /// The database is unreachable, with the reason.
    Away(String),
    Unanswered,
    Standby,
    Role {
        needed: Right,
        role: Role,
    },
}

impl Denial {
    /// Returns the refusal code of the rulebook for it; `None` where the database did not answer.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::ReadOnly | Self::Standby => Some(Code::ReadOnly),
            Self::Role { .. } => Some(Code::NotPermitted),
            Self::Away(_) | Self::Unanswered => None,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("this console was started read-only"),
            Self::Away(reason) => {
                write!(f, "database unreachable ({reason})")
            }
            Self::Unanswered => f.write_str("waiting for the database"),
            Self::Standby => f.write_str("the server is a read-only standby"),
            Self::Role { needed, role } => {
                let who = match needed {
                    Right::Risk => "risk officer",
                    Right::Read | Right::Open | Right::Trade | Right::Halt => "trader",
                };
                write!(f, "needs the {who} role; your role is {}", role.label())
            }
        }
    }
}

/// Returns why actions that need `right` are not available now, or `None` if they are.
pub fn denial(model: &Model, right: Right) -> Option<Denial> {
    if right == Right::Read {
        return None;
    }
    if model.options.is_read_only {
        return Some(Denial::ReadOnly);
    }
    match (&model.database, &model.session) {
        (Link::Down { reason, .. }, _) => return Some(Denial::Away(reason.clone())),
        (Link::Connecting, _) | (Link::Up { .. }, None) => return Some(Denial::Unanswered),
        (Link::Up { .. }, Some(session)) if session.in_recovery => return Some(Denial::Standby),
        (Link::Up { .. }, Some(_)) => {}
    }
    (!model.may(right)).then(|| Denial::Role { needed: right, role: model.role() })
}

/// Returns what keeps a write from being sent, of the checks that the rulebook made; a soft limit is
/// passed with a reason.
pub fn blocking_check<'a>(
    checks: impl Iterator<Item = &'a Check>,
    has_reason: bool,
) -> Option<&'a Check> {
    let mut soft = None;
    for check in checks {
        match check.finding {
            Finding::Reject => return Some(check),
            Finding::Confirm if !has_reason => soft = soft.or(Some(check)),
            Finding::Confirm | Finding::Passes => {}
        }
    }
    soft
}

/// Tells whether a write gives a reason to pass a soft limit.
pub fn has_reason(verb: &Verb) -> bool {
    if let Verb::Place(NewTrade { reason, .. }) | Verb::Amend { reason, .. } = verb {
        reason.is_some()
    } else {
        false
    }
}

impl Model {
    /// Returns why `action` is not available now, or `None` if it is. Help and footer show it
    /// dimmed, with this reason.
    pub fn obstacle(&self, action: Action) -> Option<String> {
        let binding = BINDINGS.iter().find(|binding| binding.action == action)?;
        denial(self, binding.right).map(|denial| denial.to_string())
    }

    /// Returns why `y` would not send the ticket under review now, or `None` if it would.
    pub fn send_obstacle(&self) -> Option<String> {
        let ticket = self.ticket()?;
        match ticket.stage {
            Stage::Review { armed_at } => not_yet(self, ticket, armed_at),
            Stage::Editing | Stage::Sending | Stage::Unknown => None,
        }
    }
}

/// Returns why `y` is disabled at the review of `ticket`.
fn not_yet(model: &Model, ticket: &Ticket, armed_at: Option<Duration>) -> Option<String> {
    if is_too_small(model.size) {
        return Some("terminal too small to show the whole ticket".to_owned());
    }
    if !model.has_focus || armed_at.is_none_or(|at| model.elapsed < at) {
        return Some("wait a moment".to_owned());
    }
    let kind = ticket.form.kind();
    // The role may have been taken away, or the database lost, since the ticket opened.
    if let Some(denial) = denial(model, kind.right()) {
        return Some(denial.to_string());
    }
    // Also for tickets opened from the `:` line.
    if let Some(why) = kind.denial(model) {
        return Some(why);
    }
    // Tightening and approving require that the preview was seen.
    match &ticket.impacts {
        Impacts::Asked(_) => {
            return Some("waiting for the limit preview".to_owned());
        }
        Impacts::Refused { refusal, .. } => return Some(format!("rejected by {}", refusal.code)),
        Impacts::None | Impacts::Known { .. } | Impacts::Failed { .. } => {}
    }
    match (kind.waits_for(), &ticket.assessment) {
        (Waits::Nothing, _) | (Waits::Asked, Assessment::None | Assessment::Failed(_)) => None,
        (_, Assessment::Failed(why)) => Some(format!("checks unavailable: {why}")),
        (_, Assessment::None | Assessment::Asked(_)) => Some("waiting for the checks".to_owned()),
        (_, Assessment::Known { checks, .. }) => {
            let check = blocking_check(checks.iter(), ticket.text(FieldName::Reason).is_some())?;
            Some(match check.finding {
                Finding::Confirm => "a soft limit needs a reason (press Y)".to_owned(),
                Finding::Reject | Finding::Passes => format!("rejected by {}", check.code),
            })
        }
    }
}
