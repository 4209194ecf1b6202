//! The file of vectors, and how a judge reads one.

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
pub(crate) fn vectors() -> Vec<Vector> {
    let text = match std::env::var_os("TMT_VECTORS") {
        Some(path) => std::fs::read_to_string(path).unwrap(),
        None => include_str!("../golden-vectors.json").to_owned(),
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let all: Vec<Vector> = file["vectors"].as_array().unwrap().iter().map(vector).collect();
    if let Some(count) = file.get("count") {
        assert_eq!(count.as_u64(), u64::try_from(all.len()).ok(), "the file is not whole");
    }
    let mut ids: Vec<&str> = all.iter().map(|vector| vector.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "two vectors of the same id");
    all
}

fn vector(value: &Value) -> Vector {
    Vector {
        id: value["id"].as_str().unwrap().to_owned(),
        group: value["group"].as_str().unwrap().to_owned(),
        input: value["input"].clone(),
        expected: value["expected"].clone(),
    }
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

    /// A list of numbers.
    fn numbers(&self, name: &str) -> Result<Vec<Decimal>, String> {
        self.list(name)?.iter().map(decimal).collect()
    }

    /// Names and values.
    fn object(&self, name: &str) -> Result<&Map<String, Value>, String> {
        let value = self.at(name)?;
        value.as_object().ok_or_else(|| format!("{name} is no object but {value}"))
    }

    /// A count, written as a number.
    fn count(&self, name: &str) -> Result<u32, String> {
        let value = self.at(name)?;
        let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
        count.ok_or_else(|| format!("{name} is no count but {value}"))
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

/// Reads a number that is written as text, exactly.
pub(crate) fn decimal(value: &Value) -> Result<Decimal, String> {
    let text = value.as_str().ok_or_else(|| format!("{value} is not a number in quotes"))?;
    Decimal::from_str_exact(text).map_err(|why| format!("{text}: {why}"))
}

/// A number of the answer, rounded as the file's conventions say.
pub(crate) fn rounded(amount: Option<Decimal>, places: u32) -> Value {
    amount.map_or(Value::Null, |amount| Value::String(round(amount, places).to_string()))
}

/// The base and the quote currency of an instrument's name.
pub(crate) fn currencies(instrument: &str) -> Result<(&str, &str), String> {
    instrument.split_once('_').ok_or_else(|| format!("{instrument} is no pair"))
}
