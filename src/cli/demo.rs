//! `tmt demo`: everything on one machine, with nothing configured.
//!
//! Private servers, the console's schema, a desk of accounts, the simulated agents, and a console
//! in front of them. The simulation runs in this process, so that it ends with the console however
//! that ends; at its usual pace it takes a hundredth of a processor. Servers that this process
//! leaves behind when it is killed are ended by their guard ([`crate::local`]).

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

/// The database that every PostgreSQL has.
const DATABASE: &str = "postgres";

/// How many sayings of the sentinel may wait for the log.
const SAYINGS: usize = 64;

/// How long the simulation may take to end: a trade that is under way is waited for.
const PARTING: Duration = Duration::from_secs(2);

/// Logins of the demonstration, by role.
fn login(role: Role) -> &'static str {
    match role {
        Role::Trader => "trader1",
        Role::Risk => "risk1",
        Role::Admin => "admin1",
        Role::Viewer => "viewer1",
    }
}

/// Runs the demonstration until the console is left, or until `stop`.
///
/// # Errors
///
/// [`CliError::Local`] says which program to install; [`CliError::Sim`] which file is wrong.
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
        // What was started so far goes with the future.
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

/// Returns what is simulated.
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

/// Returns how the desk is founded: around the first prices of a recording, if there is one.
async fn seed(demo: &Demo, options: &sim::Options) -> Result<SeedOptions, CliError> {
    let prices = match options.replay.clone() {
        // Files are read outside the runtime's own threads.
        Some(recorded) => tokio::task::spawn_blocking(move || replay::first_prices(&recorded))
            .await
            .map_err(|error| CliError::Other(error.to_string()))??,
        None => Vec::new(),
    };
    Ok(SeedOptions { seed: demo.seed, now: clock::wall(), prices })
}

/// Starts the servers, and founds a desk in them. Cancel safe: servers go with the future.
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

/// Returns the way to the database for a login. Over the socket no password is asked.
fn store_of(config: &Config, servers: &Servers, login: &str) -> Result<Store, CliError> {
    let address = servers.postgres().url(DATABASE, login);
    let options =
        store::Options::parse(&address).map_err(|bad| CliError::Other(bad.to_string()))?;
    let (deadlines, pools) = (config.store.deadlines, config.store.pools);
    Ok(Store::connect(store::Options { deadlines, pools, ..options }))
}

/// Simulates, and shows the console or serves without one.
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
    // Both log in as an agent. The sentinel revalues what is held; once is enough.
    let options = sim::Options { writes_marks: false, ..options };
    let (said, heard) = mpsc::channel(SAYINGS);
    let watching = sentinel::Options::default();
    let ears = sentinel::Notifier::new(said, Some(Publisher::new(feed.clone())));
    let watch = tokio::spawn(sentinel::run(watching, agents.clone(), ears, end.clone()));
    let log = tokio::spawn(log(heard));
    let simulation = tokio::spawn(sim::run(options, agents, feed.clone(), end.clone()));
    let result = if demo.headless {
        headless(servers, login(demo.role), io, &stop).await
    } else {
        let store = store_of(config, servers, login(demo.role))?;
        // What is kept goes on next time; what is not leaves no trace elsewhere.
        let journals = if demo.keep {
            config.journal_folder.clone()
        } else {
            let rooms = servers.postgres().socket_folder().parent();
            rooms.unwrap_or_else(|| Path::new("/tmp")).join("journal")
        };
        console::show(config, store, feed, &journals, io, stop).await
    };
    end.cancel();
    part(simulation, io).await;
    if let Ok(Ok(Err(error))) = tokio::time::timeout(PARTING, watch).await {
        io.note(&format!("sentinel stopped: {error}"));
    }
    log.abort();
    result
}

/// Notes what the sentinel says.
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

/// Waits until the simulation has ended, and says why if it ended badly.
async fn part(simulation: JoinHandle<Result<Tally, SimError>>, io: &mut Io<'_>) {
    match tokio::time::timeout(PARTING, simulation).await {
        Ok(Ok(Ok(tally))) => tracing::info!(?tally, "simulation stopped"),
        Ok(Ok(Err(error))) => io.note(&format!("simulation stopped: {error}")),
        Ok(Err(error)) => io.note(&format!("simulation stopped: {error}")),
        Err(_) => tracing::info!("simulation did not stop in time"),
    }
}
