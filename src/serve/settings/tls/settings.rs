//! The settings of TLS, and why a handshake fails.

use std::path::PathBuf;
use std::time::Duration;

use crate::arguments::parse_duration;
use crate::serve::telemetry::metrics::Label;

/// Settings of TLS.
#[derive(Clone, Debug, clap::Args)]
pub struct TlsArgs {
    /// Serve HTTPS with this certificate: PEM, the server's own first, then those that signed it. Read again when it
    /// is rewritten, as are the files below
    #[arg(
        long,
        env = "PICK_REGNO_TLS_CERT",
        value_name = "FILE",
        help_heading = "TLS"
    )]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key: PEM, not encrypted; RSA, ECDSA P-256 or P-384, or Ed25519
    #[arg(
        long,
        env = "PICK_REGNO_TLS_KEY",
        value_name = "FILE",
        help_heading = "TLS"
    )]
    pub tls_key: Option<PathBuf>,
    /// Ask every client for a certificate that was signed by one of these: PEM. If there are API keys too, a client
    /// needs both; if there are none, the certificate is enough
    #[arg(
        long,
        env = "PICK_REGNO_CLIENT_CA",
        value_name = "FILE",
        help_heading = "TLS"
    )]
    pub client_ca: Option<PathBuf>,
    /// Refuse client certificates that these lists (CRLs) revoke: PEM, one list of each CA that signs clients. A
    /// certificate of a CA without a list in it is refused as well
    #[arg(
        long,
        env = "PICK_REGNO_CLIENT_CRL",
        value_name = "FILE",
        help_heading = "TLS"
    )]
    pub client_crl: Option<PathBuf>,
    /// Time for a TLS handshake
    #[arg(long, env = "PICK_REGNO_HANDSHAKE_TIMEOUT", default_value = "10s", value_parser = parse_duration, value_name = "TIME", help_heading = "Deadlines")]
    pub handshake_timeout: Duration,
}

/// Files for TLS.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "tls"),
    expect(dead_code, reason = "a build without TLS refuses them unread")
)]
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) client_crl: Option<PathBuf>,
}

impl TlsArgs {
    /// Returns the files, if TLS is configured. An error is a sentence about the incomplete settings.
    pub(crate) fn files(&self) -> Result<Option<Files>, String> {
        if self.client_crl.is_some() && self.client_ca.is_none() {
            return Err("--client-crl: needs --client-ca as well".to_owned());
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some(Files {
                cert: cert.clone(),
                key: key.clone(),
                client_ca: self.client_ca.clone(),
                client_crl: self.client_crl.clone(),
            })),
            (Some(_), None) => Err("--tls-cert: needs --tls-key as well".to_owned()),
            (None, Some(_)) => Err("--tls-key: needs --tls-cert as well".to_owned()),
            (None, None) if self.client_ca.is_some() => Err(
                "--client-ca: client certificates need TLS; give --tls-cert and --tls-key as well"
                    .to_owned(),
            ),
            (None, None) => Ok(None),
        }
    }
}

/// Reason why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The client's certificate is missing, expired, revoked or not signed by the right CA.
    Certificate,
    /// Server and client have no version, cipher or protocol in common, or the bytes are not TLS.
    Protocol,
    /// The client went away, or refused the server's certificate or parameters.
    Client,
}

impl Failure {
    pub(crate) const ALL: &[Failure] = &[Failure::Certificate, Failure::Protocol, Failure::Client];
}

/// Value of the `reason` label.
impl Label for Failure {
    fn label(self) -> &'static str {
        match self {
            Failure::Certificate => "certificate",
            Failure::Protocol => "protocol",
            Failure::Client => "client",
        }
    }
}
