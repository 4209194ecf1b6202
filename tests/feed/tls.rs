//! TLS: accepted with the right authority, refused by name without.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tmt::feed::Options;
use tmt::feed::down::Cause;
use tmt::feed::publish::Publisher;
use tmt::local::{self, Redis};

use crate::fixture::{Feed, at, patient, publisher, quote};

/// A server with a certificate for `localhost`, signed by an authority of its own.
struct Secure {
    server: Redis,
    folder: TempDir,
    port: u16,
}

impl Secure {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A server that is started by root runs as somebody else, who must be able to read these.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        certificates(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut options = local::Options::ephemeral()
            .redis_setting("tls-port", &port.to_string())
            .redis_setting("tls-auth-clients", "no");
        for (setting, file) in [
            ("tls-cert-file", "server.crt"),
            ("tls-key-file", "server.key"),
            ("tls-ca-cert-file", "authority.crt"),
        ] {
            let path = folder.path().join(file);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            options = options.redis_setting(setting, path.to_str().unwrap());
        }
        Self { server: Redis::start(options).await.unwrap(), folder, port }
    }

    fn options(&self, host: &str) -> Options {
        let url = format!("rediss://:{}@{host}:{}", self.server.password(), self.port);
        let mut options = patient(Options::new(url));
        options.authority = Some(self.authority());
        options
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.crt")
    }
}

fn certificates(folder: &Path) {
    let openssl = |words: &str| {
        let done = Command::new("openssl").args(words.split(' ')).current_dir(folder).output();
        let done = done.expect("openssl is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -days 2 -keyout authority.key -out authority.crt -subj /CN=Desk"
    ));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        "x509 -req -days 2 -in server.csr -CA authority.crt -CAkey authority.key \
         -CAcreateserial -extfile names -out server.crt",
    );
}

#[tokio::test]
async fn tls_works_with_the_right_authority() {
    let secure = Secure::start().await;
    let feed = Feed::up_with(secure.options("localhost")).await;

    Publisher::new(secure.options("localhost")).quotes(&[quote("EUR_USD", 1, 1)]).await.unwrap();
    feed.received(1).await;

    assert_eq!(feed.board.newest(), [quote("EUR_USD", 1, 1)]);
}

#[tokio::test]
async fn tls_refuses_another_authority_another_name_and_a_missing_file() {
    let secure = Secure::start().await;
    let mut of_the_system = secure.options("localhost");
    of_the_system.authority = None;
    let by_address = secure.options("127.0.0.1");
    for options in [of_the_system, by_address] {
        let down = Feed::start(options.clone()).next_down().await;
        assert_eq!(down.cause, Cause::Untrusted, "{down}");
        let refused = Publisher::new(options).heartbeat(at(0)).await.unwrap_err();
        assert_eq!(refused.0.cause, Cause::Untrusted);
    }

    let mut without_file = secure.options("localhost");
    without_file.authority = Some(secure.folder.path().join("absent.crt"));
    let down = Feed::start(without_file).next_down().await;
    assert_eq!(down.cause, Cause::BadAddress);
    assert!(down.to_string().contains("absent.crt"), "{down}");

    // And no way back to plain text on the port that speaks TLS.
    let mut plain = secure.options("localhost");
    plain.url = format!("redis://127.0.0.1:{}", secure.port).into();
    assert!(Publisher::new(plain).heartbeat(at(0)).await.is_err());
    publisher(&secure.server).heartbeat(at(0)).await.unwrap();
}

#[test]
fn an_unencrypted_address_across_a_network_is_recognized() {
    let is_in_clear = |url: &str| Options::new(url).is_in_clear();
    assert!(is_in_clear("redis://redis.desk.example:6379"));
    assert!(is_in_clear("redis://10.0.0.7"));
    for url in ["rediss://10.0.0.7", "redis://127.0.0.1", "redis://localhost", "redis://[::1]:1"] {
        assert!(!is_in_clear(url), "{url}");
    }
    assert!(!is_in_clear("redis+unix:///run/redis.sock"));
}
