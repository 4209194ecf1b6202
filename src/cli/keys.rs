//! `tmt keys`: prints the key table that the configuration gives.

use std::io::{self, Write};

use serde_json::json;

use crate::app::keymap::{Binding, Context, Danger, Keymap};
use crate::domain::session::Right;

/// Returns what the console asks before the action happens.
fn confirmation(binding: &Binding) -> &'static str {
    match binding.danger {
        Danger::Harmless => "",
        Danger::Reversible => "undo possible",
        Danger::Confirmed => "review, then y",
        Danger::Typed => "type the name, then y",
    }
}

/// Returns the role that an action needs, empty if any login may do it.
fn role(binding: &Binding) -> &'static str {
    match binding.right {
        Right::Read => "",
        Right::Open | Right::Trade | Right::Halt => "trader",
        Right::Risk => "risk officer",
    }
}

/// Writes the table as text, grouped by context.
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
            let about = [role(binding), confirmation(binding)];
            let about: Vec<&str> = about.into_iter().filter(|text| !text.is_empty()).collect();
            let line = format!("  {keys:<16} {label:<36} {name:<20} {}", about.join(", "));
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Writes the table as Markdown. README.md holds this output, and a test compares them.
///
/// # Errors
///
/// If the output cannot be written.
pub fn write_markdown(keymap: &Keymap, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| where | keys | action | role | confirmation |")?;
    writeln!(out, "| --- | --- | --- | --- | --- |")?;
    for context in Context::ALL {
        for (binding, keys) in keymap.of(context) {
            let keys: Vec<String> =
                keys.split(' ').map(|key| format!("`{}`", escaped(key))).collect();
            let (place, label) = (context.title(), escaped(binding.label));
            let (keys, role, asks) = (keys.join(" "), role(binding), confirmation(binding));
            writeln!(out, "| {place} | {keys} | {label} | {role} | {asks} |")?;
        }
    }
    Ok(())
}

/// Escapes the bar, which would end a table cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Writes the table as JSON.
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
                "role": role(binding),
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)
}
