//! Checks and parses untrusted JSON.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{DEEPEST, Dropped, LONGEST_PAYLOAD};

/// Checks length, encoding and depth without allocating.
pub(super) fn checked(payload: &[u8]) -> Result<&str, Dropped> {
    if payload.len() > LONGEST_PAYLOAD {
        return Err(Dropped::TooLong);
    }
    let text = std::str::from_utf8(payload).map_err(|_| Dropped::NotText)?;
    // serde would also accept an array in place of an object.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Dropped::NotJson);
    }
    if is_too_deep(payload) { Err(Dropped::TooDeep) } else { Ok(text) }
}

fn is_too_deep(payload: &[u8]) -> bool {
    // A message with fewer brackets than the limit cannot be too deep. Every quote passes this loop,
    // which the compiler vectorizes.
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
        // Every field is an optional raw value, so a duplicate key is the only error left.
        Category::Data => Dropped::DuplicateKey,
        Category::Io | Category::Syntax | Category::Eof => Dropped::NotJson,
    })
}

/// Returns a JSON string; `None` for any other value.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Returns the text of a string or plain value (number, `true`), to be shown.
pub(super) fn shown(value: &RawValue) -> Cow<'_, str> {
    text(value).unwrap_or(Cow::Borrowed(value.get()))
}

/// Returns the digits of a number, written as a number or as a string without escapes.
pub(super) fn digits(value: &RawValue) -> &str {
    let raw = value.get();
    raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw)
}
