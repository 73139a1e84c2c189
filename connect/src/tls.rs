//! The client's side of TLS, with graviola's cryptography: Rust and assembly, no C.
//!
//! | client | configuration |
//! | --- | --- |
//! | RabbitMQ | [`TlsArgs::client`], a rustls configuration |
//! | ClickHouse, S3 | [`TlsArgs::for_http`], the same for ureq |
//! | MongoDB | the driver's own TLS, with the file of the CAs alone |
//!
//! RabbitMQ, ClickHouse and S3 are verified against the CAs of `--ca` alone.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig, TlsProvider};

/// CAs that are trusted, and the client's own certificate.
#[derive(Debug, clap::Args)]
pub struct TlsArgs {
    /// PEM file of the CAs that are trusted, for addresses with TLS
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_CA",
        default_value = "/etc/ssl/certs/ca-certificates.crt",
        value_name = "FILE"
    )]
    ca: PathBuf,
    /// PEM file of the client's certificate chain, where the server asks for one
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_CERT",
        requires = "key",
        value_name = "FILE"
    )]
    cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(
        long,
        env = "PICK_REGNO_CONNECT_KEY",
        requires = "cert",
        value_name = "FILE"
    )]
    key: Option<PathBuf>,
}

/// Returns graviola's provider.
///
/// # Errors
/// If the processor lacks the instructions that graviola needs.
pub fn provider() -> Result<Arc<CryptoProvider>, String> {
    if !graviola::util::is_cpu_supported() {
        return Err("TLS needs a processor with AES, PCLMULQDQ, AVX2, BMI and ADX (x86-64) or AES, SHA-2, PMULL and NEON \
                    (aarch64), and this one lacks some"
            .to_owned());
    }
    Ok(Arc::new(rustls_graviola::default_provider()))
}

impl TlsArgs {
    /// Reads the files; again at each connection, so that what a certificate manager renews is used.
    ///
    /// # Errors
    /// If a file cannot be read or does not hold what it should.
    /// The text names the file.
    pub fn client(&self) -> Result<Arc<ClientConfig>, String> {
        let builder = ClientConfig::builder_with_provider(provider()?)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_root_certificates(self.roots()?);
        let config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let chain = certificates(cert)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|why| format!("--key {}: {why}", key.display()))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|why| format!("--cert {}: {why}", cert.display()))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }

    /// TLS of an HTTP client with the same roots and certificate. The client keeps it: files that change
    /// later are not read again.
    ///
    /// # Errors
    /// As [`TlsArgs::client`].
    pub fn for_http(&self) -> Result<TlsConfig, String> {
        let roots = http_certificates(&self.ca)?;
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let wrong = |why: &dyn Display| format!("--key {}: {why}", key.display());
                let pem = std::fs::read(key).map_err(|why| wrong(&why))?;
                let key = PrivateKey::from_pem(&pem).map_err(|why| wrong(&why))?;
                Some(ClientCert::new_with_certs(&http_certificates(cert)?, key))
            }
            _ => None,
        };
        Ok(TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider()?)
            .root_certs(roots.into())
            .client_cert(identity)
            .build())
    }

    /// The file of the CAs.
    #[cfg(feature = "mongodb")]
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// Reads the CAs.
    ///
    /// # Errors
    /// If the file cannot be read or has no CA that can be used.
    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        // A system's bundle may hold some that cannot be used: they are left out.
        let (used, _) = roots.add_parsable_certificates(certificates(&self.ca)?);
        if used == 0 {
            return Err(format!("--ca {}: no CA in it", self.ca.display()));
        }
        Ok(roots)
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|why| format!("{}: {why}", file.display()))
}

fn http_certificates(file: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let certificates = certificates(file)?;
    let owned = certificates
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    Ok(owned.collect())
}
