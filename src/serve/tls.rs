//! TLS for the service's listener: TLS 1.2 and 1.3, with client certificates if a CA for them is given.
//!
//! What it is made of, and why, is in `docs/tls.md`. A build without the feature `tls` takes the same settings, and
//! says that it cannot follow them.

#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod peers;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod socket;
#[cfg(not(feature = "tls"))]
mod without;

use std::future::{Future as _, poll_fn};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

#[cfg(not(feature = "tls"))]
pub(super) use self::without::{Client, Presented, Tls, TlsStream, client, connect};
#[cfg(feature = "tls")]
pub(super) use self::{
    client::{Client, client, connect},
    peers::Presented,
    server::{Tls, TlsStream},
};
use super::metrics::{self, Label, NO_LABELS, Shard};
use super::phase::{ConnectionState, Phase};
use crate::arguments::parse_duration;

/// The settings of TLS.
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

/// The files that TLS is served from.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "tls"),
    expect(dead_code, reason = "a build without TLS refuses them unread")
)]
pub(super) struct Files {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) client_ca: Option<PathBuf>,
    pub(super) client_crl: Option<PathBuf>,
}

impl TlsArgs {
    /// The files, if TLS is asked for; a sentence if they are not complete.
    pub(super) fn files(&self) -> Result<Option<Files>, String> {
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

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The client's certificate is missing, expired, revoked or not signed by the right CA.
    Certificate,
    /// Server and client have no version, cipher or protocol in common, or what came is no TLS.
    Protocol,
    /// The client went away, or refused what the server sent.
    Client,
}

impl Failure {
    pub(super) const ALL: [Failure; 3] = [Failure::Certificate, Failure::Protocol, Failure::Client];
}

/// The value of the `reason` label that counts it.
impl Label for Failure {
    fn label(self) -> &'static str {
        match self {
            Failure::Certificate => "certificate",
            Failure::Protocol => "protocol",
            Failure::Client => "client",
        }
    }
}

/// Shakes hands on `stream`, within the deadline that the sweep keeps. `None` if that failed: it is counted, and the
/// connection is closed.
pub(super) async fn shake_hands(
    tls: &Tls,
    stream: TcpStream,
    state: &ConnectionState,
    shard: &Arc<Shard>,
) -> Option<TlsStream> {
    let mut handshake = pin!(tls.accept(stream, shard));
    let stream = poll_fn(|cx| {
        state.register(cx);
        if state.overdue() == Some(Phase::Handshake) {
            shard.timed_out(Phase::Handshake);
            return Poll::Ready(None);
        }
        match ready!(handshake.as_mut().poll(cx)) {
            Ok((stream, presented)) => {
                if let Some(presented) = presented {
                    let _ = state.presented.set(Box::new(presented));
                }
                Poll::Ready(Some(stream))
            }
            Err(failure) => {
                shard.tls_failed(failure);
                Poll::Ready(None)
            }
        }
    })
    .await?;
    state.enter(Phase::Head, Instant::now());
    Some(stream)
}

/// Reports when the certificate ends, and how often its files were read again.
pub(super) fn report(tls: &Tls) {
    metrics::gauge(
        "pick_regno_tls_certificate_not_after_seconds",
        "When the server's certificate expires, in seconds since 1970.",
        &NO_LABELS,
        tls.not_after() as f64,
    );
    tls.files().report("tls");
}
