//! What is wrong with a line, in one plain sentence with what to write instead.
//!
//! clap's messages speak of subcommands and arguments, which nobody typed.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::grammar::{WORDS, known};
use crate::app::form::limit::ABOVE_ZERO;

/// Returns the sentence for a line that the grammar does not take; `words` are what was typed.
pub(super) fn sentence(error: &Error, words: &[String]) -> String {
    let command = words.first().map_or("", String::as_str);
    let problem = problem(error, command);
    match known(command) {
        Some(word) => format!("{problem}; e.g. {}", word.example),
        None => {
            format!("{problem}; e.g. {}; :keys lists the keys", WORDS[0].example)
        }
    }
}

fn is_negative(word: &str) -> bool {
    let digits = word.strip_prefix('-');
    digits.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

fn problem(error: &Error, command: &str) -> String {
    let arg = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let meant = text(error, ContextKind::SuggestedArg).map(|arg| named(&arg));
    let meant = meant.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds say no more than that")]
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            let near = text(error, ContextKind::SuggestedSubcommand);
            let near = near.map(|name| format!(" (did you mean {}?)", name.replace('\n', " or ")));
            let near = near.unwrap_or_default();
            format!("unknown command {typed:?}{near}")
        }
        ErrorKind::UnknownArgument if arg.starts_with("--") => {
            format!("{command}: unknown option {}{meant}", named(&arg))
        }
        // clap reads a negative number as an option.
        ErrorKind::UnknownArgument if is_negative(&arg) => match command {
            "limit" => ABOVE_ZERO.to_owned(),
            "buy" | "sell" | "close" | "take" => "size must be above zero".to_owned(),
            _ => format!("{command}: unexpected {arg:?}"),
        },
        ErrorKind::UnknownArgument => format!("{command}: unexpected {arg:?}"),
        ErrorKind::MissingRequiredArgument => format!("{command}: missing {}", listed(&arg)),
        ErrorKind::ArgumentConflict => {
            let other = text(error, ContextKind::PriorArg).map(|other| listed(&other));
            match other.filter(|other| *other != listed(&arg)) {
                Some(other) => format!("{} and {other} cannot be combined", listed(&arg)),
                None => format!("{} is given twice", listed(&arg)),
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => {
            format!("{} needs a value", named(&arg))
        }
        ErrorKind::InvalidValue => {
            let valid = text(error, ContextKind::ValidValue).map(|list| list.replace('\n', ", "));
            format!("{}{value:?} is not valid: use {}", named(&arg), valid.unwrap_or_default())
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(ToString::to_string);
            format!("{}: {}", named(&arg), why.unwrap_or_else(|| format!("not {value:?}")))
        }
        _ => format!("{command}: incomplete"),
    }
}

/// Returns a part of what the parser knows of the error; a list with a line break between.
fn text(error: &Error, kind: ContextKind) -> Option<String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is text")]
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(list) => Some(list.join("\n")),
        _ => None,
    }
}

/// Formats an argument as it is typed on the line: `--sl <SL>` is `sl=`, `<SIZE>` is size.
fn named(arg: &str) -> String {
    let word = arg.split([' ', '=']).next().unwrap_or_default();
    match word.strip_prefix("--") {
        Some("account") => "@account".to_owned(),
        Some(name) => format!("{name}="),
        None => word.trim_matches(['<', '>', '[', ']', '.']).to_lowercase(),
    }
}

fn listed(args: &str) -> String {
    args.lines().map(named).collect::<Vec<_>>().join(" and ")
}
