//! Whom to trust: the system's root certificates, or those of one file.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Makes what every encrypted connection begins with. Reads files: not for an async thread.
///
/// # Errors
///
/// A sentence about the file, or about a system that trusts nobody.
pub(super) fn connector(roots: Option<&Path>) -> Result<MakeRustlsConnect, String> {
    let mut store = RootCertStore::empty();
    if let Some(file) = roots {
        let about = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        for certificate in CertificateDer::pem_file_iter(file).map_err(|e| about(&e))? {
            let certificate = certificate.map_err(|e| about(&e))?;
            store.add(certificate).map_err(|e| about(&e))?;
        }
        if store.is_empty() {
            return Err(about(&"holds no certificate"));
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            return Err("this system has no root certificates".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
