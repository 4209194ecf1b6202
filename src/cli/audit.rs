//! `tmt audit`: prints the head of the audit chain, or verifies the whole chain.

use std::path::Path;

use serde_json::json;

use super::args::{Audit, Verify};
use super::exit::{CliError, Exit};
use super::io::Io;
use crate::config::Config;
use crate::domain::money::exact;
use crate::store::audit::{AuditHead, Audited};
use crate::store::{Store, StoreError};

/// Runs `tmt audit head` or `tmt audit verify`.
///
/// # Errors
///
/// [`CliError::Usage`] if the given head cannot be read; [`CliError::Store`] if the database does not
/// answer; [`CliError::Other`] if the login lacks the right.
pub(super) async fn audit(
    config: &Config,
    command: &Audit,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    let store = Store::connect(config.store.clone());
    match command {
        Audit::Head { json } => {
            let head = store.audit_head().await.map_err(not_permitted)?;
            if *json {
                write_json(&json!({ "seq": head.seq, "hash": head.hash }), io)?;
            } else {
                writeln!(io.out, "{head}")?;
            }
            Ok(Exit::Done)
        }
        Audit::Verify(verify) => {
            let kept = kept(verify)?;
            let audited =
                store.upkeep().await?.audit_verify(kept.as_ref()).await.map_err(not_permitted)?;
            report(&audited, kept.as_ref(), verify.json, io)
        }
    }
}

fn not_permitted(error: StoreError) -> CliError {
    let groups = "tmt_viewer, tmt_trader, tmt_risk_officer or tmt_admin";
    CliError::needs_group(error, "reading the audit log", groups)
}

/// Reads the head to compare with, if one was given.
fn kept(verify: &Verify) -> Result<Option<AuditHead>, CliError> {
    let text = match (&verify.head, &verify.head_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => first_line(file)?,
        (None, None) => return Ok(None),
    };
    text.parse().map(Some).map_err(|error| CliError::Usage(format!("{error}")))
}

fn first_line(file: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::Usage(format!("{}: {error}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn report(
    audited: &Audited,
    kept: Option<&AuditHead>,
    as_json: bool,
    io: &mut Io<'_>,
) -> Result<Exit, CliError> {
    let Audited { lines, head, broken } = audited;
    if as_json {
        let document = json!({
            "lines": lines,
            "head": { "seq": head.seq, "hash": head.hash },
            "compared_with": kept.map(ToString::to_string),
            "intact": broken.is_none(),
            "bad_seq": broken.as_ref().map(|(seq, _)| seq),
            "reason": broken.as_ref().map(|(_, reason)| reason),
        });
        write_json(&document, io)?;
    } else {
        let (count, seq) = (exact((*lines).into()), head.seq);
        writeln!(io.out, "{count} lines, head seq {seq} hash {}", head.hash)?;
        match (broken, kept) {
            (Some((seq, reason)), _) => writeln!(io.out, "BROKEN at seq {seq}: {reason}")?,
            (None, Some(kept)) => {
                writeln!(io.out, "intact, and it contains the given head, seq {}", kept.seq)?;
            }
            (None, None) => writeln!(io.out, "intact")?,
        }
    }
    Ok(if broken.is_some() { Exit::Failed } else { Exit::Done })
}

fn write_json(document: &serde_json::Value, io: &mut Io<'_>) -> Result<(), CliError> {
    serde_json::to_writer_pretty(&mut *io.out, document).map_err(std::io::Error::from)?;
    writeln!(io.out)?;
    Ok(())
}
