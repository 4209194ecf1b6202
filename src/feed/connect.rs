//! Connects by Unix socket, TCP or TLS.
//!
//! The library can do this too; here the subscription can throttle the stream (`supervise/gate.rs`)
//! and a refused certificate is an error of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::down::Down;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) struct Address {
    pub(super) settings: RedisConnectionInfo,
    place: Place,
}

enum Place {
    Unix(PathBuf),
    Tcp(String, u16),
    Tls(String, u16),
}

impl Address {
    /// Reads `Options::url`.
    pub(super) fn of(url: &SecretString) -> Result<Self, Down> {
        let url = url.expose_secret();
        // The library reads these schemes only if it brings TLS itself.
        let plain = ["rediss://", "valkeys://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let info = match plain {
            Some(rest) => format!("redis://{rest}").into_connection_info(),
            None => url.into_connection_info(),
        };
        let info = info.map_err(|error| Down::from_error(&error))?;
        let settings = info.redis_settings().clone();
        let place = match (info.addr(), plain) {
            (ConnectionAddr::Unix(path), _) => Place::Unix(path.clone()),
            (ConnectionAddr::Tcp(host, port), None) => Place::Tcp(host.clone(), *port),
            (ConnectionAddr::Tcp(host, port), Some(_))
            | (ConnectionAddr::TcpTls { host, port, .. }, _) => Place::Tls(host.clone(), *port),
            _ => return Err(Down::bad_address("unsupported kind of address")),
        };
        Ok(Self { settings, place })
    }

    /// Whether passwords and prices cross a network unencrypted.
    pub(super) fn is_in_clear(&self) -> bool {
        let Place::Tcp(host, _) = &self.place else { return false };
        let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        !is_loopback && host != "localhost"
    }

    /// Connects, without a deadline.
    pub(super) async fn open(&self, authority: Option<&Path>) -> Result<Box<dyn Stream>, Down> {
        match &self.place {
            Place::Unix(path) => boxed(UnixStream::connect(path).await),
            Place::Tcp(host, port) => boxed(tcp(host, *port).await),
            Place::Tls(host, port) => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Down::bad_address("not a valid host name for a certificate"))?;
                let stream = tcp(host, *port).await.map_err(|error| Down::from_io(&error))?;
                let connector = TlsConnector::from(tls(authority).await?);
                boxed(connector.connect(name, stream).await)
            }
        }
    }
}

fn boxed<S: Stream + 'static>(stream: io::Result<S>) -> Result<Box<dyn Stream>, Down> {
    match stream {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Down::from_io(&error)),
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // An announcement is two small packets; Nagle's algorithm would delay the second.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Trusts the given CA file, or the system's. Read at each connect, so that a replaced file takes
/// effect without a restart; blocking, because it is slow on some systems.
async fn tls(authority: Option<&Path>) -> Result<Arc<ClientConfig>, Down> {
    let authority = authority.map(Path::to_owned);
    let config = tokio::task::spawn_blocking(move || trusting(authority.as_deref())).await;
    config.map_err(|error| Down::bad_address(&error.to_string()))?.map(Arc::new)
}

fn trusting(authority: Option<&Path>) -> Result<ClientConfig, Down> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = authority {
        let unreadable = |error: &dyn std::fmt::Display| {
            Down::bad_address(&format!("{}: {error}", path.display()))
        };
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
    } else {
        // The system may have certificates that cannot be parsed.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Down::bad_address(&error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl From<RedisError> for Down {
    fn from(error: RedisError) -> Self {
        Self::from_error(&error)
    }
}
