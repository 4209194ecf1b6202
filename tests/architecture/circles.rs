//! Circles of imports between the files of `src`.
//!
//! Each file is a node; `a` and its child `a/b` are two. The rule:
//!
//! * A file must not use a file that uses it, directly or through others.
//! * A parent may use its children. A child may use its siblings and outer modules, its parent
//!   included, unless they use the child.
//! * `mod b;` is not a use. Nor is a re-export (`pub use b::X;`), unless the file itself names `X`:
//!   importing `X` from the parent counts as a use of `b`, which defines it. So a parent that only
//!   collects its children closes no circle, and hides none.
//! * Tests may use anything: what follows `#[cfg(test)]` is not read.
//!
//! Method calls are not followed: they name no file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::{code, is_word, without_strings, words};

/// A module as it is reached from the root of the crate: `["store", "desk"]`.
type Module = Vec<String>;

/// `use` of a path under a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    path: Vec<String>,
    /// The last name of the path, the one behind `as`, or `*`.
    name: String,
    is_public: bool,
}

#[derive(Debug, Default)]
struct File {
    imports: Vec<Import>,
    children: BTreeSet<String>,
    /// The code without `use` statements and tests.
    code: String,
}

/// All files of a crate, by module.
#[derive(Debug, Default)]
pub(crate) struct Files(BTreeMap<Module, File>);

impl Files {
    /// Reads files given as paths inside `src` and their text.
    pub(crate) fn read(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut files = BTreeMap::new();
        let mut tests = BTreeSet::new();
        for (path, text) in texts {
            let module = module_of(&path);
            let code = without_strings(&code(&text));
            for name in test_modules(&code) {
                tests.insert([module.clone(), vec![name]].concat());
            }
            files.insert(module, File::read(&code));
        }
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self(files)
    }

    /// Which file uses which others.
    pub(crate) fn uses(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut uses = BTreeMap::new();
        for (module, file) in &self.0 {
            let mut used = BTreeSet::new();
            for import in &file.imports {
                let is_used = !import.is_public || words(&file.code).any(|w| w == import.name);
                match self.resolve(module, &import.path, 0) {
                    // A module that is imported is used where its name stands.
                    Some(Found::Item(other)) if is_used => drop(used.insert(other)),
                    _ => {}
                }
            }
            for path in paths(&file.code) {
                if let Some(Found::Item(other)) = self.resolve(module, &path, 0) {
                    used.insert(other);
                }
            }
            used.remove(module);
            uses.insert(shown(module), used.iter().map(shown).collect());
        }
        uses
    }

    /// Finds the file that defines what a path names, as seen from a module.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<Found> {
        // Re-exports that lead to each other lead nowhere.
        if depth > 16 {
            return None;
        }
        let mut at = from.clone();
        let mut rest = path;
        while let Some((first, further)) = rest.split_first() {
            match first.as_str() {
                "crate" | "tmt" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()?),
                _ => break,
            }
            rest = further;
        }
        let is_rooted = rest.len() < path.len();
        while let Some((name, further)) = rest.split_first() {
            let file = self.0.get(&at)?;
            if name == "*" {
                return Some(Found::Item(at));
            }
            if file.children.contains(name) {
                at.push(name.clone());
            } else if let Some(import) = file.imports.iter().find(|import| import.name == *name) {
                // `use x::y;` inside `y` itself names the package, not itself.
                let whole = [import.path.clone(), further.to_vec()].concat();
                return (whole != path || at != *from)
                    .then(|| self.resolve(&at, &whole, depth + 1))
                    .flatten();
            } else if let Some(found) = self.through_globs(&at, name, depth) {
                return Some(found);
            } else {
                // Without a root, an unknown first name is a package or a local type.
                let is_first = rest.len() == path.len();
                return (is_rooted || !is_first).then_some(Found::Item(at));
            }
            rest = further;
        }
        Some(Found::Module)
    }

    /// Finds a name that a file has from `use x::*`.
    fn through_globs(&self, at: &Module, name: &str, depth: usize) -> Option<Found> {
        let file = self.0.get(at)?;
        if file.defines(name) {
            return None;
        }
        file.imports.iter().filter(|import| import.name == "*").find_map(|import| {
            let parent = import.path.split_last()?.1;
            let whole = [parent, &[name.to_owned()]].concat();
            match self.resolve(at, &whole, depth + 1)? {
                Found::Item(other) if self.0.get(&other)?.defines(name) => Some(Found::Item(other)),
                Found::Item(_) | Found::Module => None,
            }
        })
    }
}

/// What a path leads to.
#[derive(Debug)]
enum Found {
    /// Something that this file defines.
    Item(Module),
    /// A module as such.
    Module,
}

impl File {
    fn read(code: &str) -> Self {
        let program = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let mut file = Self::default();
        for statement in statements(program) {
            let (is_public, statement) = match statement.trim_start().strip_prefix("pub") {
                Some(rest) => (true, after_visibility(rest)),
                None => (false, statement.trim_start()),
            };
            if let Some(tree) = statement.strip_prefix("use ") {
                let mut imports = Vec::new();
                expand(&mut Vec::new(), tree.trim(), &mut imports);
                let import = |(path, name)| Import { path, name, is_public };
                file.imports.extend(imports.into_iter().map(import));
            } else if let Some(name) = statement.strip_prefix("mod ") {
                file.children.insert(name.trim().to_owned());
            }
        }
        file.code = rest_of(program);
        file
    }

