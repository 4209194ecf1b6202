//! `tmt doctor`: what works, what does not, and what to do about it.

use std::io;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::args;
use super::exit::{Exit, Trouble};
use super::io::Io;
use super::prices::Subscription;
use crate::config::Config;
use crate::domain::session::{Right, Role};
use crate::feed::publish;
use crate::runtime::clock;
use crate::store::options::Tls;
use crate::store::{Health, Probe, Store, migrate};

/// How long the publisher's sign of life is waited for: it comes once a second.
const LISTEN: Duration = Duration::from_millis(2500);

/// Offset of the clocks from which a person is told, as the console does.
const CLOCKS_APART: i64 = 2000;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    /// The console works, but something is not as it should be.
    Warn,
    /// The console cannot do its job.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    level: Level,
    about: &'static str,
    said: String,
    /// What to do, where there is something.
    todo: Option<String>,
}

fn ok(about: &'static str, said: impl Into<String>) -> Finding {
    Finding { level: Level::Ok, about, said: said.into(), todo: None }
}

fn warn(about: &'static str, said: impl Into<String>, todo: &str) -> Finding {
    Finding { level: Level::Warn, about, said: said.into(), todo: Some(todo.to_owned()) }
}

fn fail(about: &'static str, said: impl Into<String>) -> Finding {
    Finding { level: Level::Fail, about, said: said.into(), todo: None }
}

/// Looks at everything the console needs.
///
/// # Errors
///
/// [`Trouble::Output`] only: what is wrong is what it prints.
pub(super) async fn run(
    config: &Config,
    arguments: args::Doctor,
    io: &mut Io<'_>,
) -> Result<Exit, Trouble> {
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
    Ok(if is_fit { Exit::Done } else { Exit::Trouble })
}

fn configuration(config: &Config) -> Finding {
    let said = match &config.file {
        Some(file) => format!("read from {}", file.display()),
        None => "no file, the defaults and the environment".to_owned(),
    };
    ok("configuration", said)
}

async fn database(config: &Config) -> Vec<Finding> {
    const ABOUT: &str = "PostgreSQL";
    let store = Store::connect(config.store.clone());
    let probe = match store.probe().await {
        Ok(probe) => probe,
        Err(error) => return vec![fail(ABOUT, error.to_string())],
    };
    let mut findings = vec![server(config, &probe)];
    if probe.session.in_recovery {
        let todo = "name the primary in DATABASE_URL to write";
        findings.push(warn(ABOUT, "the server is a standby: nothing can be written", todo));
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

fn server(config: &Config, probe: &Probe) -> Finding {
    let Probe { session, encryption, round_trip, .. } = probe;
    let protected = encryption.as_deref().unwrap_or("not encrypted");
    let said = format!(
        "{} database {}, {protected}, answered in {} ms",
        session.server_version,
        session.database,
        millis(*round_trip)
    );
    // Off by the rule for this machine's own servers is right; off because somebody said so is not.
    let is_told = matches!(config.store.tls, Some(Tls::Off | Tls::IfOffered));
    if encryption.is_none() && is_told {
        let todo = "take sslmode=disable or prefer out of the address";
        return warn("PostgreSQL", said, todo);
    }
    ok("PostgreSQL", said)
}

fn millis(time: Duration) -> String {
    let tenths = time.as_micros().div_ceil(100);
    format!("{}.{}", tenths / 10, tenths % 10)
}

async fn schema(store: &Store, probe: &Probe) -> Finding {
    const ABOUT: &str = "schema";
    let latest = migrate::LATEST;
    let here = probe.schema_version;
    if here < latest {
        let said = format!("version {here}, this program brings {latest}");
        return warn(ABOUT, said, "run `tmt migrate` with a login that may");
    }
    // An edited migration is found only by those who may read the record of them.
    let checked = async {
        let mut upkeep = store.upkeep().await.map_err(|error| error.to_string())?;
        migrate::check(upkeep.client()).await.map_err(|error| error.to_string())
    };
    match checked.await {
        Ok(findings) => match findings.iter().find(|finding| finding.is_obstacle()) {
            Some(finding) => fail(ABOUT, finding.to_string()),
            None => ok(ABOUT, format!("version {here}")),
        },
        Err(said) => warn(ABOUT, format!("version {here}; {said}"), "look at it as administrator"),
    }
}

fn tables(probe: &Probe, health: &Health) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match (&probe.session.timescale, &health.timescale_licence) {
        (Some(version), Some(licence)) => {
            ok("TimescaleDB", format!("{version}, {licence} edition"))
        }
        (Some(version), None) => warn(
            "TimescaleDB",
            format!("{version} is installed, but the server does not load it"),
            "add timescaledb to shared_preload_libraries and restart the server",
        ),
        (None, _) => ok("TimescaleDB", "not installed: bars are kept in a plain table"),
    });
    if health.is_monthly {
        let said = format!("trades have their partition for {} more months", health.months_ahead);
        findings.push(match (health.months_ahead, health.has_cron) {
            (0, _) => warn("partitions", said, "run `tmt maintain`, daily"),
            (_, true) => ok("partitions", format!("{said}, pg_cron makes the next")),
            (_, false) => ok("partitions", format!("{said}; `tmt maintain` makes the next")),
        });
    }
    findings.push(match health.accounts {
        0 => warn("desk", "there is no account yet", "`tmt demo` shows a desk; TMT writes its own"),
        count => {
            ok("desk", format!("{count} accounts, labelled {}", probe.session.environment.as_str()))
        }
    });
    findings
}

