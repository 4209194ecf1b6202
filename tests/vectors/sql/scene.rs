//! The desk that each vector begins with, and how one speaks to it.

use rust_decimal::Decimal;
use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::error::DbError;

use crate::book::{ALPHA, BRAVO, Book, Order};

/// Any price and any size is good here: the vectors are about the arithmetic.
const PERMISSIVE: &str = "
    UPDATE tmt.settings SET value = 'false' WHERE key = 'stop_required';
    UPDATE tmt.settings SET value = '1000000000' WHERE key = 'price_collar_percent';
    UPDATE tmt.settings SET value = '0' WHERE key = 'duplicate_window_seconds';
    UPDATE tmt.settings SET value = '1000' WHERE key = 'max_risk_fraction';
    UPDATE instruments SET size_step = 0.01, min_size = 0.01, max_size = NULL, margin_rate = 0, tick_size = 0.00001;
    UPDATE accounts SET max_daily_loss = 1, max_total_drawdown = 0.5";

/// A permissive desk, which no vector changes.
pub(crate) struct Desk {
    book: Book,
}

/// The desk as one vector finds it, and a superuser's connection to it.
///
/// The connection is new, as it is for those who use an adopted database: what a session knows of
/// the types of columns is what they were when it came.
pub(crate) struct Scene {
    client: Client,
    /// No other test has logins that begin so.
    prefix: String,
}

impl Desk {
    pub(crate) async fn open() -> Self {
        let book = Book::open().await;
        book.run(PERMISSIVE).await;
        Self { book }
    }

    pub(super) async fn begin(&self) -> Scene {
        self.book.quote().await;
        let client = self.book.database.client().await;
        client.batch_execute("BEGIN").await.unwrap();
        Scene { client, prefix: self.book.database.name().to_owned() }
    }
}

impl Scene {
    pub(super) async fn rollback(self) {
        self.client.batch_execute("ROLLBACK").await.unwrap();
    }

    /// Runs statements.
    pub(super) async fn run(&self, sql: &str) -> Result<(), String> {
        self.client.batch_execute(sql).await.map_err(|error| why(&error, sql))
    }

    /// Runs statements as the owner of the desk's functions, who alone may call some of them.
    pub(super) async fn own(&self, sql: &str) -> Result<(), String> {
        self.run(&format!("SET LOCAL ROLE tmt_owner; {sql}; RESET ROLE")).await
    }

    /// One value as text; nothing if it is NULL or there is no row.
    pub(super) async fn text(&self, sql: &str) -> Result<Option<String>, String> {
        let whole = format!("SELECT (SELECT x.v FROM ({sql}) AS x (v) LIMIT 1)::text");
        let row = self.client.query_one(&whole, &[]).await.map_err(|e| why(&e, &whole))?;
        row.try_get(0).map_err(|error| error.to_string())
    }

    /// One value, as it stands in an answer.
    pub(super) async fn value(&self, sql: &str) -> Result<Value, String> {
        Ok(self.text(sql).await?.map_or(Value::Null, Value::String))
    }

    /// One number.
    pub(super) async fn number(&self, sql: &str) -> Result<Decimal, String> {
        let text = self.text(sql).await?.ok_or_else(|| format!("nothing from {sql}"))?;
        text.parse().map_err(|error| format!("{text}: {error}"))
    }

    /// One truth.
    pub(super) async fn is(&self, sql: &str) -> Result<bool, String> {
        Ok(self.text(sql).await?.as_deref() == Some("true"))
    }

    /// One JSON value.
    pub(super) async fn json(&self, sql: &str) -> Result<Value, String> {
        let text = self.text(sql).await?.unwrap_or_else(|| "null".to_owned());
        serde_json::from_str(&text).map_err(|error| format!("{text}: {error}"))
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

    /// Stores what a currency is worth in another, the way round that keeps more of its digits.
    pub(super) async fn worth(
        &self,
        currency: &str,
        account: &str,
        fx: Decimal,
    ) -> Result<(), String> {
        // Rates are kept to twelve decimals.
        let (from, to, rate) = if fx < Decimal::ONE && fx.normalize().scale() > 12 {
            (account, currency, format!("1 / {fx}::numeric"))
        } else {
            (currency, account, fx.to_string())
        };
        self.quote(from, to, &rate, &rate).await
    }

    /// Stores bid and ask of a pair, as of now.
    pub(super) async fn quote(
        &self,
        from: &str,
        to: &str,
        bid: &str,
        ask: &str,
    ) -> Result<(), String> {
        self.run(&format!(
            "INSERT INTO fx_rates (from_currency, to_currency, rate, bid, ask, as_of)
             VALUES ('{from}', '{to}', (({bid})::numeric + ({ask})) / 2, {bid}, {ask}, clock_timestamp())
             ON CONFLICT (from_currency, to_currency) DO UPDATE SET rate = EXCLUDED.rate, bid = EXCLUDED.bid,
                ask = EXCLUDED.ask, as_of = EXCLUDED.as_of"
        ))
        .await
    }

    /// Makes an instrument, or gives it this contract size.
    pub(super) async fn instrument(
        &self,
        base: &str,
        quote: &str,
        contract: Decimal,
    ) -> Result<String, String> {
        let name = format!("{base}_{quote}");
        self.run(&format!(
            "INSERT INTO instruments (instrument, base_currency, quote_currency, contract_size, size_step, min_size,
                                      tick_size, pip_size, margin_rate)
             VALUES ('{name}', '{base}', '{quote}', {contract}, 0.01, 0.01, 0.00001, 0.0001, 0)
             ON CONFLICT (instrument) DO UPDATE SET contract_size = EXCLUDED.contract_size"
        ))
        .await?;
        Ok(name)
    }

