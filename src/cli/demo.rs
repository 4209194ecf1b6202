//! `tmt demo`: everything on one machine, without configuration.
//!
//! Private servers, the schema, a seeded desk, simulated agents, the sentinel and a console. The
//! simulation runs in this process, so that it ends with the console however that ends; it takes 1 %
//! of a CPU. If this process is killed, a guard ends the servers ([`crate::local`]).

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::args::{Demo, Role};
use super::console;
use super::exit::{CliError, Exit};
use super::io::Io;
use crate::config::Config;
use crate::feed;
use crate::feed::publish::Publisher;
use crate::local::{self, SUPERUSER, Servers};
use crate::runtime::clock;
use crate::sentinel::{self, SentinelEvent};
use crate::sim::{self, SeedOptions, SimError, Tally, replay};
use crate::store::migrate::{self, Mode};
use crate::store::{self, Store};

/// The database that every PostgreSQL server has.
const DATABASE: &str = "postgres";

/// Bound of the queue of the sentinel's events to log.
const EVENTS_WAITING: usize = 64;

/// How long the simulation may take to end: it finishes a write that is in flight.
const GRACE: Duration = Duration::from_secs(2);

/// The demo login of a role.
fn login(role: Role) -> &'static str {
    match role {
        Role::Trader => "trader1",
        Role::Risk => "risk1",
        Role::Admin => "admin1",
        Role::Viewer => "viewer1",
    }
}

/// Runs the demo until the console is closed, or until `stop`.
///
/// # Errors
///
/// [`CliError::Local`] names a missing program; [`CliError::Sim`] a bad file.
pub(super) async fn run(
    config: &Config,
    demo: &Demo,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    if !demo.headless && !console::has_terminal() {
        return Err(CliError::Run(crate::runtime::RunError::NoTerminal));
    }
    let options = options(demo)?;
    let seed = seed(demo, &options).await?;
    io.note("starting PostgreSQL and Redis …");
    let place = if demo.keep {
        local::Options::at(&config.local_folder)
    } else {
        local::Options::ephemeral()
    };
    let starting = seed_desk(config, place, &seed, login(demo.role));
    let servers = tokio::select! {
        biased;
        // Dropping the future stops what was started.
        () = stop.cancelled() => return Ok(Exit::Done),
        servers = starting => servers?,
    };
    let result = serve(config, demo, options, &servers, io, stop).await;
    let stopped = servers.stop().await;
    if demo.keep {
        let folder = config.local_folder.display();
        io.note(&format!(
            "data kept in {folder}: `tmt demo --keep` continues, `tmt local reset` deletes it"
        ));
    }
    let exit = result?;
    stopped?;
    Ok(exit)
}

/// Returns the options of the simulation.
fn options(demo: &Demo) -> Result<sim::Options, CliError> {
    let mut options = sim::Options::new(demo.seed, clock::wall);
    options.rate = demo.rate;
    if !demo.replay.is_empty() {
        let speed = demo.speed.parse().map_err(|error| CliError::Usage(format!("{error}")))?;
        options.replay =
            Some(replay::Options { files: demo.replay.clone(), instrument: None, speed });
    }
    Ok(options)
}

/// Returns how the desk is seeded: at the first prices of a recording, if there is one.
async fn seed(demo: &Demo, options: &sim::Options) -> Result<SeedOptions, CliError> {
    let prices = match options.replay.clone() {
        // Reading files blocks.
        Some(recorded) => tokio::task::spawn_blocking(move || replay::first_prices(&recorded))
            .await
            .map_err(|error| CliError::Other(error.to_string()))??,
        None => Vec::new(),
    };
    Ok(SeedOptions { seed: demo.seed, now: clock::wall(), prices })
}

