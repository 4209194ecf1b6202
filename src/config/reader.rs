//! Reads keys, each from the source that wins.

use std::collections::BTreeSet;
use std::path::PathBuf;

use secrecy::SecretString;

use super::fault::{Fault, Origin};
use super::file::{self, File};
use super::nearest::nearest;
use super::raw::{Raw, Value};
use super::secret::{holds_password, masked};
use super::{Setting, Sources};

/// Reads keys; collects settings and faults.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    file: Option<File>,
    known: BTreeSet<String>,
    pub(super) settings: Vec<Setting>,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        let mut faults = Vec::new();
        let usual = || file::usual(|name| sources.variable(name)).filter(|path| path.exists());
        let named = sources.variable("TMT_CONFIG").map(PathBuf::from);
        let path = sources.file.clone().or(named).or_else(usual);
        let file = path.and_then(|path| file::read(&path, &mut faults));
        Self { sources, file, known: BTreeSet::new(), settings: Vec::new(), faults }
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| file.path.clone())
    }

    /// Returns the value of a key from the source that wins. `variables` are further names of the key
    /// in the environment.
    fn written(&mut self, key: &str, variables: &[&str]) -> Option<(Raw, Origin)> {
        self.known.insert(key.to_owned());
        if let Some((_, value)) = self.sources.settings.iter().rfind(|(name, _)| name == key) {
            return Some((Raw::Word(value.clone()), Origin::Flag));
        }
        let own = format!("TMT_{}", key.replace(['.', '-'], "_").to_uppercase());
        let names = std::iter::once(own.as_str()).chain(variables.iter().copied());
        for name in names {
            if let Some(value) = self.sources.variable(name) {
                return Some((Raw::Word(value), Origin::Variable(name.to_owned())));
            }
        }
        let file = self.file.as_ref()?;
        let (raw, line) = file.entries.get(key)?;
        Some((raw.clone(), Origin::File { path: file.path.clone(), line: *line }))
    }

    /// Reads a key of any type.
    pub(super) fn value<T: Value>(&mut self, key: &str, default: T) -> T {
        self.checked(key, default, T::MUST, |_| true)
    }

    /// Reads a key with a further condition.
    pub(super) fn checked<T: Value>(
        &mut self,
        key: &str,
        default: T,
        must: &str,
        is_right: impl Fn(&T) -> bool,
    ) -> T {
        let Some((raw, origin)) = self.written(key, &[]) else {
            self.note(key, default.write(), Origin::Default);
            return default;
        };
        if let Some(value) = T::read(&raw).filter(&is_right) {
            self.note(key, value.write(), origin);
            return value;
        }
        self.fault(origin, key, format!("is {}, but must be {must}", raw.quoted()));
        default
    }

    /// Reads a number above zero.
    pub(super) fn positive<T: Value + PartialOrd + Default>(&mut self, key: &str, default: T) -> T {
        let must = format!("{} above zero", T::MUST);
        self.checked(key, default, &must, |value| *value > T::default())
    }

    /// Reads one of a few words.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        key: &str,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let default_word = words.iter().find(|(_, value)| *value == default);
        let default_word = default_word.map_or("", |(word, _)| *word).to_owned();
        let is_known = |word: &String| words.iter().any(|(known, _)| known == word);
        let must = format!("one of {}", all.join(", "));
        let word = self.checked(key, default_word, &must, is_known);
        words.iter().find(|(known, _)| *known == word).map_or(default, |(_, value)| *value)
    }

    /// Reads an address, which may contain a password; `None` if empty.
    pub(super) fn address(
        &mut self,
        key: &str,
        default: &str,
        variable: &str,
    ) -> Option<(String, Origin)> {
        let default = || Some((Raw::Text(default.to_owned()), Origin::Default));
        let (raw, origin) = self.written(key, &[variable]).or_else(default)?;
        let Some(address) = raw.text().map(str::to_owned) else {
            self.fault(origin, key, format!("is {}, but must be {}", raw.quoted(), String::MUST));
            return None;
        };
        if holds_password(&address) {
            self.guard(key, &origin);
        }
        self.note(key, masked(&address).write(), origin.clone());
        (!address.is_empty()).then_some((address, origin))
    }

    /// Reads a password; `None` if empty.
    pub(super) fn password(&mut self, key: &str) -> Option<SecretString> {
        let Some((raw, origin)) = self.written(key, &[]) else {
            self.note(key, String::new().write(), Origin::Default);
            return None;
        };
        let Some(text) = raw.text().map(str::to_owned) else {
            self.fault(origin, key, format!("must be {}", String::MUST));
            return None;
        };
        if text.is_empty() {
            self.note(key, text.write(), origin);
            return None;
        }
        self.guard(key, &origin);
        self.note(key, super::MASK.to_owned().write(), origin);
        Some(SecretString::from(text))
    }

    /// Refuses a secret in a file that others can read.
    fn guard(&mut self, key: &str, origin: &Origin) {
        let why = match origin {
            Origin::File { path, .. }
                if self.file.as_ref().is_some_and(|file| !file.is_private) =>
            {
                format!(
                    "holds a password, and others may read this file; run `chmod 600 {}`, or use \
                     database.password_command",
                    path.display()
                )
            }
            Origin::Flag => "a password on the command line can be read by everybody on this \
                             machine; put it into PGPASSWORD, ~/.pgpass, the file, or \
                             database.password_command"
                .to_owned(),
            Origin::File { .. } | Origin::Variable(_) | Origin::Default => return,
        };
        self.fault(origin.clone(), key, why);
    }

    /// Returns all keys of a section with free names, from file and flags; a later one wins.
    pub(super) fn section(&mut self, section: &str) -> Vec<(String, Raw, Origin)> {
        let prefix = format!("{section}.");
        let mut found = Vec::new();
        if let Some(file) = &self.file {
            for (key, (raw, line)) in &file.entries {
                if let Some(name) = key.strip_prefix(&prefix) {
                    let origin = Origin::File { path: file.path.clone(), line: *line };
                    found.push((name.to_owned(), raw.clone(), origin));
                }
            }
        }
        for (key, value) in &self.sources.settings {
            if let Some(name) = key.strip_prefix(&prefix) {
                found.retain(|(known, ..)| known != name);
                found.push((name.to_owned(), Raw::Word(value.clone()), Origin::Flag));
            }
        }
        self.known.extend(found.iter().map(|(name, ..)| format!("{prefix}{name}")));
        found
    }

    /// Returns the value of a key that is neither word nor number, as written.
    pub(super) fn raw(&mut self, key: &str) -> Option<(Raw, Origin)> {
        self.written(key, &[])
    }

    /// Records the effective value of a key.
    pub(super) fn note(&mut self, key: &str, text: String, origin: Origin) {
        self.settings.push(Setting { key: key.to_owned(), text, origin });
    }

    /// Records a fault.
    pub(super) fn fault(&mut self, origin: Origin, key: &str, text: String) {
        self.faults.push(Fault { origin, key: key.to_owned(), text });
    }

    pub(super) fn origin(&self, key: &str) -> Origin {
        let found = self.settings.iter().find(|setting| setting.key == key);
        found.map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Returns the origin of the first of two keys that is set.
    pub(super) fn either(&self, one: &str, other: &str) -> Origin {
        let origin = self.origin(one);
        if origin == Origin::Default { self.origin(other) } else { origin }
    }

    /// Reports every unknown key.
    pub(super) fn finish(&mut self) {
        let in_file = self.file.iter().flat_map(|file| {
            file.entries.iter().map(|(key, (_, line))| {
                (key.clone(), Origin::File { path: file.path.clone(), line: *line })
            })
        });
        let in_flags = self.sources.settings.iter().map(|(key, _)| (key.clone(), Origin::Flag));
        let unknown: Vec<(String, Origin)> =
            in_file.chain(in_flags).filter(|(key, _)| !self.known.contains(key)).collect();
        for (key, origin) in unknown {
            let known = self.known.iter().map(String::as_str);
            let text = match nearest(&key, known) {
                Some(near) => format!("unknown key; did you mean {near}?"),
                None => "unknown key; `tmt config` shows all of them".to_owned(),
            };
            self.fault(origin, &key, text);
        }
        self.faults.sort_by_key(|fault| match &fault.origin {
            Origin::File { line, .. } => (0, *line),
            Origin::Variable(_) => (1, 0),
            Origin::Flag | Origin::Default => (2, 0),
        });
    }
}
