//! Trading days, weeks and months: when they begin, how they roll, and performance.

use rust_decimal::dec;
use serde_json::{Value, json};
use tmt::domain::ids::AccountId;

use crate::desk::{ALPHA, BRAVO, Desk, text};
use crate::rows::trade;
use crate::verbs::{Verb as _, buy, close, halt_account};

fn vector(id: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../golden-vectors.json")).unwrap();
    let all = file.get("vectors").unwrap().as_array().unwrap();
    all.iter().find(|v| v.get("id").unwrap() == id).unwrap().clone()
}

fn word<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap()
}

/// Starts and ends of a period, in UTC.
async fn period(desk: &Desk, zone: &str, reset: &str, kind: &str, at: &str) -> String {
    let sql = "SELECT concat_ws(' ', desk.timestamp_text(starts), desk.timestamp_text(ends))
        FROM desk.period(jsonb_build_object('tz', $1::text, 'reset_time', $2::text), $3, $4::text::timestamptz)";
    desk.text_of(sql, &[&zone, &reset, &kind, &at]).await.replace(".000000Z", "Z")
}

/// Moves the current periods of an account some days back.
async fn shift(desk: &Desk, account: AccountId, days: i32) {
    let sql =
        "UPDATE performance_metrics SET period_start = period_start - $2::int * interval '1 day',
                                              period_end = period_end - $2::int * interval '1 day'
        WHERE account_id = $1";
    desk.execute(sql, &[&account.0, &days]).await;
    desk.run("UPDATE accounts SET created_at = created_at - interval '1 year'").await;
}

/// The daily rows of alpha, oldest first.
const DAYS: &str = "SELECT string_agg(concat_ws(' ', round(extract(epoch FROM period_start - date_trunc('day', now(), 'UTC')) / 86400),
        start_balance, start_equity, coalesce(end_balance::text, '-'), coalesce(end_equity::text, '-'), peak_eod_balance,
        CASE WHEN is_estimated THEN 'estimated' END), '; ' ORDER BY period_start)
    FROM performance_metrics WHERE period_type = 'daily' AND account_id = '00000000-0000-0000-0000-0000000000a1'";

#[tokio::test]
async fn days_weeks_and_months_start_in_the_zone_of_the_account() {
    let desk = Desk::open().await;
    // Regardless of the time zone of the session.
    desk.run("SET timezone = 'Pacific/Kiritimati'").await;
    let days = vector("DD-10");
    for (_, day) in days.pointer("/expected/days").unwrap().as_object().unwrap() {
        let start = word(day, "/start_utc");
        let found = period(&desk, "Europe/Prague", "00:00", "daily", start).await;
        assert!(found.starts_with(start), "{found}");
        let hours = "SELECT (extract(epoch FROM ends - starts) / 3600)::int
            FROM desk.period('{\"tz\": \"Europe/Prague\"}', 'daily', $1::text::timestamptz)";
        assert_eq!(desk.text_of(hours, &[&start]).await, day.get("hours").unwrap().to_string());
    }
    let rolls = vector("DD-11");
    for (_, roll) in rolls.pointer("/expected/roll_utc").unwrap().as_object().unwrap() {
        let roll = roll.as_str().unwrap();
        let found = period(&desk, "America/New_York", "17:00", "daily", roll).await;
        assert!(found.starts_with(roll), "{found}");
    }
    // LIM-09.
    let windows = vector("LIM-09");
    for (kind, name) in
        [("daily", "day_start"), ("weekly", "week_start"), ("monthly", "month_start")]
    {
        let found =
            period(&desk, "Europe/Prague", "00:00", kind, word(&windows, "/input/now")).await;
        assert!(found.starts_with(word(&windows, &format!("/expected/{name}"))), "{found}");
    }
    // An unknown zone is read as UTC.
    let found = period(&desk, "Europe/Atlantis", "00:00", "weekly", "2025-06-04T10:00:00Z").await;
    assert_eq!(found, "2025-06-02T00:00:00Z 2025-06-09T00:00:00Z");
}