    /// Becomes somebody of a group until the transaction, or what was begun in it, ends. Blanks
    /// before and after a name stay there.
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
        account: &str,
        currency: &str,
        amount: Decimal,
    ) -> Result<(), String> {
        self.run(&format!(
            "UPDATE accounts SET base_currency = '{currency}', initial_balance = greatest({amount}, 1), current_balance = {amount},
                    available_balance = {amount}, equity = {amount}, margin_used = 0 WHERE account_id = '{account}'"
        ))
        .await
    }

    /// The accounts of the desk, and as many more of the same portfolio as are asked for.
    pub(super) async fn accounts(&self, count: usize) -> Result<Vec<String>, String> {
        let mut all = vec![ALPHA.to_owned(), BRAVO.to_owned()];
        while all.len() < count {
            let account = uuid::Uuid::new_v4().to_string();
            self.run(&format!(
                "INSERT INTO accounts (account_id, account_name, broker, platform, account_type, base_currency, initial_balance,
                                       current_balance, available_balance, equity, max_daily_loss, max_total_drawdown, metadata)
                 SELECT '{account}', '{account}', broker, platform, account_type, base_currency, initial_balance, current_balance,
                        available_balance, equity, max_daily_loss, max_total_drawdown, metadata
                   FROM accounts WHERE account_id = '{ALPHA}'"
            ))
            .await?;
            all.push(account);
        }
        all.truncate(count);
        Ok(all)
    }

    /// Puts a position where it is, as another program would.
    pub(super) async fn hold(
        &self,
        account: &str,
        instrument: &str,
        direction: &str,
        size: Decimal,
        price: Decimal,
    ) -> Result<(), String> {
        self.run(&format!(
            "INSERT INTO positions (account_id, instrument, netting_key, position_type, total_size, average_entry_price)
             SELECT '{account}', '{instrument}',
                    coalesce((SELECT gen_random_uuid()::text FROM positions p
                               WHERE p.account_id = '{account}' AND p.instrument = '{instrument}' LIMIT 1), ''),
                    '{direction}', {size}, {price}"
        ))
        .await
    }

    /// Sets limits that are never reached: what they measure is what is asked.
    pub(super) async fn watch(&self, limits: &[(&str, &str)]) -> Result<(), String> {
        for (limit_type, unit) in limits {
            self.run(&format!(
                "INSERT INTO risk_limits (account_id, limit_type, limit_scope, limit_value, limit_unit, created_by)
                 VALUES ('{ALPHA}', '{limit_type}', 'account', 99999999999, '{unit}', 'seed')"
            ))
            .await?;
        }
        Ok(())
    }

    /// What a limit measures of an account as it is.
    pub(super) async fn measured(&self, limit_type: &str, places: u32) -> Result<Value, String> {
        self.value(&format!(
            "SELECT round(m.before, {places}) FROM unnest(desk.measure_limits(
                        desk.load_order('{ALPHA}', NULL, NULL, NULL, NULL, NULL, NULL, NULL), true)) m
              WHERE m.limit_type = '{limit_type}'"
        ))
        .await
    }

    /// A number as a column of a table keeps it; null where it does not fit.
    pub(super) async fn kept(&self, table: &str, column: &str, sql: &str) -> Result<Value, String> {
        self.run("SAVEPOINT kept").await?;
        let kept = self
            .value(&format!(
                "SELECT (jsonb_populate_record(NULL::{table}, jsonb_build_object('{column}', ({sql})))).{column}"
            ))
            .await;
        self.run("ROLLBACK TO kept").await?;
        match kept {
            Err(why) if why.starts_with("22003") => Ok(Value::Null),
            other => other,
        }
    }

    /// The lines of an assessment of an order that have a code, each as JSON; with `at` as if it
    /// were then.
    pub(super) async fn lines(
        &self,
        order: &Order,
        at: Option<&str>,
        code: &str,
    ) -> Result<Vec<Value>, String> {
        let draft = format!("desk.load_order({})", order.fields());
        let at = at.map_or_else(String::new, |at| format!(", 'at', {at}"));
        let draft =
            format!("jsonb_populate_record({draft}, jsonb_build_object('is_preview', true{at}))");
        let lines = self
            .json(&format!(
                "SELECT coalesce(jsonb_agg(jsonb_build_object('code', a.code, 'severity', a.severity, 'before', a.before::text,
                            'measured', a.measured::text, 'allowed', a.allowed::text, 'unit', a.unit, 'room', a.room::text,
                            'message', a.message) ORDER BY a.ordinality), '[]')
                   FROM unnest(desk.check_order({draft})) WITH ORDINALITY AS a WHERE '{code}' IN ('', a.code)"
            ))
            .await?;
        lines.as_array().cloned().ok_or_else(|| "no lines".to_owned())
    }

    /// The one line of an assessment with a code.
    pub(super) async fn line(&self, order: &Order, code: &str) -> Result<Value, String> {
        self.lines(order, None, code).await?.pop().ok_or_else(|| format!("no line {code}"))
    }
}

/// An order without stop and target.
pub(super) fn bare(instrument: &str, side: &'static str, size: Decimal, price: Decimal) -> Order {
    Order {
        instrument: instrument.to_owned(),
        side,
        price,
        stop: None,
        target: None,
        ..crate::book::buy(size)
    }
}

/// A rate as it was written, all of its digits; 1 where there is none.
pub(super) fn as_written(row: &Value, name: &str) -> String {
    match row.get(name) {
        None | Some(Value::Null) => "1".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The words of a side, which an order keeps for good.
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
