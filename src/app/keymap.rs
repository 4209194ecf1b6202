//! The key table: which keys do what, where, how dangerous it is, and who may.
//!
//! One table feeds dispatch, footer, help, `tmt keys`, the README and the configuration. A key that
//! is bound twice in a context, or that is a prefix of another one, is an error at start.

mod action;
mod bindings;

use std::collections::HashMap;

pub use action::{Action, Context, Danger, Motion, Opening, Step, View};
pub use bindings::{BINDINGS, Binding};
use thiserror::Error;

use super::chord::{Chord, NotAKey, sequence, spell};

/// Why a key table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeymapError {
    /// Two actions on one key.
    #[error(
        "key {keys} is bound to both {first} and {second} in {context}; bind one of them to another key or to \"none\""
    )]
    Twice { context: &'static str, keys: String, first: &'static str, second: &'static str },
    /// A key that is a prefix of another one could never be told from it.
    #[error(
        "key {short} ({first}) is a prefix of {long} ({second}) in {context}; bind one of them to another key"
    )]
    Prefix {
        context: &'static str,
        short: String,
        long: String,
        /// Name of the action on the shorter one.
        first: &'static str,
        /// Name of the action on the longer one.
        second: &'static str,
    },
    /// The configuration names an action that does not exist.
    #[error("there is no action {0:?}; `tmt keys` lists them")]
    NoSuchAction(String),
    /// The configuration names a key that does not exist.
    #[error("action {action}: {source}")]
    BadKey { action: String, source: NotAKey },
    /// The key that sends must not be one that a held or pasted key can be.
    #[error("action send cannot be on {0}: Enter and Space never confirm")]
    UnsafeSend(String),
}

/// What a sequence of keys means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Bound(&'static Binding),
    /// The beginning of one or more.
    Prefix,
    Unbound,
}

