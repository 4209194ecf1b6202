//! Limits: made by the rulebook or written by another program, changed, approved, retired.

use std::fmt::Display;

use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

use super::{Call, Verb, verb};
use crate::desk::Desk;
use crate::rows;

/// A limit: sent, it is made by the rulebook; inserted, it is a row that another program wrote.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    create: Call,
    /// What only a row can say: column, type and value.
    also: Vec<(&'static str, &'static str, String)>,
}

/// A limit over the whole desk.
pub(crate) fn limit(limit_type: &str, value: impl Display, unit: &str) -> Limit {
    let mut create = Call::request(
        "create_limit",
        &[
            ("p_account", "uuid"),
            ("p_type", "text"),
            ("p_scope", "text"),
            ("p_identifier", "text"),
            ("p_value", "numeric"),
            ("p_unit", "text"),
            ("p_warning", "numeric"),
            ("p_until", "timestamptz"),
            ("p_parameters", "jsonb"),
            ("p_reason", "text"),
        ],
    );
    create.set("p_type", Some(limit_type.to_owned()));
    create.set("p_scope", Some("system".to_owned()));
    create.set("p_value", Some(value.to_string()));
    create.set("p_unit", Some(unit.to_owned()));
    Limit { create, also: Vec::new() }
}

/// The columns of the arguments that a row has as well.
const COLUMNS: [(&str, &str, &str); 9] = [
    ("p_account", "account_id", "uuid"),
    ("p_type", "limit_type", "text"),
    ("p_scope", "limit_scope", "text"),
    ("p_identifier", "scope_identifier", "text"),
    ("p_value", "limit_value", "numeric"),
    ("p_unit", "limit_unit", "text"),
    ("p_warning", "warning_threshold", "numeric"),
    ("p_until", "effective_until", "timestamptz"),
    ("p_parameters", "parameters", "jsonb"),
];

impl Limit {
    fn with(mut self, argument: &str, value: impl Display) -> Self {
        self.create.set(argument, Some(value.to_string()));
        self
    }

    /// Of one account.
    pub(crate) fn of(self, account: impl Display) -> Self {
        self.scope("account").only(account)
    }

    /// Of each account by itself.
    pub(crate) fn of_each_account(self) -> Self {
        self.scope("account")
    }

    pub(crate) fn of_portfolio(self, name: &str) -> Self {
        self.scope("portfolio").named(name)
    }

    pub(crate) fn of_instrument(self, name: &str) -> Self {
        self.scope("instrument").named(name)
    }

    pub(crate) fn scope(self, scope: &str) -> Self {
        self.with("p_scope", scope)
    }

    pub(crate) fn named(self, identifier: &str) -> Self {
        self.with("p_identifier", identifier)
    }

    /// For one account only, whatever the scope is.
    pub(crate) fn only(self, account: impl Display) -> Self {
        self.with("p_account", account)
    }

    pub(crate) fn warning(self, value: impl Display) -> Self {
        self.with("p_warning", value)
    }

    pub(crate) fn until(self, moment: &str) -> Self {
        self.with("p_until", moment)
    }

    /// As JSON.
    pub(crate) fn parameters(self, parameters: impl Display) -> Self {
        self.with("p_parameters", parameters)
    }

    pub(crate) fn because(self, reason: &str) -> Self {
        self.with("p_reason", reason)
    }

    /// Sets a column that only another program writes.
    pub(crate) fn also(mut self, column: &'static str, kind: &'static str, value: &str) -> Self {
        self.also.push((column, kind, value.to_owned()));
        self
    }

    /// Writes the row as another program does; returns its id.
    pub(crate) async fn insert(&self, desk: &Desk) -> Uuid {
        self.try_insert(&desk.admin).await.unwrap()
    }

    pub(crate) async fn try_insert(&self, client: &Client) -> Result<Uuid, Error> {
        let mut row = rows::Row::of("risk_limits").set("created_by", "text", "seed");
        for (argument, column, kind) in COLUMNS {
            if let Some(value) = self.create.get(argument) {
                row = row.set(column, kind, value);
            }
        }
        for (column, kind, value) in &self.also {
            row = row.set(column, kind, value);
        }
        row.returning("limit_id", client).await?.try_get(0)
    }

    /// Asks whom it would bind, one row for each.
    pub(crate) async fn preview(&self, what: &str, client: &Client) -> Result<Vec<Row>, Error> {
        let takes = [
            "p_account",
            "p_type",
            "p_scope",
            "p_identifier",
            "p_value",
            "p_unit",
            "p_warning",
            "p_parameters",
        ];
        self.create.with_function("limit_preview", &takes).select(what, client).await
    }
}

impl Verb for Limit {
    fn call(&self) -> &Call {
        &self.create
    }

    fn call_mut(&mut self) -> &mut Call {
        &mut self.create
    }
}

/// The version of a limit that a person would see now.
pub(crate) async fn version(client: &Client, limit: Uuid) -> String {
    let sql = "SELECT updated_at::text FROM risk_limits WHERE limit_id = $1";
    client.query_one(sql, &[&limit]).await.unwrap().try_get(0).unwrap()
}

verb! {
    /// Proposes other figures for a limit that was seen in a version.
    Change = propose_limit(limit: "uuid", base_version: "timestamptz");
    value sets "value": "numeric",
    warning sets "warning": "numeric",
    until sets "until": "timestamptz",
    because sets "reason": "text",
}

pub(crate) fn change(limit: Uuid, version: &str) -> Change {
    Change::new(limit, version)
}

verb! {
    /// Proposes the end of a limit that was seen in a version.
    Retire = retire_limit(limit: "uuid", base_version: "timestamptz");
    because sets "reason": "text",
}

pub(crate) fn retire(limit: Uuid, version: &str) -> Retire {
    Retire::new(limit, version)
}

verb! {
    /// Agrees to a proposal.
    Approve = approve_limit(limit: "uuid");
    note sets "note": "text",
}

pub(crate) fn approve(proposal: impl Display) -> Approve {
    Approve::new(proposal)
}

verb! {
    /// Turns a proposal down.
    Reject = reject_limit(limit: "uuid");
    note sets "note": "text",
}

pub(crate) fn reject(proposal: impl Display) -> Reject {
    Reject::new(proposal)
}
