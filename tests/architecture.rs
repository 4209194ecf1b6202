//! Checks the structure of the source: layers, circles of imports, SQL, clocks, names.
//!
//! The tests read the code without comments.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use circles::{Files, circles};
use source::{code, files, first_names, line, places};

/// A layer: its root modules, and what its code may name.
struct Layer {
    modules: &'static [&'static str],
    /// Other layers, by their modules.
    layers: &'static [&'static str],
    /// Packages. `*` is any.
    packages: &'static [&'static str],
    /// Forbidden words.
    never: &'static [&'static str],
}

/// Code that needs a clock gets one as a parameter.
const CLOCKS: [&str; 4] = ["Utc::now", "Instant::now", "SystemTime::now", "now_v7"];

const LAYERS: &[Layer] = &[
    Layer {
        modules: &["domain"],
        layers: &[],
        packages: &["chrono", "rust_decimal", "serde", "thiserror", "unicode_width", "uuid"],
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
        packages: &[
            "chrono",
            "ratatui",
            "rust_decimal",
            "textwrap",
            "tui_input",
            "unicode_width",
            "uuid",
        ],
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
            "sha2",
            "thiserror",
            "tokio",
            "tokio_postgres",
            "tokio_util",
            "toml",
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
        // The command line wires everything together.
        modules: &["main", "lib", "cli", "config"],
        layers: &["*"],
        packages: &["*"],
        never: &[],
    },
];

/// File names that say nothing.
const NO_NAMES: [&str; 7] = ["mod", "util", "utils", "common", "manager", "misc", "helpers"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The root module of a file.
fn module(path: &Path) -> String {
    let within = path.strip_prefix(root().join("src")).unwrap();
    let first = within.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The dependencies, as code names them.
fn packages() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let dependencies = manifest.get("dependencies").unwrap().as_table().unwrap();
    dependencies.keys().map(|name| name.replace('-', "_")).collect()
}

/// Root modules that code names, with their lines: `crate::x`,
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

/// Dependencies that code names, with their lines.
fn packages_named(code: &str, packages: &[String]) -> Vec<(String, usize)> {
    let mut named = Vec::new();
    // A module may have the name of a dependency.
    let is_own = |package: &String| code.contains(&format!("mod {package};"));
    for package in packages.iter().filter(|package| !is_own(package)) {
        for at in places(code, &format!("{package}::")) {
            named.push((package.clone(), line(code, at)));
        }
    }
    named
}

/// The number of `super` from a file to the root.
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

#[test]
fn no_file_imports_one_that_imports_it() {
    let src = root().join("src");
    let read = |path: &PathBuf| {
        let inside = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (inside, fs::read_to_string(path).unwrap())
    };
    let uses = Files::read(files(&src).iter().map(read)).uses();
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 1500, "the imports were read");
    assert_eq!(circles(&uses), [""; 0]);
}

#[test]
fn no_layer_is_empty() {
    let modules: Vec<String> = files(&root().join("src")).iter().map(|path| module(path)).collect();
    for module in LAYERS.iter().flat_map(|layer| layer.modules) {
        assert!(modules.iter().any(|known| known == module), "no file of {module}");
    }
}

/// SQL is in `store`, and in the module of `sim` with what only TMT's own programs write: no console
/// runs it, so `store` does not have it.
#[test]
fn sql_is_in_store_and_sim_tables_only() {
    let tables = root().join("src/sim/tables");
    let mut found = Vec::new();
    for path in files(&root().join("src")) {
        if module(&path) == "store" || path.with_extension("").starts_with(&tables) {
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
            // A test can pause tokio's clock.
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
        // This file searches for the word. On a paused clock a sleep takes no time.
        if path.ends_with("tests/architecture.rs") || code.contains("start_paused = true") {
            continue;
        }
        let shown = path.strip_prefix(root()).unwrap().display();
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            // Between two checks of a condition.
            let waits =
                lines[at.saturating_sub(3)..at].iter().any(|above| above.contains("while "));
            if line.contains("sleep(") && !waits {
                found.push(format!("{shown}:{} sleeps; wait for a condition", at + 1));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

// ---- tests of the reader --------------------------------------------------------------------

fn circles_of(texts: &[(&str, &str)]) -> Vec<String> {
    let texts = texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    circles(&Files::read(texts).uses())
}

#[test]
fn circles_are_found_through_aliases_re_exports_and_parents() {
    let root = ("lib.rs", "mod a;\nmod b;\nmod c;\n");
    let imports = [
        root,
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "pub struct B;\nfn f() { super::c::g(); }\n"),
        ("c.rs", "use crate::{a as first, b};\npub fn g() { first::A; }\n"),
    ];
    assert_eq!(circles_of(&imports), ["a -> b -> c -> a"]);

    let through_a_re_export = [
        ("lib.rs", "mod a;\n"),
        ("a.rs", "mod b;\nmod c;\npub use b::B;\npub use c::*;\n"),
        ("a/b.rs", "use super::C;\npub struct B;\n"),
        ("a/c.rs", "pub struct C(\n    super::B,\n);\n"),
    ];
    assert_eq!(circles_of(&through_a_re_export), ["a/b -> a/c -> a/b"]);

    let parent_and_child = [
        ("lib.rs", "mod a;\n"),
        ("a.rs", "mod b;\npub use b::B;\npub struct A(B);\n"),
        ("a/b.rs", "use super::A;\npub struct B;\nimpl From<A> for B {}\n"),
    ];
    assert_eq!(circles_of(&parent_and_child), ["a -> a/b -> a"]);
}

#[test]
fn re_exports_tests_comments_and_strings_close_no_circle() {
    let texts = [
        ("lib.rs", "pub mod a;\n"),
        (
            "a.rs",
            "mod b;\nmod c;\n#[cfg(test)]\nmod tests;\npub use b::B;\npub use c::C;\n\
             const TEXT: &str = \"vitamin \\\" C\";\n",
        ),
        ("a/b.rs", "use super::C;\n// super::c\npub struct B;\n"),
        ("a/c.rs", "pub struct C;\n#[cfg(test)]\nmod tests {\n    use super::super::B;\n}\n"),
        ("a/tests.rs", "use super::b::B;\nuse crate::a;\n"),
    ];
    assert_eq!(circles_of(&texts), [""; 0]);
}

#[test]
fn every_form_of_a_module_path_is_found() {
    let text = "use crate::store::Store;\nuse crate::{app, feed::{board, wire},\n    ui};\n\
                fn f() { super::super::runtime::run(); }\n// crate::local\n";
    let mut named = modules_named(&code(text), 2);
    named.sort();
    let expected = [("app", 2), ("feed", 2), ("runtime", 4), ("store", 1), ("ui", 2)]
        .map(|(n, l)| (n.to_owned(), l));
    assert_eq!(named, expected);
}

#[test]
fn a_dependency_is_told_from_a_longer_name_and_a_module() {
    let packages = ["tokio".to_owned(), "redis".to_owned()];
    let text = "tokio::spawn(x); tokio_postgres::Row; self::redis::x; \"// no\"; redis::cmd(y) // tokio::z";
    assert_eq!(
        packages_named(&code(text), &packages),
        [("tokio".to_owned(), 1), ("redis".to_owned(), 1)]
    );
}
