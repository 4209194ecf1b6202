//! The arrows between the layers, held by reading the source: who imports what, and who may not.
//!
//! Comments are not read: they may speak of anything.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A layer: its modules at the root of the crate, and what it may name.
struct Layer {
    modules: &'static [&'static str],
    /// Other layers, by their modules.
    layers: &'static [&'static str],
    /// Packages. `*` is any.
    packages: &'static [&'static str],
    /// Words that never stand in its code.
    never: &'static [&'static str],
}

/// Whoever needs a clock is handed one.
const CLOCKS: [&str; 4] = ["Utc::now", "Instant::now", "SystemTime::now", "now_v7"];

const LAYERS: &[Layer] = &[
    Layer {
        modules: &["domain"],
        layers: &[],
        packages: &["chrono", "rust_decimal", "thiserror", "unicode_width", "uuid"],
        never: &["std::fs", "std::io", "std::net", "std::process", "std::env", "std::thread"],
    },
    Layer {
        modules: &["store"],
        layers: &["domain"],
        packages: &[
            "chrono",
            "deadpool_postgres",
            "futures_util",
            "rust_decimal",
            "rustls",
            "rustls_native_certs",
            "secrecy",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tokio_postgres",
            "tokio_postgres_rustls",
            "tokio_util",
            "tracing",
            "uuid",
        ],
        never: &[],
    },
    Layer {
        modules: &["feed"],
        layers: &["domain"],
        packages: &[
            "chrono",
            "futures_util",
            "redis",
            "rust_decimal",
            "rustls",
            "rustls_native_certs",
            "secrecy",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio_rustls",
            "tokio_util",
            "tracing",
            "uuid",
        ],
        never: &[],
    },
    Layer {
        modules: &["app"],
        layers: &["domain"],
        packages: &[
            "chrono",
            "clap",
            "rust_decimal",
            "shell_words",
            "thiserror",
            "tui_input",
            "unicode_width",
            "uuid",
        ],
        never: &["std::fs", "std::io", "std::net", "std::process", "std::env", "std::thread"],
    },
    Layer {
        modules: &["ui"],
        layers: &["app", "domain"],
        packages: &["chrono", "ratatui", "rust_decimal", "tui_input", "unicode_width", "uuid"],
        never: &["&mut Model", "crossterm::event", "std::fs", "std::io", "std::net", "std::env"],
    },
    Layer {
        modules: &["runtime"],
        layers: &["app", "domain", "feed", "store", "ui"],
        packages: &["*"],
        never: &["round_dp", "\"ticks:", "\"events:", "\"tmt:"],
    },
    Layer {
        modules: &["local"],
        layers: &[],
        packages: &["rustix", "thiserror", "tokio", "tracing"],
        never: &[],
    },
    Layer {
        modules: &["sim"],
        layers: &["domain", "feed", "store"],
        packages: &[
            "chrono",
            "csv",
            "flate2",
            "futures_util",
            "rand",
            "rand_chacha",
            "rand_core",
            "rust_decimal",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio_util",
            "tracing",
            "uuid",
        ],
        never: &[],
    },
    Layer {
        modules: &["sentinel"],
        layers: &["domain", "feed", "store"],
        packages: &["chrono", "tokio", "tokio_util", "tracing"],
        never: &["SELECT", "desk."],
    },
    Layer {
        // The command line is part of main: it wires everything.
        modules: &["main", "lib", "cli", "config"],
        layers: &["*"],
        packages: &["*"],
        never: &[],
    },
];

/// Names that say nothing about what is inside.
const NO_NAMES: [&str; 7] = ["mod", "util", "utils", "common", "manager", "misc", "helpers"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The module at the root of the crate to which a file of `src` belongs.
fn module(path: &Path) -> String {
    let within = path.strip_prefix(root().join("src")).unwrap();
    let first = within.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Packages that the program depends on, as code names them.
fn packages() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let dependencies = manifest.get("dependencies").unwrap().as_table().unwrap();
    dependencies.keys().map(|name| name.replace('-', "_")).collect()
}

/// Returns code without its comments; lines keep their numbers.
fn code(text: &str) -> String {
    let without = |line: &str| {
        let mut is_quoted = false;
        let mut before = '\0';
        for (at, character) in line.char_indices() {
            match character {
                '"' if before != '\\' && before != '\'' => is_quoted = !is_quoted,
                '/' if before == '/' && !is_quoted => return line[..at - 1].to_owned(),
                _ => {}
            }
            before = character;
        }
        line.to_owned()
    };
    text.lines().map(without).collect::<Vec<_>>().join("\n")
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Places at which `word` stands in `code` as a word of its own.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let begins = word.starts_with(is_word);
        !(begins && before.is_some_and(|c| is_word(c) || c == ':' || c == '.'))
    })
}

fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Modules at the root of the crate that code names, with their lines: `crate::x`,
/// `crate::{x, y::z}`, and as many `super::` as lead there.
fn modules_named(code: &str, depth: usize) -> Vec<(String, usize)> {
    let mut named = Vec::new();
    let to_root = "super::".repeat(depth);
    for start in ["crate::", to_root.as_str()] {
        for at in places(code, start) {
            let mut rest = &code[at + start.len()..];
            while let Some(further) = rest.strip_prefix("super::") {
                rest = further;
            }
            for name in first_names(rest) {
                named.push((name, line(code, at)));
            }
        }
    }
    named
}

/// `x` of `x::y`; `x` and `y` of `{x, y::{a, b}}`.
fn first_names(rest: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim_start().chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut names = vec![name(group)];
    let mut depth = 0;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Packages that code names, with their lines.
fn packages_named(code: &str, packages: &[String]) -> Vec<(String, usize)> {
    let mut named = Vec::new();
    // A module of the file itself may have a package's name.
    let is_own = |package: &String| code.contains(&format!("mod {package};"));
    for package in packages.iter().filter(|package| !is_own(package)) {
        for at in places(code, &format!("{package}::")) {
            named.push((package.clone(), line(code, at)));
        }
    }
    named
}

/// How many modules lie between a file and the root of the crate.
fn depth(path: &Path) -> usize {
    path.strip_prefix(root().join("src")).unwrap().components().count()
}

fn breaches(layer: &Layer, path: &Path, code: &str, all: &[String]) -> Vec<String> {
    let may = |list: &[&str], name: &str| list.contains(&"*") || list.contains(&name);
    let shown = path.strip_prefix(root()).unwrap().display();
    let mut found = Vec::new();
    let roots: Vec<&str> = LAYERS.iter().flat_map(|layer| layer.modules).copied().collect();
    for (module, line) in modules_named(code, depth(path)) {
        let is_layer = roots.contains(&module.as_str());
        if is_layer && !layer.modules.contains(&module.as_str()) && !may(layer.layers, &module) {
            found.push(format!("{shown}:{line} names {module}"));
        }
    }
    for (package, line) in packages_named(code, all) {
        if !may(layer.packages, &package) {
            found.push(format!("{shown}:{line} names {package}"));
        }
    }
    for word in layer.never {
        found.extend(
            places(code, word).map(|at| format!("{shown}:{} names {word}", line(code, at))),
        );
    }
    found
}

#[test]
fn each_layer_imports_only_what_is_to_its_left() {
    let all = packages();
    let mut found = Vec::new();
    for path in files(&root().join("src")) {
        let module = module(&path);
        let layer = LAYERS.iter().find(|layer| layer.modules.contains(&module.as_str()));
        let layer = layer.unwrap_or_else(|| unknown_layer(&module));
        found.extend(breaches(layer, &path, &code(&fs::read_to_string(&path).unwrap()), &all));
    }
    assert_eq!(found, [""; 0]);
}

#[expect(clippy::panic, reason = "a fixture for tests")]
fn unknown_layer(module: &str) -> ! {
    panic!("src/{module}.rs belongs to no layer: add it to LAYERS with what it may name");
}

/// Layers whose modules import in one direction.
const ACYCLIC: [&str; 3] = ["domain", "app", "ui"];

/// What each module of a layer imports of the others.
fn imports_within(layer: &str) -> BTreeMap<String, BTreeSet<String>> {
    let folder = root().join("src").join(layer);
    let mut imports = BTreeMap::<String, BTreeSet<String>>::new();
    for path in files(&folder) {
        let inside = path.strip_prefix(&folder).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs").to_owned();
        // `super` of a file that lies deeper is its own module.
        let outside = "super::".repeat(inside.components().count());
        let text = fs::read_to_string(&path).unwrap();
        // Tests may import what they like.
        let code = code(text.split("#[cfg(test)]").next().unwrap_or_default());
        for start in [outside, format!("crate::{layer}::")] {
            for at in places(&code, &start) {
                let named = first_names(&code[at + start.len()..]);
                imports.entry(module.clone()).or_default().extend(named);
            }
        }
        imports.entry(module).or_default();
    }
    let known: Vec<String> = imports.keys().cloned().collect();
    for (module, named) in &mut imports {
        named.retain(|name| name != module && known.contains(name));
    }
    imports
}

#[test]
fn modules_of_a_layer_import_in_one_direction() {
    for layer in ACYCLIC {
        let mut left = imports_within(layer);
        // Tests may import what they like.
        left.remove("tests");
        assert!(left.values().map(BTreeSet::len).sum::<usize>() > 20, "the imports were read");
        // Take away what imports nothing that is left, until nothing is left but circles.
        while let Some(last) = left
            .iter()
            .find(|(_, named)| named.iter().all(|name| !left.contains_key(name)))
            .map(|(module, _)| module.clone())
        {
            left.remove(&last);
        }
        let left: Vec<&String> = left.keys().collect();
        assert_eq!(left, [""; 0], "in {layer} these import each other, or one that does");
    }
}

#[test]
fn no_layer_is_empty() {
    let modules: Vec<String> = files(&root().join("src")).iter().map(|path| module(path)).collect();
    for module in LAYERS.iter().flat_map(|layer| layer.modules) {
        assert!(modules.iter().any(|known| known == module), "no file of {module}");
    }
}

#[test]
fn sql_stands_in_the_store_alone() {
    let mut found = Vec::new();
    for path in files(&root().join("src")) {
        if module(&path) == "store" {
            continue;
        }
        let code = code(&fs::read_to_string(&path).unwrap());
        for word in ["SELECT ", "INSERT INTO", "DELETE FROM", "CREATE TABLE", "desk.place_trade("] {
            let shown = path.strip_prefix(root()).unwrap().display();
            let named = code.match_indices(word).map(|(at, _)| line(&code, at));
            found.extend(named.map(|line| format!("{shown}:{line} names {word}")));
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn one_file_reads_the_clock() {
    let mut found = Vec::new();
    for path in files(&root().join("src")) {
        if path.ends_with("runtime/clock.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = code(&text);
        let program = code.split("#[cfg(test)]").next().unwrap();
        let shown = path.strip_prefix(root()).unwrap().display();
        let is_std = program.contains("std::time::Instant")
            || program.contains("std::time::{Duration, Instant}");
        for word in CLOCKS {
            // tokio's own clock is one that a test can pause.
            if word == "Instant::now" && !is_std {
                continue;
            }
            found.extend(
                places(program, word)
                    .map(|at| format!("{shown}:{} names {word}", line(program, at))),
            );
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn files_are_named_for_what_is_in_them() {
    let all = ["src", "tests", "benches"].map(|folder| root().join(folder));
    for path in all.iter().filter(|folder| folder.exists()).flat_map(|folder| files(folder)) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!NO_NAMES.contains(&name), "{}", path.display());
    }
}

#[test]
fn no_test_sleeps() {
    let mut found = Vec::new();
    for path in files(&root().join("tests")) {
        let code = code(&fs::read_to_string(&path).unwrap());
        // This file names the word in order to find it. On a paused clock a sleep takes no time.
        if path.ends_with("tests/architecture.rs") || code.contains("start_paused = true") {
            continue;
        }
        let shown = path.strip_prefix(root()).unwrap().display();
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            // Between two looks at a condition.
            let waits =
                lines[at.saturating_sub(3)..at].iter().any(|above| above.contains("while "));
            if line.contains("sleep(") && !waits {
                found.push(format!("{shown}:{} sleeps; wait for a condition", at + 1));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

// ---- the reader of the source itself --------------------------------------------------------

#[test]
fn every_way_to_name_a_module_is_seen() {
    let text = "use crate::store::Store;\nuse crate::{app, feed::{board, wire},\n    ui};\n\
                fn f() { super::super::runtime::run(); }\n// crate::local\n";
    let mut named = modules_named(&code(text), 2);
    named.sort();
    let expected = [("app", 2), ("feed", 2), ("runtime", 4), ("store", 1), ("ui", 2)]
        .map(|(n, l)| (n.to_owned(), l));
    assert_eq!(named, expected);
}

#[test]
fn a_package_is_told_from_a_longer_name_and_from_a_module() {
    let packages = ["tokio".to_owned(), "redis".to_owned()];
    let text = "tokio::spawn(x); tokio_postgres::Row; self::redis::x; \"// no\"; redis::cmd(y) // tokio::z";
    assert_eq!(
        packages_named(&code(text), &packages),
        [("tokio".to_owned(), 1), ("redis".to_owned(), 1)]
    );
}
