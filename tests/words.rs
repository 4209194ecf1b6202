//! The tables of words in `src/domain` are those of the database: one that knows another word would
//! misread a row, or steer nothing by it.

#[path = "support/database.rs"]
mod database;

use std::collections::BTreeSet;

use tmt::domain::account::{AccountStatus, Environment};
use tmt::domain::agent::{AgentStatus, SystemSeverity};
use tmt::domain::code::Code;
use tmt::domain::drawdown::Edge;
use tmt::domain::event::Severity;
use tmt::domain::halt::{HaltMode, Scope};
use tmt::domain::limit::LimitKind;
use tmt::domain::side::{Direction, Side};
use tmt::domain::signal::SignalStatus;
use tmt::domain::threshold::Bound;
use tmt::domain::trade::TradeStatus;

/// Codes of the console itself: the database has no rule for them.
const OWN: [Code; 10] = [
    Code::Busy,
    Code::Conflict,
    Code::Invalid,
    Code::NotSent,
    Code::ReadOnly,
    Code::Refused,
    Code::Rule,
    Code::Schema,
    Code::ServerFull,
    Code::TooSlow,
];

fn set<T: ToString>(words: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    words.into_iter().map(|word| word.to_string()).collect()
}

#[tokio::test]
async fn every_word_that_a_column_allows_has_its_variant_and_the_reverse() {
    let database = database::database().await;
    let client = database.client().await;
    // The one CHECK on a column that lists words.
    let allowed = async |column: &str| {
        let (table, column) = column.split_once('.').unwrap();
        let rows = client
            .query(
                "SELECT DISTINCT m[1] FROM pg_constraint c JOIN pg_attribute a
                     ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum],
                   regexp_matches(pg_get_constraintdef(c.oid), '''([A-Za-z_]+)''', 'g') m
                  WHERE c.contype = 'c' AND c.conrelid = to_regclass('public.' || $1)
                    AND a.attname = $2",
                &[&table, &column],
            )
            .await
            .unwrap();
        set(rows.iter().map(|row| row.try_get::<_, String>(0).unwrap()))
    };
    for (column, words) in [
        ("accounts.account_type", set(Environment::ALL)),
        ("accounts.status", set(AccountStatus::ALL)),
        ("agents.status", set(AgentStatus::KNOWN)),
        ("positions.position_type", set(Direction::ALL)),
        ("risk_events.severity", set(Severity::ALL)),
        ("risk_limits.limit_scope", set(Scope::ALL)),
        ("signals.signal_type", set(Side::ALL)),
        ("signals.status", set(SignalStatus::ALL)),
        ("system_events.severity", set(SystemSeverity::KNOWN)),
        ("trades.status", set(TradeStatus::ALL)),
        ("trades.trade_type", set(Side::ALL)),
        ("trading_halts.mode", set(HaltMode::ALL)),
        ("trading_halts.scope", set(Scope::ALL)),
    ] {
        assert_eq!(allowed(column).await, words, "{column}");
    }
}

#[tokio::test]
async fn limit_kinds_are_the_limit_types_of_the_database() {
    let database = database::database().await;
    let client = database.client().await;
    let sql = "SELECT limit_type, is_minimum, inclusive FROM tmt.limit_types";
    let rows = client.query(sql, &[]).await.unwrap();
    let mut words = BTreeSet::new();
    for row in rows {
        let word: String = row.try_get("limit_type").unwrap();
        let kind = LimitKind::read(&word);
        let (is_minimum, inclusive): (bool, bool) =
            (row.try_get("is_minimum").unwrap(), row.try_get("inclusive").unwrap());
        assert_eq!(kind.bound() == Bound::AtLeast, is_minimum, "{word}");
        assert_eq!(kind.edge() == Edge::Inclusive, inclusive, "{word}");
        assert!(Code::KNOWN.contains(&kind.code()), "{word} has no code");
        words.insert(word);
    }
    assert_eq!(words, set(LimitKind::KNOWN));
}

#[tokio::test]
async fn codes_are_those_of_the_database() {
    let database = database::database().await;
    let client = database.client().await;
    // A trigger's SQLSTATE reaches nobody as a code.
    let sql = "SELECT code FROM tmt.codes WHERE kind <> 'sqlstate'";
    let rows = client.query(sql, &[]).await.unwrap();
    let codes = set(rows.iter().map(|row| row.try_get::<_, String>(0).unwrap()));
    assert_eq!(set(Code::KNOWN.iter().filter(|code| !OWN.contains(code))), codes);
}
