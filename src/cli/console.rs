//! The console, on a terminal.

use std::io::IsTerminal as _;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::exit::{CliError, Exit};
use super::io::Io;
use super::verbs::sending::place;
use crate::config::{Colour, Config};
use crate::feed;
use crate::runtime::{
    self,
    journal::{Journal, Opened},
};
use crate::store::Store;
use crate::ui::Theme;

pub(super) fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs the console on a database and a Redis server. Without a journal it is read-only.
pub(super) async fn show(
    config: &Config,
    store: Store,
    feed: feed::Options,
    journal_folder: &Path,
    io: &mut Io<'_>,
    stop: CancellationToken,
) -> Result<Exit, CliError> {
    let mut app = config.app.clone();
    let place = place(store.options());
    let (journal, left, damage) = match Journal::open(journal_folder, &place) {
        Ok(Opened { journal, left, damage }) => (Some(journal), left, damage),
        Err(error) => {
            io.note(&format!("{error}; starting read-only"));
            app.is_read_only = true;
            (None, Vec::new(), Vec::new())
        }
    };
    let options = runtime::Options {
        journal,
        left,
        damage: damage.iter().map(ToString::to_string).collect(),
        store,
        feed,
        app,
        theme: theme(config.screen.colour),
        frame_every: config.screen.frame_every,
        poll_every: config.polls.every,
        reconcile_every: config.polls.reconcile_every,
    };
    runtime::run(options, stop).await?;
    Ok(Exit::Done)
}

/// Picks the theme; any non-empty `NO_COLOR` turns colours off (<https://no-color.org>).
fn theme(colour: Colour) -> Theme {
    let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match colour {
        Colour::Never => Theme::Plain,
        Colour::Auto if no_color() => Theme::Plain,
        Colour::Always | Colour::Auto => Theme::Colour,
    }
}