/// The functions that a role must be able to call.
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

async fn rights(store: &Store, probe: &Probe) -> Finding {
    const ABOUT: &str = "rights";
    let (operator, role) = (&probe.session.operator, probe.session.role);
    match store.lacking(&functions(role)).await {
        Ok(lacking) if lacking.is_empty() => {
            ok(ABOUT, format!("{operator} has the role {}", role.as_str()))
        }
        Ok(lacking) => {
            let said = format!(
                "{operator} has the role {}, but may not call desk.{}",
                role.as_str(),
                lacking.join(", desk.")
            );
            warn(ABOUT, said, "run `tmt migrate`, which grants them to the role")
        }
        Err(error) => fail(ABOUT, error.to_string()),
    }
}

fn clocks(probe: &Probe) -> Finding {
    let offset = (probe.session.server_time - clock::wall()).num_milliseconds();
    let said = format!("the database's clock is {offset:+} ms from this machine's");
    if offset.abs() > CLOCKS_APART {
        return warn("clock", said, "set both by NTP; the console goes by the database's");
    }
    ok("clock", said)
}

async fn bus(config: &Config) -> Vec<Finding> {
    let health = match publish::health::health(&config.feed).await {
        Ok(health) => health,
        Err(down) => {
            let said = format!("{down}: no live prices; panes are polled");
            return vec![Finding {
                todo: Some("start it, or correct REDIS_URL".to_owned()),
                ..fail("Redis", said)
            }];
        }
    };
    let version = health.version.as_deref().unwrap_or("of unknown version");
    let said = format!("{version}, answered in {} ms", millis(health.round_trip));
    let stream = &config.feed.commands;
    let announcing = if health.may_append {
        ok("announcing", format!("this user may append to {stream}"))
    } else {
        let said = format!("this user may not append to {stream}: writes are not announced");
        warn("announcing", said, "grant +xadd on that key, and the channels of events")
    };
    let server = if config.feed.is_in_clear() {
        let said = format!("{said}; password and prices cross the network unencrypted");
        warn("Redis", said, "use rediss:// in REDIS_URL, or a tunnel")
    } else {
        ok("Redis", said)
    };
    vec![server, announcing, liveness(config).await]
}

/// Listens for the publisher of prices.
async fn liveness(config: &Config) -> Finding {
    const ABOUT: &str = "prices";
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
    match timeout(LISTEN, listening).await {
        Ok(Ok(_)) => ok(ABOUT, "the publisher's heartbeat was heard"),
        Ok(Err(why)) => fail(ABOUT, why),
        Err(_) => {
            let quotes = subscription.board.counters().quotes;
            let channel = config.feed.channels.heartbeats();
            let said = format!("no heartbeat on {channel} in 2.5 s, {quotes} quotes");
            warn(ABOUT, said, "start the publisher of prices; old prices open nothing")
        }
    }
}

fn write_text(findings: &[Finding], io: &mut Io<'_>) -> io::Result<()> {
    for Finding { level, about, said, todo } in findings {
        let word = match level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        writeln!(io.out, "{word:<4}  {about:<13}  {said}")?;
        if let Some(todo) = todo {
            writeln!(io.out, "{:21}-> {todo}", "")?;
        }
    }
    Ok(())
}

fn write_json(findings: &[Finding], io: &mut Io<'_>) -> io::Result<()> {
    let rows = findings.iter().map(|finding| {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        json!({ "level": level, "about": finding.about, "said": finding.said, "todo": finding.todo })
    });
    serde_json::to_writer_pretty(&mut *io.out, &rows.collect::<Vec<_>>())?;
    writeln!(io.out)
}
