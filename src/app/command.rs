//! The verbs: one definition for the `:` line of the console and for the shell.
//!
//! Before it is parsed, both rewrite `key=value` to `--key=value` and `@name` to `--account=name`,
//! so that `:buy EUR_USD 10k sl=1.08 @alpha` and `tmt buy EUR_USD 10k --sl 1.08 --account alpha`
//! are the same command.

mod completion;
mod grammar;
mod wrong;

use clap::{Parser, Subcommand};

pub use completion::completions;
pub use grammar::{LimitVerb, Verbs};

use super::effect::Effect;
use super::form::kind::Opened;
use super::lists;
use super::model::{Model, Overlay};
use super::pane::Pane;
use super::permit::{self, Denial};
use super::review;
use super::ticket::read::Problem;
use crate::domain::ids::ClientKey;

/// What only the console can be told.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum Views {
    /// Show accounts
    #[command(visible_alias = "accounts")]
    Acc,
    /// Show positions
    #[command(visible_alias = "positions")]
    Pos,
    /// Show trades
    Trades,
    /// Show signals
    #[command(visible_alias = "sig")]
    Signals,
    /// Show risk events
    #[command(visible_alias = "events")]
    Risk,
    /// Show limits
    #[command(visible_alias = "limits")]
    Lim,
    /// Show the market
    Market,
    /// Show agents and system events
    Agents,
    /// Filter the pane
    Filter {
        /// What its rows must match; empty clears the filter
        words: Vec<String>,
    },
    /// Show the action log
    Log,
    /// Show the keys
    #[command(visible_alias = "help")]
    Keys,
    /// Reload all panes
    Reload,
    /// Quit
    #[command(visible_aliases = ["q", "exit"])]
    Quit,
}

#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_help_subcommand = true)]
#[command(infer_long_args = false, args_override_self = false)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Verb(Verbs),
    #[command(flatten)]
    View(Views),
}

/// Rewrites `key=value` to `--key=value` and `@name` to `--account=name`.
pub fn rewrite(words: impl IntoIterator<Item = String>) -> Vec<String> {
    words
        .into_iter()
        .map(|word| {
            if let Some(name) = word.strip_prefix('@') {
                return format!("--account={name}");
            }
            match word.split_once('=') {
                Some((key, _))
                    if !key.is_empty()
                        && key.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                        && !key.starts_with('-') =>
                {
                    format!("--{word}")
                }
                _ => word,
            }
        })
        .collect()
}

/// Returns why this login may not use a verb at all; decided by the verb's name alone.
pub fn denial(model: &Model, word: &str) -> Option<Denial> {
    permit::denial(model, grammar::known(word)?.right)
}

/// Opens the ticket that a verb asks for, at review where its fields can be sent.
///
/// # Errors
///
/// A sentence that says what is not there, or not allowed.
pub fn ticket(model: &Model, verb: &Verbs, fresh: ClientKey) -> Opened {
    let ticket = verb.open(model, fresh)?;
    match permit::denial(model, ticket.form.kind().right()) {
        Some(denial) => Err(Problem { code: denial.code(), ..denial.to_string().into() }),
        None => Ok(review::freeze(model, ticket)),
    }
}

/// Runs a line entered after `:`.
///
/// # Errors
///
/// A sentence that says what is wrong with it; nothing was done.
pub(super) fn entered(
    model: &mut Model,
    line: &str,
    fresh: ClientKey,
) -> Result<Vec<Effect>, String> {
    let words = shell_words::split(line).map_err(|_| "unclosed quote".to_owned())?;
    if words.is_empty() {
        return Ok(vec![]);
    }
    // A missing right is reported before any syntax error.
    let first = words.first().map_or("", String::as_str);
    if let Some(why) = denial(model, first) {
        return Err(format!("{first}: {why}"));
    }
    match Line::try_parse_from(rewrite(words.clone())) {
        Ok(Line { command: Command::Verb(verb) }) => {
            let ticket = ticket(model, &verb, fresh).map_err(|why| why.text)?;
            Ok(review::show(model, ticket))
        }
        Ok(Line { command: Command::View(view) }) => Ok(viewed(model, view)),
        Err(error) => Err(wrong::sentence(&error, &words)),
    }
}

fn viewed(model: &mut Model, view: Views) -> Vec<Effect> {
    match view {
        Views::Acc => lists::show_pane(model, Pane::Accounts),
        Views::Pos => lists::show_pane(model, Pane::Positions),
        Views::Trades => lists::show_pane(model, Pane::Trades),
        Views::Signals => lists::show_pane(model, Pane::Signals),
        Views::Risk => lists::show_pane(model, Pane::Events),
        Views::Lim => lists::show_pane(model, Pane::Limits),
        Views::Market => lists::show_pane(model, Pane::Market),
        Views::Agents => lists::show_pane(model, Pane::Agents),
        Views::Filter { words } => {
            let focus = model.focus;
            model.pane_mut(focus).filter = words.join(" ");
            vec![]
        }
        Views::Log => {
            model.overlay = Overlay::Log(0);
            vec![]
        }
        Views::Keys => {
            model.overlay = Overlay::Help(0);
            vec![]
        }
        Views::Reload => vec![Effect::ReadAll],
        Views::Quit => vec![Effect::Quit],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        rewrite(shell_words::split(line).unwrap())
    }

    #[test]
    fn the_line_and_the_shell_are_one_grammar() {
        let spoken =
            Line::try_parse_from(words("buy EUR_USD 10k sl=1.08 @alpha reason=\"late print\""));
        let shell = Line::try_parse_from(words(
            "buy EUR_USD 10000 --sl 1.08 --account alpha --reason 'late print'",
        ));
        let (Command::Verb(one), Command::Verb(two)) =
            (spoken.unwrap().command, shell.unwrap().command)
        else {
            panic!("not verbs");
        };
        assert_eq!(one, two);
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let error = Line::try_parse_from(words("buy EUR_USD 10k s=1.08")).unwrap_err();
        assert!(error.to_string().contains("--sl"), "{error}");
    }

    #[test]
    fn an_option_given_twice_is_an_error() {
        assert!(Line::try_parse_from(words("buy EUR_USD 10k sl=1.08 sl=1.09")).is_err());
    }
}
