//! `[feed]`

use std::path::PathBuf;

use secrecy::SecretString;

use super::raw::Value;
use super::reader::Reader;
use crate::feed::Options;

/// Default address.
const USUAL: &str = "redis://127.0.0.1:6379";

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>) -> Options {
    let mut options = address(reader);
    let authority = reader.value("feed.authority", String::new());
    options.authority = (!authority.is_empty()).then(|| PathBuf::from(authority));
    let channels = &mut options.channels;
    for (name, text) in [
        ("events", &mut channels.events),
        ("all", &mut channels.all),
        ("ticks", &mut channels.ticks),
        ("heartbeat", &mut channels.heartbeat),
        ("commands", &mut options.commands),
        ("sessions", &mut options.sessions),
        ("looking", &mut options.looking),
    ] {
        let must = "a quoted string that is not empty";
        let default = std::mem::take(text);
        *text = reader.checked(&format!("feed.{name}"), default, must, |text| !text.is_empty());
    }
    options.commands_kept = reader.positive("feed.commands_kept", options.commands_kept);
    for (name, wait) in [
        ("presence_kept", &mut options.presence_kept),
        ("connect_within", &mut options.connect_within),
        ("ping_every", &mut options.ping_every),
        ("answer_within", &mut options.answer_within),
        ("retry_from", &mut options.retry_from),
        ("retry_up_to", &mut options.retry_up_to),
        ("heartbeat_every", &mut options.heartbeat_every),
    ] {
        *wait = reader.positive(&format!("feed.{name}"), *wait);
    }
    options.heartbeats_missed =
        reader.positive("feed.heartbeats_missed", options.heartbeats_missed);
    together(reader, &options);
    options
}

/// Reads the address; an invalid one is reported now, not when the console connects.
fn address(reader: &mut Reader<'_>) -> Options {
    let Some((text, origin)) = reader.address("feed.url", USUAL, "REDIS_URL") else {
        return Options::new(USUAL);
    };
    let options = Options::new(SecretString::from(text));
    if options.check().is_err() {
        let text = "must be like redis://127.0.0.1:6379, rediss://host:6379 (TLS) or \
                    redis+unix:///run/redis.sock";
        reader.fault(origin, "feed.url", text.to_owned());
    }
    options
}

/// Faults of keys in combination.
fn together(reader: &mut Reader<'_>, options: &Options) {
    if options.retry_from > options.retry_up_to {
        let text = format!(
            "is {}, but must not be longer than feed.retry_up_to, which is {}",
            options.retry_from.write(),
            options.retry_up_to.write()
        );
        let origin = reader.either("feed.retry_from", "feed.retry_up_to");
        reader.fault(origin, "feed.retry_from", text);
    }
    let channels = &options.channels;
    if channels.events == channels.ticks {
        let text = "must differ from feed.ticks, or events and prices share channels";
        let origin = reader.either("feed.events", "feed.ticks");
        reader.fault(origin, "feed.events", text.to_owned());
    }
}
