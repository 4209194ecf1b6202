//! The desk that each vector starts with, and how its judges query it.

use rust_decimal::Decimal;
use serde_json::Value;
use tmt::domain::ids::AccountId;
use tokio_postgres::Client;
use tokio_postgres::error::DbError;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::desk::{self, ALPHA, BRAVO};
use crate::reading::Judged;
use crate::rows::{Row, position};
use crate::verbs::{Call, Limit, Order, Verb, limit};

/// Values to bind.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A desk on which any price and size is allowed. No vector changes it.
pub(crate) struct Desk(desk::Desk);

/// The desk as one vector finds it, and a superuser's connection to it.
///
/// The connection is new, because a session remembers the types that columns had when it connected.
pub(crate) struct Scene {
    client: Client,
    /// Begins the logins of this test, and of no other.
    prefix: String,
}

impl Desk {
    pub(crate) async fn open() -> Self {
        Self(desk::Desk::permissive().await)
    }

    pub(super) async fn begin(&self) -> Scene {
        self.0.quote().await;
        let client = self.0.database.client().await;
        desk::begin(&client).await;
        Scene { client, prefix: self.0.database.name().to_owned() }
    }
}

impl Scene {
    pub(super) async fn rollback(self) {
        self.client.batch_execute("ROLLBACK").await.unwrap();
    }

    pub(super) async fn run(&self, sql: &str) -> Result<(), String> {
        self.client.batch_execute(sql).await.map_err(|error| why(&error, sql))
    }

    pub(super) async fn execute(&self, sql: &str, values: Values<'_>) -> Result<(), String> {
        self.client.execute(sql, values).await.map(drop).map_err(|error| why(&error, sql))
    }

    /// Acts as the owner of the rulebook, who alone may call some functions, until `reset_role`.
    pub(super) async fn become_owner(&self) -> Result<(), String> {
        self.run("SET LOCAL ROLE tmt_owner").await
    }

    pub(super) async fn reset_role(&self) -> Result<(), String> {
        self.run("RESET ROLE").await
    }

