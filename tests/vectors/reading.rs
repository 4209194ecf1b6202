//! The file of vectors, and how a judge reads one.

use std::collections::HashSet;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use tmt::domain::money::round;
use tmt::domain::position::Direction;
use tmt::domain::trade::Side;

/// What a judge found, in the form of the vector's answer; or why it cannot read the vector.
pub(crate) type Judged = Result<Value, String>;

/// One example.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) group: String,
    pub(crate) input: Value,
    pub(crate) expected: Value,
}

/// Reads all of the file, and that it holds as many as it says.
pub(crate) fn vectors() -> Result<Vec<Vector>, String> {
    let text = match std::env::var_os("TMT_VECTORS") {
        Some(path) => std::fs::read_to_string(path).unwrap(),
        None => include_str!("../golden-vectors.json").to_owned(),
    };
    all_of(&text)
}

/// Reads the vectors that are ours: edges, ties, and what else the golden ones could have asked.
pub(crate) fn more_vectors() -> Result<Vec<Vector>, String> {
    all_of(include_str!("../more-vectors.json"))
}

fn all_of(text: &str) -> Result<Vec<Vector>, String> {
    let file: Value = serde_json::from_str(text).map_err(|why| format!("it is no JSON: {why}"))?;
    let all: Vec<Vector> =
        file.list("vectors")?.iter().map(vector).collect::<Result<_, String>>()?;
    if all.is_empty() {
        return Err("there is no vector in the file".to_owned());
    }
    if let Some(count) = file.get("count")
        && count.as_u64() != u64::try_from(all.len()).ok()
    {
        return Err(format!("the file holds {} vectors, not {count}: it is not whole", all.len()));
    }
    let mut ids = HashSet::new();
    match all.iter().find(|vector| !ids.insert(vector.id.as_str())) {
        Some(twin) => Err(format!("{}: there are two of this id", twin.id)),
        None => Ok(all),
    }
}

fn vector(value: &Value) -> Result<Vector, String> {
    let id = value.word("id").map_err(|why| format!("{why} in {value}"))?;
    let about = |why: String| format!("{id}: {why}");
    Ok(Vector {
        id: id.to_owned(),
        group: value.word("group").map_err(about)?.to_owned(),
        input: Value::Object(value.object("input").map_err(about)?.clone()),
        expected: Value::Object(value.object("expected").map_err(about)?.clone()),
    })
}

/// What every reader below is used on.
pub(crate) trait Fields {
    /// The value of a field.
    fn at(&self, name: &str) -> Result<&Value, String>;

    /// A text.
    fn word(&self, name: &str) -> Result<&str, String> {
        let value = self.at(name)?;
        value.as_str().ok_or_else(|| format!("{name} is no text but {value}"))
    }

    /// A number, written as text.
    fn number(&self, name: &str) -> Result<Decimal, String> {
        decimal(self.at(name)?).map_err(|why| format!("{name}: {why}"))
    }

    /// A number, or nothing where the field is null or not there.
    fn number_if_any(&self, name: &str) -> Result<Option<Decimal>, String> {
        match self.at(name) {
            Err(_) | Ok(Value::Null) => Ok(None),
            Ok(value) => decimal(value).map(Some).map_err(|why| format!("{name}: {why}")),
        }
    }

    /// A list.
    fn list(&self, name: &str) -> Result<&Vec<Value>, String> {
        let value = self.at(name)?;
        value.as_array().ok_or_else(|| format!("{name} is no list but {value}"))
    }

    /// The steps of a conversion: a list of them, one by itself, or none.
    fn steps(&self, name: &str) -> Result<Vec<Value>, String> {
        match self.at(name) {
            Err(_) | Ok(Value::Null) => Ok(Vec::new()),
            Ok(Value::Array(steps)) => Ok(steps.clone()),
            Ok(step @ Value::Object(_)) => Ok(vec![step.clone()]),
            Ok(other) => Err(format!("{name} is no conversion but {other}")),
        }
    }

    /// A number, or another where the field is null or not there.
    fn number_or(&self, name: &str, without: Decimal) -> Result<Decimal, String> {
        Ok(self.number_if_any(name)?.unwrap_or(without))
    }

    /// A list of numbers.
    fn numbers(&self, name: &str) -> Result<Vec<Decimal>, String> {
        self.list(name)?.iter().map(decimal).collect()
    }

    /// Names and values.
    fn object(&self, name: &str) -> Result<&Map<String, Value>, String> {
        let value = self.at(name)?;
        value.as_object().ok_or_else(|| format!("{name} is no object but {value}"))
    }

