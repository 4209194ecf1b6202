//! `[keys]`: keys of actions.

use std::collections::{BTreeMap, HashMap};

use super::fault::Origin;
use super::nearest::nearest;
use super::raw::{Raw, Value};
use super::reader::Reader;
use crate::app::chord::sequence;
use crate::app::keymap::{BINDINGS, Keymap, KeymapError};

const MUST: &str = "a key like \"F5\", a list of them, or \"none\"";

/// Reads the section. `None` if the default table is invalid, which a test excludes.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Keymap> {
    let mut changes: HashMap<String, Vec<String>> = HashMap::new();
    let mut origins: BTreeMap<String, Origin> = BTreeMap::new();
    for (action, raw, origin) in reader.section("keys") {
        let Some(keys) = keys(reader, &action, &raw, &origin) else { continue };
        origins.insert(action.clone(), origin);
        changes.insert(action, keys);
    }
    let keymap = loop {
        match Keymap::new(&changes) {
            Ok(keymap) => break keymap,
            Err(error) => {
                // Report one at a time and remove it, until the rest is valid.
                let culprit = culprit(&error, &origins)?;
                let origin = origins.remove(&culprit).unwrap_or(Origin::Default);
                changes.remove(&culprit);
                reader.fault(origin, &format!("keys.{culprit}"), error.to_string());
            }
        }
    };
    for binding in BINDINGS {
        let changed = changes.get(binding.name).cloned();
        let shipped = || binding.keys.iter().map(|key| (*key).to_owned()).collect();
        let origin = origins.get(binding.name).cloned().unwrap_or(Origin::Default);
        let keys: Vec<String> = changed.unwrap_or_else(shipped);
        let text = match keys.as_slice() {
            [] => "none".to_owned().write(),
            [only] => only.write(),
            _ => keys.write(),
        };
        reader.note(&format!("keys.{}", binding.name), text, origin);
    }
    Some(keymap)
}

/// Reads the keys of an action; `None` if they are invalid, which is recorded.
fn keys(reader: &mut Reader<'_>, action: &str, raw: &Raw, origin: &Origin) -> Option<Vec<String>> {
    let name = format!("keys.{action}");
    let actions = || BINDINGS.iter().map(|binding| binding.name);
    if !actions().any(|known| known == action) {
        let text = match nearest(action, actions()) {
            Some(near) => format!("unknown action; did you mean {near}?"),
            None => "unknown action; `tmt keys` lists them".to_owned(),
        };
        reader.fault(origin.clone(), &name, text);
        return None;
    }
    let keys = match raw.text() {
        Some("none") => Some(vec![]),
        Some(key) => Some(vec![key.to_owned()]),
        None => Vec::<String>::read(raw),
    };
    let Some(keys) = keys else {
        let text = format!("is {}, but must be {MUST}", raw.quoted());
        reader.fault(origin.clone(), &name, text);
        return None;
    };
    let before = reader.faults.len();
    for key in &keys {
        if let Err(error) = sequence(key) {
            reader.fault(origin.clone(), &name, error.to_string());
        }
    }
    (reader.faults.len() == before).then_some(keys)
}

/// Returns the change that an error is about: of two that collide, the configured one.
fn culprit(error: &KeymapError, changed: &BTreeMap<String, Origin>) -> Option<String> {
    let candidates = match error {
        KeymapError::Twice { first, second, .. } | KeymapError::Prefix { first, second, .. } => {
            vec![*second, *first]
        }
        KeymapError::NoSuchAction(action) | KeymapError::BadKey { action, .. } => {
            vec![action.as_str()]
        }
        KeymapError::UnsafeSend(_) => vec!["send"],
    };
    candidates.into_iter().find(|name| changed.contains_key(*name)).map(str::to_owned)
}
