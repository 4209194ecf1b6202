//! The verbs that write: the console's own definition, and what the shell adds to each of them.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};
use uuid::Uuid;

use crate::app::command::Verbs;

/// Position of the first verb in the list of commands.
const FIRST_PLACE: usize = 100;

/// A verb that writes, as it was typed in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The word that was typed for it.
    pub word: String,
    /// What to write.
    pub verb: Verbs,
    /// How it is to be done.
    pub how: How,
}

/// What every verb understands in a shell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "How")]
pub struct How {
    /// Do not ask: send if the checks pass
    #[arg(long)]
    pub yes: bool,
    /// Stop after the checks
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Print the outcome for another program
    #[arg(long)]
    pub json: bool,
    /// Idempotency key: reusing it returns the original outcome
    #[arg(long, value_name = "UUID")]
    pub id: Option<Uuid>,
}

impl Write {
    /// Tells whether a word is one of the verbs.
    pub fn is_verb(word: &str) -> bool {
        verbs().get_subcommands().any(|verb| verb.get_name() == word)
    }
}

fn verbs() -> Command {
    Verbs::augment_subcommands(Command::new("verbs"))
}

impl FromArgMatches for Write {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let verb = Verbs::from_arg_matches(matches)?;
        let mut leaf = matches;
        while let Some((_, below)) = leaf.subcommand() {
            leaf = below;
        }
        let word = matches.subcommand_name().unwrap_or_default().to_owned();
        Ok(Self { word, verb, how: How::from_arg_matches(leaf)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Write {
    fn augment_subcommands(command: Command) -> Command {
        // clap cannot flatten one struct into every variant of an enum, so each verb's command
        // gets the flags here.
        let verbs = verbs().mut_subcommands(with_flags);
        let placed = verbs.get_subcommands().cloned().enumerate();
        // Behind the commands that look, before those about the program itself.
        command.subcommands(placed.map(|(at, verb)| verb.display_order(FIRST_PLACE + at)))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Self::is_verb(name)
    }
}

/// Adds the flags to a verb, or to each of its own verbs.
fn with_flags(verb: Command) -> Command {
    if verb.has_subcommands() {
        return verb.mut_subcommands(with_flags);
    }
    // Its own words about itself stay; clap would take those of the flags.
    let about = verb.get_about().cloned().unwrap_or_default();
    How::augment_args(verb).about(about)
}