/// The key table with the configured changes.
#[derive(Debug, Clone)]
pub struct Keymap {
    bound: Vec<(&'static Binding, Vec<Vec<Chord>>)>,
}

impl Keymap {
    /// Builds the table, with other keys for some actions: from an action's name to its keys, an
    /// empty list for none.
    ///
    /// # Errors
    ///
    /// [`KeymapError`] names the actions and keys that collide or do not exist.
    pub fn new(changes: &HashMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        if let Some(unknown) =
            changes.keys().find(|name| BINDINGS.iter().all(|binding| binding.name != **name))
        {
            return Err(KeymapError::NoSuchAction(unknown.clone()));
        }
        let mut bound = Vec::with_capacity(BINDINGS.len());
        for binding in BINDINGS {
            let keys: Vec<&str> = match changes.get(binding.name) {
                Some(changed) => changed.iter().map(String::as_str).collect(),
                None => binding.keys.to_vec(),
            };
            let parsed: Result<Vec<Vec<Chord>>, NotAKey> = keys.into_iter().map(sequence).collect();
            let parsed = parsed.map_err(|source| KeymapError::BadKey {
                action: binding.name.to_owned(),
                source,
            })?;
            bound.push((binding, parsed));
        }
        let map = Self { bound };
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), KeymapError> {
        let all: Vec<(&'static Binding, &Vec<Chord>)> = self
            .bound
            .iter()
            .flat_map(|(binding, sequences)| sequences.iter().map(move |keys| (*binding, keys)))
            .collect();
        for (at, (binding, keys)) in all.iter().enumerate() {
            let never = |chord: &Chord| {
                *chord == Chord::plain(super::chord::Key::Enter) || *chord == Chord::char(' ')
            };
            if binding.action == Action::Ticket(Step::Send) && keys.iter().any(never) {
                return Err(KeymapError::UnsafeSend(spell(keys)));
            }
            for (other, others) in all.iter().skip(at.saturating_add(1)) {
                if other.context != binding.context {
                    continue;
                }
                let (context, first, second) = (binding.context.title(), binding.name, other.name);
                if keys == others {
                    return Err(KeymapError::Twice { context, keys: spell(keys), first, second });
                }
                if others.starts_with(keys) {
                    let (short, long) = (spell(keys), spell(others));
                    return Err(KeymapError::Prefix { context, short, long, first, second });
                }
                if keys.starts_with(others) {
                    let (short, long) = (spell(others), spell(keys));
                    return Err(KeymapError::Prefix {
                        context,
                        short,
                        long,
                        first: second,
                        second: first,
                    });
                }
            }
        }
        Ok(())
    }

    /// Returns the table as it is shipped.
    ///
    /// # Panics
    ///
    /// Never: a test holds the shipped table to its rules.
    #[expect(clippy::expect_used, reason = "a test holds the shipped table to its rules")]
    pub fn shipped() -> Self {
        Self::new(&HashMap::new()).expect("the shipped key table is sound")
    }

    /// Looks a sequence up in `contexts`, the nearest first. A binding in a nearer context hides
    /// those behind it.
    pub fn look_up(&self, contexts: &[Context], pressed: &[Chord]) -> Lookup {
        let mut is_prefix = false;
        for context in contexts {
            for (binding, sequences) in &self.bound {
                if binding.context != *context {
                    continue;
                }
                for keys in sequences {
                    if keys == pressed {
                        return Lookup::Bound(binding);
                    }
                    is_prefix |= keys.starts_with(pressed);
                }
            }
        }
        if is_prefix { Lookup::Prefix } else { Lookup::Unbound }
    }

    /// Returns the bindings of a context with their keys as they are spelled, in table order.
    /// Bindings without a key are left out.
    pub fn of(&self, context: Context) -> impl Iterator<Item = (&'static Binding, String)> + '_ {
        self.bound
            .iter()
            .filter(move |(binding, keys)| binding.context == context && !keys.is_empty())
            .map(|(binding, keys)| {
                let spelled: Vec<String> = keys.iter().map(|one| spell(one)).collect();
                (*binding, spelled.join(" "))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(name: &str, keys: &[&str]) -> HashMap<String, Vec<String>> {
        HashMap::from([(name.to_owned(), keys.iter().map(|k| (*k).to_owned()).collect())])
    }

    #[test]
    fn the_shipped_table_has_no_key_twice_and_no_key_that_begins_another() {
        Keymap::new(&HashMap::new()).unwrap();
    }

    #[test]
    fn every_action_name_is_unique() {
        let mut names: Vec<&str> = BINDINGS.iter().map(|binding| binding.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn a_collision_names_both_actions() {
        let error = Keymap::new(&changed("zoom", &["q"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "key q is bound to both zoom and quit in Everywhere; bind one of them to another key or to \"none\""
        );
    }

    #[test]
    fn a_key_that_begins_another_one_is_refused() {
        let error = Keymap::new(&changed("zoom", &["!"])).unwrap_err();
        assert!(matches!(error, KeymapError::Prefix { .. }), "{error}");
    }

    #[test]
    fn enter_and_space_never_send() {
        for key in ["Enter", "Space"] {
            let error = Keymap::new(&changed("send", &[key])).unwrap_err();
            assert!(matches!(error, KeymapError::UnsafeSend(_)), "{error}");
        }
    }

    #[test]
    fn a_nearer_context_hides_the_ones_behind_it() {
        let map = Keymap::new(&HashMap::new()).unwrap();
        let looked =
            map.look_up(&[Context::Events, Context::List, Context::Global], &[Chord::char('a')]);
        assert!(
            matches!(looked, Lookup::Bound(b) if b.action == Action::Open(Opening::Acknowledge))
        );
        let looked =
            map.look_up(&[Context::Accounts, Context::List, Context::Global], &[Chord::char('a')]);
        assert_eq!(looked, Lookup::Unbound);
        let looked = map.look_up(&[Context::List, Context::Global], &[Chord::char('!')]);
        assert_eq!(looked, Lookup::Prefix);
    }
}
