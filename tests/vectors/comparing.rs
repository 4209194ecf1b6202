//! What a vector expects against what a judge found: every field, each one told apart.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::Value;

/// What a judge answers for a field that only the other side can tell.
pub(crate) const OTHER_SIDE: &str = "for the other side to say";

/// Fields of an answer that are for people: no result of anything.
const PROSE: [&str; 1] = ["booked_total_is"];

/// The result of a comparison. Fields are named by their path.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Fields that were compared, equal or not.
    pub(crate) compared: Vec<String>,
    /// Fields that were left to the other side.
    pub(crate) left: Vec<String>,
    /// What differs.
    pub(crate) faults: Vec<String>,
}

/// Compares all that is expected. What was found beyond it is of no interest.
pub(crate) fn compare(expected: &Value, found: &Value) -> Comparison {
    let mut result = Comparison::default();
    if expected.as_object().is_none_or(|fields| fields.keys().all(|name| is_prose(name))) {
        result.faults.push("nothing is expected of it".to_owned());
    }
    result.field("", expected, found);
    result
}

/// Tells whether a field is for people, or tells what the rules of the data model would have done.
fn is_prose(name: &str) -> bool {
    name.starts_with("given_") || PROSE.contains(&name)
}

impl Comparison {
    fn field(&mut self, path: &str, expected: &Value, found: &Value) {
        match (expected, found) {
            (_, Value::String(text)) if text == OTHER_SIDE => self.left_below(path, expected),
            (Value::Object(fields), Value::Object(known)) => {
                for (name, value) in fields {
                    if is_prose(name) {
                        continue;
                    }
                    let path = format!("{path}/{name}");
                    match known.get(name) {
                        Some(found) => self.field(&path, value, found),
                        None => self.faults.push(format!("{path}: no judge knows this field")),
                    }
                }
            }
            (Value::Array(items), Value::Array(known)) => {
                if items.len() != known.len() {
                    self.faults.push(format!(
                        "{path}: expected {} of them, found {}",
                        items.len(),
                        known.len()
                    ));
                }
                for (at, (value, found)) in items.iter().zip(known).enumerate() {
                    self.field(&format!("{path}/{at}"), value, found);
                }
            }
            _ => {
                self.compared.push(path.to_owned());
                if !is_same(expected, found) {
                    self.faults.push(format!("{path}: expected {expected}, found {found}"));
                }
            }
        }
    }

    fn left_below(&mut self, path: &str, expected: &Value) {
        match expected {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.left_below(&format!("{path}/{name}"), value);
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate() {
                    self.left_below(&format!("{path}/{at}"), value);
                }
            }
            _ => self.left.push(path.to_owned()),
        }
    }
}

/// Tells whether two values are the same, numbers by what they are worth.
fn is_same(expected: &Value, found: &Value) -> bool {
    match (number(expected), number(found)) {
        (Some(one), Some(other)) => one == other,
        _ => expected == found,
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => Decimal::from_str(text).ok(),
        Value::Number(number) => Decimal::from_str(&number.to_string()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_differs_is_missing_or_is_short_is_a_fault() {
        let expected = json!({"a": "1.00", "b": [true, null], "c": {"d": 6}, "given_e": 1});
        let good = json!({"a": "1", "b": [true, null], "c": {"d": "6"}, "more": 1});
        let result = compare(&expected, &good);
        assert_eq!(result.faults, Vec::<String>::new());
        assert_eq!(result.compared, ["/a", "/b/0", "/b/1", "/c/d"]);
        for bad in [
            json!({"a": "1.01", "b": [true, null], "c": {"d": 6}}),
            json!({"a": "1", "b": [true, false], "c": {"d": 6}}),
            json!({"a": "1", "b": [true], "c": {"d": 6}}),
            json!({"a": "1", "b": [true, null], "c": {}}),
            json!({"a": "1", "b": [true, null], "c": null}),
        ] {
            assert_eq!(compare(&expected, &bad).faults.len(), 1, "{bad}");
        }
        for nothing in [json!({}), json!({"given_e": 1}), json!(null)] {
            assert_eq!(compare(&nothing, &good).faults[0], "nothing is expected of it");
        }
        let left = compare(&expected, &json!({"a": OTHER_SIDE, "b": OTHER_SIDE, "c": {"d": 6}}));
        assert_eq!(left.left, ["/a", "/b/0", "/b/1"]);
    }
}
