//! `tmt local`, `tmt migrate`, `tmt maintain`.

use std::path::Path;

use super::args::{Local, Migrate};
use super::exit::{CliError, Exit};
use super::io::Io;
use crate::config::{Config, masked};
use crate::local::{Running, service};
use crate::store::Store;
use crate::store::migrate::{self, Mode, Standing};

/// Starts, stops, lists and resets private servers.
///
/// # Errors
///
/// [`CliError::Local`] names the missing program, or who uses the folder.
pub(super) async fn local(
    config: &Config,
    command: &Local,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    let folder = &config.local_folder;
    match command {
        Local::Start => {
            let running = service::start(folder).await?;
            writeln!(io.out, "PostgreSQL and Redis are running in {}", folder.display())?;
            writeln!(io.out, "for this shell:  eval \"$(tmt local env)\"")?;
            writeln!(io.out, "then:            tmt migrate")?;
            tracing::info!(pids = ?running.pids(), "private servers started");
        }
        Local::Stop => match service::stop(folder).await? {
            Some(_) => writeln!(io.out, "stopped; the data stays in {}", folder.display())?,
            None => writeln!(io.out, "nothing is running in {}", folder.display())?,
        },
        Local::Status => return status(config, io),
        Local::Env { login } => {
            let whole: Vec<Running> =
                service::list(folder).into_iter().filter(Running::is_whole).collect();
            let Some(running) = whole.first() else {
                let text = "no private servers are running: start some with `tmt local start` or `tmt demo`";
                return Err(CliError::Other(text.to_owned()));
            };
            if whole.len() > 1 {
                io.note(&which(running, folder, whole.len()));
            }
            // Single quotes: the shell expands nothing inside.
            let quoted = |text: &str| text.replace('\'', "'\\''");
            let database = as_login(&running.database_url, login.as_deref());
            writeln!(io.out, "export DATABASE_URL='{}'", quoted(&database))?;
            writeln!(io.out, "export REDIS_URL='{}'", quoted(&running.redis_url))?;
        }
        Local::Reset { yes } => {
            let question = format!("delete all data in {}?", folder.display());
            if !yes && !io.is_interactive {
                let text = "stdin or stderr is not a terminal: pass --yes to delete the data";
                return Err(CliError::Usage(text.to_owned()));
            }
            if !yes && !io.ask(&question).await {
                writeln!(io.out, "nothing was deleted")?;
                return Ok(Exit::Refused);
            }
            service::reset(folder).await?;
            writeln!(io.out, "deleted {}", folder.display())?;
        }
    }
    Ok(Exit::Done)
}

/// Says which of several pairs of servers was chosen.
fn which(chosen: &Running, folder: &Path, count: usize) -> String {
    let why = if chosen.folder == folder { "those of `tmt local start`" } else { "the newest" };
    format!(
        "{count} pairs of servers are running; using {why}, in {} (`tmt local status` lists them)",
        chosen.folder.display()
    )
}

/// Changes the login of a private server's address. The socket needs no password.
fn as_login(address: &str, login: Option<&str>) -> String {
    let parts = address.split_once("://").and_then(|(scheme, rest)| {
        let (_, server) = rest.split_once('@')?;
        Some((scheme, server))
    });
    match (parts, login) {
        (Some((scheme, server)), Some(login)) => format!("{scheme}://{login}@{server}"),
        (Some(_) | None, _) => address.to_owned(),
    }
}

fn status(config: &Config, io: &mut Io<'_>) -> Result<Exit, CliError> {
    let running = service::list(&config.local_folder);
    if running.is_empty() {
        writeln!(io.out, "no private servers are running")?;
        writeln!(io.out, "`tmt local start` would use {}", config.local_folder.display())?;
        return Ok(Exit::Done);
    }
    for servers in running {
        let (postgres, redis) = servers.pids();
        let health = if servers.is_whole() { "both running" } else { "one has stopped" };
        let owner = match service::owner(&servers) {
            Some(pid) => format!("belong to process {pid}"),
            None => "started by `tmt local start`".to_owned(),
        };
        writeln!(io.out, "{}  {health}, {owner}", servers.folder.display())?;
        writeln!(io.out, "  PostgreSQL  process {postgres}  {}", masked(&servers.database_url))?;
        writeln!(io.out, "  Redis       process {redis}  {}", masked(&servers.redis_url))?;
    }
    Ok(Exit::Done)
}

/// Migrates the database, or lists what would be done.
///
/// # Errors
///
/// [`CliError::Migrate`] lists the obstacles; [`CliError::Store`] why there is no connection.
pub(super) async fn migrate(
    config: &Config,
    arguments: Migrate,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    let store = Store::connect(config.store.clone());
    let mut upkeep = store.upkeep().await?;
    let client = upkeep.client();
    if arguments.check {
        return check(client, io).await;
    }
    let mode = if arguments.adopt { Mode::Adopt } else { Mode::Fresh };
    let report = migrate::migrate(client, mode).await?;
    for file in &report.applied {
        writeln!(io.out, "applied  {}", file.trim_end_matches(".sql"))?;
    }
    if report.rebuilt {
        writeln!(io.out, "applied  rulebook")?;
    }
    let verb = match (report.rebuilt, report.adopted) {
        (false, _) => "up to date",
        (true, true) => "adopted",
        (true, false) => "done",
    };
    writeln!(io.out, "schema {}: {verb}", report.to)?;
    Ok(Exit::Done)
}

async fn check(client: &tokio_postgres::Client, io: &mut Io<'_>) -> Result<Exit, CliError> {
    match migrate::standing(client).await? {
        Standing::Empty => writeln!(io.out, "the database is empty")?,
        Standing::Unmanaged { tables } => {
            writeln!(io.out, "the database holds tables of TMT: {}", tables.join(", "))?;
            writeln!(io.out, "`tmt migrate --adopt` keeps them and their rows")?;
        }
        Standing::Managed { version } => writeln!(io.out, "the database has schema {version}")?,
    }
    let findings = migrate::check(client).await?;
    for finding in &findings {
        writeln!(io.out, "{finding}")?;
    }
    let obstacles = findings.iter().filter(|finding| finding.is_obstacle()).count();
    if obstacles > 0 {
        writeln!(io.out, "obstacles: {obstacles}; nothing was changed")?;
        return Ok(Exit::Refused);
    }
    if findings.is_empty() {
        writeln!(io.out, "nothing to do")?;
    }
    Ok(Exit::Done)
}

/// Runs maintenance tasks, for databases without a scheduler.
///
/// # Errors
///
/// [`CliError::Store`] if the login is not an administrator, or the database is unreachable.
pub(super) async fn maintain(config: &Config, io: &mut Io<'_>) -> Result<Exit, CliError> {
    let store = Store::connect(config.store.clone());
    let done = store.upkeep().await?.maintain().await;
    let done = done.map_err(|error| CliError::needs_group(error, "maintaining", "tmt_admin"))?;
    for (task, done) in done {
        writeln!(io.out, "{task:<20}  {done}")?;
    }
    Ok(Exit::Done)
}
