//! `[database]`

use std::time::Duration;

use super::Sources;
use super::fault::Origin;
use super::raw::Value;
use super::reader::Reader;
use crate::store::options::VARIABLES;
use crate::store::{BadOption, Options};

/// Reads the section. `None` if the address is invalid; the fault is recorded.
pub(super) fn read(reader: &mut Reader<'_>, sources: &Sources) -> Option<Options> {
    let address = reader.address("database.url", "", "DATABASE_URL");
    let options = connection(address, sources);
    let password = reader.password("database.password");
    let command = reader.value("database.password_command", Vec::new());
    let mut options = match options {
        Ok(options) => options,
        Err((origin, bad)) => {
            let text = bad.to_string();
            let text = text.strip_prefix("database address: ").unwrap_or(&text);
            reader.fault(origin, "database.url", text.to_owned());
            // Read the other keys too, to report all faults at once.
            Options::parse("postgres://localhost").ok()?
        }
    };
    options.password.value = password.or(options.password.value);
    options.password.command = command;
    let name = options.application_name.clone();
    options.application_name = reader.value("database.application_name", name);
    deadlines(reader, &mut options);
    let pools = &mut options.pools;
    pools.read = reader.positive("database.read_connections", pools.read);
    pools.write = reader.positive("database.write_connections", pools.write);
    pools.resolve = reader.positive("database.resolve_connections", pools.resolve);
    Some(options)
}

/// Combines the address with libpq's variables. A variable replaces a part of an address from the
/// file. An address from the environment or a flag wins, and variables only fill in what it leaves
/// out.
fn connection(
    address: Option<(String, Origin)>,
    sources: &Sources,
) -> Result<Options, (Origin, BadOption)> {
    let variable = |name: &str| sources.variable(name);
    let Some((mut text, origin)) = address else {
        let somewhere = Origin::Variable("PGHOST and the other PG variables".to_owned());
        return Options::read(None, variable).map_err(|bad| (somewhere, bad));
    };
    let at = |bad| (origin.clone(), bad);
    if matches!(origin, Origin::File { .. }) {
        // A fault in the file's address is reported of the file.
        Options::parse(&text).map_err(at)?;
        let is_url = text.contains("://");
        for (name, word) in VARIABLES {
            if let Some(value) = sources.variable(name) {
                text = if is_url {
                    in_url(&text, word, &value)
                } else {
                    in_pairs(&text, word, &value)
                };
            }
        }
    }
    Options::read(Some(&text), variable).map_err(at)
}

/// Adds a parameter to a URL; a later one replaces an earlier one and the parts before the `?`.
fn in_url(url: &str, word: &str, value: &str) -> String {
    let between = if url.contains('?') { '&' } else { '?' };
    let encoded = value.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    format!("{url}{between}{word}={}", encoded.collect::<String>())
}

fn in_pairs(pairs: &str, word: &str, value: &str) -> String {
    let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
    format!("{pairs} {word}='{quoted}'")
}

fn deadlines(reader: &mut Reader<'_>, options: &mut Options) {
    let waits = &mut options.deadlines;
    let keys: [(&str, &mut Duration); 14] = [
        ("handshake", &mut waits.handshake),
        ("read_on_server", &mut waits.read_on_server),
        ("read", &mut waits.read),
        ("write_on_server", &mut waits.write_on_server),
        ("lock", &mut waits.lock),
        ("write", &mut waits.write),
        ("resolve", &mut waits.resolve),
        ("idle_in_transaction", &mut waits.idle_in_transaction),
        ("wait_to_read", &mut waits.wait_to_read),
        ("wait_to_write", &mut waits.wait_to_write),
        ("verify", &mut waits.verify),
        ("write_validity", &mut waits.write_validity),
        ("keepalive_idle", &mut waits.keepalive_idle),
        ("keepalive_interval", &mut waits.keepalive_interval),
    ];
    for (name, wait) in keys {
        *wait = reader.positive(&format!("database.{name}"), *wait);
    }
    waits.tcp_user = reader.positive("database.tcp_user", waits.tcp_user);
    // The server must time out first: its answer is a known outcome.
    for (server, of_server, client, of_client) in [
        ("read_on_server", waits.read_on_server, "read", waits.read),
        ("write_on_server", waits.write_on_server, "write", waits.write),
        ("lock", waits.lock, "write_on_server", waits.write_on_server),
    ] {
        if of_server >= of_client {
            let key = format!("database.{server}");
            let origin = reader.either(&key, &format!("database.{client}"));
            let text = format!(
                "is {}, but must be shorter than database.{client}, which is {}",
                of_server.write(),
                of_client.write()
            );
            reader.fault(origin, &key, text);
        }
    }
}
