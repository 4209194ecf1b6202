//! `desk.place_trade` beside a bare INSERT of the same row, both by pgbench.

use std::fs;
use std::process::Command;

use crate::desk::Desk;

const SECONDS: &str = "5";

/// Room for the trades of the benchmark; the rules stay as they are.
const ROOM: &str = "
    UPDATE risk_limits SET limit_value = 10000000000, warning_threshold = NULL;
    UPDATE accounts SET initial_balance = 1000000000, current_balance = 1000000000,
           available_balance = 1000000000, equity = 1000000000;
    UPDATE fx_rates SET as_of = clock_timestamp() + interval '1 hour'";

const PLACE: &str = "
SELECT outcome FROM desk.place_trade(gen_random_uuid(), '\\x00', now() + interval '1 minute',
    '00000000-0000-0000-0000-0000000000a1', 'EUR_USD', 'BUY', 1000, 1.0851, 1.0801, 1.0951,
    NULL, 'measured');
";

const BARE: &str = "
INSERT INTO trades (trade_id, account_id, instrument, trade_type, position_size, entry_price,
    stop_loss, take_profit, risk_amount, risk_percentage, entry_time, status)
VALUES (gen_random_uuid(), '00000000-0000-0000-0000-0000000000a1', 'EUR_USD', 'BUY', 1000, 1.0851,
    1.0801, 1.0951, 5.00, 0.0001, clock_timestamp(), 'open');
";

pub(crate) async fn measure() {
    let desk = Desk::open().await;
    desk.admin.batch_execute(ROOM).await.unwrap();
    let url = desk.database.url();
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, sql: &str, options: &str| -> f64 {
        let script = folder.path().join(name);
        fs::write(&script, sql).unwrap();
        let output = Command::new(programs().join("pgbench"))
            .args(["-n", "-c", "1", "-T", SECONDS, "-f"])
            .arg(&script)
            .arg(&url)
            .env("PGOPTIONS", options)
            .output()
            .expect("pgbench");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")).map(|rest| {
            rest.split(' ').next().unwrap_or_default().parse::<f64>().unwrap_or(f64::NAN)
        });
        tps.expect("pgbench says how many; it needs pgbench and psql of the same installation")
    };
    let before = desk.trades().await;
    let place = run("place.sql", PLACE, "");
    let placed = desk.trades().await - before;
    let bare = run("bare.sql", BARE, "-c session_replication_role=replica");
    crate::figure(
        "write_place_trade",
        "ms",
        1000.0 / place,
        "a bare INSERT of the same row, triggers off",
        1000.0 / bare,
    );
    crate::fact("write_place_trade_accepted", &serde_json::json!({ "trades": placed }));
}

/// Where this system keeps pgbench.
fn programs() -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders.into_iter().find(|folder| folder.join("pgbench").exists()).expect("pgbench")
}