    /// A whole number that is not negative.
    fn count(&self, name: &str) -> Result<u32, String> {
        let count = self.number(name)?;
        if count.is_integer() { u32::try_from(count).ok() } else { None }
            .ok_or_else(|| format!("{name} is no count but {count}"))
    }

    /// A whole number, or another where the field is null or not there.
    fn count_or(&self, name: &str, without: u32) -> Result<u32, String> {
        match self.at(name) {
            Err(_) | Ok(Value::Null) => Ok(without),
            Ok(_) => self.count(name),
        }
    }

    /// `BUY` or `SELL`.
    fn side(&self, name: &str) -> Result<Side, String> {
        let word = self.word(name)?;
        Side::from_word(word).ok_or_else(|| format!("{name} is no side but {word}"))
    }

    /// `LONG` or `SHORT`.
    fn direction(&self, name: &str) -> Result<Direction, String> {
        let word = self.word(name)?;
        Direction::from_word(word).ok_or_else(|| format!("{name} is no direction but {word}"))
    }
}

impl Fields for Value {
    fn at(&self, name: &str) -> Result<&Value, String> {
        self.get(name).ok_or_else(|| format!("there is no {name}"))
    }
}

impl Vector {
    /// The price at which what is left is valued: it stands with the answer, or with what is given.
    pub(crate) fn mark(&self) -> Result<Option<Decimal>, String> {
        Ok(self.input.number_if_any("mark")?.or(self.expected.number_if_any("mark")?))
    }
}

/// Tells how fills are netted: by average cost, as positions are, or by the entries of the trades,
/// first in first out.
pub(crate) fn is_by_entries(input: &Value) -> Result<bool, String> {
    let method = input.get("cost_method").and_then(Value::as_str).unwrap_or("average");
    match (input.word("mode")?, method) {
        ("netting", "average") => Ok(false),
        ("netting", "fifo") => Ok(true),
        (mode, method) => Err(format!("nobody knows {mode} by {method}")),
    }
}

/// Tells whether two totals differ by no more than what was rounded on the way: a cent a fill.
pub(crate) fn are_same_but_for_rounding(
    vector: &Vector,
    one: Decimal,
    other: Decimal,
) -> Result<bool, String> {
    let fills = vector.input.list("fills")?.len();
    Ok((one - other).abs() <= Decimal::new(1, 2) * Decimal::from(fills))
}

/// Reads a number, in quotes or without. Decimals beyond those that a decimal can hold, which only a
/// quotient has, are rounded away.
pub(crate) fn decimal(value: &Value) -> Result<Decimal, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(format!("{other} is no number")),
    };
    Decimal::from_str(&text).map_err(|why| format!("{text}: {why}"))
}

/// A number of the answer, rounded as the file's conventions say.
pub(crate) fn rounded(amount: Option<Decimal>, places: u32) -> Value {
    amount.map_or(Value::Null, |amount| Value::String(round(amount, places).to_string()))
}

/// The base and the quote currency of an instrument's name.
pub(crate) fn currencies(instrument: &str) -> Result<(&str, &str), String> {
    instrument.split_once('_').ok_or_else(|| format!("{instrument} is no pair"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_whole_is_refused_with_the_reason() {
        let one = r#"{"id": "A", "group": "pip", "input": {}, "expected": {"pips": "1"}}"#;
        let file = |rest: &str| all_of(&format!("{{{rest}}}"));
        assert_eq!(file(&format!("\"vectors\": [{one}]")).unwrap().len(), 1);
        assert_eq!(file(&format!("\"vectors\": [{one}], \"count\": 1")).unwrap().len(), 1);
        for (bad, why) in [
            (format!("\"vectors\": [{one}], \"count\": 2"), "the file holds 1 vectors, not 2"),
            (format!("\"vectors\": [{one}, {one}]"), "A: there are two of this id"),
            ("\"vectors\": []".to_owned(), "there is no vector in the file"),
            ("\"count\": 0".to_owned(), "there is no vectors"),
            (format!("\"vectors\": [{}]", one.replace("id", "name")), "there is no id"),
            (format!("\"vectors\": [{}]", one.replace("group", "kind")), "A: there is no group"),
            (format!("\"vectors\": [{}]", one.replace("expected", "e")), "A: there is no expected"),
        ] {
            let said = file(&bad).unwrap_err();
            assert!(said.starts_with(why), "{bad}: {said}");
        }
    }
}
