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

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use tokio::net::TcpStream;

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
use crate::serve::http::phase::{ConnectionState, Phase};
use crate::serve::telemetry::metrics::{self, NO_LABELS, Shard};

/// Performs the handshake on `stream`, within the deadline that the sweep enforces. `None` on a failure, which is
/// counted, and closes the connection.
pub(crate) async fn shake_hands(
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
