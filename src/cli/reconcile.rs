//! `tmt reconcile`: compares stored figures with the fills, and repairs them on request.

use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use super::args::Reconcile;
use super::exit::{CliError, Exit};
use super::io::Io;
use super::snapshot::Snapshot;
use crate::config::Config;
use crate::domain::change::Kind;
use crate::domain::ids::AccountId;
use crate::store::reconcile::{Difference, Repair};

/// Prints what differs. With `--repair`, writes what the fills give.
///
/// # Errors
///
/// [`CliError::Usage`] if the account is unknown, or `--repair` cannot be confirmed;
/// [`CliError::Other`] if the login lacks the right; [`CliError::Store`] otherwise.
pub(super) async fn reconcile(
    config: &Config,
    arguments: &Reconcile,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    let snapshot = Snapshot::read(config, &[Kind::Accounts]).await?;
    let account = arguments.account.as_deref().map(|name| account(&snapshot, name)).transpose()?;
    let mut upkeep = snapshot.store.upkeep().await?;
    let found = upkeep.reconcile(account, Repair::No).await.map_err(|error| {
        let groups = "tmt_risk_officer, tmt_admin or tmt_agent";
        CliError::needs_group(error, "comparing with the fills", groups)
    })?;
    write(&found, arguments.json, io)?;
    if found.is_empty() || !arguments.repair {
        return Ok(if found.is_empty() { Exit::Done } else { Exit::Failed });
    }
    if !arguments.yes {
        if !io.is_interactive {
            let text = "stdin or stderr is not a terminal: pass --yes to repair";
            return Err(CliError::Usage(text.to_owned()));
        }
        if !io.ask("repair these figures?").await {
            io.note("nothing written");
            return Ok(Exit::Failed);
        }
    }
    let repaired = upkeep
        .reconcile(account, Repair::Yes)
        .await
        .map_err(|error| CliError::needs_group(error, "repairing figures", "tmt_admin"))?;
    io.note(&format!("{} figures repaired", repaired.len()));
    Ok(Exit::Done)
}

fn account(snapshot: &Snapshot, name: &str) -> Result<AccountId, CliError> {
    let name = name.strip_prefix('@').unwrap_or(name);
    snapshot.model.desk.account_named(name).map(|row| row.id).ok_or_else(|| {
        let mut names: Vec<&str> =
            snapshot.model.desk.accounts.values().map(|row| row.name.as_str()).collect();
        names.sort_unstable();
        CliError::Usage(format!("no account {name:?}; known: {}", names.join(", ")))
    })
}

fn write(found: &[Difference], as_json: bool, io: &mut Io<'_>) -> Result<(), CliError> {
    if as_json {
        let rows: Vec<_> = found
            .iter()
            .map(|row| {
                json!({
                    "kind": row.kind,
                    "id": row.id,
                    "field": row.field,
                    "stored": row.stored,
                    "rebuilt": row.rebuilt,
                })
            })
            .collect();
        serde_json::to_writer_pretty(&mut *io.out, &rows).map_err(std::io::Error::from)?;
        writeln!(io.out)?;
        return Ok(());
    }
    if found.is_empty() {
        writeln!(io.out, "no differences")?;
        return Ok(());
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![["KIND", "ID", "FIELD", "STORED", "REBUILT"].map(str::to_owned)];
    rows.extend(found.iter().map(|row| {
        [row.kind.clone(), row.id.clone(), row.field.clone(), text(&row.stored), text(&row.rebuilt)]
    }));
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            let pad = width.saturating_sub(cell.width());
            format!("{cell}{}", " ".repeat(pad))
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(io.out, "{}", line.trim_end())?;
    }
    Ok(())
}
