//! What the ledger of fills says, against what positions, trades and accounts say.

use std::time::Duration;

use super::error::StoreError;
use super::lease::Upkeep;
use super::rows::Cells;
use crate::domain::ids::AccountId;

const RECONCILE: &str =
    "SELECT kind, id::text AS id, field, stored, rebuilt FROM desk.reconcile($1, $2)";

/// A figure that is not what the fills say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `position`, `trade`, `account` …
    pub kind: String,
    pub id: String,
    pub field: String,
    pub stored: Option<String>,
    pub rebuilt: Option<String>,
}

/// What is done about differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    No,
    /// What the fills say is written.
    Yes,
}

impl Upkeep {
    /// Compares an account, or every one, with its fills. Takes as long as there are fills.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotPermitted`] if the login may not look, or may not repair.
    pub async fn reconcile(
        &mut self,
        account: Option<AccountId>,
        repair: Repair,
    ) -> Result<Vec<Difference>, StoreError> {
        let (account, repair) = (account.map(|id| id.0), repair == Repair::Yes);
        let rows = self.client().query(RECONCILE, &[&account, &repair]).await.map_err(|error| {
            StoreError::of_statement("comparing with the fills", Duration::ZERO, &error)
        })?;
        rows.iter()
            .map(|row| {
                let cells = Cells(row);
                Ok(Difference {
                    kind: cells.text("kind")?,
                    id: cells.text_if_any("id")?.unwrap_or_default(),
                    field: cells.text("field")?,
                    stored: cells.text_if_any("stored")?,
                    rebuilt: cells.text_if_any("rebuilt")?,
                })
            })
            .collect::<Result<_, super::rows::Bad>>()
            .map_err(|bad| bad.of("desk.reconcile"))
    }
}
