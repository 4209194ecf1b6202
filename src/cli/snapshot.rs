//! What the console would know, read once: the model, without a screen.

use futures_util::future::try_join_all;

use super::exit::CliError;
use crate::app::{Model, Msg, update};
use crate::config::Config;
use crate::domain::change::Kind;
use crate::domain::rows::Rows;
use crate::store::{Read, Store};

/// A model and the way to its database.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) store: Store,
    pub(super) model: Model,
    /// One sentence for each row that cannot be read.
    pub(super) unreadable: Vec<String>,
    /// Kinds of which there are more rows than were read.
    pub(super) cut: Vec<Kind>,
}

impl Snapshot {
    /// Logs in, and reads the rows of some kinds.
    ///
    /// # Errors
    ///
    /// [`CliError::Store`] says what an administrator has to do, or what is away.
    pub(super) async fn read(config: &Config, kinds: &[Kind]) -> Result<Self, CliError> {
        let store = Store::connect(config.store.clone());
        let probe = store.probe().await?;
        let now = probe.session.server_time;
        let model = Model::new(config.app.clone(), now);
        let mut snapshot = Self { store, model, unreadable: Vec::new(), cut: Vec::new() };
        let (session, round_trip) = (probe.session, probe.round_trip);
        let offset = chrono::TimeDelta::zero();
        snapshot.tell(Msg::SessionOpened { session, round_trip, offset });
        snapshot.refresh(kinds).await?;
        Ok(snapshot)
    }

    /// Reads the rows of some kinds again.
    ///
    /// # Errors
    ///
    /// [`CliError::Store`]
    pub(super) async fn refresh(&mut self, kinds: &[Kind]) -> Result<(), CliError> {
        let store = self.store.clone();
        let reads = try_join_all(kinds.iter().map(|kind| store.read(*kind, None))).await?;
        self.unreadable.clear();
        self.cut.clear();
        for Read { rows, unreadable, is_cut } in reads {
            if is_cut {
                self.cut.push(rows.kind());
            }
            self.unreadable.extend(unreadable);
            self.take(rows);
        }
        Ok(())
    }

    fn take(&mut self, rows: Rows) {
        self.tell(Msg::RowsRead { rows, asked: None, unreadable: Vec::new() });
    }

    /// Tells the model a fact. What it would have the console do about it is not done: there is no
    /// console.
    pub(super) fn tell(&mut self, msg: Msg) {
        drop(update(&mut self.model, msg));
    }
}