    fn defines(&self, name: &str) -> bool {
        let before = ["struct", "enum", "fn", "const", "static", "trait", "type"];
        before.iter().any(|word| {
            let definition = format!("{word} {name}");
            self.code
                .match_indices(&definition)
                .any(|(at, _)| !self.code[at + definition.len()..].starts_with(is_word))
        })
    }
}

/// `store/desk.rs` is `store::desk`; `lib.rs` and `main.rs` are roots, the second by its name.
fn module_of(path: &str) -> Module {
    let module: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module == ["lib"] { Vec::new() } else { module }
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("/") }
}

/// Names of the modules that are compiled for tests only.
fn test_modules(code: &str) -> Vec<String> {
    let after = code.split("#[cfg(test)]\n").skip(1);
    after
        .filter_map(|text| {
            let line = text.trim_start().lines().next()?;
            let name = after_visibility(line.strip_prefix("pub").unwrap_or(line));
            Some(name.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
        })
        .collect()
}

fn after_visibility(text: &str) -> &str {
    let text = text.trim_start();
    let Some(inside) = text.strip_prefix('(') else { return text };
    inside.split_once(')').map_or(text, |(_, rest)| rest.trim_start())
}

/// Whether a statement of `use` or `mod` begins at a line.
fn begins_statement(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("pub").map_or(line, after_visibility);
    line.starts_with("use ") || (line.starts_with("mod ") && line.trim_end().ends_with(';'))
}

/// The `use` and `mod` statements of a file, without their semicolons.
fn statements(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if !begins_statement(line) {
            continue;
        }
        let mut statement = line.trim().to_owned();
        while !statement.ends_with(';') {
            let Some(next) = lines.next() else { break };
            statement.push_str(next.trim());
        }
        found.push(statement.trim_end_matches(';').to_owned());
    }
    found
}

/// The code without its `use` and `mod` statements.
fn rest_of(code: &str) -> String {
    let mut rest = String::new();
    let mut is_inside = false;
    for line in code.lines() {
        is_inside = is_inside || begins_statement(line);
        if !is_inside {
            rest.push_str(line);
            rest.push('\n');
        }
        is_inside = is_inside && !line.trim_end().ends_with(';');
    }
    rest
}

/// Expands `a::{b, c as d, e::*}` into paths and the names under which they are known.
fn expand(before: &mut Vec<String>, tree: &str, into: &mut Vec<(Vec<String>, String)>) {
    let tree = tree.trim();
    let length = before.len();
    if let Some(group) = tree.strip_prefix('{').and_then(|tree| tree.strip_suffix('}')) {
        for branch in branches(group) {
            expand(before, branch, into);
        }
    } else if let Some((first, rest)) = tree.split_once("::") {
        before.push(first.trim().to_owned());
        expand(before, rest, into);
    } else if !tree.is_empty() {
        let (last, name) = tree.split_once(" as ").unwrap_or((tree, tree));
        if last == "self" {
            let name = if name == "self" { before.last().cloned() } else { Some(name.to_owned()) };
            into.push((before.clone(), name.unwrap_or_default()));
        } else {
            let path = [before.clone(), vec![last.to_owned()]].concat();
            into.push((path, name.to_owned()));
        }
    }
    before.truncate(length);
}

/// Splits at the commas that stand in no inner group.
fn branches(group: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&group[from..]);
    found
}

/// Every path of two or more names in code: `super::x`, `wire::Event::new`.
fn paths(code: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_word) {
        let is_method = rest[..start].ends_with('.') && !rest[..start].ends_with("..");
        rest = &rest[start..];
        let mut path = Vec::new();
        loop {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            path.push(rest[..end].to_owned());
            rest = &rest[end..];
            match rest.strip_prefix("::") {
                Some(further) if further.starts_with(is_word) => rest = further,
                _ => break,
            }
        }
        if path.len() > 1 && !is_method {
            found.insert(path);
        }
    }
    found
}

/// Returns the circles, each named by a shortest way around it: `a -> b -> a`. One per knot of
/// files that all reach each other, because breaking the shortest shows the next.
pub(crate) fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut around: Vec<Vec<String>> =
        uses.keys().filter_map(|from| way_back(uses, from)).collect();
    around.sort_by_key(Vec::len);
    for circle in around {
        if circle.iter().all(|member| !seen.contains(member)) {
            found.push(circle.join(" -> "));
        }
        seen.extend(circle);
    }
    found
}

/// The shortest way from a file back to itself.
fn way_back(uses: &BTreeMap<String, BTreeSet<String>>, from: &str) -> Option<Vec<String>> {
    let mut ways = VecDeque::from([vec![from.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in uses.get(way.last()?)? {
            let further = [way.clone(), vec![next.clone()]].concat();
            if next == from {
                return Some(further);
            }
            if seen.insert(next.clone()) {
                ways.push_back(further);
            }
        }
    }
    None
}
