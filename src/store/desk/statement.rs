//! Each verb's one statement, and its parameters.

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::domain::request::{NewLimit, Request, Verb};
use crate::store::lease::Lease;

macro_rules! verdict_of {
    ($call:literal) => {
        concat!(
            "SELECT outcome, code, message, measured, allowed, unit, subject, detail FROM desk.",
            $call
        )
    };
}

const PLACE: &str = verdict_of!("place_trade($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
const CLOSE: &str = verdict_of!("close_position($1, $2, $3, $4, $5, $6, $7)");
const AMEND: &str = verdict_of!("amend_position($1, $2, $3, $4, $5, $6, $7, $8)");
const FLATTEN: &str = verdict_of!("flatten($1, $2, $3, $4, $5)");
const CREATE_LIMIT: &str =
    verdict_of!("create_limit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
const RETIRE_LIMIT: &str = verdict_of!("retire_limit($1, $2, $3, $4, $5, $6)");
const ACKNOWLEDGE: &str = verdict_of!("acknowledge($1, $2, $3, $4, $5)");
const UNACKNOWLEDGE: &str = verdict_of!("unacknowledge($1, $2, $3, $4, $5)");
const PROPOSE: &str = verdict_of!("propose_limit($1, $2, $3, $4, $5, $6, $7, $8, $9)");
const APPROVE: &str = verdict_of!("approve_limit($1, $2, $3, $4, $5)");
const REJECT: &str = verdict_of!("reject_limit($1, $2, $3, $4, $5)");
const HALT: &str = verdict_of!("halt($1, $2, $3, $4, $5, $6, $7)");
const RESUME: &str = verdict_of!("resume($1, $2, $3, $4, $5)");
pub(super) const RESOLVE: &str = verdict_of!("resolve_outcome($1, $2)");

/// Returns the one statement of a verb.
pub(super) fn statement(verb: &Verb) -> &'static str {
    match verb {
        Verb::Place(_) => PLACE,
        Verb::Close { .. } => CLOSE,
        Verb::Amend { .. } => AMEND,
        Verb::Flatten { .. } => FLATTEN,
        Verb::CreateLimit(_) => CREATE_LIMIT,
        Verb::RetireLimit { .. } => RETIRE_LIMIT,
        Verb::Acknowledge { .. } => ACKNOWLEDGE,
        Verb::Unacknowledge { .. } => UNACKNOWLEDGE,
        Verb::ProposeLimit { .. } => PROPOSE,
        Verb::ApproveLimit { .. } => APPROVE,
        Verb::RejectLimit { .. } => REJECT,
        Verb::Halt { .. } => HALT,
        Verb::Resume { .. } => RESUME,
    }
}

/// Runs the statement of a verb.
#[expect(clippy::too_many_lines, reason = "one arm for each verb")]
pub(super) async fn send(
    lease: &Lease,
    statement: &tokio_postgres::Statement,
    request: &Request,
    fingerprint: &[u8; 32],
    valid_until: DateTime<Utc>,
) -> Result<Vec<Row>, Error> {
    let fingerprint: &[u8] = fingerprint;
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&request.key.0, &fingerprint, &valid_until];
    let (side, instrument, signal, events, scope, mode, closed, account, kind, unit, extra);
    match &request.verb {
        Verb::Place(trade) => {
            (side, instrument) = (trade.side.as_str(), trade.instrument.as_str());
            signal = trade.signal.map(|signal| signal.0);
            parameters.extend_from_slice(&[
                &trade.account.0,
                &instrument,
                &side,
                &trade.size,
                &trade.price,
                &trade.stop,
                &trade.target,
                &signal,
                &trade.reason,
            ]);
        }
        Verb::Close { what, size, price, reason } => {
            closed = what.key();
            parameters.extend_from_slice(&[&closed, size, price, reason]);
        }
        Verb::Amend { position, stop, target, trailing, reason } => {
            parameters.extend_from_slice(&[&position.0, stop, target, trailing, reason]);
        }
        Verb::Flatten { account, reason } => parameters.extend_from_slice(&[&account.0, reason]),
        Verb::CreateLimit(limit) => {
            (scope, account) = (limit.scope.as_str(), limit.account.map(|account| account.0));
            (kind, unit) = (limit.limit_type.as_str(), limit.unit.as_str());
            extra = parameters_of(limit);
            parameters.extend_from_slice(&[
                &account,
                &kind,
                &scope,
                &limit.identifier,
                &limit.value,
                &unit,
                &limit.warning,
                &limit.until,
                &extra,
                &limit.reason,
            ]);
        }
        Verb::RetireLimit { limit, base_version, reason } => {
            parameters.extend_from_slice(&[&limit.0, base_version, reason]);
        }
        Verb::Acknowledge { events: ids, note } => {
            events = ids.iter().map(|event| event.0).collect::<Vec<Uuid>>();
            parameters.extend_from_slice(&[&events, note]);
        }
        Verb::Unacknowledge { event, note } => {
            parameters.extend_from_slice(&[&event.0, note]);
        }
        Verb::ProposeLimit { limit, base_version, value, warning, until, reason } => {
            parameters.extend_from_slice(&[&limit.0, base_version, value, warning, until, reason]);
        }
        Verb::ApproveLimit { limit, note } | Verb::RejectLimit { limit, note } => {
            parameters.extend_from_slice(&[&limit.0, note]);
        }
        Verb::Halt { scope: covers, identifier, mode: allows, reason } => {
            (scope, mode) = (covers.as_str(), allows.as_str());
            parameters.extend_from_slice(&[&scope, identifier, &mode, reason]);
        }
        Verb::Resume { halt, reason } => parameters.extend_from_slice(&[&halt.0, reason]),
    }
    lease.run(statement, &parameters).await
}

/// Returns the parameters of a limit. Text that is no JSON goes as a string, which the database
/// refuses in its own words: whoever made the request has checked it.
pub(super) fn parameters_of(limit: &NewLimit) -> Option<serde_json::Value> {
    let text = limit.parameters.as_deref()?;
    Some(serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text)))
}
