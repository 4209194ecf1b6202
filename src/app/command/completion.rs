//! Completion of the last word of a `:` line, from the grammar and the rows of the desk.

use std::sync::LazyLock;

use clap::{Arg, Command, CommandFactory};

use super::{Line, denial};
use crate::app::model::Model;
use crate::app::prompt::Prompt;

static DEFINITION: LazyLock<Command> = LazyLock::new(|| {
    let mut definition = Line::command();
    definition.build();
    definition
});

/// Returns completions of the last word, in the order of the grammar; none inside quotes, and no
/// verbs that this login may not use.
pub fn completions(model: &Model, prompt: &Prompt) -> Vec<String> {
    let line = prompt.input.value();
    if prompt.input.cursor() < line.chars().count() {
        return vec![];
    }
    if ["\"", "'"].iter().any(|sign| line.matches(sign).count() % 2 == 1) {
        return vec![];
    }
    let (before, begun) = line.rsplit_once(' ').unwrap_or(("", line));
    let words: Vec<&str> = before.split_whitespace().collect();
    let mut command: &Command = &DEFINITION;
    let mut said = words.as_slice();
    while let Some((word, rest)) = said.split_first() {
        let Some(found) = command.find_subcommand(word) else { break };
        command = found;
        said = rest;
    }
    let known = if command.has_subcommands() {
        verbs(model, command, words.is_empty())
    } else {
        let mut known = free(model, command, said);
        known.extend(arguments(model, command, said, begun));
        known
    };
    let wanted = begun.to_lowercase();
    let fits = |word: &String| word.to_lowercase().starts_with(&wanted) && word != begun;
    known.into_iter().filter(fits).collect()
}

fn verbs(model: &Model, command: &Command, is_first: bool) -> Vec<String> {
    let may = |name: &str| !is_first || denial(model, name).is_none();
    let names = command.get_subcommands().map(Command::get_name);
    names.filter(|name| may(name)).map(str::to_owned).collect()
}

/// What is named: `sl=`, `@alpha`, `mode=flatten`.
fn arguments(model: &Model, command: &Command, said: &[&str], begun: &str) -> Vec<String> {
    let named = command.get_arguments().filter(|arg| !arg.is_positional());
    let mut known = vec![];
    for arg in named {
        let Some(name) = arg.get_long() else { continue };
        let is_said = |word: &&str| match name {
            "account" => word.starts_with('@'),
            _ => word.split_once('=').is_some_and(|(key, _)| key == name),
        };
        if said.iter().any(is_said) {
            continue;
        }
        let values = values(model, arg);
        if name == "account" {
            known.extend(values.into_iter().map(|name| format!("@{name}")));
        } else if begun.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
            known.extend(values.into_iter().map(|value| format!("{name}={value}")));
        } else if arg.get_action().takes_values() {
            known.push(format!("{name}="));
        } else {
            known.push(format!("--{name}"));
        }
    }
    known
}

/// Values for the next positional argument: instruments, limit types, positions.
fn free(model: &Model, command: &Command, said: &[&str]) -> Vec<String> {
    let plain = said.iter().filter(|word| !word.starts_with('@') && !word.contains('=')).count();
    command.get_positionals().nth(plain).map(|arg| values(model, arg)).unwrap_or_default()
}

/// Returns what the desk knows of the kind that an argument is.
fn values(model: &Model, arg: &Arg) -> Vec<String> {
    let mut known: Vec<String> = match arg.get_id().as_str() {
        "account" => model.desk.accounts.values().map(|row| row.name.clone()).collect(),
        "instrument" => model.book.instruments().map(|row| row.id.to_string()).collect(),
        "position" => model.desk.positions.values().map(|row| row.instrument.to_string()).collect(),
        "portfolio" => {
            model.desk.accounts.values().filter_map(|row| row.portfolio.clone()).collect()
        }
        "limit_type" => model.limit_types.iter().map(|row| row.name.to_string()).collect(),
        _ => arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect(),
    };
    // A name of several words would have to be put in quotes.
    known.retain(|name| !name.contains(char::is_whitespace));
    known.sort_unstable();
    known.dedup();
    known
}
