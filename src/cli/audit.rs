//! `tmt audit`: the chain of what was written, and by whom.

use std::path::Path;

use serde_json::json;

use super::args::{Audit, Verify};
use super::exit::{Exit, Trouble};
use super::io::Io;
use crate::config::Config;
use crate::domain::money::exact;
use crate::store::audit::{AuditHead, Audited};
use crate::store::{Store, StoreError};

/// Prints the head of the chain, or walks all of it.
///
/// # Errors
///
/// [`Trouble::Usage`] if the kept head is none; [`Trouble::Store`] if nothing is known.
pub(super) async fn audit(
    config: &Config,
    command: &Audit,
    io: &mut Io<'_>,
) -> Result<Exit, Trouble> {
    let store = Store::connect(config.store.clone());
    match command {
        Audit::Head { json } => {
            let head = store.audit_head().await.map_err(lacking)?;
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
                store.upkeep().await?.audit_verify(kept.as_ref()).await.map_err(lacking)?;
            said(&audited, kept.as_ref(), verify.json, io)
        }
    }
}

/// Says whose work this is, where the login may not do it.
fn lacking(error: StoreError) -> Trouble {
    let groups = "one of the desk's groups (tmt_viewer, tmt_trader, tmt_risk_officer, tmt_admin)";
    Trouble::of_groups(error, "reading the audit", groups)
}

/// Reads the head that was kept elsewhere.
fn kept(verify: &Verify) -> Result<Option<AuditHead>, Trouble> {
    let text = match (&verify.head, &verify.head_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => first_line(file)?,
        (None, None) => return Ok(None),
    };
    text.parse().map(Some).map_err(|error| Trouble::Usage(format!("{error}")))
}

fn first_line(file: &Path) -> Result<String, Trouble> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Trouble::Usage(format!("{}: {error}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn said(
    audited: &Audited,
    kept: Option<&AuditHead>,
    as_json: bool,
    io: &mut Io<'_>,
) -> Result<Exit, Trouble> {
    let Audited { lines, head, broken } = audited;
    if as_json {
        let document = json!({
            "lines": lines,
            "head": { "seq": head.seq, "hash": head.hash },
            "compared_with": kept.map(ToString::to_string),
            "whole": broken.is_none(),
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
                writeln!(io.out, "whole, and it goes through the kept head, seq {}", kept.seq)?;
            }
            (None, None) => writeln!(io.out, "whole")?,
        }
    }
    Ok(if broken.is_some() { Exit::Trouble } else { Exit::Done })
}

fn write_json(document: &serde_json::Value, io: &mut Io<'_>) -> Result<(), Trouble> {
    serde_json::to_writer_pretty(&mut *io.out, document).map_err(std::io::Error::from)?;
    writeln!(io.out)?;
    Ok(())
}
