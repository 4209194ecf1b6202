//! The desk's verbs: each one call of one function in schema `desk`, in one autocommit statement.
//!
//! Never a client-side transaction: `commit()` can answer `Ok` for a transaction that the server
//! rolled back (rust-postgres/rust-postgres#1334). What is proved decides the outcome
//! (the table in `proof.rs`), and what is not proved is [`Outcome::Unknown`].

mod answer;
mod statement;

use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use answer::{check, impact, limit_type, refusal, verdict};
use statement::{RESOLVE, parameters_of, send, statement};

use super::connect::Purpose;
use super::error::{StoreError, Unreachable};
use super::fingerprint::fingerprint;
use super::lease::{Lease, Store};
use super::proof::{self, Proof};
use super::rows::Cells;
use crate::domain::code::Code;
use crate::domain::ids::LimitId;
use crate::domain::limit::LimitType;
use crate::domain::outcome::{Check, Impact, Outcome, Refusal};
use crate::domain::request::{LimitPreview, NewLimit, NewTrade, Question, Request};
use crate::domain::text::clean;

/// How often one request is sent, at most, where the server proved that nothing was done.
const MOST_ATTEMPTS: u32 = 4;

/// The database's clock. What follows is valid for a while from then: a request that lay in some
/// buffer must not be carried out when nobody waits for it any more.
const CLOCK: &str = "SELECT clock_timestamp() AS now";

const ASSESS: &str = "
    SELECT code, severity, before, measured, allowed, unit, room, limit_id, message
      FROM desk.assess_trade($1, $2, $3, $4, $5, $6, $7, $8)
     ORDER BY ordinal
     LIMIT 200";

const AMENDED: &str = "
    SELECT code, severity, before, measured, allowed, unit, room, limit_id, message
      FROM desk.preview_amend($1, $2, $3, $4)
     ORDER BY ordinal
     LIMIT 200";

const PREVIEW: &str = "
    SELECT account_name, measured, allowed, unit, room, state
      FROM desk.limit_preview($1, $2, $3, $4, $5, $6, $7, $8)
     LIMIT 1000";

const IMPACT: &str = "
    SELECT account_name, measured, allowed, unit, room, state
      FROM desk.limit_impact($1, $2)
     LIMIT 1000";

const LIMIT_TYPES: &str = "
    SELECT limit_type, description, units, scopes, enforced
      FROM tmt.limit_types
     ORDER BY enforced DESC, limit_type
     LIMIT 500";

/// What became of one attempt.
enum Attempt {
    Settled(Outcome),
    /// Nothing was done; the same request may be sent again, and if not, this is the refusal.
    Again(Refusal),
}

impl Store {
    /// Asks what stands in the way of a write, in the order in which it decides. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is known, and the write must not be called fine.
    pub async fn ask(&self, question: &Question) -> Result<Vec<Check>, StoreError> {
        match question {
            Question::Trade(trade) => self.assess(trade).await,
            Question::Amend { position, stop, target, trailing } => {
                let parameters: &[&(dyn ToSql + Sync)] = &[&position.0, stop, target, trailing];
                let rows = self.fetch("checking the levels", AMENDED, parameters).await?;
                rows.iter()
                    .map(|row| check(&Cells(row)).map_err(|bad| bad.of("desk.preview_amend")))
                    .collect()
            }
        }
    }

    /// Asks whom a limit would bind, account by account. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is known, and nobody must be told that it harms nobody.
    pub async fn preview_limit(&self, preview: &LimitPreview) -> Result<Vec<Impact>, StoreError> {
        match preview {
            LimitPreview::Value { limit, value } => self.limit_impact(*limit, *value).await,
            LimitPreview::New(limit) => self.limit_preview(limit).await,
        }
    }

    /// The database puts the limit there and takes it back: only one that takes writes can.
    async fn limit_preview(&self, limit: &NewLimit) -> Result<Vec<Impact>, StoreError> {
        let (account, scope) = (limit.account.map(|account| account.0), limit.scope.as_str());
        let (kind, unit) = (limit.limit_type.as_str(), limit.unit.as_str());
        let extra = parameters_of(limit);
        let parameters: &[&(dyn ToSql + Sync)] = &[
            &account,
            &kind,
            &scope,
            &limit.identifier,
            &limit.value,
            &unit,
            &limit.warning,
            &extra,
        ];
        let what = "the limit preview";
        let rows = self.fetch_from(Purpose::Write, what, PREVIEW, parameters).await?;
        rows.iter()
            .map(|row| impact(&Cells(row)).map_err(|bad| bad.of("desk.limit_preview")))
            .collect()
    }

    /// Asks what `desk.place_trade` would say to a trade, in the order in which it decides.
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is known, and the trade must not be called fine.
    pub async fn assess(&self, trade: &NewTrade) -> Result<Vec<Check>, StoreError> {
        let (side, signal) = (trade.side.as_str(), trade.signal.map(|signal| signal.0));
        let instrument = trade.instrument.as_str();
        let parameters: &[&(dyn ToSql + Sync)] = &[
            &trade.account.0,
            &instrument,
            &side,
            &trade.size,
            &trade.price,
            &trade.stop,
            &trade.target,
            &signal,
        ];
        let rows = self.fetch("checking the trade", ASSESS, parameters).await?;
        rows.iter()
            .map(|row| check(&Cells(row)).map_err(|bad| bad.of("desk.assess_trade")))
            .collect()
    }

