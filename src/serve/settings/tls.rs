//! TLS for the service's listener: TLS 1.2 and 1.3, with client certificates if a CA for them is given.
//!
//! `docs/tls.md` describes the libraries, and why they were chosen. A build without the feature `tls` accepts the same
//! settings, and reports that it does not support them.

#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod peers;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
mod server;
mod settings;
#[cfg(feature = "tls")]
mod socket;
#[cfg(not(feature = "tls"))]
mod without;

pub(crate) use self::settings::Failure;
pub use self::settings::TlsArgs;
#[cfg(not(feature = "tls"))]
pub(crate) use self::without::{Client, Presented, Tls, TlsStream, client, connect};
#[cfg(feature = "tls")]
pub(crate) use self::{
    client::{Client, client, connect},
    peers::Presented,
    server::{Tls, TlsStream},
};
use crate::serve::telemetry::metrics::{self, NO_LABELS};

/// Reports the expiry of the certificate, and how often its files were read again.
pub(crate) fn report(tls: &Tls) {
    metrics::gauge(
        "pick_regno_tls_certificate_not_after_seconds",
        "When the server's certificate expires, in seconds since 1970.",
        &NO_LABELS,
        tls.not_after() as f64,
    );
    tls.files().report("tls");
}
