//! The verbs of the rulebook as a test calls them: a builder for each, whose arguments are bound by
//! name.
//!
//! `order("EUR_USD").buy(10_000).at("1.1").stop("1.095").place(&trader).await.accepted();`
//!
//! A value is anything that prints, so that a test can also send what is no number. What is not given
//! is NULL.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a fixture that fails, fails its test")]

#[path = "verbs/limits.rs"]
mod limits;
#[path = "verbs/oversight.rs"]
mod oversight;
#[path = "verbs/trading.rs"]
mod trading;

pub(crate) use limits::{Limit, approve, change, limit, reject, retire, version};
pub(crate) use oversight::{
    Halt, acknowledge, halt, halt_account, halt_instrument, halt_portfolio, raise, resolve, resume,
    unacknowledge,
};
pub(crate) use trading::{Order, amend, buy, charge, close, flatten, order, sell};

use rust_decimal::Decimal;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

/// A row of `desk.answer`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) outcome: String,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) measured: Option<Decimal>,
    pub(crate) allowed: Option<Decimal>,
    pub(crate) subject: Option<Uuid>,
    pub(crate) detail: Value,
}

impl Answer {
    fn of(row: &Row) -> Self {
        Self {
            outcome: row.try_get("outcome").unwrap(),
            code: row.try_get("code").unwrap(),
            message: row.try_get("message").unwrap(),
            measured: row.try_get("measured").unwrap(),
            allowed: row.try_get("allowed").unwrap(),
            subject: row.try_get("subject").unwrap(),
            detail: row.try_get("detail").unwrap(),
        }
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.outcome == "accepted"
    }

    /// Checks that it was accepted, and hands it on.
    #[track_caller]
    pub(crate) fn accepted(self) -> Self {
        assert_eq!(self.outcome, "accepted", "{self:?}");
        self
    }

    /// Checks that it was accepted with this code, and hands it on.
    #[track_caller]
    pub(crate) fn accepted_as(self, code: &str) -> Self {
        assert_eq!(
            (self.outcome.as_str(), self.code.as_deref()),
            ("accepted", Some(code)),
            "{self:?}"
        );
        self
    }

    /// Checks that it was refused for this, and hands it on.
    #[track_caller]
    pub(crate) fn refused(self, code: &str) -> Self {
        assert_eq!(
            (self.outcome.as_str(), self.code.as_deref()),
            ("refused", Some(code)),
            "{self:?}"
        );
        self
    }

    /// What it was about: the id of a position, a halt, a limit.
    #[track_caller]
    pub(crate) fn subject(&self) -> Uuid {
        self.subject.unwrap()
    }

    /// A field of the detail.
    #[track_caller]
    pub(crate) fn detail(&self, field: &str) -> &Value {
        self.detail.get(field).unwrap()
    }
}

/// A call of a function: its arguments by name, each bound as text and read as its type.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) function: &'static str,
    arguments: Vec<(&'static str, &'static str, Option<String>)>,
}

impl Call {
    /// A call whose arguments, each a name and a type, are all NULL.
    pub(crate) fn new(function: &'static str, arguments: &[(&'static str, &'static str)]) -> Self {
        let arguments = arguments.iter().map(|(name, kind)| (*name, *kind, None)).collect();
        Self { function, arguments }
    }

    /// A call of a verb, with a key of its own and no end that a test would see.
    pub(crate) fn request(
        function: &'static str,
        arguments: &[(&'static str, &'static str)],
    ) -> Self {
        let head =
            [("p_key", "uuid"), ("p_fingerprint", "bytea"), ("p_valid_until", "timestamptz")];
        let mut call = Self::new(function, &[&head, arguments].concat());
        call.set("p_key", Some(Uuid::new_v4().to_string()));
        call.set("p_fingerprint", Some("\\x01".to_owned()));
        call.set("p_valid_until", Some("2999-01-01".to_owned()));
        call
    }

    /// The same arguments, as far as another function takes them.
    pub(crate) fn with_function(&self, function: &'static str, takes: &[&str]) -> Self {
        let taken = self.arguments.iter().filter(|(name, ..)| takes.contains(name));
        Self { function, arguments: taken.cloned().collect() }
    }