/// Starts the servers and seeds a desk. Cancel safe: dropping the future stops the servers.
async fn seed_desk(
    config: &Config,
    place: local::Options,
    seed: &SeedOptions,
    login: &str,
) -> Result<Servers, CliError> {
    let servers = Servers::start(place).await?;
    tracing::info!("servers started");
    let store = store_of(config, &servers, SUPERUSER)?;
    let mut upkeep = store.upkeep().await?;
    migrate::migrate(upkeep.client(), Mode::Fresh).await?;
    drop(upkeep);
    tracing::info!("schema ready");
    let (desk, logins) = tokio::join!(sim::seed(&store, seed), sim::create_logins(&store));
    desk?;
    logins?;
    servers.advertise(DATABASE, login)?;
    tracing::info!("desk seeded");
    Ok(servers)
}

/// Connects a login over the socket, which needs no password.
fn store_of(config: &Config, servers: &Servers, login: &str) -> Result<Store, CliError> {
    let address = servers.postgres().url(DATABASE, login);
    let options =
        store::Options::parse(&address).map_err(|bad| CliError::Other(bad.to_string()))?;
    let (deadlines, pools) = (config.store.deadlines, config.store.pools);
    Ok(Store::connect(store::Options { deadlines, pools, ..options }))
}

/// Runs the simulation and the sentinel, with the console or headless.
async fn serve(
    config: &Config,
    demo: &Demo,
    options: sim::Options,
    servers: &Servers,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    let feed = feed::Options { url: servers.redis_url().into(), ..config.feed.clone() };
    let agents = store_of(config, servers, sim::AGENTS)?;
    let end = stop.child_token();
    // Both log in as an agent. The sentinel marks to market, so the simulation need not.
    let options = sim::Options { writes_marks: false, ..options };
    let (said, heard) = mpsc::channel(EVENTS_WAITING);
    let watching = sentinel::Options::default();
    let notifier = sentinel::Notifier::new(said, Some(Publisher::new(feed.clone())));
    let watch = tokio::spawn(sentinel::run(watching, agents.clone(), notifier, end.clone()));
    let log = tokio::spawn(log(heard));
    let simulation = tokio::spawn(sim::run(options, agents, feed.clone(), end.clone()));
    let result = if demo.headless {
        headless(servers, login(demo.role), io, &stop).await
    } else {
        let store = store_of(config, servers, login(demo.role))?;
        // A temporary demo leaves no journal elsewhere.
        let journals = if demo.keep {
            config.journal_folder.clone()
        } else {
            let folder = servers.postgres().socket_folder().parent();
            folder.unwrap_or_else(|| Path::new("/tmp")).join("journal")
        };
        console::show(config, store, feed, &journals, io, stop).await
    };
    end.cancel();
    await_end(simulation, io).await;
    if let Ok(Ok(Err(error))) = tokio::time::timeout(GRACE, watch).await {
        io.note(&format!("sentinel stopped: {error}"));
    }
    log.abort();
    result
}

/// Logs the sentinel's events.
async fn log(mut heard: mpsc::Receiver<SentinelEvent>) {
    while let Some(said) = heard.recv().await {
        tracing::info!("sentinel: {}", super::sentinel::text(&said));
    }
}

async fn headless(
    servers: &Servers,
    login: &str,
    io: &mut Io<'_>,
    stop: &CancellationToken,
) -> Result<Exit, CliError> {
    writeln!(io.out, "DATABASE_URL={}", servers.postgres().url(DATABASE, login))?;
    writeln!(io.out, "REDIS_URL={}", servers.redis_url())?;
    io.out.flush()?;
    io.note("running until Ctrl-C; in another terminal: `eval \"$(tmt local env)\"`, then `tmt`");
    stop.cancelled().await;
    Ok(Exit::Done)
}

/// Waits until the simulation has ended, and reports a failure.
async fn await_end(simulation: JoinHandle<Result<Tally, SimError>>, io: &mut Io<'_>) {
    match tokio::time::timeout(GRACE, simulation).await {
        Ok(Ok(Ok(tally))) => tracing::info!(?tally, "simulation stopped"),
        Ok(Ok(Err(error))) => io.note(&format!("simulation stopped: {error}")),
        Ok(Err(error)) => io.note(&format!("simulation stopped: {error}")),
        Err(_) => tracing::info!("simulation did not stop in time"),
    }
}