    /// One value as text; nothing if it is NULL or there is no row.
    pub(super) async fn text(
        &self,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Option<String>, String> {
        let whole = format!("SELECT (SELECT x.v FROM ({sql}) AS x (v) LIMIT 1)::text");
        let row = self.client.query_one(&whole, values).await.map_err(|e| why(&e, &whole))?;
        row.try_get(0).map_err(|error| error.to_string())
    }

    /// One value, as it stands in an answer.
    pub(super) async fn value(&self, sql: &str, values: Values<'_>) -> Judged {
        Ok(self.text(sql, values).await?.map_or(Value::Null, Value::String))
    }

    pub(super) async fn number(&self, sql: &str, values: Values<'_>) -> Result<Decimal, String> {
        let text = self.text(sql, values).await?.ok_or_else(|| format!("nothing from {sql}"))?;
        text.parse().map_err(|error| format!("{text}: {error}"))
    }

    pub(super) async fn is(&self, sql: &str, values: Values<'_>) -> Result<bool, String> {
        Ok(self.text(sql, values).await?.as_deref() == Some("true"))
    }

    pub(super) async fn json(&self, sql: &str, values: Values<'_>) -> Judged {
        let text = self.text(sql, values).await?.unwrap_or_else(|| "null".to_owned());
        serde_json::from_str(&text).map_err(|error| format!("{text}: {error}"))
    }

    /// One JSON value, selected from a call.
    pub(super) async fn asked(&self, call: &Call, what: &str, values: Values<'_>) -> Judged {
        let what = format!("({what})::text");
        let rows = call.select_with(&what, values, &self.client).await;
        let rows = rows.map_err(|error| why(&error, &format!("{what} of {call:?}")))?;
        let row = rows.first().ok_or_else(|| format!("nothing from {call:?}"))?;
        let text: &str = row.try_get(0).map_err(|error| error.to_string())?;
        serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))
    }

    /// The answer of a verb: its outcome, code, subject and what it allows.
    pub(super) async fn reply(&self, verb: &impl Verb) -> Judged {
        let answer = "jsonb_build_object('outcome', outcome, 'code', code, 'subject', subject, 'allowed', allowed::text)";
        self.asked(verb.call(), answer, &[]).await
    }

    /// Stores a rate, bid and ask with it.
    pub(super) async fn rate(
        &self,
        from: &str,
        to: &str,
        rate: impl ToString,
    ) -> Result<(), String> {
        let rate = rate.to_string();
        self.quote(from, to, &rate, &rate).await
    }

    /// Stores the rate of a currency in another, in the direction that keeps more of its digits.
    pub(super) async fn worth(
        &self,
        currency: &str,
        account: &str,
        fx: Decimal,
    ) -> Result<(), String> {
        // Rates are kept to twelve decimals.
        if fx < Decimal::ONE && fx.normalize().scale() > 12 {
            let inverse = self.text("SELECT 1 / $1::numeric", &[&fx]).await?.unwrap_or_default();
            self.rate(account, currency, inverse).await
        } else {
            self.rate(currency, account, fx).await
        }
    }

    /// Stores bid and ask of a pair, as of now.
    pub(super) async fn quote(
        &self,
        from: &str,
        to: &str,
        bid: &str,
        ask: &str,
    ) -> Result<(), String> {
        let sql = "INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of)
             SELECT $1, $2, (q.bid + q.ask) / 2, q.bid, q.ask, clock_timestamp()
               FROM (SELECT $3::text::numeric, $4::text::numeric) AS q (bid, ask)
             ON CONFLICT (from_currency, to_currency) DO UPDATE SET rate = EXCLUDED.rate, bid = EXCLUDED.bid,
                ask = EXCLUDED.ask, as_of = EXCLUDED.as_of";
        self.execute(sql, &[&from, &to, &bid, &ask]).await
    }

    /// Makes an instrument, or gives it this contract size; returns its name.
    pub(super) async fn instrument(
        &self,
        base: &str,
        quote: &str,
        contract: Decimal,
    ) -> Result<String, String> {
        let name = format!("{base}_{quote}");
        let sql = "INSERT INTO instruments (instrument, base_currency, quote_currency, contract_size, size_step, min_size,
                                      tick_size, pip_size, margin_rate)
             VALUES ($1, $2, $3, $4, 0.01, 0.01, 0.00001, 0.0001, 0)
             ON CONFLICT (instrument) DO UPDATE SET contract_size = EXCLUDED.contract_size";
        self.execute(sql, &[&name, &base, &quote, &contract]).await?;
        Ok(name)
    }

    /// Acts as a member of a group until the transaction, or its savepoint, ends. Blanks before and
    /// after a name stay there.
    pub(super) async fn become_one(&self, person: &str, group: &str) -> Result<(), String> {
        let name = person.trim_start();
        let blanks = person.len() - name.len();
        let login = format!("{:blanks$}{}_{name}", "", self.prefix);
        self.run(&format!(
            "SET LOCAL SESSION AUTHORIZATION DEFAULT;
             DO $$ BEGIN CREATE ROLE \"{login}\" LOGIN IN ROLE {group}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             SET LOCAL SESSION AUTHORIZATION \"{login}\""
        ))
        .await
    }

    /// Gives an account these amounts and nothing that is open.
    pub(super) async fn account(
        &self,
        account: AccountId,
        currency: &str,
        amount: Decimal,
    ) -> Result<(), String> {
        let sql = "UPDATE accounts SET base_currency = $2::text, initial_balance = greatest($3::numeric, 1), current_balance = $3,
                    available_balance = $3, equity = $3, margin_used = 0 WHERE account_id = $1";
        self.execute(sql, &[&account.0, &currency, &amount]).await
    }

    /// The accounts of the desk, and as many more of the same portfolio as are asked for.
    pub(super) async fn accounts(&self, count: usize) -> Result<Vec<AccountId>, String> {
        let mut all = vec![ALPHA, BRAVO];
        while all.len() < count {
            let account = Uuid::new_v4();
            let sql = "INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency, initial_balance,
                                       current_balance, available_balance, equity, max_daily_loss, max_total_drawdown, metadata)
                 SELECT $1, $2, broker, platform, account_type, base_currency, initial_balance, current_balance,
                        available_balance, equity, max_daily_loss, max_total_drawdown, metadata
                   FROM accounts WHERE account_id = $3";
            self.execute(sql, &[&account, &account.to_string(), &ALPHA.0]).await?;
            all.push(AccountId(account));
        }
        all.truncate(count);
        Ok(all)
    }

    pub(super) async fn margin_rate(&self, instrument: &str, rate: Decimal) -> Result<(), String> {
        let sql = "UPDATE instruments SET margin_rate = $2 WHERE instrument = $1";
        self.execute(sql, &[&instrument, &rate]).await
    }

    pub(super) async fn insert(&self, row: &Row) -> Result<(), String> {
        row.try_insert(&self.client).await.map_err(|error| why(&error, &format!("{row:?}")))
    }

    /// Opens a position, as another program would.
    pub(super) async fn hold(
        &self,
        account: AccountId,
        instrument: &str,
        direction: &str,
        size: Decimal,
        price: Decimal,
    ) -> Result<(), String> {
        let sql = "SELECT count(*) = 0 FROM positions WHERE account_id = $1 AND instrument = $2";
        let is_first = self.is(sql, &[&account.0, &instrument]).await?;
        let key = if is_first { String::new() } else { Uuid::new_v4().to_string() };
        let row = position(account).of_instrument(instrument).at(price);
        let row = row.set("position_type", "text", direction).set("total_size", "numeric", size);
        self.insert(&row.set("netting_key", "text", key)).await
    }

    /// Sets a limit, as another program would.
    pub(super) async fn limit(&self, limit: Limit) -> Result<(), String> {
        let written = limit.try_insert(&self.client).await;
        written.map(drop).map_err(|error| why(&error, "a limit"))
    }

    /// Sets limits of alpha that are never reached, to read what they measure.
    pub(super) async fn measure(&self, limits: &[(&str, &str)]) -> Result<(), String> {
        for (limit_type, unit) in limits {
            self.limit(limit(limit_type, 99_999_999_999_u64, unit).of(ALPHA)).await?;
        }
        Ok(())
    }

    /// What a limit measures of an account as it is.
    pub(super) async fn measured(&self, limit_type: &str, places: i32) -> Judged {
        let sql = "SELECT round(m.before, $3) FROM unnest(desk.measure_limits(
                        desk.load_order($1, NULL, NULL, NULL, NULL, NULL, NULL, NULL), true)) m
              WHERE m.limit_type = $2";
        self.value(sql, &[&ALPHA.0, &limit_type, &places]).await
    }

    /// A number as a column of a table keeps it; null where it does not fit.
    pub(super) async fn kept(&self, table: &str, column: &str, number: Decimal) -> Judged {
        self.kept_of(table, column, "$1::numeric", &[&number]).await
    }

    /// What an expression gives, as a column of a table keeps it; null where it does not fit.
    pub(super) async fn kept_of(
        &self,
        table: &str,
        column: &str,
        expression: &str,
        values: Values<'_>,
    ) -> Judged {
        self.run("SAVEPOINT kept").await?;
        let kept = format!(
            "SELECT (jsonb_populate_record(NULL::{table}, jsonb_build_object('{column}', {expression}))).{column}"
        );
        let kept = self.value(&kept, values).await;
        self.run("ROLLBACK TO kept").await?;
        match kept {
            Err(why) if why.starts_with("22003") => Ok(Value::Null),
            other => other,
        }
    }

    /// The checks of an order, each as JSON, as if it were placed `seconds` after the transaction
    /// began.
    pub(super) async fn lines(
        &self,
        order: &Order,
        seconds: Option<Decimal>,
    ) -> Result<Vec<Value>, String> {
        let what = "SELECT coalesce(jsonb_agg(jsonb_build_object('code', a.code, 'severity', a.severity, 'before', a.before::text,
                            'measured', a.measured::text, 'allowed', a.allowed::text, 'unit', a.unit, 'room', a.room::text,
                            'message', a.message) ORDER BY a.ordinality), '[]')
               FROM unnest(desk.check_order(jsonb_populate_record(load_order, jsonb_build_object('is_preview', true)
                        || CASE WHEN $1::text IS NULL THEN '{}' ELSE jsonb_build_object('at', now() + $1::interval) END)))
                    WITH ORDINALITY AS a";
        let after = seconds.map(|seconds| format!("{seconds} seconds"));
        let lines = self.asked(&order.question("load_order"), what, &[&after]).await?;
        lines.as_array().cloned().ok_or_else(|| "no lines".to_owned())
    }

    /// The one check of an order with a code.
    pub(super) async fn line(&self, order: &Order, code: &str) -> Judged {
        find(self.lines(order, None).await?, code)
    }

    /// The one check with a code of an order that would be filled so.
    pub(super) async fn line_of(&self, fill: &Fill<'_>, code: &str) -> Judged {
        let order = bare(fill.instrument, fill.side, fill.size, fill.price).on(fill.account);
        find(self.lines(&order, fill.seconds).await?, code)
    }

    /// Sets a setting of the desk.
    pub(super) async fn set(&self, setting: &str, value: Decimal) -> Result<(), String> {
        let sql = "UPDATE tmt.settings SET value = $2 WHERE key = $1";
        self.execute(sql, &[&setting, &value.to_string()]).await
    }

    /// Books a fill.
    pub(super) async fn book(&self, fill: &Fill<'_>) -> Result<(), String> {
        let sql = "SELECT desk.book_fill($1, $2, $3, $4, $5, $6, $7::text::numeric, $8, $9, $10, NULL, NULL, NULL,
                CASE WHEN $11::text IS NULL THEN clock_timestamp() ELSE now() + $11::interval END, $12)";
        let after = fill.seconds.map(|seconds| format!("{seconds} seconds"));
        self.become_owner().await?;
        self.execute(
            sql,
            &[
                &fill.key,
                &fill.account.0,
                &fill.instrument,
                &fill.side,
                &fill.size,
                &fill.price,
                &fill.fx,
                &fill.commission,
                &fill.swap,
                &fill.stop,
                &after,
                &fill.ticket,
            ],
        )
        .await?;
        self.reset_role().await
    }

    /// Computes margin and equity of alpha again.
    pub(super) async fn book_cash(&self) -> Result<(), String> {
        self.become_owner().await?;
        self.execute("SELECT desk.book_cash($1, 0, now())", &[&ALPHA.0]).await?;
        self.reset_role().await
    }
}