    #[track_caller]
    pub(crate) fn set(&mut self, name: &str, value: Option<String>) {
        let argument = self.arguments.iter_mut().find(|(known, ..)| *known == name);
        argument.unwrap().2 = value;
    }

    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let argument = self.arguments.iter().find(|(known, ..)| *known == name);
        argument.unwrap().2.as_deref()
    }

    /// The call as SQL with a placeholder for each argument, after `bound` other placeholders.
    fn sql(&self, bound: usize) -> String {
        let placed = self
            .arguments
            .iter()
            .zip(bound + 1..)
            .map(|((name, kind, _), number)| format!("{name} => ${number}::text::{kind}"));
        format!("desk.{}({})", self.function, placed.collect::<Vec<_>>().join(", "))
    }

    /// Selects something from the call.
    pub(crate) async fn select(&self, what: &str, client: &Client) -> Result<Vec<Row>, Error> {
        self.select_with(what, &[], client).await
    }

    /// Selects something from the call by an expression with values of its own.
    pub(crate) async fn select_with(
        &self,
        what: &str,
        values: &[&(dyn ToSql + Sync)],
        client: &Client,
    ) -> Result<Vec<Row>, Error> {
        let sql = format!("SELECT {what} FROM {}", self.sql(values.len()));
        let mut bound = values.to_vec();
        for (_, _, value) in &self.arguments {
            bound.push(value);
        }
        client.query(&sql, &bound).await
    }
}

/// Makes the builder of a verb: what it is always given, and a setter for each other argument.
macro_rules! verb {
    (
        $(#[$doc:meta])*
        $verb:ident = $function:ident($($given:ident: $given_type:literal),* $(,)?);
        $($setter:ident sets $argument:literal: $type:literal),* $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $verb(pub(crate) $crate::verbs::Call);

        impl $verb {
            pub(crate) fn new($($given: impl std::fmt::Display),*) -> Self {
                let mut call = $crate::verbs::Call::request(stringify!($function), &[
                    $((concat!("p_", stringify!($given)), $given_type),)*
                    $((concat!("p_", $argument), $type),)*
                ]);
                $(call.set(concat!("p_", stringify!($given)), Some($given.to_string()));)*
                Self(call)
            }

            $(pub(crate) fn $setter(mut self, value: impl std::fmt::Display) -> Self {
                self.0.set(concat!("p_", $argument), Some(value.to_string()));
                self
            })*
        }

        impl $crate::verbs::Verb for $verb {
            fn call(&self) -> &$crate::verbs::Call {
                &self.0
            }

            fn call_mut(&mut self) -> &mut $crate::verbs::Call {
                &mut self.0
            }
        }
    };
}
pub(crate) use verb;

/// What every verb can do.
pub(crate) trait Verb: Sized {
    fn call(&self) -> &Call;
    fn call_mut(&mut self) -> &mut Call;

    /// The key under which the outcome is kept. Each request has one of its own.
    fn key(&self) -> Uuid {
        self.call().get("p_key").unwrap().parse().unwrap()
    }

    fn with_key(mut self, key: Uuid) -> Self {
        self.call_mut().set("p_key", Some(key.to_string()));
        self
    }

    /// Leaves an argument out: it is NULL.
    fn without(mut self, argument: &str) -> Self {
        self.call_mut().set(&format!("p_{argument}"), None);
        self
    }

    fn with_fingerprint(mut self, fingerprint: &str) -> Self {
        self.call_mut().set("p_fingerprint", Some(fingerprint.to_owned()));
        self
    }

    fn valid_until(mut self, moment: Option<&str>) -> Self {
        self.call_mut().set("p_valid_until", moment.map(str::to_owned));
        self
    }

    async fn try_send(&self, client: &Client) -> Result<Answer, Error> {
        let rows = self.call().select("*", client).await?;
        Ok(Answer::of(rows.first().unwrap()))
    }

    async fn send(&self, client: &Client) -> Answer {
        self.try_send(client).await.unwrap()
    }

    /// The SQLSTATE with which it fails.
    async fn sqlstate(&self, client: &Client) -> String {
        self.try_send(client).await.unwrap_err().code().unwrap().code().to_owned()
    }
}