    /// Asks what another value of a limit would mean, account by account. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is known, and nobody must be told that the value harms nobody.
    pub async fn limit_impact(
        &self,
        limit: LimitId,
        value: Decimal,
    ) -> Result<Vec<Impact>, StoreError> {
        let rows = self.fetch("the limit preview", IMPACT, &[&limit.0, &value]).await?;
        rows.iter()
            .map(|row| impact(&Cells(row)).map_err(|bad| bad.of("desk.limit_impact")))
            .collect()
    }

    /// Reads what can be limited, what is enforced first. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]
    pub async fn limit_types(&self) -> Result<Vec<LimitType>, StoreError> {
        let rows = self.fetch("asking what can be limited", LIMIT_TYPES, &[]).await?;
        rows.iter()
            .map(|row| limit_type(&Cells(row)).map_err(|bad| bad.of("tmt.limit_types")))
            .collect()
    }

    /// Sends a write, and says what became of it.
    ///
    /// Where the server proves that nothing was done and that trying again may help, the same
    /// request is sent again, at most three times. The whole takes at most the wait for a
    /// connection and the deadline of a write.
    ///
    /// Not cancel safe. Dropping this future does not recall what was sent: a caller that gives up
    /// takes the outcome as [`Outcome::Unknown`] and calls [`Store::resolve`]. The connection is
    /// closed then.
    pub async fn perform(&self, request: &Request) -> Outcome {
        let fingerprint = fingerprint(request);
        let mut sending: Option<Sending> = None;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let attempt = self.attempt(request, &fingerprint, &mut sending).await;
            let (key, verb) = (request.key.0, request.verb.name());
            match attempt {
                Attempt::Settled(outcome) => {
                    tracing::info!(%key, verb, attempts, outcome = %outcome.kind(), "write");
                    return outcome;
                }
                Attempt::Again(refusal) if attempts >= MOST_ATTEMPTS => {
                    tracing::info!(%key, verb, attempts, code = %refusal.code, "write given up");
                    return Outcome::Refused(refusal);
                }
                Attempt::Again(refusal) => {
                    tracing::debug!(%key, verb, attempts, code = %refusal.code, "write repeated");
                }
            }
        }
    }

    /// Sends a request once.
    async fn attempt(
        &self,
        request: &Request,
        fingerprint: &[u8; 32],
        sending: &mut Option<Sending>,
    ) -> Attempt {
        let lease = match self.borrow(Purpose::Write).await {
            Ok(lease) => lease,
            Err(error) => return Attempt::Settled(not_sent(&error)),
        };
        let waits = *self.deadlines();
        let deadline =
            sending.as_ref().map_or_else(|| Instant::now() + waits.write, |s| s.deadline);
        let prepared = timeout_at(deadline, async {
            let valid_until = match sending {
                Some(sending) => sending.valid_until,
                None => valid_until(&lease, waits.write_validity).await?,
            };
            let statement = lease.prepare(statement(&request.verb)).await.map_err(Some)?;
            Ok::<_, Option<Error>>((valid_until, statement))
        });
        // Until here nothing was asked for that writes: whatever fails is "not sent".
        let (valid_until, statement) = match prepared.await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(Some(error))) => return unprepared(lease, &error, waits.write),
            Ok(Err(None)) => return Attempt::Settled(not_sent(&lost("no answer to SELECT"))),
            Err(_) => {
                let silent =
                    StoreError::Timeout { what: "preparing the write", after: waits.write };
                return Attempt::Settled(not_sent(&silent));
            }
        };
        *sending = Some(Sending { deadline, valid_until });
        let doubts = lease.doubts();
        let sent = send(&lease, &statement, request, fingerprint, valid_until);
        match timeout_at(deadline, sent).await {
            // The answer is there, but the server stopped waiting for its standby.
            Ok(_) if lease.doubts() != doubts => Attempt::Settled(Outcome::Unknown(
                "the server could not confirm that its standby has the write".to_owned(),
            )),
            Ok(Ok(rows)) => {
                lease.keep();
                Attempt::Settled(verdict(&rows))
            }
            Ok(Err(error)) => answered(lease, &error),
            // Neither cancelled nor given back: the lease closes the connection.
            Err(_) => Attempt::Settled(Outcome::Unknown(format!(
                "no answer within {} s; it may or may not have been executed",
                waits.write.as_secs()
            ))),
        }
    }

    /// Settles a write whose answer was lost: asks the database what became of its key, and if the
    /// key never arrived, makes sure that it never will. Waits for the original if it is still
    /// under way, so the answer is final.
    ///
    /// Any trouble leaves it [`Outcome::Unknown`]: ask again. Not cancel safe in the sense that a
    /// dropped call may still have fenced the key; asking again gives the same answer.
    pub async fn resolve(&self, request: &Request) -> Outcome {
        let fingerprint = fingerprint(request);
        let unknown = |error: &StoreError| Outcome::Unknown(error.to_string());
        let lease = match self.borrow(Purpose::Resolve).await {
            Ok(lease) => lease,
            Err(error) => return unknown(&error),
        };
        let after = self.deadlines().resolve;
        let doubts = lease.doubts();
        let fingerprint: &[u8] = &fingerprint;
        let parameters: [&(dyn ToSql + Sync); 2] = [&request.key.0, &fingerprint];
        let asked = lease.rows(RESOLVE, &parameters);
        let outcome = match tokio::time::timeout(after + RESOLVE_GRACE, asked).await {
            Ok(Ok(_)) if lease.doubts() != doubts => Outcome::Unknown(
                "the server could not confirm that its standby has the answer".to_owned(),
            ),
            Ok(Ok(rows)) => {
                lease.keep();
                verdict(&rows)
            }
            Ok(Err(error)) => {
                if proof::is_stale_statement(&error) {
                    lease.forget_statements();
                }
                if proof::is_answer(&error) {
                    lease.keep();
                }
                unknown(&StoreError::of_statement("settling the write", after, &error))
            }
            Err(_) => unknown(&StoreError::Timeout { what: "settling the write", after }),
        };
        tracing::info!(key = %request.key.0, outcome = %outcome.kind(), "write settled");
        outcome
    }
}