#[tokio::test]
async fn every_moment_is_in_exactly_one_period() {
    let desk = Desk::open().await;
    // The hard case is a reset in the hour that summer time skips or repeats.
    let gaps = "SELECT count(*) FROM
            (VALUES ('Europe/Prague', '02:30'), ('America/New_York', '01:30'), ('America/New_York', '17:00'),
                    ('Asia/Beirut', '00:00'), ('Australia/Lord_Howe', '01:45')) z (tz, reset),
            (VALUES ('daily'), ('weekly'), ('monthly')) k (kind),
            generate_series('2025-03-01'::timestamptz, '2025-12-01', interval '7 hours 10 minutes') at,
            LATERAL desk.period(jsonb_build_object('tz', tz, 'reset_time', reset), kind, at) p,
            LATERAL desk.period(jsonb_build_object('tz', tz, 'reset_time', reset), kind, p.ends) next
        WHERE NOT (p.starts <= at AND at < p.ends AND next.starts = p.ends AND next.ends > p.ends)";
    assert_eq!(desk.text(gaps).await, "0");
}

#[tokio::test]
async fn a_missed_day_has_a_row_marked_as_an_estimate() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(100_000).place(&trader).await.accepted();
    close(desk.position().await).at("1.105").send(&trader).await.accepted();
    assert_eq!(desk.text(DAYS).await, "0 100000.00 100000.00 - - 100000.00");
    // The fills move back with their day; three days without any follow.
    shift(&desk, ALPHA, 3).await;
    desk.run(
        "ALTER TABLE trade_fills DISABLE TRIGGER USER; UPDATE trade_fills SET filled_at = filled_at - interval '3 days';
         UPDATE trades SET exit_time = exit_time - interval '3 days'",
    )
    .await;

    assert_eq!(desk.text("SELECT desk.roll_days() > 3").await, "true");

    assert_eq!(
        desk.text(DAYS).await,
        "-3 100000.00 100000.00 100500.00 100500.00 100000.00; \
         -2 100500.00 100500.00 100500.00 100500.00 100500.00 estimated; \
         -1 100500.00 100500.00 100500.00 100500.00 100500.00 estimated; \
         0 100500.00 100500.00 - - 100500.00 estimated"
    );
    let ended = "SELECT concat_ws(' ', realized_pnl, commission, swap, total_trades, winning_trades, losing_trades)
        FROM performance_metrics WHERE period_type = 'daily' AND end_balance IS NOT NULL ORDER BY period_start LIMIT 1";
    assert_eq!(desk.text(ended).await, "500.00 0.00 0.00 1 1 0");
    // All rows exist: a second roll does nothing.
    assert_eq!(desk.text("SELECT desk.roll_days()").await, "0");
    let kinds = "SELECT string_agg(period_type || ' ' || live, ', ' ORDER BY period_type) FROM (
        SELECT period_type, count(*) AS live FROM performance_metrics WHERE period_end > now() AND period_start <= now()
         GROUP BY period_type) k";
    assert_eq!(desk.text(kinds).await, "daily 2, monthly 2, weekly 2");
}

#[tokio::test]
async fn peaks_never_fall() {
    // DD-02 in steps: 104,000 and then 103,000 at the ends of two days.
    let desk = Desk::open().await;
    desk.roll_days().await;
    let mut peaks = Vec::new();
    for (balance, equity) in
        [(dec!(104000), dec!(106000)), (dec!(103000), dec!(103000)), (dec!(90000), dec!(90000))]
    {
        let sql = "UPDATE accounts SET current_balance = $2, equity = $3 WHERE account_id = $1";
        desk.execute(sql, &[&ALPHA.0, &balance, &equity]).await;
        shift(&desk, ALPHA, 1).await;
        desk.roll_days().await;
        let newest = "SELECT peak_eod_balance || ' ' || peak_equity FROM performance_metrics
            WHERE account_id = '00000000-0000-0000-0000-0000000000a1' AND period_type = 'daily' ORDER BY period_start DESC LIMIT 1";
        peaks.push(desk.text(newest).await);
    }
    assert_eq!(peaks, ["104000.00 106000.00", "104000.00 106000.00", "104000.00 106000.00"]);
}

