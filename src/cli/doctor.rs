//! `tmt doctor`: checks the configuration, PostgreSQL and Redis, and says how to fix what is wrong.

use std::io;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::args;
use super::exit::{CliError, Exit};
use super::io::Io;
use super::prices::Subscription;
use crate::config::Config;
use crate::domain::session::{Right, Role};
use crate::feed::publish;
use crate::runtime::clock;
use crate::store::options::Tls;
use crate::store::{Health, Probe, Store, migrate};

/// How long to wait for the price feed's heartbeat, which comes once a second.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_millis(2500);

/// Clock offset in milliseconds above which the doctor warns. The console uses the same.
const MAX_CLOCK_OFFSET: i64 = 2000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    /// The console works, but something needs attention.
    Warn,
    /// The console cannot work.
    Fail,
}

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CheckResult {
    level: Level,
    check: &'static str,
    message: String,
    /// What to do, if anything.
    fix: Option<String>,
}

fn ok(check: &'static str, message: impl Into<String>) -> CheckResult {
    CheckResult { level: Level::Ok, check, message: message.into(), fix: None }
}

fn warn(check: &'static str, message: impl Into<String>, fix: &str) -> CheckResult {
    CheckResult { level: Level::Warn, check, message: message.into(), fix: Some(fix.to_owned()) }
}

fn fail(check: &'static str, message: impl Into<String>) -> CheckResult {
    CheckResult { level: Level::Fail, check, message: message.into(), fix: None }
}

/// Runs every check. The exit code is 1 if one fails.
///
/// # Errors
///
/// [`CliError::Output`] only; failed checks are printed.
pub(super) async fn run(
    config: &Config,
    arguments: args::Doctor,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    let (database, bus) = tokio::join!(database(config), bus(config));
    let mut findings = vec![configuration(config)];
    findings.extend(database);
    findings.extend(bus);
    if arguments.json {
        write_json(&findings, io)?;
    } else {
        write_text(&findings, io)?;
    }
    let is_fit = findings.iter().all(|finding| finding.level != Level::Fail);
    Ok(if is_fit { Exit::Done } else { Exit::Failed })
}

fn configuration(config: &Config) -> CheckResult {
    let message = match &config.file {
        Some(file) => format!("read from {}", file.display()),
        None => "no file; defaults and environment".to_owned(),
    };
    ok("configuration", message)
}

async fn database(config: &Config) -> Vec<CheckResult> {
    const CHECK: &str = "PostgreSQL";
    let store = Store::connect(config.store.clone());
    let probe = match store.probe().await {
        Ok(probe) => probe,
        Err(error) => return vec![fail(CHECK, error.to_string())],
    };
    let mut findings = vec![server(config, &probe)];
    if probe.session.in_recovery {
        let fix = "set DATABASE_URL to the primary to write";
        findings.push(warn(CHECK, "the server is a standby: read-only", fix));
    }
    findings.push(schema(&store, &probe).await);
    match store.health().await {
        Ok(health) => findings.extend(tables(&probe, &health)),
        Err(error) => findings.push(fail("tables", error.to_string())),
    }
    findings.push(rights(&store, &probe).await);
    findings.push(clocks(&probe));
    findings
}

fn server(config: &Config, probe: &Probe) -> CheckResult {
    let Probe { session, encryption, round_trip, .. } = probe;
    let protected = encryption.as_deref().unwrap_or("not encrypted");
    let message = format!(
        "{}, database {}, {protected}, {} ms",
        session.server_version,
        session.database,
        millis(*round_trip)
    );
    // No encryption on loopback and sockets is the default and fine; switched off elsewhere it is not.
    let is_switched_off = matches!(config.store.tls, Some(Tls::Off | Tls::IfOffered));
    if encryption.is_none() && is_switched_off {
        let fix = "remove sslmode=disable or sslmode=prefer from the address";
        return warn("PostgreSQL", message, fix);
    }
    ok("PostgreSQL", message)
}

fn millis(time: Duration) -> String {
    let tenths = time.as_micros().div_ceil(100);
    format!("{}.{}", tenths / 10, tenths % 10)
}

async fn schema(store: &Store, probe: &Probe) -> CheckResult {
    const CHECK: &str = "schema";
    const MIGRATE: &str = "run `tmt migrate` as an administrator";
    let latest = migrate::LATEST;
    let here = probe.schema_version;
    if here < latest {
        let message = format!("version {here}; this program needs {latest}");
        return warn(CHECK, message, MIGRATE);
    }
    // Only a login that may read the migration log can detect an edited migration.
    let checked = async {
        let mut upkeep = store.upkeep().await.map_err(|error| error.to_string())?;
        migrate::check(upkeep.client()).await.map_err(|error| error.to_string())
    };
    match checked.await {
        Ok(findings) => match findings.iter().find(|finding| finding.is_obstacle()) {
            Some(finding) => fail(CHECK, finding.to_string()),
            None => match findings.first() {
                Some(finding) => warn(CHECK, finding.to_string(), MIGRATE),
                None => ok(CHECK, format!("version {here}")),
            },
        },
        Err(message) => warn(
            CHECK,
            format!("version {here}; {message}"),
            "run `tmt doctor` as an administrator",
        ),
    }
}

