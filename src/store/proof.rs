//! What an error of the server proves about a write.
//!
//! The table of the write protocol, as data. Everything that is not proved to have changed
//! nothing is in doubt: the row may stand.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};

use crate::domain::code::Code;

/// What is known after a statement answered with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing was written; the code is what a person is told.
    Nothing(Code),
    /// Nothing was written, and the same request may well succeed now.
    Again,
    /// Nothing was written: the prepared statement, or a function that it called, is older than the
    /// schema.
    AgainPrepared,
    /// It may or may not stand.
    Doubt,
}

/// SQLSTATEs of severity ERROR that prove something, whole or by their class. The first that fits
/// counts.
const PROVED: [(&str, Proof); 15] = [
    ("40001", Proof::Again),
    ("40P01", Proof::Again),
    ("0A000", Proof::AgainPrepared),
    ("26000", Proof::AgainPrepared),
    ("25006", Proof::Nothing(Code::ReadOnly)),
    ("55P03", Proof::Nothing(Code::Busy)),
    ("57014", Proof::Nothing(Code::TooSlow)),
    ("42501", Proof::Nothing(Code::NotPermitted)),
    // A function, a type or a column is gone, or another one: where the rulebook was just rebuilt,
    // under the feet of a call. If it stays so, that is what is said in the end.
    ("42", Proof::AgainPrepared),
    ("22", Proof::Nothing(Code::Invalid)),
    ("23", Proof::Nothing(Code::Invalid)),
    ("53", Proof::Nothing(Code::ServerFull)),
    // The exposure check's triggers, and RAISE.
    ("TR", Proof::Nothing(Code::Rule)),
    ("P0", Proof::Nothing(Code::Rule)),
    // The rest of class 40 (40002, 40003 "completion unknown"), 08, 57 and whatever comes.
    ("", Proof::Doubt),
];

/// What the server says of a function or type that is gone since a call began: where the rulebook
/// was rebuilt meanwhile. It has no SQLSTATE for it, and does not translate it.
const GONE: [&str; 2] = ["cache lookup failed for ", "could not open relation with OID "];

/// Returns what an error of the server proves.
pub(super) fn of_error(db: &DbError) -> Proof {
    let is_gone = db.code().code() == "XX000"
        && GONE.into_iter().any(|message| db.message().starts_with(message));
    let state = if is_gone { "42" } else { db.code().code() };
    of(db.parsed_severity(), state)
}

/// Returns what an error with this severity and SQLSTATE proves. The severity is the one that is
/// not translated; servers before 9.6 do not send it, and prove nothing.
fn of(severity: Option<Severity>, state: &str) -> Proof {
    if severity != Some(Severity::Error) {
        return Proof::Doubt;
    }
    PROVED
        .iter()
        .find(|(prefix, _)| state.starts_with(prefix))
        .map_or(Proof::Doubt, |(_, proof)| proof.clone())
}

/// Tells whether the server itself answered, so that the connection is in order.
pub(super) fn is_answer(error: &Error) -> bool {
    error.as_db_error().is_some_and(|db| db.parsed_severity() == Some(Severity::Error))
}

/// Tells whether a prepared statement is older than the schema.
pub(super) fn is_stale_statement(error: &Error) -> bool {
    error.as_db_error().is_some_and(|db| of_error(db) == Proof::AgainPrepared)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::serialization("40001", Proof::Again)]
    #[case::deadlock("40P01", Proof::Again)]
    #[case::changed_result_type("0A000", Proof::AgainPrepared)]
    #[case::lost_statement("26000", Proof::AgainPrepared)]
    #[case::standby("25006", Proof::Nothing(Code::ReadOnly))]
    #[case::lock_timeout("55P03", Proof::Nothing(Code::Busy))]
    #[case::statement_timeout("57014", Proof::Nothing(Code::TooSlow))]
    #[case::privilege("42501", Proof::Nothing(Code::NotPermitted))]
    #[case::no_function("42883", Proof::AgainPrepared)]
    #[case::no_type("42704", Proof::AgainPrepared)]
    #[case::another_type("42804", Proof::AgainPrepared)]
    #[case::overflow("22003", Proof::Nothing(Code::Invalid))]
    #[case::unique("23505", Proof::Nothing(Code::Invalid))]
    #[case::disk_full("53100", Proof::Nothing(Code::ServerFull))]
    #[case::exposure_check("TR005", Proof::Nothing(Code::Rule))]
    #[case::raise("P0001", Proof::Nothing(Code::Rule))]
    #[case::completion_unknown("40003", Proof::Doubt)]
    #[case::constraint_at_commit("40002", Proof::Doubt)]
    #[case::connection("08006", Proof::Doubt)]
    #[case::protocol("08P01", Proof::Doubt)]
    #[case::admin_shutdown("57P01", Proof::Doubt)]
    #[case::crash_shutdown("57P02", Proof::Doubt)]
    #[case::cannot_connect_now("57P03", Proof::Doubt)]
    #[case::idle_in_transaction("25P03", Proof::Doubt)]
    #[case::io("58030", Proof::Doubt)]
    #[case::internal("XX000", Proof::Doubt)]
    #[case::nothing("", Proof::Doubt)]
    fn every_class_proves_what_the_protocol_says(#[case] state: &str, #[case] expected: Proof) {
        assert_eq!(of(Some(Severity::Error), state), expected);
        for severity in [Severity::Fatal, Severity::Panic, Severity::Warning] {
            assert_eq!(of(Some(severity), state), Proof::Doubt, "{severity} {state}");
        }
        assert_eq!(of(None, state), Proof::Doubt, "a severity that was not sent");
    }
}