/// A fill to book.
#[derive(Debug, Clone)]
pub(super) struct Fill<'a> {
    /// Also the key of the trade that it opens.
    pub(super) key: Uuid,
    pub(super) account: AccountId,
    pub(super) instrument: &'a str,
    pub(super) side: &'a str,
    pub(super) size: Decimal,
    pub(super) price: Decimal,
    /// The rate from the quote currency to that of the account, with all of its digits.
    pub(super) fx: String,
    pub(super) commission: Decimal,
    pub(super) swap: Decimal,
    pub(super) stop: Option<Decimal>,
    /// When, after the transaction began; now if not given.
    pub(super) seconds: Option<Decimal>,
    /// The position of a hedging account.
    pub(super) ticket: Option<Uuid>,
}

impl<'a> Fill<'a> {
    /// A fill of alpha at no cost.
    pub(super) fn new(instrument: &'a str, side: &'a str, size: Decimal, price: Decimal) -> Self {
        Self {
            key: Uuid::new_v4(),
            account: ALPHA,
            instrument,
            side,
            size,
            price,
            fx: "1".to_owned(),
            commission: Decimal::ZERO,
            swap: Decimal::ZERO,
            stop: None,
            seconds: None,
            ticket: None,
        }
    }
}

fn find(mut lines: Vec<Value>, code: &str) -> Judged {
    lines.retain(|line| line["code"] == code);
    lines.pop().ok_or_else(|| format!("no line {code}"))
}

/// An order of alpha without stop and target.
pub(super) fn bare(instrument: &str, side: &str, size: Decimal, price: Decimal) -> Order {
    crate::verbs::order(instrument).side(side).size(size).at(price)
}

/// A rate as it was written, all of its digits; 1 where there is none.
pub(super) fn as_written(row: &Value, name: &str) -> String {
    match row.get(name) {
        None | Some(Value::Null) => "1".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The side of an order or a position.
pub(super) fn side(word: &str) -> &'static str {
    if word == "BUY" || word == "LONG" { "BUY" } else { "SELL" }
}

fn why(error: &tokio_postgres::Error, sql: &str) -> String {
    let code = error.code().map_or("", |state| state.code()).to_owned();
    let words = error.as_db_error().map_or_else(|| error.to_string(), said);
    format!("{code} {words} in {sql}")
}

fn said(error: &DbError) -> String {
    format!("{} {}", error.message(), error.detail().unwrap_or_default())
}
