//! Reads source text: files, code without comments, words and where they stand.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file under a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
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

/// Returns code without its comments; lines keep their numbers.
pub(crate) fn code(text: &str) -> String {
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

/// Returns code without the contents of its strings.
pub(crate) fn without_strings(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut is_quoted = false;
    let mut characters = code.chars();
    let mut before = '\0';
    while let Some(character) = characters.next() {
        match character {
            // `'"'` is a character, not the start of a string.
            '"' if before != '\'' || is_quoted => is_quoted = !is_quoted,
            '\\' if is_quoted => drop(characters.next()),
            _ if is_quoted => {}
            _ => out.push(character),
        }
        before = character;
    }
    out
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Places at which `word` stands in `code` as a word of its own.
pub(crate) fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let begins = word.starts_with(is_word);
        !(begins && before.is_some_and(|c| is_word(c) || c == ':' || c == '.'))
    })
}

pub(crate) fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// `x` of `x::y`; `x` and `y` of `{x, y::{a, b}}`.
pub(crate) fn first_names(rest: &str) -> Vec<String> {
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

/// Words of code, in order.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|character| !is_word(character)).filter(|word| !word.is_empty())
}
