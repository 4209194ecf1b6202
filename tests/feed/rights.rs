//! Passwords and rights: what is refused says so, and is tried again.

use redis::Value;
use tmt::feed::Options;
use tmt::feed::down::Cause;
use tmt::feed::publish::Publisher;
use tmt::local::Redis;

use crate::fixture::{Feed, at, command, patient, publisher, quote, server};

/// The rights of the feed's user, as the documentation gives them. (Redis 7.2 and later know one
/// more, `+client|setinfo`; without it the library's greeting is refused and nothing else.)
const RIGHTS: &str = "resetkeys resetchannels &events:* &ticks:* -@all +subscribe +psubscribe \
                      +unsubscribe +punsubscribe +ping +hello +auth +client|setname";

async fn set_feed_user(server: &Redis, words: &str) {
    let all = ["ACL", "SETUSER", "feed"].into_iter().chain(words.split_whitespace());
    let _: Value = command(server, &all.collect::<Vec<_>>()).await;
}

async fn feed_user(server: &Redis) -> Options {
    set_feed_user(server, &format!("on >secret {RIGHTS}")).await;
    // A database of its own: the user may not select one, and channels belong to none.
    patient(Options::new(format!("redis://feed:secret@127.0.0.1:{}/5", server.port())))
}

#[tokio::test]
async fn the_documented_rights_suffice_and_exclude_publishing() {
    let server = server().await;
    let options = feed_user(&server).await;
    let feed = Feed::up_with(options.clone()).await;

    publisher(&server).quotes(&[quote("EUR_USD", 1, 1)]).await.unwrap();
    feed.received(1).await;

    let mut without_database = options.clone();
    without_database.url = format!("redis://feed:secret@127.0.0.1:{}", server.port()).into();
    for options in [options, without_database] {
        let refused = Publisher::new(options).heartbeat(at(0)).await.unwrap_err();
        assert_eq!(refused.0.cause, Cause::NoPermission, "{refused}");
    }
}

#[tokio::test]
async fn a_revoked_channel_right_is_named_and_its_return_noticed() {
    let server = server().await;
    let mut feed = Feed::up_with(feed_user(&server).await).await;

    set_feed_user(&server, "resetchannels &events:*").await;
    assert_eq!(feed.next_down().await.cause, Cause::Lost, "the server cuts the subscription");
    let down = feed.next_down().await;
    assert_eq!(down.cause, Cause::NoPermission);
    assert!(down.to_string().contains("NOPERM"), "{down}");
    set_feed_user(&server, "&ticks:*").await;

    assert!(feed.next_up().await.is_some());
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_reported_without_showing_it() {
    let server = server().await;
    let wrong = Options::new(format!("redis://:canary@127.0.0.1:{}", server.port()));
    let missing = Options::new(format!("redis://127.0.0.1:{}", server.port()));
    for options in [wrong, missing] {
        assert!(!format!("{options:?}").contains("canary"));
        let down = Feed::start(patient(options)).next_down().await;
        assert_eq!(down.cause, Cause::NotAuthenticated, "{down}");
        assert!(!format!("{down} {down:?}").contains("canary"));
    }
}

#[tokio::test]
async fn an_invalid_address_is_reported() {
    for url in ["", "localhost", "http://localhost", "redis://", "redis://host/x"] {
        let down = Feed::start(Options::new(url)).next_down().await;
        assert_eq!(down.cause, Cause::BadAddress, "{url}: {down}");
    }
}
