//! TLS handshake of a connection.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use tokio::net::TcpStream;

use super::phase::{ConnectionState, Phase};
use crate::serve::settings::tls::{Tls, TlsStream};
use crate::serve::telemetry::metrics::Shard;

/// Performs the handshake on `stream`, within the deadline that the sweep enforces. `None` on a failure, which is
/// counted, and closes the connection.
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
