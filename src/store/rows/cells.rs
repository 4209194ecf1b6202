//! One row, cell by cell: what PostgreSQL sent, turned into what the domain can hold.

use std::error::Error;
use std::fmt;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use crate::domain::text::clean;
use crate::store::error::StoreError;

/// A row.
pub(in crate::store) struct Cells<'a>(pub(in crate::store) &'a Row);

/// A cell that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Bad {
    /// Column.
    pub(in crate::store) column: &'static str,
    /// What is wrong with it.
    pub(in crate::store) why: String,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.column, self.why)
    }
}

impl Bad {
    /// Makes an error of it, where a row that cannot be read is one.
    pub(in crate::store) fn of(self, table: &str) -> StoreError {
        StoreError::Corrupt {
            table: table.to_owned(),
            column: self.column.to_owned(),
            why: self.why,
        }
    }
}

fn unknown(column: &'static str, word: &str) -> Bad {
    Bad { column, why: format!("has an unknown word, {:?}", clean(word)) }
}

impl<'a> Cells<'a> {
    fn get<T: FromSql<'a>>(&self, column: &'static str) -> Result<T, Bad> {
        self.0.try_get(column).map_err(|error| {
            let source = error.source().map(ToString::to_string);
            Bad { column, why: clean(&source.unwrap_or_else(|| error.to_string())) }
        })
    }

    /// Returns the row's key for a message: its first column.
    pub(in crate::store) fn key(&self) -> String {
        match self.0.try_get::<_, Uuid>(0) {
            Ok(key) => key.to_string(),
            Err(_) => self.0.try_get::<_, &str>(0).map_or_else(|_| "?".to_owned(), clean),
        }
    }

    pub(in crate::store) fn id(&self, column: &'static str) -> Result<Uuid, Bad> {
        self.get(column)
    }

    pub(in crate::store) fn id_if_any(&self, column: &'static str) -> Result<Option<Uuid>, Bad> {
        self.get(column)
    }

    /// Text as it stands: for words and keys, not for showing.
    pub(in crate::store) fn raw(&self, column: &'static str) -> Result<&'a str, Bad> {
        self.get(column)
    }

    pub(in crate::store) fn raw_if_any(
        &self,
        column: &'static str,
    ) -> Result<Option<&'a str>, Bad> {
        self.get(column)
    }

    pub(in crate::store) fn raws_if_any(
        &self,
        column: &'static str,
    ) -> Result<Option<Vec<String>>, Bad> {
        self.get(column)
    }

    pub(in crate::store) fn text(&self, column: &'static str) -> Result<String, Bad> {
        self.raw(column).map(clean)
    }

    pub(in crate::store) fn text_if_any(
        &self,
        column: &'static str,
    ) -> Result<Option<String>, Bad> {
        Ok(self.get::<Option<&str>>(column)?.map(clean))
    }

    pub(in crate::store) fn texts(&self, column: &'static str) -> Result<Vec<String>, Bad> {
        Ok(self.get::<Vec<&str>>(column)?.into_iter().map(clean).collect())
    }

    /// Reads a word of a closed list.
    pub(in crate::store) fn word<T>(
        &self,
        column: &'static str,
        from_word: fn(&str) -> Option<T>,
    ) -> Result<T, Bad> {
        let word = self.raw(column)?;
        from_word(word).ok_or_else(|| unknown(column, word))
    }

    /// Reads an array of such words.
    pub(in crate::store) fn words<T>(
        &self,
        column: &'static str,
        from_word: fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Bad> {
        let words = self.get::<Vec<&str>>(column)?;
        words.into_iter().map(|word| from_word(word).ok_or_else(|| unknown(column, word))).collect()
    }

    pub(in crate::store) fn number(&self, column: &'static str) -> Result<Decimal, Bad> {
        self.get::<Number>(column).map(|number| number.0)
    }

    pub(in crate::store) fn number_if_any(
        &self,
        column: &'static str,
    ) -> Result<Option<Decimal>, Bad> {
        Ok(self.get::<Option<Number>>(column)?.map(|number| number.0))
    }

    /// Reads a count. The column may have been widened.
    pub(in crate::store) fn count(&self, column: &'static str) -> Result<i64, Bad> {
        match self.get::<i64>(column) {
            Ok(count) => Ok(count),
            Err(_) => self.get::<i32>(column).map(i64::from),
        }
    }

    pub(in crate::store) fn count_if_any(&self, column: &'static str) -> Result<Option<i64>, Bad> {
        match self.get::<Option<i64>>(column) {
            Ok(count) => Ok(count),
            Err(_) => Ok(self.get::<Option<i32>>(column)?.map(i64::from)),
        }
    }

    pub(in crate::store) fn flag(&self, column: &'static str) -> Result<bool, Bad> {
        self.get(column)
    }

    pub(in crate::store) fn time(&self, column: &'static str) -> Result<DateTime<Utc>, Bad> {
        self.get(column)
    }

    pub(in crate::store) fn time_if_any(
        &self,
        column: &'static str,
    ) -> Result<Option<DateTime<Utc>>, Bad> {
        self.get(column)
    }

    pub(in crate::store) fn json_if_any(
        &self,
        column: &'static str,
    ) -> Result<Option<serde_json::Value>, Bad> {
        self.get(column)
    }
}

