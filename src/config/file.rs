//! The configuration file: path, contents, permissions.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin};
use super::raw::Raw;
use crate::domain::text::clean;

/// Mode bits that let others read or write a file.
const OTHERS: u32 = 0o077;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    /// Values by `section.key`, with their line.
    pub(super) entries: BTreeMap<String, (Raw, usize)>,
    /// Only its owner can read it.
    pub(super) is_private: bool,
}

/// Returns the default path, whether the file exists or not.
pub(super) fn usual(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder =
        named("XDG_CONFIG_HOME").or_else(|| named("HOME").map(|home| home.join(".config")));
    folder.map(|folder| folder.join("tmt/console.toml"))
}

/// Reads a file. Returns what can be read of an invalid one too, so that all faults are reported at
/// once.
pub(super) fn read(path: &Path, faults: &mut Vec<Fault>) -> Option<File> {
    let unreadable = |text: String| Fault {
        origin: Origin::File { path: path.to_owned(), line: 1 },
        key: String::new(),
        text,
    };
    let read = fs::metadata(path).and_then(|about| Ok((about, fs::read(path)?)));
    let (about, bytes) = match read {
        Ok((about, _)) if about.len() > LARGEST => {
            faults.push(unreadable("is larger than 1 MiB".to_owned()));
            return None;
        }
        Ok(read) => read,
        Err(error) => {
            faults.push(unreadable(format!("cannot be read: {error}")));
            return None;
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        faults.push(unreadable("is not UTF-8".to_owned()));
        return None;
    };
    let is_private = about.permissions().mode() & OTHERS == 0;
    Some(parse(path, &text, is_private, faults))
}

/// Parses a file.
fn parse(path: &Path, text: &str, is_private: bool, faults: &mut Vec<Fault>) -> File {
    let line_of = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        before.matches('\n').count().saturating_add(1)
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| line_of(span.start));
        let origin = Origin::File { path: path.to_owned(), line };
        let text = format!("invalid TOML: {}", clean(error.message()));
        // Report one error per line.
        if !faults.iter().any(|fault| fault.origin == origin) {
            faults.push(Fault { origin, key: String::new(), text });
        }
    }
    let mut entries = BTreeMap::new();
    for (section, value) in document.get_ref() {
        let Some(table) = value.get_ref().as_table() else {
            let line = line_of(section.span().start);
            entries.insert(section.get_ref().to_string(), (raw(value), line));
            continue;
        };
        for (key, value) in table {
            let line = line_of(key.span().start);
            let name = format!("{}.{}", section.get_ref(), key.get_ref());
            entries.insert(name, (raw(value), line));
        }
    }
    File { path: path.to_owned(), entries, is_private }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Raw::Number(number.as_str().to_owned()),
        // No key takes a number in another base: as text it is reported as written.
        DeValue::Integer(number) => Raw::Text(number.as_str().to_owned()),
        DeValue::Float(number) => Raw::Number(number.as_str().to_owned()),
        DeValue::Boolean(on) => Raw::Switch(*on),
        DeValue::Datetime(_) => Raw::Time,
        DeValue::Array(entries) => Raw::List(entries.iter().map(raw).collect()),
        DeValue::Table(table) => Raw::Table(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), raw(value))).collect(),
        ),
    }
}
