//! Rows as another program of TMT writes them, past the rulebook.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a fixture that fails, fails its test")]

use std::fmt::Display;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// A row to insert: its columns, each bound as text and read as its type.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    table: &'static str,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    name: &'static str,
    /// The value as SQL, with `$` where the text is bound.
    sql: String,
    text: Option<String>,
}

impl Row {
    pub(crate) fn of(table: &'static str) -> Self {
        Self { table, columns: Vec::new() }
    }

    fn put(mut self, name: &'static str, sql: String, text: Option<String>) -> Self {
        self.columns.retain(|column| column.name != name);
        self.columns.push(Column { name, sql, text });
        self
    }

    pub(crate) fn set(self, name: &'static str, kind: &str, value: impl Display) -> Self {
        self.put(name, format!("$::text::{kind}"), Some(value.to_string()))
    }

    pub(crate) fn null(self, name: &'static str) -> Self {
        self.put(name, "NULL".to_owned(), None)
    }

    /// Sets a time: so long ago, `3 months`.
    pub(crate) fn ago(self, name: &'static str, interval: &str) -> Self {
        let sql = "now() - $::text::interval".to_owned();
        self.put(name, sql, Some(interval.to_owned()))
    }

    /// Inserts the row, and returns a column of it.
    pub(crate) async fn returning(
        &self,
        column: &str,
        client: &Client,
    ) -> Result<tokio_postgres::Row, Error> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let mut bound: Vec<&(dyn ToSql + Sync)> = Vec::new();
        let mut values = Vec::new();
        for column in &self.columns {
            if let Some(text) = &column.text {
                bound.push(text);
            }
            values.push(column.sql.replace('$', &format!("${}", bound.len())));
        }
        let (table, names, values) = (self.table, names.join(", "), values.join(", "));
        let sql = format!("INSERT INTO {table} ({names}) VALUES ({values}) RETURNING {column}");
        client.query_one(&sql, &bound).await
    }

    /// Inserts the row, and returns its id.
    pub(crate) async fn id(&self, column: &str, client: &Client) -> Uuid {
        self.returning(column, client).await.unwrap().try_get(0).unwrap()
    }

    pub(crate) async fn try_insert(&self, client: &Client) -> Result<(), Error> {
        self.returning("1", client).await.map(drop)
    }

    pub(crate) async fn insert(&self, client: &Client) {
        self.try_insert(client).await.unwrap();
    }

    /// The SQLSTATE with which it is refused.
    pub(crate) async fn sqlstate(&self, client: &Client) -> String {
        self.try_insert(client).await.unwrap_err().code().unwrap().code().to_owned()
    }

    // ---- what trades and positions have -------------------------------------------------------

    pub(crate) fn of_instrument(self, instrument: &str) -> Self {
        self.set("instrument", "text", instrument)
    }

    pub(crate) fn buy(self, size: impl Display) -> Self {
        self.set("trade_type", "text", "BUY").set("position_size", "numeric", size)
    }

    pub(crate) fn sell(self, size: impl Display) -> Self {
        self.set("trade_type", "text", "SELL").set("position_size", "numeric", size)
    }

    pub(crate) fn long(self, size: impl Display) -> Self {
        self.set("position_type", "text", "LONG").set("total_size", "numeric", size)
    }

    pub(crate) fn short(self, size: impl Display) -> Self {
        self.set("position_type", "text", "SHORT").set("total_size", "numeric", size)
    }

    /// The price of entry.
    pub(crate) fn at(self, price: impl Display) -> Self {
        let name = if self.table == "trades" { "entry_price" } else { "average_entry_price" };
        self.set(name, "numeric", price)
    }

    /// The price and the P&L at which a position is marked.
    pub(crate) fn marked(self, price: impl Display, pnl: impl Display) -> Self {
        self.set("current_price", "numeric", price).set("unrealized_pnl", "numeric", pnl)
    }

    pub(crate) fn status(self, status: &str) -> Self {
        self.set("status", "text", status)
    }
}

/// A trade in `EUR_USD` at 1.1, entered now; its side and size are still to be said.
pub(crate) fn trade(account: impl Display) -> Row {
    Row::of("trades")
        .set("account_id", "uuid", account)
        .of_instrument("EUR_USD")
        .at("1.1")
        .set("risk_amount", "numeric", 5)
        .set("risk_percentage", "numeric", "0.001")
        .set("entry_time", "timestamptz", "now")
}

/// A position in `EUR_USD` at 1.1; its side and size are still to be said.
pub(crate) fn position(account: impl Display) -> Row {
    Row::of("positions").set("account_id", "uuid", account).of_instrument("EUR_USD").at("1.1")
}

/// A warning about nothing.
pub(crate) fn event(severity: &str) -> Row {
    Row::of("risk_events").set("event_type", "text", "x").set("severity", "text", severity).set(
        "event_source",
        "text",
        "test",
    )
}

/// A signal of an agent, valid for an hour.
pub(crate) fn signal(side: &str, [entry, stop, target]: [&str; 3]) -> Row {
    Row::of("signals")
        .of_instrument("EUR_USD")
        .set("signal_type", "text", side)
        .set("confidence", "numeric", "0.8")
        .set("entry_price", "numeric", entry)
        .set("stop_loss", "numeric", stop)
        .set("take_profit", "numeric", target)
        .set("risk_reward_ratio", "numeric", 2)
        .set("timeframe", "text", "H1")
        .set("agent_id", "text", "agent")
        .ago("valid_until", "-1 hour")
}
