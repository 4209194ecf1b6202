//! Whether a write is about real money.

use crate::app::Model;
use crate::domain::account::Environment;
use crate::domain::halt::Scope;
use crate::domain::ids::AccountId;
use crate::domain::request::Verb;

/// Returns the environment of the account that a write is about; of one that is about several, or
/// about none, the most serious of the desk.
pub(super) fn of(model: &Model, verb: &Verb) -> Option<Environment> {
    let own = account(model, verb).and_then(|id| model.desk.accounts.get(&id));
    own.map(|row| row.environment).or_else(|| model.environment())
}

fn account(model: &Model, verb: &Verb) -> Option<AccountId> {
    let desk = &model.desk;
    match verb {
        Verb::Place(_) | Verb::Close { .. } | Verb::Amend { .. } | Verb::Flatten { .. } => {
            desk.touched(verb).0
        }
        Verb::CreateLimit(limit) => limit.account,
        Verb::ProposeLimit { limit, .. }
        | Verb::RetireLimit { limit, .. }
        | Verb::ApproveLimit { limit, .. }
        | Verb::RejectLimit { limit, .. } => desk.limits.get(limit)?.account,
        Verb::Halt { scope: Scope::Account, identifier, .. } => identifier.as_ref()?.parse().ok(),
        Verb::Halt { .. } => None,
        Verb::Resume { halt, .. } => desk.halts.get(halt)?.account,
        Verb::Unacknowledge { event, .. } => desk.events.get(event)?.account,
        Verb::Acknowledge { events, .. } => {
            let mut accounts = events.iter().map(|id| desk.events.get(id)?.account);
            let first = accounts.next()??;
            accounts.all(|other| other == Some(first)).then_some(first)
        }
    }
}
