//! A connection that is opened on first use and closed on failure.

use std::fmt;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, Value};
use tokio::time::timeout;

use crate::feed::Options;
use crate::feed::connect::Address;
use crate::feed::down::Down;

pub(super) struct Link {
    options: Options,
    connection: Option<MultiplexedConnection>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_open", &self.connection.is_some()).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(options: Options) -> Self {
        Self { options, connection: None }
    }

    /// Sends commands once and waits for every answer. A failure closes the connection, so that no late
    /// answer is taken for that of another command.
    pub(super) async fn send(&mut self, pipeline: &Pipeline) -> Result<(), Down> {
        if pipeline.is_empty() {
            return Ok(());
        }
        let mut connection = match self.connection.take() {
            Some(used) => self.checked(used).await?,
            None => self.connect().await?,
        };
        let within = self.options.answer_within;
        match timeout(within, pipeline.query_async::<Value>(&mut connection)).await {
            Ok(Ok(_)) => {
                self.connection = Some(connection);
                Ok(())
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Down::no_answer(within)),
        }
    }

    /// Returns `used` if a ping succeeds, or else a new connection: the server may have restarted, and
    /// commands must not be sent twice.
    async fn checked(
        &mut self,
        mut used: MultiplexedConnection,
    ) -> Result<MultiplexedConnection, Down> {
        let ping = redis::cmd("PING");
        match timeout(self.options.answer_within, ping.query_async::<Value>(&mut used)).await {
            Ok(Ok(_)) => Ok(used),
            Ok(Err(_)) => self.connect().await,
            Err(_) => Err(Down::no_answer(self.options.answer_within)),
        }
    }

    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, Down> {
        let within = self.options.connect_within;
        let connecting = async {
            let address = Address::of(&self.options.url)?;
            let stream = address.open(self.options.authority.as_deref()).await?;
            // The library's own deadline is half a second; `send` has the one that counts.
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let settings = &address.settings;
            let (connection, driver) =
                MultiplexedConnection::new_with_config(settings, stream, config).await?;
            // Ends by itself when the connection is dropped.
            tokio::spawn(driver);
            Ok(connection)
        };
        match timeout(within, connecting).await {
            Ok(result) => result,
            Err(_) => Err(Down::no_answer(within)),
        }
    }
}