#[tokio::test]
async fn the_first_trade_of_a_day_rolls_it() {
    let desk = Desk::open().await;
    let trader = desk.trader().await;
    buy(100_000).place(&trader).await.accepted();
    shift(&desk, ALPHA, 1).await;
    desk.run("UPDATE positions SET opened_at = opened_at - interval '1 day'; UPDATE trades SET entry_time = entry_time - interval '1 day'")
        .await;
    // There was a loss of ten when the day ended; later losses count for the new day.
    close(desk.position().await).size(50_000).at("1.102").send(&trader).await.accepted();
    assert_eq!(
        desk.text(DAYS).await,
        "-1 100000.00 100000.00 100000.00 99990.00 100000.00; 0 100000.00 99990.00 - - 100000.00 estimated"
    );
    assert_eq!(
        desk.text("SELECT concat_ws(' ', day_base, realized_pnl, unrealized_pnl, daily_pnl) FROM positions")
            .await,
        "-10.00 100.00 -5.00 105.00"
    );
}

#[tokio::test]
async fn concurrent_rolls_write_each_row_once() {
    let desk = Desk::open().await;
    let other = desk.database.client().await;
    desk.roll_days().await;
    shift(&desk, ALPHA, 40).await;
    desk.run("BEGIN; SELECT desk.roll_days()").await;
    assert_eq!(text(&other, "SELECT desk.roll_days()", &[]).await, "0");
    desk.run("COMMIT").await;
    assert_eq!(text(&other, "SELECT desk.roll_days()", &[]).await, "0");
    let days = "SELECT count(*) || ' ' || count(DISTINCT period_start) FROM performance_metrics
        WHERE account_id = $1 AND period_type = 'daily'";
    assert_eq!(desk.text_of(days, &[&ALPHA.0]).await, "41 41");
}

#[tokio::test]
async fn a_daily_loss_halt_ends_with_the_day_where_the_rules_say_so() {
    let worth = "UPDATE accounts SET equity = $2, current_balance = $2 WHERE account_id = $1";
    for (clears, other_loss, by_hand, expected) in [
        (true, false, false, "active"),
        (false, false, false, "risk_halt"),
        (true, true, false, "risk_halt"),
        (true, false, true, "risk_halt"),
    ] {
        let desk = Desk::open().await;
        let officer = desk.officer("officer").await;
        desk.roll_days().await;
        let rules = json!({"risk_rules": {"daily": {"clears": clears}}});
        desk.metadata("alpha", &rules.to_string()).await;
        desk.execute(worth, &[&ALPHA.0, &dec!(94000)]).await;
        desk.monitor().await;
        let cause = "SELECT string_agg(cause, ' ') FROM trading_halts";
        assert_eq!(desk.text(cause).await, "max_daily_loss");
        if other_loss {
            desk.execute(worth, &[&ALPHA.0, &dec!(89000)]).await;
            desk.monitor().await;
        }
        if by_hand {
            let halt = halt_account(ALPHA, "no_new_orders").because("look into this");
            halt.send(&officer).await.accepted();
        }
        shift(&desk, ALPHA, 1).await;

        desk.roll_days().await;

        let status = "SELECT status FROM accounts WHERE account_name = 'alpha'";
        assert_eq!(desk.text(status).await, expected, "{clears} {other_loss} {by_hand}");
        let left = desk.text("SELECT count(*) FROM trading_halts WHERE cleared_at IS NULL").await;
        assert_eq!(left == "0", expected == "active");
    }
}