fn tables(probe: &Probe, health: &Health) -> Vec<CheckResult> {
    let mut findings = Vec::new();
    findings.push(match (&probe.session.timescale, &health.timescale_licence) {
        (Some(version), Some(licence)) => {
            ok("TimescaleDB", format!("{version}, {licence} edition"))
        }
        (Some(version), None) => warn(
            "TimescaleDB",
            format!("{version} installed, but the server does not load it"),
            "add timescaledb to shared_preload_libraries and restart the server",
        ),
        (None, _) => ok("TimescaleDB", "not installed; bars are in a plain table"),
    });
    if health.is_monthly {
        let message = format!("trades has partitions for {} more months", health.months_ahead);
        findings.push(match (health.months_ahead, health.has_cron) {
            (0, _) => warn("partitions", message, "run `tmt maintain` daily"),
            (_, true) => ok("partitions", format!("{message}; pg_cron creates the next")),
            (_, false) => ok("partitions", format!("{message}; `tmt maintain` creates the next")),
        });
    }
    findings.push(match health.accounts {
        0 => warn("desk", "no accounts", "TMT creates them; `tmt demo` shows a desk"),
        count => ok(
            "desk",
            format!("{count} accounts, environment {}", probe.session.environment.as_str()),
        ),
    });
    findings
}

/// Returns the functions that a role must be able to call.
fn functions(role: Role) -> Vec<&'static str> {
    let mut needed = vec!["changes_since", "assess_trade"];
    if role.may(Right::Open) {
        needed.push("place_trade");
    }
    if role.may(Right::Halt) {
        needed.extend(["close_position", "amend_position", "flatten", "halt", "resolve_outcome"]);
    }
    if role.may(Right::Risk) {
        needed.extend(["acknowledge", "unacknowledge", "propose_limit", "approve_limit", "resume"]);
        needed.extend(["create_limit", "retire_limit", "limit_impact", "reconcile"]);
    }
    needed
}

async fn rights(store: &Store, probe: &Probe) -> CheckResult {
    const CHECK: &str = "rights";
    let (operator, role) = (&probe.session.operator, probe.session.role);
    match store.lacking(&functions(role)).await {
        Ok(lacking) if lacking.is_empty() => {
            ok(CHECK, format!("{operator}, role {}", role.label()))
        }
        Ok(lacking) => {
            let message = format!(
                "{operator}, role {}, cannot call desk.{}",
                role.label(),
                lacking.join(", desk.")
            );
            warn(CHECK, message, "run `tmt migrate`, which grants them")
        }
        Err(error) => fail(CHECK, error.to_string()),
    }
}

fn clocks(probe: &Probe) -> CheckResult {
    let offset = (probe.session.server_time - clock::wall()).num_milliseconds();
    let message = format!("database clock is {offset:+} ms from this machine");
    if offset.abs() > MAX_CLOCK_OFFSET {
        return warn(
            "clock",
            message,
            "synchronize both with NTP; the console uses the database clock",
        );
    }
    ok("clock", message)
}

async fn bus(config: &Config) -> Vec<CheckResult> {
    let health = match publish::health::health(&config.feed).await {
        Ok(health) => health,
        Err(down) => {
            let message = format!("{down}: no live prices, panes are polled");
            return vec![CheckResult {
                fix: Some("start Redis, or correct REDIS_URL".to_owned()),
                ..fail("Redis", message)
            }];
        }
    };
    let version = health.version.as_deref().unwrap_or("unknown version");
    let message = format!("{version}, {} ms", millis(health.round_trip));
    let stream = &config.feed.commands;
    let announcing = if health.may_append {
        ok("announcing", format!("writes are announced on {stream}"))
    } else {
        let message = format!("no right to append to {stream}: writes are not announced");
        warn("announcing", message, "grant +xadd on that key and the event channels")
    };
    let server = if config.feed.is_in_clear() {
        let message = format!("{message}; password and prices are sent unencrypted");
        warn("Redis", message, "use rediss:// in REDIS_URL, or a tunnel")
    } else {
        ok("Redis", message)
    };
    vec![server, announcing, price_feed(config).await]
}

/// Waits for a heartbeat of the price feed.
async fn price_feed(config: &Config) -> CheckResult {
    const CHECK: &str = "prices";
    let mut subscription = Subscription::open(config.feed.clone());
    let listening = async {
        subscription.up().await?;
        loop {
            let counters = subscription.board.counters();
            if counters.heartbeats > 0 {
                return Ok::<_, String>(counters);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match timeout(HEARTBEAT_TIMEOUT, listening).await {
        Ok(Ok(_)) => ok(CHECK, "price feed heartbeat received"),
        Ok(Err(why)) => fail(CHECK, why),
        Err(_) => {
            let quotes = subscription.board.counters().quotes;
            let channel = config.feed.channels.heartbeats();
            let message = format!("no heartbeat on {channel} in 2.5 s, {quotes} quotes");
            warn(CHECK, message, "start the price publisher; stale prices refuse new risk")
        }
    }
}

fn write_text(findings: &[CheckResult], io: &mut Io<'_>) -> io::Result<()> {
    for CheckResult { level, check, message, fix } in findings {
        let word = match level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        writeln!(io.out, "{word:<4}  {check:<13}  {message}")?;
        if let Some(fix) = fix {
            writeln!(io.out, "{:21}-> {fix}", "")?;
        }
    }
    Ok(())
}

fn write_json(findings: &[CheckResult], io: &mut Io<'_>) -> io::Result<()> {
    let rows = findings.iter().map(|finding| {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        json!({ "level": level, "check": finding.check, "message": finding.message, "fix": finding.fix })
    });
    serde_json::to_writer_pretty(&mut *io.out, &rows.collect::<Vec<_>>())?;
    writeln!(io.out)
}