/// How much longer than the server's limit the client waits for the answer to a resolution.
const RESOLVE_GRACE: Duration = Duration::from_secs(2);

/// What all attempts of one request share.
struct Sending {
    deadline: Instant,
    valid_until: DateTime<Utc>,
}

/// Asks the database's clock until when a request may begin.
async fn valid_until(lease: &Lease, validity: Duration) -> Result<DateTime<Utc>, Option<Error>> {
    let rows = lease.rows(CLOCK, &[]).await.map_err(Some)?;
    let now = rows.first().and_then(|row| Cells(row).time("now").ok()).ok_or(None)?;
    let validity = chrono::Duration::from_std(validity).map_err(|_| None)?;
    now.checked_add_signed(validity).ok_or(None)
}

/// Judges an error before the write was sent.
fn unprepared(lease: Lease, error: &Error, after: Duration) -> Attempt {
    let reason = StoreError::of_statement("preparing the write", after, error);
    if proof::is_stale_statement(error) {
        lease.forget_statements();
        lease.keep();
        return Attempt::Again(refusal_not_sent(&reason));
    }
    if proof::is_answer(error) {
        lease.keep();
    } else if error.is_closed() {
        // It died between the proof and its use. The next one may live.
        return Attempt::Again(refusal_not_sent(&reason));
    }
    Attempt::Settled(not_sent(&reason))
}

/// Judges an error that answers a write.
fn answered(lease: Lease, error: &Error) -> Attempt {
    let Some(db) = error.as_db_error() else {
        return Attempt::Settled(Outcome::Unknown(format!(
            "the connection was lost before the answer came ({}); it may or may not have been \
             executed",
            clean(&error.to_string())
        )));
    };
    let message = clean(db.message());
    match proof::of_error(db) {
        Proof::Doubt => Attempt::Settled(Outcome::Unknown(format!(
            "the server broke off ({message}); it may or may not have been executed"
        ))),
        Proof::Nothing(code) => {
            lease.keep();
            Attempt::Settled(Outcome::Refused(refusal(code, message, db.detail())))
        }
        Proof::Again => {
            lease.keep();
            Attempt::Again(refusal(Code::Conflict, message, None))
        }
        Proof::AgainPrepared => {
            lease.forget_statements();
            lease.keep();
            Attempt::Again(refusal(Code::Schema, message, None))
        }
    }
}

fn refusal_not_sent(error: &StoreError) -> Refusal {
    Refusal::plain(Code::NotSent, format!("not sent: {error}"))
}

/// Nothing left this program: that is a refusal, not an unknown.
fn not_sent(error: &StoreError) -> Outcome {
    Outcome::Refused(refusal_not_sent(error))
}

fn lost(why: &str) -> StoreError {
    Unreachable::Lost(why.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::{ClientKey, EventId};
    use crate::domain::request::Verb;
    use crate::store::Options;

    /// The runtime spawns every call.
    #[test]
    fn calls_can_move_between_threads() {
        fn spawned<T: Send>(_: &T) {}
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _inside = runtime.enter();
        let store = Store::connect(Options::parse("postgres://localhost/desk").unwrap());
        let verb = Verb::Unacknowledge { event: EventId(Uuid::nil()), note: String::new() };
        let request = Request { key: ClientKey(Uuid::nil()), verb };
        spawned(&store.perform(&request));
        spawned(&store.resolve(&request));
        spawned(&store.changes(None));
        spawned(&store.read(crate::domain::change::Kind::Trades, None));
    }
}
