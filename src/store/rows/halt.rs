//! Rows of `trading_halts` that are in force.

use super::cells::{Bad, Cells};
use super::{Keys, Source};
use crate::domain::halt::{Halt, HaltMode, Scope};
use crate::domain::ids::{AccountId, HaltId};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT halt_id, scope, account_id, scope_identifier, mode, reason, set_by, set_at
               FROM trading_halts WHERE cleared_at IS NULL ",
            $rest
        )
    };
}

pub(super) const SOURCE: Source = Source {
    all: select!("ORDER BY set_at DESC, halt_id LIMIT 1000"),
    by_id: select!("AND halt_id = ANY ($1)"),
    keys: Keys::Uuid,
    most: 1000,
};

pub(super) fn read(cells: &Cells<'_>) -> Result<Halt, Bad> {
    Ok(Halt {
        id: HaltId(cells.id("halt_id")?),
        scope: cells.word("scope", Scope::from_word)?,
        account: cells.id_if_any("account_id")?.map(AccountId),
        identifier: cells.text_if_any("scope_identifier")?,
        mode: cells.word("mode", HaltMode::from_word)?,
        reason: cells.text("reason")?,
        set_by: cells.text("set_by")?,
        set_at: cells.time("set_at")?,
    })
}
