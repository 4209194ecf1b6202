//! Encrypted connections: to whom, and never without where they are asked for.

use crate::{superuser, until, why_not};
use std::path::PathBuf;
use tmt::local::Options as Private;
use tmt::local::Postgres;
use tmt::store::options::{Host, Server, Tls};
use tmt::store::{Options, Store, StoreError, Unreachable};

fn certificate(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// A server that offers encryption under the name `localhost`.
async fn encrypting_server() -> Postgres {
    let server = Postgres::start(Private::in_memory()).await.unwrap();
    for file in ["server.pem", "server.key"] {
        let text = std::fs::read_to_string(certificate(file)).unwrap();
        // Through the server, so that the file is its own and nobody else's.
        let sql = format!(
            "COPY (SELECT regexp_split_to_table($pem${}$pem$, E'\\n'))
               TO PROGRAM 'umask 077; cat > {file}'",
            text.trim_end()
        );
        superuser(&server, &sql).await;
    }
    superuser(&server, "ALTER SYSTEM SET ssl_cert_file = 'server.pem'").await;
    superuser(&server, "ALTER SYSTEM SET ssl_key_file = 'server.key'").await;
    superuser(&server, "ALTER SYSTEM SET ssl = on").await;
    superuser(&server, "SELECT pg_reload_conf()").await;
    let url = server.tcp_url("postgres");
    until(|| async {
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.query_one("SHOW ssl", &[]).await.unwrap().try_get::<_, &str>(0).unwrap() == "on"
    })
    .await;
    server
}

#[tokio::test]
async fn encryption_verifies_root_and_name() {
    let server = encrypting_server().await;
    let options = |name: &str, root: &str| {
        let mut options = Options::parse(&server.tcp_url("postgres")).unwrap();
        let address = Some("127.0.0.1".parse().unwrap());
        let host = Host::Tcp { name: name.to_owned(), address };
        options.servers = vec![Server { host, port: server.port() }];
        options.tls = Some(Tls::Verified);
        options.root_certificates = Some(certificate(root));
        options
    };

    let store = Store::connect(options("localhost", "root.pem"));
    let error = store.session().await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaMissing { .. }), "connected: {error:?}");

    for (name, root) in [("localhost", "stranger.pem"), ("db.example", "root.pem")] {
        let (reason, sentence) = why_not(options(name, root)).await;
        assert!(matches!(reason, Unreachable::Tls { .. }), "{name} {root}: {reason:?}");
        assert!(sentence.contains("sslrootcert"), "{sentence}");
    }
    let (reason, sentence) = why_not(options("localhost", "no-such-file.pem")).await;
    assert!(matches!(reason, Unreachable::Tls { .. }), "{reason:?}");
    assert!(sentence.contains("no-such-file.pem"), "{sentence}");
}

#[tokio::test]
async fn required_encryption_is_never_skipped() {
    let server = Postgres::start(Private::in_memory()).await.unwrap();
    let mut options = Options::parse(&server.tcp_url("postgres")).unwrap();
    options.tls = Some(Tls::Verified);
    options.root_certificates = Some(certificate("root.pem"));

    let (reason, sentence) = why_not(options).await;

    assert!(matches!(reason, Unreachable::Tls { .. }), "{reason:?}");
    assert!(sentence.contains("sslmode=disable"), "{sentence}");
}
