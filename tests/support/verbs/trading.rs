//! Orders, and what is done to positions.

use std::fmt::Display;

use rust_decimal::Decimal;
use tokio_postgres::{Client, Row};

use super::{Answer, Call, Verb, verb};
use crate::desk::ALPHA;

verb! {
    /// An order.
    Order = place_trade(account: "uuid", instrument: "text");
    side sets "side": "text",
    size sets "size": "numeric",
    at sets "price": "numeric",
    stop sets "stop": "numeric",
    target sets "target": "numeric",
    of_signal sets "signal": "uuid",
    because sets "reason": "text",
}

/// An order on alpha.
pub(crate) fn order(instrument: &str) -> Order {
    Order::new(ALPHA, instrument)
}

/// Buys `EUR_USD` on alpha at 1.1, 50 pips above the stop and 100 below the target.
pub(crate) fn buy(size: impl Display) -> Order {
    order("EUR_USD").buy(size).at("1.1").stop("1.095").target("1.11")
}

/// Sells `EUR_USD` on alpha at 1.1, 50 pips below the stop and 100 above the target.
pub(crate) fn sell(size: impl Display) -> Order {
    order("EUR_USD").sell(size).at("1.1").stop("1.105").target("1.09")
}

/// What an assessment is asked about.
const ASSESSED: [&str; 8] =
    ["p_account", "p_instrument", "p_side", "p_size", "p_price", "p_stop", "p_target", "p_signal"];

impl Order {
    pub(crate) fn buy(self, size: impl Display) -> Self {
        self.side("BUY").size(size)
    }

    pub(crate) fn sell(self, size: impl Display) -> Self {
        self.side("SELL").size(size)
    }

    pub(crate) fn on(mut self, account: impl Display) -> Self {
        self.0.set("p_account", Some(account.to_string()));
        self
    }

    pub(crate) fn without_stop(self) -> Self {
        self.without("stop")
    }

    pub(crate) fn without_target(self) -> Self {
        self.without("target")
    }

    /// Neither stop nor target.
    pub(crate) fn bare(self) -> Self {
        self.without_stop().without_target()
    }

    pub(crate) async fn place(&self, client: &Client) -> Answer {
        self.send(client).await
    }

    pub(crate) async fn assess(&self, client: &Client) -> Assessment {
        let rows = self.question("assess_trade").select("*", client).await.unwrap();
        Assessment(rows.iter().map(Line::of).collect())
    }

    /// A call of another function that takes the fields of an order.
    pub(crate) fn question(&self, function: &'static str) -> Call {
        self.0.with_function(function, &ASSESSED)
    }
}

/// What the rulebook says of an order, one line for each check.
#[derive(Debug)]
pub(crate) struct Assessment(Vec<Line>);

/// A row of `desk.assess_trade`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) code: String,
    pub(crate) severity: String,
    pub(crate) before: Option<Decimal>,
    pub(crate) measured: Option<Decimal>,
    pub(crate) allowed: Option<Decimal>,
    pub(crate) unit: Option<String>,
    pub(crate) room: Option<Decimal>,
    pub(crate) message: String,
}

impl Assessment {
    /// The codes of the lines that do not pass.
    pub(crate) fn objections(&self) -> Vec<&str> {
        let objections = self.0.iter().filter(|line| line.severity != "info");
        objections.map(|line| line.code.as_str()).collect()
    }

    pub(crate) fn codes(&self) -> Vec<&str> {
        self.0.iter().map(|line| line.code.as_str()).collect()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Line> {
        self.0.iter()
    }

    /// The line with a code.
    #[track_caller]
    pub(crate) fn find(&self, code: &str) -> &Line {
        self.0.iter().find(|line| line.code == code).unwrap()
    }
}

impl Line {
    fn of(row: &Row) -> Self {
        Self {
            code: row.try_get("code").unwrap(),
            severity: row.try_get("severity").unwrap(),
            before: row.try_get("before").unwrap(),
            measured: row.try_get("measured").unwrap(),
            allowed: row.try_get("allowed").unwrap(),
            unit: row.try_get("unit").unwrap(),
            room: row.try_get("room").unwrap(),
            message: row.try_get("message").unwrap(),
        }
    }
}

verb! {
    /// Closes a position, a part of it, or the trade of a hedging account.
    Close = close_position(position: "uuid");
    size sets "size": "numeric",
    at sets "price": "numeric",
    because sets "reason": "text",
}

/// Closes all of a position, at the market.
pub(crate) fn close(position: impl Display) -> Close {
    Close::new(position)
}

verb! {
    /// Gives a position these levels and no others.
    Amend = amend_position(position: "uuid");
    stop sets "stop": "numeric",
    target sets "target": "numeric",
    trailing sets "trailing": "numeric",
    because sets "reason": "text",
}

pub(crate) fn amend(position: impl Display) -> Amend {
    Amend::new(position)
}

impl Amend {
    /// What its preview says: severity, code and message of each line.
    pub(crate) async fn preview(&self, client: &Client) -> Vec<String> {
        let takes = ["p_position", "p_stop", "p_target", "p_trailing"];
        let asked = self.0.with_function("preview_amend", &takes);
        let rows = asked.select("concat(severity, ' ', code, ': ', message)", client).await;
        rows.unwrap().iter().map(|row| row.try_get(0).unwrap()).collect()
    }
}

verb! {
    /// Charges or credits a position: a swap or a commission.
    Charge = charge(position: "uuid", kind: "text", amount: "numeric");
    because sets "reason": "text",
}

pub(crate) fn charge(position: impl Display, kind: &str, amount: impl Display) -> Charge {
    Charge::new(position, kind, amount)
}

verb! {
    /// Closes every position of an account.
    Flatten = flatten(account: "uuid");
    because sets "reason": "text",
}

pub(crate) fn flatten(account: impl Display) -> Flatten {
    Flatten::new(account)
}
