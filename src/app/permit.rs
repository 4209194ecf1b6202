//! What may be done now, and why not: asked before a ticket opens, and again before it is sent. The
//! console and the shell ask here.

use std::fmt;
use std::time::Duration;

use super::form::kind::Waits;
use super::keymap::{Action, BINDINGS};
use super::model::{Link, Model, is_too_small};
use super::ticket::{FieldName, Impacts, Stage, Ticket, Verdict};
use crate::domain::code::Code;
use crate::domain::outcome::{Check, Finding};
use crate::domain::request::{NewTrade, Verb};
use crate::domain::session::{Right, Role};

/// Why nothing can be done now that needs a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bar {
    /// This console writes nothing, whatever the login may do.
    ReadOnly,
    /// The database is away, for this reason.
    Away(String),
    Unanswered,
    Standby,
    Role {
        needed: Right,
        role: Role,
    },
}

impl Bar {
    /// Returns the code with which the desk refuses the same; `None` where it cannot even be asked.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::ReadOnly | Self::Standby => Some(Code::ReadOnly),
            Self::Role { .. } => Some(Code::NotPermitted),
            Self::Away(_) | Self::Unanswered => None,
        }
    }
}

impl fmt::Display for Bar {
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
                write!(f, "needs the {who} role; you are {}", role.as_str())
            }
        }
    }
}

/// Returns why nothing can be done now that needs `right`, or `None` if it can.
pub fn bar(model: &Model, right: Right) -> Option<Bar> {
    if right == Right::Read {
        return None;
    }
    if model.options.is_read_only {
        return Some(Bar::ReadOnly);
    }
    match (&model.database, &model.session) {
        (Link::Down { reason, .. }, _) => return Some(Bar::Away(reason.clone())),
        (Link::Connecting, _) | (Link::Up { .. }, None) => return Some(Bar::Unanswered),
        (Link::Up { .. }, Some(session)) if session.in_recovery => return Some(Bar::Standby),
        (Link::Up { .. }, Some(_)) => {}
    }
    (!model.may(right)).then(|| Bar::Role { needed: right, role: model.role() })
}

/// Returns what keeps a write from being sent, of the checks that the rulebook made; a soft limit is
/// passed with a reason.
pub fn against<'a>(checks: impl Iterator<Item = &'a Check>, has_reason: bool) -> Option<&'a Check> {
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

/// Tells whether a write says why a soft limit may be passed.
pub fn has_reason(verb: &Verb) -> bool {
    if let Verb::Place(NewTrade { reason, .. }) | Verb::Amend { reason, .. } = verb {
        reason.is_some()
    } else {
        false
    }
}

impl Model {
    /// Returns why `action` cannot be done now, or `None` if it can. What cannot be done stays in
    /// the help and the footer, grey, with this reason.
    pub fn obstacle(&self, action: Action) -> Option<String> {
        let binding = BINDINGS.iter().find(|binding| binding.action == action)?;
        bar(self, binding.right).map(|bar| bar.to_string())
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

/// Returns why `y` does nothing now at the review of `ticket`.
fn not_yet(model: &Model, ticket: &Ticket, armed_at: Option<Duration>) -> Option<String> {
    if is_too_small(model.size) {
        return Some("terminal too small to show the whole ticket".to_owned());
    }
    if !model.has_focus || armed_at.is_none_or(|at| model.elapsed < at) {
        return Some("review first: y is enabled in a moment".to_owned());
    }
    let kind = ticket.form.kind();
    // The role may have been taken away, or the database lost, since the ticket opened.
    if let Some(bar) = bar(model, kind.right()) {
        return Some(bar.to_string());
    }
    // Also where it was opened by its key on the line.
    if let Some(why) = kind.bar(model) {
        return Some(why);
    }
    // Whoever tightens or agrees must see whom it puts in breach.
    match &ticket.impacts {
        Impacts::Asked(_) => {
            return Some("waiting for the limit preview".to_owned());
        }
        Impacts::Refused { refusal, .. } => return Some(format!("rejected by {}", refusal.code)),
        Impacts::None | Impacts::Known { .. } | Impacts::Failed { .. } => {}
    }
    match (kind.waits_for(), &ticket.verdict) {
        (Waits::Nothing, _) | (Waits::Asked, Verdict::None | Verdict::Failed(_)) => None,
        (_, Verdict::Failed(why)) => Some(format!("checks unavailable: {why}")),
        (_, Verdict::None | Verdict::Asked(_)) => Some("waiting for the checks".to_owned()),
        (_, Verdict::Known { checks, .. }) => {
            let check = against(checks.iter(), ticket.text(FieldName::Reason).is_some())?;
            Some(match check.finding {
                Finding::Confirm => "a soft limit needs a reason (press Y)".to_owned(),
                Finding::Reject | Finding::Passes => format!("rejected by {}", check.code),
            })
        }
    }
}
