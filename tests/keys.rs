//! The key table: sound, and the same in the program and in README.md.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use tmt::app::chord::{Chord, sequence};
use tmt::app::keymap::{BINDINGS, Context, Danger, Keymap};
use tmt::cli::keys;

#[test]
fn no_chord_of_a_context_equals_or_begins_another() {
    let mut seen: Vec<(Context, Vec<Chord>, &str)> = Vec::new();
    for binding in BINDINGS {
        for keys in binding.keys {
            let keys = sequence(keys).unwrap();
            for (context, other, name) in &seen {
                let collides = keys.starts_with(other) || other.starts_with(&keys);
                assert!(
                    *context != binding.context || !collides,
                    "{} and {name} in {}",
                    binding.name,
                    context.title()
                );
            }
            seen.push((binding.context, keys, binding.name));
        }
    }
    assert!(seen.len() > 50, "the table is there");
}

#[test]
fn the_key_that_sends_cannot_be_changed_to_enter() {
    let send = BINDINGS.iter().find(|binding| binding.name == "send").unwrap();
    assert_eq!((send.keys, send.danger), (["y"].as_slice(), Danger::Confirmed));
    let changes = HashMap::from([("send".to_owned(), vec!["Enter".to_owned()])]);
    assert!(Keymap::new(&changes).is_err());
}

#[test]
fn the_readme_has_the_key_table_that_tmt_keys_prints() {
    let mut table = Vec::new();
    keys::write_markdown(&Keymap::shipped(), &mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    assert!(readme.contains(&table), "put the output of `tmt keys --markdown` into README.md");
}

#[test]
fn every_action_is_in_every_format_of_the_key_table() {
    let keymap = Keymap::shipped();
    let (mut text, mut json) = (Vec::new(), Vec::new());
    keys::write_text(&keymap, &mut text).unwrap();
    keys::write_json(&keymap, &mut json).unwrap();
    let text = String::from_utf8(text).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let actions: Vec<&str> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.get("action").unwrap().as_str().unwrap())
        .collect();
    for binding in BINDINGS {
        assert!(text.contains(binding.name) && actions.contains(&binding.name), "{}", binding.name);
    }
}
