//! JSON that nobody vouches for: what is checked before it is parsed, and how a value is taken out.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{DEEPEST, Dropped, LONGEST_PAYLOAD};

/// Checks length, encoding and depth, all in one pass or two, without allocating.
pub(super) fn checked(payload: &[u8]) -> Result<&str, Dropped> {
    if payload.len() > LONGEST_PAYLOAD {
        return Err(Dropped::TooLong);
    }
    let text = std::str::from_utf8(payload).map_err(|_| Dropped::NotText)?;
    // serde would also read an array in the place of an object, field by field.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Dropped::NotJson);
    }
    if is_too_deep(payload) { Err(Dropped::TooDeep) } else { Ok(text) }
}

fn is_too_deep(payload: &[u8]) -> bool {
    // A message of fewer brackets than the limit cannot be too deep, wherever they stand; this loop
    // is the one that every quote passes, and the compiler makes it several bytes wide.
    let opening = payload.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if opening <= DEEPEST {
        return false;
    }
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in payload {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Parses one object into `T`, whose fields borrow from `text`.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Dropped> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        // Every field is an optional raw value, so that the shape can only be wrong in one way.
        Category::Data => Dropped::DuplicateKey,
        Category::Io | Category::Syntax | Category::Eof => Dropped::NotJson,
    })
}

/// Takes a JSON string, or `None` if the value is something else.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Takes the characters of a string or of a plain value (number, `true`), for showing.
pub(super) fn shown(value: &RawValue) -> Cow<'_, str> {
    text(value).unwrap_or(Cow::Borrowed(value.get()))
}

/// Takes the characters of a number, written as a number or as a string without escapes.
pub(super) fn digits(value: &RawValue) -> &str {
    let raw = value.get();
    raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw)
}
