//! The words of a verb on the `:` line and in the shell: numbers, and names of what the desk has.

use std::str::FromStr;

use rust_decimal::Decimal;

use crate::app::model::Model;
use crate::domain::ids::{AccountId, InstrumentId};
use crate::domain::instrument::Instrument;
use crate::domain::money::{self, exact};
use crate::domain::position::Position;

/// Reads a number as the console's fields do.
pub(in crate::app) fn number(text: &str) -> Result<Decimal, String> {
    money::typed(text).map_err(|why| why.to_string())
}

/// A price that may be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// None.
    None,
    /// This one.
    At(Decimal),
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("none") { Ok(Self::None) } else { number(text).map(Self::At) }
    }
}

/// Finds the one key that `text` is, or is the end of.
pub(super) fn one<K: Copy + ToString>(
    text: &str,
    what: &str,
    keys: impl Iterator<Item = K>,
) -> Result<K, String> {
    let wanted = text.to_ascii_lowercase();
    let mut found = keys.filter(|key| {
        let whole = key.to_string();
        whole == wanted || (wanted.len() >= 4 && whole.replace('-', "").ends_with(&wanted))
    });
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => {
            Err(format!("{text:?} matches several {what}s: type more of the key"))
        }
        (None, _) => {
            Err(format!("no {what} {text:?}: type its key or at least its last four digits"))
        }
    }
}

/// Finds the account of a name, where one is given.
pub(super) fn account(model: &Model, name: Option<&str>) -> Result<Option<AccountId>, String> {
    name.map(|name| {
        model.desk.account_named(name).map(|row| row.id).ok_or_else(|| {
            let mut names: Vec<&str> =
                model.desk.accounts.values().map(|row| row.name.as_str()).collect();
            names.sort_unstable();
            format!("unknown account {name:?}; accounts: {}", names.join(", "))
        })
    })
    .transpose()
}

/// Finds the instrument of a name, or of one of its other names.
pub(super) fn instrument<'a>(model: &'a Model, name: &str) -> Result<&'a Instrument, String> {
    model.book.instrument(name).ok_or_else(|| {
        let mut names: Vec<&str> = model.book.instruments().map(|row| row.id.as_str()).collect();
        names.sort_unstable();
        format!("unknown instrument {name:?}; instruments: {}", names.join(", "))
    })
}

/// Finds the one live position in an instrument; `None` where `text` names no instrument.
pub(super) fn position_in<'a>(
    model: &'a Model,
    text: &str,
    account: Option<AccountId>,
) -> Result<Option<&'a Position>, String> {
    let Some(instrument) = model.book.instrument(text).map(|row| row.id.clone()) else {
        return Ok(None);
    };
    let held: Vec<&Position> = model
        .desk
        .positions
        .values()
        .filter(|row| row.instrument == instrument && account.is_none_or(|id| id == row.account))
        .collect();
    match held.as_slice() {
        [only] => Ok(Some(only)),
        [] => Err(format!("no open position in {instrument}")),
        several => Err(ambiguous(model, &instrument, several)),
    }
}

/// Says how to name one of several positions.
fn ambiguous(model: &Model, instrument: &InstrumentId, held: &[&Position]) -> String {
    let mut names: Vec<String> =
        held.iter().map(|row| model.desk.account_name(row.account)).collect();
    names.sort_unstable();
    names.dedup();
    if let [one] = names.as_slice() {
        let keys: Vec<String> = held
            .iter()
            .map(|row| format!("{} ({} {})", row.id.short(), row.direction, exact(row.size)))
            .collect();
        let keys = keys.join(", ");
        return format!("{one} has several {instrument} positions: name one by its key: {keys}");
    }
    let example = names.first().map_or("", String::as_str);
    format!("several accounts hold {instrument}: add the account, e.g. @{example}")
}

/// Finds the live position that an instrument, a key or the end of one names.
pub(super) fn position<'a>(
    model: &'a Model,
    text: &str,
    account: Option<AccountId>,
) -> Result<&'a Position, String> {
    if let Some(held) = position_in(model, text, account)? {
        return Ok(held);
    }
    let id = one(text, "open position", model.desk.positions.keys().copied())?;
    model.desk.positions.get(&id).ok_or_else(|| "the position is no longer open".to_owned())
}
