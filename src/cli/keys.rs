//! `tmt keys`: the key table in force.

use std::io::{self, Write};

use serde_json::json;

use crate::app::keymap::{Binding, Context, Danger, Keymap};
use crate::domain::session::Right;

/// Returns what a key must pass, for a person.
fn danger(binding: &Binding) -> &'static str {
    match binding.danger {
        Danger::Harmless => "",
        Danger::Reversible => "can be taken back",
        Danger::Confirmed => "review, then y",
        Danger::Typed => "typed text, then y",
    }
}

/// Returns who may, for a person.
fn who(binding: &Binding) -> &'static str {
    match binding.right {
        Right::Read => "",
        Right::Open | Right::Trade | Right::Halt => "trader",
        Right::Risk => "risk officer",
    }
}

/// Writes the table for a person, context by context.
///
/// # Errors
///
/// If the output cannot be written.
pub fn write_text(keymap: &Keymap, out: &mut dyn Write) -> io::Result<()> {
    let mut gap = "";
    for context in Context::ALL {
        writeln!(out, "{gap}{}", context.title())?;
        gap = "\n";
        for (binding, keys) in keymap.of(context) {
            let (label, name) = (binding.label, binding.name);
            let about = [who(binding), danger(binding)];
            let about: Vec<&str> = about.into_iter().filter(|text| !text.is_empty()).collect();
            let line = format!("  {keys:<16} {label:<36} {name:<20} {}", about.join(", "));
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Writes the table as Markdown, as README.md holds it.
///
/// # Errors
///
/// If the output cannot be written.
pub fn write_markdown(keymap: &Keymap, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| where | keys | does | who | asks |")?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    for context in Context::ALL {
        for (binding, keys) in keymap.of(context) {
            let keys: Vec<String> =
                keys.split(' ').map(|key| format!("`{}`", escaped(key))).collect();
            let (place, label) = (context.title(), escaped(binding.label));
            let (keys, who, danger) = (keys.join(" "), who(binding), danger(binding));
            writeln!(out, "| {place} | {keys} | {label} | {who} | {danger} |")?;
        }
    }
    Ok(())
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Writes the table for another program.
///
/// # Errors
///
/// If the output cannot be written.
pub fn write_json(keymap: &Keymap, out: &mut dyn Write) -> io::Result<()> {
    let contexts = Context::ALL.into_iter();
    let rows: Vec<_> = contexts
        .flat_map(|context| keymap.of(context).map(move |(binding, keys)| (context, binding, keys)))
        .map(|(context, binding, keys)| {
            json!({
                "context": context.title(),
                "keys": keys.split(' ').collect::<Vec<_>>(),
                "action": binding.name,
                "label": binding.label,
                "confirmed": binding.danger == Danger::Confirmed,
                "role": who(binding),
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)
}
