//! `docs/REFUSALS.md` names every code that the desk's functions can answer with, and no other.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be set up fails its test")]

#[path = "support/database.rs"]
mod database;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Words in capitals that stand in quotes in the functions and are no codes.
const NO_CODES: [&str; 13] = [
    "BUY", "DELETE", "EUR", "INSERT", "LONG", "MEMBER", "SELL", "SHORT", "UPDATE", "USD", "UTC",
    "UTF8", "Z",
];

/// Quoted words in capitals, in the bodies of the functions as the last migration left them. Not only
/// those behind `refused(`: codes are chosen by CASE, and handed on in variables.
const QUOTED: &str = "
    SELECT DISTINCT m[1]
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace,
           regexp_matches(p.prosrc, '''([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)''', 'g') m
     WHERE n.nspname = 'desk'
        OR (n.nspname = 'public' AND p.prorettype = 'trigger'::regtype
            AND p.proowner = 'tmt_owner'::regrole)";

/// Codes that are built from other words.
const BUILT: &str = "
    SELECT upper(limit_type) FROM tmt.limit_types
    UNION
    SELECT 'ACCOUNT_' || upper(m[1])
      FROM pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([a-z_]+)''', 'g') m
     WHERE c.conrelid = 'public.accounts'::regclass AND c.contype = 'c'
       AND pg_get_constraintdef(c.oid) LIKE '%status%' AND m[1] <> 'active'
       AND EXISTS (SELECT FROM pg_proc WHERE prosrc LIKE '%''ACCOUNT\\_'' ||%')";

async fn codes_of_the_database() -> BTreeSet<String> {
    let database = database::database().await;
    let client = database.client().await;
    let mut codes = BTreeSet::new();
    for sql in [QUOTED, BUILT] {
        for row in client.query(sql, &[]).await.unwrap() {
            codes.insert(row.try_get::<_, String>(0).unwrap());
        }
    }
    for word in NO_CODES {
        assert!(codes.remove(word), "{word} stands nowhere: take it from the list");
    }
    codes
}

/// Codes in the first columns of the tables, and those in the text.
fn codes_of_the_document() -> (BTreeSet<String>, BTreeSet<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/REFUSALS.md");
    let text = fs::read_to_string(path).unwrap();
    let is_code = |word: &&str| {
        word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let (mut listed, mut said) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split('`').skip(1).step_by(2).filter(is_code).collect();
        if line.starts_with("| `") {
            listed.extend(words.first().map(|word| (*word).to_owned()));
        } else {
            said.extend(words.into_iter().map(str::to_owned));
        }
    }
    (listed, said)
}

#[tokio::test]
async fn every_code_is_explained_and_every_explained_code_exists() {
    let codes = codes_of_the_database().await;
    let (listed, said) = codes_of_the_document();
    let is_of_a_trigger = |code: &&String| code.starts_with("TR0");
    let missing: Vec<&String> =
        codes
            .iter()
            .filter(|code| {
                if is_of_a_trigger(code) { !said.contains(*code) } else { !listed.contains(*code) }
            })
            .collect();
    assert!(missing.is_empty(), "docs/REFUSALS.md lacks {missing:?}");
    let gone: Vec<&String> = listed.difference(&codes).collect();
    assert!(gone.is_empty(), "no function answers with {gone:?} any more");
    assert!(codes.len() > 100, "the functions were read");
}
