//! The server's side of TLS: rustls, with graviola for its cryptography.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls_graviola::default_provider;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
};
use tokio_rustls::rustls::server::{
    NoServerSessionStorage, ServerConfig, VerifierBuilderError, WebPkiClientVerifier,
    danger::ClientCertVerifier,
};
use tokio_rustls::rustls::{Error, RootCertStore};

use super::certificate;
use super::{Failure, Files};
use crate::serve::reload::{FromFiles, cannot_read};
use crate::serve::wire::Transport;

/// A connection after its handshake.
pub(in crate::serve) type TlsStream = tokio_rustls::server::TlsStream<TcpStream>;

impl Transport for TlsStream {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// The only protocol that is spoken inside TLS; a client that asks for others alone is refused.
const ALPN: &[u8] = b"http/1.1";

/// How the server presents itself, and whom it lets in.
pub(in crate::serve) struct Tls {
    files: FromFiles<Active>,
}

/// What was read from the files.
pub(in crate::serve) struct Active {
    config: Arc<ServerConfig>,
    /// Seconds since 1970.
    not_after: u64,
}

impl Tls {
    /// Reads `files`; an error is a sentence that names the setting and the file.
    pub(in crate::serve) fn load(files: Files) -> Result<Tls, String> {
        let provider = provider().map_err(|why| format!("--tls-cert: {why}"))?;
        let mut paths = vec![files.cert.clone(), files.key.clone()];
        paths.extend(files.client_ca.clone());
        paths.extend(files.client_crl.clone());
        let files = FromFiles::load(paths, move || read(&files, Arc::clone(&provider)))?;
        Ok(Tls { files })
    }

    pub(in crate::serve) fn files(&self) -> &FromFiles<Active> {
        &self.files
    }

    /// When the server's certificate expires, in seconds since 1970.
    pub(in crate::serve) fn not_after(&self) -> u64 {
        self.files.value().not_after
    }

    /// Shakes hands, with the certificate and the CA that are in use when it begins.
    pub(in crate::serve) fn accept(
        &self,
        stream: TcpStream,
    ) -> impl Future<Output = Result<TlsStream, Failure>> + use<> {
        let config = Arc::clone(&self.files.value().config);
        let handshake = TlsAcceptor::from(config).accept(stream);
        async { handshake.await.map_err(|error| failure(&error)) }
    }
}

/// The cryptography, if this processor can do it: graviola panics on one that lacks instructions which it needs.
pub(super) fn provider() -> Result<Arc<CryptoProvider>, String> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    if !graviola::util::is_cpu_supported() {
        return Err(
            "TLS needs a processor with AES, PCLMULQDQ, AVX2, BMI and ADX (x86-64) or AES, SHA-2, PMULL and NEON \
             (aarch64), and this one lacks some; let a proxy in front of the service end TLS"
                .to_owned(),
        );
    }
    Ok(Arc::clone(
        PROVIDER.get_or_init(|| Arc::new(default_provider())),
    ))
}

fn read(files: &Files, provider: Arc<CryptoProvider>) -> Result<Active, String> {
    let cert_fault =
        |why: &dyn std::fmt::Display| format!("--tls-cert {}: {why}", files.cert.display());
    let key_fault =
        |why: &dyn std::fmt::Display| format!("--tls-key {}: {why}", files.key.display());
    let chain = read_certificates(&files.cert).map_err(|why| format!("--tls-cert {why}"))?;
    let not_after = certificate::not_after(&chain[0])
        .ok_or_else(|| cert_fault(&"the first certificate in it is malformed"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| match why {
        pem::Error::NoItemsFound => key_fault(
            &"no private key in it: PEM is expected, PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY, not encrypted",
        ),
        why => key_fault(&pem_fault(&why)),
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?;
    let builder = match &files.client_ca {
        Some(ca) => {
            let crl = files.client_crl.as_deref();
            builder.with_client_cert_verifier(verifier(ca, crl, provider)?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|why| match why {
            Error::InconsistentKeys(_) => key_fault(&format_args!(
                "is not the key of {}",
                files.cert.display()
            )),
            // The adapter says no more than this.
            Error::General(_) => key_fault(
                &"not a key that can be used: RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519 is expected",
            ),
            why => key_fault(&why),
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // No session is resumed: a client is checked against the CA at each of its connections.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Active {
        config: Arc::new(config),
        not_after,
    })
}

/// The certificates of a PEM file; at least one.
pub(super) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    read_items(file, "certificate", "CERTIFICATE")
}

/// What a PEM file holds under `label`; at least one.
fn read_items<T: PemObject>(file: &Path, what: &str, label: &str) -> Result<Vec<T>, String> {
    let items = T::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| format!("{}: {}", file.display(), pem_fault(&why)))?;
    if items.is_empty() {
        return Err(format!(
            "{}: no {what} in it: PEM is expected, {label}",
            file.display()
        ));
    }
    Ok(items)
}

/// The certificates of a PEM file, each as one that may sign others.
pub(super) fn read_roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (at, certificate) in read_certificates(file)?.into_iter().enumerate() {
        roots
            .add(certificate)
            .map_err(|why| format!("{}: certificate {}: {why}", file.display(), at + 1))?;
    }
    Ok(roots)
}

/// What looks at the certificates of clients: signed by one of the file `ca`, and revoked by no list of the file `crl`.
fn verifier(
    ca: &Path,
    crl: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let roots = read_roots(ca).map_err(|why| format!("--client-ca {why}"))?;
    let roots = Arc::new(roots);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
    if let Some(crl) = crl {
        let lists: Vec<CertificateRevocationListDer<'_>> =
            read_items(crl, "revocation list", "X509 CRL")
                .map_err(|why| format!("--client-crl {why}"))?;
        builder = builder.with_crls(lists);
    }
    builder.build().map_err(|why| {
        let (option, file) = match (&why, crl) {
            (VerifierBuilderError::InvalidCrl(_), Some(crl)) => ("--client-crl", crl),
            _ => ("--client-ca", ca),
        };
        format!("{option} {}: {why}", file.display())
    })
}

fn pem_fault(why: &pem::Error) -> String {
    match why {
        pem::Error::Io(why) => cannot_read(why),
        // The text of the others may quote the file.
        _ => "what is in it is not PEM, or is encrypted".to_owned(),
    }
}

fn failure(error: &io::Error) -> Failure {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => Failure::Certificate,
        None | Some(Error::AlertReceived(_)) => Failure::Client,
        Some(_) => Failure::Protocol,
    }
}