#[tokio::test]
async fn a_breach_on_the_new_day_halts_again() {
    let desk = Desk::open().await;
    desk.roll_days().await;
    // The base is the balance: an unrealized loss is carried over midnight.
    desk.metadata("alpha", r#"{"risk_rules": {"daily": {"clears": true, "base": "balance"}}}"#)
        .await;
    desk.run("UPDATE accounts SET equity = 94000 WHERE account_name = 'alpha'").await;
    desk.monitor().await;
    shift(&desk, ALPHA, 1).await;
    desk.roll_days().await;
    let status = "SELECT status FROM accounts WHERE account_name = 'alpha'";
    assert_eq!(desk.text(status).await, "active");
    desk.monitor().await;
    assert_eq!(desk.text(status).await, "risk_halt");
}

#[tokio::test]
async fn performance_is_computed_from_closed_trades() {
    let desk = Desk::open().await;
    let performance = "SELECT concat_ws(' ', trades, wins, losses, coalesce(round(win_rate, 4)::text, '-'),
            coalesce(round(profit_factor, 2)::text, '-'), coalesce(round(average_win, 2)::text, '-'),
            coalesce(round(average_loss, 2)::text, '-'), coalesce(round(expectancy, 2)::text, '-'))
        FROM desk.performance($1, now() - interval '1 day', now() + interval '1 day')";
    // ACC-03; with a trade outside the period, an open one and a cancelled one.
    let numbers = vector("ACC-03");
    for net in numbers.pointer("/input/net_pnls").unwrap().as_array().unwrap() {
        let net = net.as_str().unwrap();
        for account in [ALPHA, BRAVO] {
            if account == BRAVO && net.starts_with('-') {
                continue;
            }
            let closed = trade(account).buy(1).status("closed").ago("entry_time", "3 months");
            let closed = closed.ago("exit_time", "0").set("gross_pnl", "numeric", net);
            closed.set("net_pnl", "numeric", net).insert(&desk.admin).await;
        }
    }
    let won = || trade(ALPHA).set("net_pnl", "numeric", 5000).ago("exit_time", "0");
    for row in [
        won().buy(2).status("partial").set("closed_size", "numeric", 1),
        won().buy(1).status("closed").ago("entry_time", "9 days").ago("exit_time", "8 days"),
        won().buy(1).status("cancelled"),
    ] {
        row.insert(&desk.admin).await;
    }

    let expected = ["win_rate", "profit_factor", "average_win", "average_loss", "expectancy"]
        .map(|name| word(&numbers, &format!("/expected/{name}")).to_owned())
        .join(" ");
    assert_eq!(desk.text_of(performance, &[&ALPHA.0]).await, format!("5 3 2 {expected}"));
    // Without a loss, or without trades, the ratios are undefined.
    assert_eq!(desk.text_of(performance, &[&BRAVO.0]).await, "3 3 0 1.0000 - 280.00 - 280.00");
    desk.run("UPDATE trades SET status = 'cancelled'").await;
    assert_eq!(desk.text_of(performance, &[&BRAVO.0]).await, "0 0 0 - - - - -");
    let viewer = desk.member("viewer", "tmt_viewer").await;
    text(&viewer, performance, &[&ALPHA.0]).await;
}

#[tokio::test]
async fn accounts_are_rolled_a_hundred_at_a_time() {
    let desk = Desk::open().await;
    desk.run(
        "INSERT INTO accounts (account_name, broker, platform, account_type, initial_balance, current_balance, available_balance, equity,
                               max_daily_loss, max_total_drawdown, created_at)
         SELECT 'a' || n, 'oanda', 'v20', 'demo', 1, 1, 1, 1, 0.05, 0.1, NULL FROM generate_series(1, 118) AS n",
    )
    .await;
    let rows = "SELECT desk.roll_days()";
    assert_eq!((desk.text(rows).await, desk.text(rows).await), ("300".into(), "60".into()));
    assert_eq!(desk.text(rows).await, "0");
}