/// A `numeric`, read without trust.
///
/// `rust_decimal` has a reader of its own, which panics on numbers between 1e29 and 1e38 (it
/// builds the power of ten without a check). No column of the data model can hold one, but a
/// computed figure, or a column that somebody widened, can. Digits beyond the 28th are rounded
/// half away from zero; a number that is too large, infinite or not a number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Number(pub(in crate::store) Decimal);

/// Digits after the point that [`Decimal`] keeps.
const MOST_PLACES: u16 = 28;

/// Groups of four digits before the point that [`Decimal`] can hold.
const MOST_GROUPS: i32 = 8;

impl<'a> FromSql<'a> for Number {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        decoded(raw).map(Number).map_err(Into::into)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }
}

/// Reads PostgreSQL's binary form: count of groups, weight of the first, sign, places, then the
/// groups, each four decimal digits, most significant first.
fn decoded(raw: &[u8]) -> Result<Decimal, &'static str> {
    let broken = "is not a numeric";
    let mut words = raw.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    let mut next = || words.next().ok_or(broken);
    let (count, weight, sign, places) = (next()?, next()?, next()?, next()?);
    let weight = i32::from(weight.cast_signed());
    let is_negative = match sign {
        0x0000 => false,
        0x4000 => true,
        0xC000 => return Err("is NaN"),
        0xD000 | 0xF000 => return Err("is infinite"),
        _ => return Err(broken),
    };
    if weight >= MOST_GROUPS {
        return Err("is too large");
    }
    let places = places.min(MOST_PLACES);
    let mut total = Decimal::ZERO;
    for (group, at) in words.take(usize::from(count)).zip(0..) {
        // What a group counts: 10^(4 · (weight − at)).
        let exponent = weight.saturating_sub(at).saturating_mul(4);
        let part = match u32::try_from(exponent) {
            Ok(exponent) => 10_i128
                .checked_pow(exponent)
                .and_then(|power| i128::from(group).checked_mul(power))
                .and_then(|value| Decimal::try_from_i128_with_scale(value, 0).ok()),
            Err(_) => part_after_point(group, exponent.unsigned_abs()),
        };
        total = part.and_then(|part| total.checked_add(part)).ok_or("is too large")?;
    }
    let mut rounded = crate::domain::money::round(total, u32::from(places));
    rounded.set_sign_negative(is_negative && !rounded.is_zero());
    Ok(rounded)
}

/// Returns what a group after the point counts; digits beyond the 28th are rounded off.
fn part_after_point(group: u16, places: u32) -> Option<Decimal> {
    let most = u32::from(MOST_PLACES);
    if places <= most {
        return Decimal::try_from_i128_with_scale(i128::from(group), places).ok();
    }
    let ulp = Decimal::try_from_i128_with_scale(1, most).ok()?;
    Some(if places == most.checked_add(4)? && group >= 5000 { ulp } else { Decimal::ZERO })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use rust_decimal::dec;

    use super::*;

    fn wire(weight: i16, sign: u16, places: u16, groups: &[u16]) -> Vec<u8> {
        let count = u16::try_from(groups.len()).unwrap();
        let head = [count, weight.cast_unsigned(), sign, places];
        head.iter().chain(groups).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[rstest]
    #[case(wire(0, 0, 0, &[]), Ok(dec!(0)))]
    #[case(wire(0, 0, 5, &[1, 845]), Ok(dec!(1.08450)))]
    #[case(wire(1, 0x4000, 2, &[2, 5000, 5000]), Ok(dec!(-25000.50)))]
    #[case(wire(-2, 0, 8, &[1]), Ok(dec!(0.00000001)))]
    #[case(wire(-8, 0, 32, &[5000]), Ok(dec!(0.0000000000000000000000000001)))]
    #[case(wire(7, 0, 0, &[1]), Ok(dec!(10000000000000000000000000000)))]
    #[case(wire(7, 0, 0, &[9]), Err("is too large"))]
    #[case::the_library_panics_here(wire(8, 0, 0, &[1]), Err("is too large"))]
    #[case(wire(i16::MAX, 0, 0, &[1]), Err("is too large"))]
    #[case(wire(i16::MIN, 0, 0, &[1]), Ok(dec!(0)))]
    #[case(wire(0, 0xC000, 0, &[]), Err("is NaN"))]
    #[case(wire(0, 0xD000, 0, &[]), Err("is infinite"))]
    #[case(wire(0, 0xF000, 0, &[]), Err("is infinite"))]
    #[case(vec![0, 1], Err("is not a numeric"))]
    fn numerics_are_read_or_refused(
        #[case] raw: Vec<u8>,
        #[case] expected: Result<Decimal, &'static str>,
    ) {
        assert_eq!(decoded(&raw), expected);
    }
}
