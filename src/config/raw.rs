//! Values as written, and their conversion to types.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::domain::money;

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Text(String),
    /// Digits: a number never passes through a binary float.
    Number(String),
    /// `true` or `false`.
    Switch(bool),
    List(Vec<Raw>),
    /// A table inside a section.
    Table(BTreeMap<String, Raw>),
    /// A date or a time of TOML; no key takes one.
    Time,
    /// From the environment or the command line: of the key's type.
    Word(String),
}

impl Raw {
    /// Quotes it for a message.
    pub(super) fn quoted(&self) -> String {
        match self {
            Self::Text(text) | Self::Word(text) => format!("{text:?}"),
            Self::Number(digits) => digits.clone(),
            Self::Switch(on) => on.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
            Self::Time => "a date".to_owned(),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) | Self::Word(text) = self { Some(text) } else { None }
    }

    /// Returns the digits of a number, word or text.
    fn digits(&self) -> Option<&str> {
        if let Self::Number(digits) = self { Some(digits) } else { self.text() }
    }
}

/// A type of keys.
pub(super) trait Value: Sized {
    /// What is expected, after "must be".
    const MUST: &'static str;

    fn read(raw: &Raw) -> Option<Self>;

    /// Formats it as TOML.
    fn write(&self) -> String;
}

/// Units of time, the longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl Value for Duration {
    const MUST: &'static str = "a time with its unit (ms, s, min or h), like \"300 ms\"";

    fn read(raw: &Raw) -> Option<Self> {
        let text = raw.text()?.trim();
        let at = text.find(|c: char| !c.is_ascii_digit())?;
        let (digits, unit) = text.split_at_checked(at)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
        digits.parse::<u64>().ok()?.checked_mul(*millis).map(Self::from_millis)
    }

    fn write(&self) -> String {
        let millis = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let whole = |(_, size): &&(&str, u64)| millis > 0 && millis % size == 0;
        let (name, size) = UNITS.iter().find(whole).unwrap_or(&("ms", 1));
        format!("\"{} {name}\"", millis / size)
    }
}

impl Value for bool {
    const MUST: &'static str = "true or false";

    fn read(raw: &Raw) -> Option<Self> {
        if let Raw::Switch(on) = raw {
            return Some(*on);
        }
        if let Raw::Word(word) = raw { word.parse().ok() } else { None }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const MUST: &'static str = "a quoted string";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().map(str::to_owned)
    }

    fn write(&self) -> String {
        toml::Value::String(self.clone()).to_string()
    }
}

impl Value for Vec<String> {
    const MUST: &'static str = "a list of texts, like [\"one\", \"two\"]";

    fn read(raw: &Raw) -> Option<Self> {
        if let Raw::List(entries) = raw {
            return entries.iter().map(String::read).collect();
        }
        if let Raw::Word(words) = raw {
            return Some(words.split_whitespace().map(str::to_owned).collect());
        }
        None
    }

    fn write(&self) -> String {
        let entries: Vec<String> = self.iter().map(String::write).collect();
        format!("[{}]", entries.join(", "))
    }
}

impl Value for Decimal {
    const MUST: &'static str = "a number, like 0.01 or 10000";

    fn read(raw: &Raw) -> Option<Self> {
        let digits = raw.digits()?.replace('_', "");
        money::typed(&digits).ok()
    }

    fn write(&self) -> String {
        self.normalize().to_string()
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl Value for $number {
            const MUST: &'static str = "a whole number";

            fn read(raw: &Raw) -> Option<Self> {
                raw.digits()?.replace('_', "").parse().ok()
            }

            fn write(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

whole_numbers!(u32, u64, usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn a_time_has_a_unit() {
        for (written, millis) in
            [("300 ms", 300), ("2s", 2000), ("1 min", 60_000), ("1 h", 3_600_000)]
        {
            assert_eq!(Duration::read(&text(written)), Some(Duration::from_millis(millis)));
        }
        for wrong in ["2", "", "s", "-1 s", "1.5 s", "2 sec"] {
            assert_eq!(Duration::read(&text(wrong)), None, "{wrong}");
        }
        assert_eq!(Duration::read(&Raw::Number("2".to_owned())), None);
    }

    #[test]
    fn a_duration_is_formatted_in_its_longest_whole_unit() {
        for written in ["\"1500 ms\"", "\"2 s\"", "\"90 s\"", "\"1 min\"", "\"1 h\"", "\"0 ms\""] {
            let read = Duration::read(&text(written.trim_matches('"'))).unwrap();
            assert_eq!(read.write(), written);
        }
    }

    #[test]
    fn a_number_keeps_its_digits() {
        let number = Decimal::read(&Raw::Number("0.1000000000000000000001".to_owned())).unwrap();
        assert_eq!(number.to_string(), "0.1000000000000000000001");
        assert_eq!(Decimal::read(&Raw::Number("1e3".to_owned())), None);
        assert_eq!(Decimal::read(&Raw::Number("10_000".to_owned())), Some(Decimal::from(10_000)));
    }
}
