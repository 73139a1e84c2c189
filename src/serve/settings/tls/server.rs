//! TLS server: rustls, with graviola for its cryptography.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls_graviola::default_provider;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ServerConfig};

use super::certificate::{Validity, now};
use super::peers::{Peers, Presented};
use super::pem::{pem_fault, read_certificates};
use super::settings::{Failure, Files};
use super::socket::Bounded;
use crate::serve::http::transport::Transport;
use crate::serve::settings::reload::FromFiles;
use crate::serve::telemetry::metrics::Shard;

/// Connection after its handshake.
pub(crate) type TlsStream = tokio_rustls::server::TlsStream<Bounded>;

impl Transport for TlsStream {
    const KEEPS: usize = 64 * 1024;

    fn socket(&self) -> &TcpStream {
        self.get_ref().0.stream()
    }

    fn handed_on(&mut self) {
        self.get_mut().0.keep(0);
    }
}

/// The only protocol inside TLS. A client that offers only others is refused.
const ALPN: &[u8] = b"http/1.1";

/// TLS configuration of the server, and the admission of clients.
pub(crate) struct Tls {
    files: FromFiles<Active>,
}

/// Configuration that was read from the files.
pub(crate) struct Active {
    config: Arc<ServerConfig>,
    /// Verifier, if clients are asked for certificates.
    peers: Option<Peers>,
    /// Sentences about weak certificates of the server.
    warnings: Vec<String>,
    /// Expiry in seconds since 1970.
    not_after: u64,
}

impl Tls {
    /// Loads `files`. An error is a sentence that names the setting and the file.
    pub(crate) fn load(files: Files) -> Result<Tls, String> {
        let provider = provider().map_err(|why| format!("--tls-cert: {why}"))?;
        let mut paths = vec![files.cert.clone(), files.key.clone()];
        paths.extend(files.client_ca.clone());
        paths.extend(files.client_crl.clone());
        let files = FromFiles::load(paths, move || read(&files, Arc::clone(&provider)))?;
        Ok(Tls { files })
    }

    pub(crate) fn files(&self) -> &FromFiles<Active> {
        &self.files
    }

    /// Expiry of the server's certificate, in seconds since 1970.
    pub(crate) fn not_after(&self) -> u64 {
        self.files.value().not_after
    }

    /// Sentences about weak files.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let active = self.files.value();
        let peers = active.peers.as_ref();
        let of_peers = peers.map_or(&[][..], |peers| &peers.warnings);
        [&active.warnings, of_peers].concat()
    }

    /// Performs the handshake, with the certificate and the CA that are current at its beginning. Also returns what the
    /// client has shown.
    pub(crate) fn accept(
        &self,
        stream: TcpStream,
        shard: &Arc<Shard>,
    ) -> impl Future<Output = Result<(TlsStream, Option<Presented>), Failure>> + use<> {
        let active = self.files.value();
        let peers = active.peers.as_ref();
        let verifier = peers.map(|peers| Arc::clone(&peers.verifier));
        let handshake = TlsAcceptor::from(Arc::clone(&active.config))
            .accept(Bounded::new(stream, Arc::clone(shard)));
        async {
            let mut stream = handshake.await.map_err(|error| failure(&error))?;
            stream.handed_on();
            let chain = stream.get_ref().1.peer_certificates();
            let presented = verifier.zip(chain);
            let presented = presented.map(|(verifier, chain)| Presented::new(chain, verifier));
            Ok((stream, presented))
        }
    }

    /// Returns the elements of `all` whose certificate is no longer admitted: it has expired, was revoked, or its CA is
    /// gone.
    pub(crate) fn outdated<T>(
        &self,
        all: Vec<T>,
        presented: impl Fn(&T) -> Option<&Presented>,
    ) -> Vec<T> {
        let active = self.files.value();
        let verifier = active
            .peers
            .as_ref()
            .map(|peers| Arc::clone(&peers.verifier));
        drop(active);
        let Some(verifier) = verifier else {
            return Vec::new();
        };
        let is_outdated = |one: &T| presented(one).is_some_and(|shown| !shown.is_good(&verifier));
        all.into_iter().filter(is_outdated).collect()
    }
}

/// Returns the cryptography, if this processor supports it: graviola panics if instructions are missing.
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
    let validity = Validity::read(&chain[0])
        .ok_or_else(|| cert_fault(&"the first certificate in it is malformed"))?;
    if let Some(fault) = validity.fault(now()) {
        return Err(cert_fault(&format_args!(
            "the certificate {fault}; no client would take it"
        )));
    }
    let mut warnings = Vec::new();
    for (at, other) in chain.iter().enumerate().skip(1) {
        let validity = Validity::read(other);
        if let Some(fault) = validity.and_then(|validity| validity.fault(now())) {
            let at = at + 1;
            warnings.push(cert_fault(&format_args!("certificate {at} in it {fault}")));
        }
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|why| match why {
        pem::Error::NoItemsFound => key_fault(
            &"no private key in it: PEM is expected, PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY, not encrypted",
        ),
        why => key_fault(&pem_fault(&why)),
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?;
    let crl = files.client_crl.as_deref();
    let ca = files.client_ca.as_deref();
    let peers = ca.map(|ca| Peers::load(ca, crl, provider)).transpose()?;
    let builder = match &peers {
        Some(peers) => builder.with_client_cert_verifier(Arc::clone(&peers.verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|why| match why {
            Error::InconsistentKeys(_) => key_fault(&format_args!(
                "is not the key of {}",
                files.cert.display()
            )),
            // The adapter gives no more details.
            Error::General(_) => key_fault(
                &"not a key that can be used: RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519 is expected",
            ),
            why => key_fault(&why),
        })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Sessions are not resumed: a client is verified against the CA for each connection.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Active {
        config: Arc::new(config),
        peers,
        warnings,
        not_after: validity.end,
    })
}

fn failure(error: &io::Error) -> Failure {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => Failure::Certificate,
        None | Some(Error::AlertReceived(_)) => Failure::Client,
        Some(_) => Failure::Protocol,
    }
}
