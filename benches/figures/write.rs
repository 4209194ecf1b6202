//! `desk.place_trade`, measured with pgbench on a large desk: twenty active limits, 10,000 open
//! positions, and growing numbers of closed trades and months.
//!
//! Three baselines: the bare INSERT of another program, which passes the exposure check; the same by
//! the owner of the tables, without that check (registry, change log and foreign keys remain); and
//! the row alone, with triggers and foreign keys off.

use std::fs;
use std::process::Command;

use crate::database;

/// Seconds of one run. The scripts alternate.
const SECONDS: &str = "2";
const ROUNDS: usize = 5;

pub(crate) const SCALE: &str = include_str!("scale.sql");

/// Trades and months. `TMT_BENCH_TRADES` adds one more size; ten million take 15 minutes to load.
const DESKS: [(u32, u32); 3] = [(10_000, 7), (1_000_000, 7), (1_000_000, 63)];

const PLACE: &str = "\\set n random(1, 500)
SELECT outcome FROM desk.place_trade(gen_random_uuid(), '\\x00', now() + interval '1 minute',
    ('a0000000-0000-7000-8000-' || lpad(:n::text, 12, '0'))::uuid, 'EUR_USD', 'BUY', 1000, 1.1,
    1.095, 1.11, NULL, 'measured');
";

const BARE: &str = "\\set n random(1, 500)
INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price,
    stop_loss, take_profit, risk_amount, risk_percentage, entry_time, status)
VALUES (gen_random_uuid(), ('a0000000-0000-7000-8000-' || lpad(:n::text, 12, '0'))::uuid,
    'EUR_USD', 'BUY', 1000, 1.1, 1.095, 1.11, 5.00, 0.0001, clock_timestamp(), 'open');
";

/// Name, script and session options of each run.
const RUNS: [(&str, &str, &str); 4] = [
    ("place.sql", PLACE, ""),
    ("bare.sql", BARE, ""),
    ("bare.sql", BARE, "-c role=tmt_owner"),
    ("bare.sql", BARE, "-c session_replication_role=replica"),
];

pub(crate) async fn measure() {
    let asked = std::env::var("TMT_BENCH_TRADES").ok().and_then(|count| count.parse().ok());
    let more = asked.map(|trades| (trades, 63));
    for (trades, months) in DESKS.into_iter().chain(more) {
        measure_at(trades, months).await;
    }
}

async fn measure_at(trades: u32, months: u32) {
    let database = database::database().await;
    let admin = database.client().await;
    let scale = SCALE.replace("{trades}", &trades.to_string());
    admin.batch_execute(&scale.replace("{months}", &months.to_string())).await.unwrap();
    admin.batch_execute("VACUUM ANALYZE").await.unwrap();
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let mut took = RUNS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((name, sql, options), took) in RUNS.iter().zip(&mut took) {
            took.push(latency(&folder.path().join(name), sql, options, &url));
        }
    }
    let [place, bare, owner, row] = took.map(median);
    let name = format!("write_place_trade_{trades}_trades_{months}_months");
    crate::figure(&name, "ms", place, "a bare INSERT of the same row", bare);
    crate::figure(&name, "ms", place, "the same without the exposure check", owner);
    crate::figure(&name, "ms", place, "the same with all triggers off", row);
    let sql = "SELECT count(*) FROM tmt.requests WHERE outcome = 'accepted'";
    let accepted: i64 = admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap();
    let sql = "SELECT count(*) FROM tmt.requests WHERE outcome <> 'accepted'";
    let refused: i64 = admin.query_one(sql, &[]).await.unwrap().try_get(0).unwrap();
    crate::fact(&name, &serde_json::json!({ "accepted": accepted, "refused": refused }));
}

/// Average milliseconds per transaction of one client.
fn latency(script: &std::path::Path, sql: &str, options: &str, url: &str) -> f64 {
    fs::write(script, sql).unwrap();
    let output = Command::new(programs().join("pgbench"))
        .args(["-n", "-c", "1", "-M", "prepared", "-T", SECONDS, "-f"])
        .arg(script)
        .arg(url)
        .env("PGOPTIONS", options)
        .output()
        .expect("pgbench");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.lines().find_map(|line| line.strip_prefix("latency average = "));
    let number = found.and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.expect("pgbench reports a latency; pgbench and psql must be of the same installation")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Finds the folder of pgbench.
fn programs() -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders.into_iter().find(|folder| folder.join("pgbench").exists()).expect("pgbench")
}
