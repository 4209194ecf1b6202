//! Checks of Redis for `tmt doctor`.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult};
use tokio::time::{Instant, timeout};

use super::link::Link;
use crate::feed::Options;
use crate::feed::down::Down;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Version; `None` if this user may not ask.
    pub version: Option<String>,
    /// How long a ping took.
    pub round_trip: Duration,
    /// Whether this user may append to the stream of commands.
    pub may_append: bool,
}

/// Checks Redis, and whether writes can be announced. Changes nothing. Cancel safe.
///
/// # Errors
///
/// [`Down`] says why there is no connection.
pub async fn health(options: &Options) -> Result<Health, Down> {
    let mut connection = Link::new(options.clone()).connect().await?;
    let asked = Instant::now();
    let ping = ask::<String>(options, &mut connection, &redis::cmd("PING")).await?;
    let round_trip = asked.elapsed();
    ping.map_err(|error| Down::from_error(&error))?;
    let mut info = redis::cmd("INFO");
    let info = ask::<String>(options, &mut connection, info.arg("server")).await?;
    let version = info.ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
        Some(line.trim().to_owned())
    });
    // Rights are checked before a command runs, and entry 0-0 can never be appended: without the right
    // the error is NOPERM, with it an invalid id.
    let mut append = redis::cmd("XADD");
    append.arg(&options.commands).arg("0-0").arg("doctor").arg("1");
    let appended = ask::<redis::Value>(options, &mut connection, &append).await?;
    let may_append = appended.is_err_and(|error| error.code() != Some("NOPERM"));
    Ok(Health { version, round_trip, may_append })
}

async fn ask<T: redis::FromRedisValue>(
    options: &Options,
    connection: &mut MultiplexedConnection,
    command: &Cmd,
) -> Result<RedisResult<T>, Down> {
    let within = options.answer_within;
    timeout(within, command.query_async(connection)).await.map_err(|_| Down::no_answer(within))
}
