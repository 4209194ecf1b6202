//! Each verb's one statement, and its parameters.

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::domain::request::{Request, Verb};
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
pub(super) async fn send(
    lease: &Lease,
    statement: &tokio_postgres::Statement,
    request: &Request,
    fingerprint: &[u8; 32],
    valid_until: DateTime<Utc>,
) -> Result<Vec<Row>, Error> {
    let fingerprint: &[u8] = fingerprint;
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&request.key.0, &fingerprint, &valid_until];
    let (side, instrument, signal, events, scope, mode);
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
        Verb::Close { position, size, price, reason } => {
            parameters.extend_from_slice(&[&position.0, size, price, reason]);
        }
        Verb::Acknowledge { events: ids, note } => {
            events = ids.iter().map(|event| event.0).collect::<Vec<Uuid>>();
            parameters.extend_from_slice(&[&events, note]);
        }
        Verb::Unacknowledge { event, note } => {
            parameters.extend_from_slice(&[&event.0, note]);
        }
        Verb::ProposeLimit { limit, base_version, value, warning, reason } => {
            parameters.extend_from_slice(&[
                &limit.0,
                base_version,
                value,
                warning,
                &None::<DateTime<Utc>>,
                reason,
            ]);
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
