//! The audit chain: its head, and whether every line of it is what was written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::error::StoreError;
use super::lease::{Store, Upkeep};
use super::rows::{Bad, Cells};

const HEAD: &str = "SELECT seq, encode(hash, 'hex') AS hash FROM tmt.audit_head";

/// One statement, one snapshot: lines that are written meanwhile are in none of it.
const VERIFY: &str = "
    SELECT h.seq, encode(h.hash, 'hex') AS hash, (SELECT count(*) FROM tmt.audit_log) AS lines,
           v.bad_seq, v.reason
      FROM tmt.audit_head h
      LEFT JOIN LATERAL desk.audit_verify_from($1, decode($2, 'hex')) v ON true
     LIMIT 1";

/// Bytes of a hash: SHA-256.
const HASH: usize = 32;

/// The last line of the chain: whoever keeps it elsewhere can tell later whether anything before it
/// was changed or taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// How many lines there were.
    pub seq: i64,
    /// Hash of the last one, in lower-case hexadecimal digits.
    pub hash: String,
}

/// A text that is no head.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no head of the audit chain: it is a number, a colon and 64 hexadecimal digits, as `tmt audit head` prints it"
)]
pub struct NotAHead(String);

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for AuditHead {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || NotAHead(text.chars().take(80).collect());
        let (seq, hash) = text.trim().split_once(':').ok_or_else(refused)?;
        let seq: i64 = seq.parse().ok().filter(|seq| *seq >= 0).ok_or_else(refused)?;
        let is_hash = hash.len() == 2 * HASH && hash.chars().all(|c| c.is_ascii_hexdigit());
        is_hash.then(|| Self { seq, hash: hash.to_ascii_lowercase() }).ok_or_else(refused)
    }
}

/// What became of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// How many lines there are.
    pub lines: i64,
    pub head: AuditHead,
    /// The first line that is not what was written, and why; `None` if all are.
    pub broken: Option<(i64, String)>,
}

impl Store {
    /// Reads the head of the audit chain. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`StoreError`]
    pub async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        let rows = self.fetch("reading the head of the audit chain", HEAD, &[]).await?;
        let row = rows.first().ok_or_else(nothing)?;
        head(&Cells(row)).map_err(|bad| bad.of("tmt.audit_head"))
    }
}

impl Upkeep {
    /// Walks the whole audit chain, and compares it with a head that was kept elsewhere. Takes as
    /// long as there are lines.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is known about the chain then.
    pub async fn audit_verify(&mut self, kept: Option<&AuditHead>) -> Result<Audited, StoreError> {
        let (seq, hash) = kept.map_or((0, ""), |kept| (kept.seq, kept.hash.as_str()));
        let rows = self.client().query(VERIFY, &[&seq, &hash]).await.map_err(|error| {
            StoreError::of_statement("walking the audit chain", Duration::ZERO, &error)
        })?;
        let row = rows.first().ok_or_else(nothing)?;
        audited(&Cells(row)).map_err(|bad| bad.of("desk.audit_verify_from"))
    }
}

fn nothing() -> StoreError {
    Bad { column: "seq", why: "is missing: no row came".to_owned() }.of("tmt.audit_head")
}

fn head(cells: &Cells<'_>) -> Result<AuditHead, Bad> {
    Ok(AuditHead { seq: cells.count("seq")?, hash: cells.text("hash")? })
}

fn audited(cells: &Cells<'_>) -> Result<Audited, Bad> {
    let bad_seq = cells.count_if_any("bad_seq")?;
    let reason = cells.text_if_any("reason")?.unwrap_or_default();
    Ok(Audited {
        lines: cells.count("lines")?,
        head: head(cells)?,
        broken: bad_seq.map(|seq| (seq, reason)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let head = AuditHead { seq: 17, hash: "0a".repeat(32) };
        assert_eq!(head.to_string().parse(), Ok(head.clone()));
        assert_eq!(format!(" 17:{} \n", "0A".repeat(32)).parse(), Ok(head));
        for text in ["", "17", "17:", "17:0a", "x:00", &format!("-1:{}", "0a".repeat(32))] {
            assert!(text.parse::<AuditHead>().is_err(), "{text}");
        }
    }
}
