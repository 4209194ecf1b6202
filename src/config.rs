//! The configuration: defaults, file, environment, flags; the last one wins.
//!
//! [`load`] reads every key and reports every fault at once, each with its place and what to write
//! instead. The result is each layer's own `Options`, so that only the command line knows the
//! configuration. `config/console.toml` has every key with its default; a test keeps it so.

mod database;
mod fault;
mod file;
mod keys;
mod nearest;
mod raw;
mod reader;
mod redis;
mod secret;
mod sources;
mod ticket;

pub use fault::{Fault, Faults, Origin};
pub use secret::{MASK, holds_password, masked};
pub use sources::{Setting, Sources};

use std::path::PathBuf;
use std::time::Duration;

use crate::app;
use crate::feed;
use crate::local;
use crate::store;
use unicode_width::UnicodeWidthStr as _;

use reader::Reader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Unless `NO_COLOR` is set or the terminal cannot.
    Auto,
    Always,
    /// Signs and words show what colour would.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Shortest interval between frames.
    pub frame_every: Duration,
    pub colour: Colour,
}

/// Intervals of polling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polls {
    /// Interval of polls; an event on the bus triggers one earlier.
    pub every: Duration,
    /// Interval of full reads.
    pub reconcile_every: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `None` writes no log.
    pub file: Option<PathBuf>,
    /// A level, or directives of `tracing`.
    pub filter: String,
}

/// The effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub store: store::Options,
    pub feed: feed::Options,
    pub app: app::Options,
    pub polls: Polls,
    pub screen: Screen,
    /// The folder of `tmt local`.
    pub local_folder: PathBuf,
    /// Folder of the journal.
    pub journal_folder: PathBuf,
    pub log: Log,
    /// Every key with its value and its origin, in the order of `config/console.toml`.
    pub settings: Vec<Setting>,
    /// The file that was read.
    pub file: Option<PathBuf>,
}

/// Most frames a second: more are not visible.
const MOST_FRAMES: u32 = 60;

/// Reads every key.
///
/// # Errors
///
/// [`Faults`] with every fault.
pub fn load(sources: &Sources) -> Result<Config, Faults> {
    let mut reader = Reader::new(sources);
    let store = database::read(&mut reader, sources);
    let polls = polls(&mut reader);
    let feed = redis::read(&mut reader);
    let app = ticket::read(&mut reader);
    let screen = screen(&mut reader);
    let local_folder = local_folder(&mut reader);
    let journal_folder = journal_folder(&mut reader, sources);
    let log = log(&mut reader);
    let keymap = keys::read(&mut reader);
    reader.finish();
    let file = reader.path();
    match (store, keymap) {
        (Some(store), Some(keymap)) if reader.faults.is_empty() => {
            let app = app::Options { keymap, ..app };
            let settings = reader.settings;
            Ok(Config {
                store,
                feed,
                app,
                polls,
                screen,
                local_folder,
                journal_folder,
                log,
                settings,
                file,
            })
        }
        _ => Err(Faults(reader.faults)),
    }
}

fn polls(reader: &mut Reader<'_>) -> Polls {
    Polls {
        every: reader.positive("database.poll_every", Duration::from_secs(1)),
        reconcile_every: reader.positive("database.reconcile_every", Duration::from_secs(30)),
    }
}

fn screen(reader: &mut Reader<'_>) -> Screen {
    let must = "a whole number from 1 to 60";
    let frames = reader.checked("screen.frames_per_second", 30_u32, must, |frames| {
        (1..=MOST_FRAMES).contains(frames)
    });
    let words = [("auto", Colour::Auto), ("always", Colour::Always), ("never", Colour::Never)];
    let colour = reader.choice("screen.colour", Colour::Auto, &words);
    let frame_every = Duration::from_secs(1).checked_div(frames).unwrap_or_default();
    Screen { frame_every, colour }
}

fn local_folder(reader: &mut Reader<'_>) -> PathBuf {
    let folder = reader.value("local.folder", String::new());
    if folder.is_empty() { local::service::default_folder() } else { PathBuf::from(folder) }
}

fn journal_folder(reader: &mut Reader<'_>, sources: &Sources) -> PathBuf {
    let folder = reader.value("journal.folder", String::new());
    if !folder.is_empty() {
        return PathBuf::from(folder);
    }
    let named = |name: &str| sources.variable(name).map(PathBuf::from);
    let state =
        named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state")));
    state.unwrap_or_else(std::env::temp_dir).join("tmt/journal")
}

fn log(reader: &mut Reader<'_>) -> Log {
    let file = reader.value("log.file", String::new());
    let must =
        "a level (error, warn, info, debug, trace) or directives like \"info,tmt::feed=debug\"";
    let filter = reader.checked("log.filter", "info".to_owned(), must, |filter| {
        tracing_subscriber::EnvFilter::try_new(filter).is_ok()
    });
    let file = (!file.is_empty()).then(|| PathBuf::from(file));
    Log { file, filter }
}

/// Longest line of [`Config::to_toml`] that still shifts the column of origins.
const WIDEST: usize = 48;

impl Config {
    /// Returns the effective configuration as TOML, with origins as comments and secrets masked.
    pub fn to_toml(&self) -> String {
        let lines: Vec<(&str, String, &Origin)> = self
            .settings
            .iter()
            .map(|setting| {
                let (section, name) = setting.key.split_once('.').unwrap_or(("", &setting.key));
                (section, format!("{name} = {}", setting.text), &setting.origin)
            })
            .collect();
        let widths = lines.iter().map(|(_, line, _)| line.width()).filter(|width| *width <= WIDEST);
        let width = widths.max().unwrap_or_default();
        let mut text = Vec::new();
        let mut open = "";
        for (section, line, origin) in &lines {
            if *section != open {
                let gap = if open.is_empty() { "" } else { "\n" };
                text.push(format!("{gap}[{section}]"));
                open = section;
            }
            let pad = " ".repeat(width.saturating_sub(line.width()));
            text.push(format!("{line}{pad}  # {origin}"));
        }
        text.push(String::new());
        text.join("\n")
    }
}
