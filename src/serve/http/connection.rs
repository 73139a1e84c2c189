//! A connection from its first byte to its last.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::Write as _;
use hyper::server::conn::http1;

use super::phase::{ConnectionState, Phase};
use super::reply::Reply;
use super::transport::Transport;
use super::wire::Wire;
use crate::serve::app::App;
use crate::serve::telemetry::metrics::Shard;

/// Size of hyper's read buffer in bytes; heads are bounded before.
const READ_BUFFER: usize = 64 * 1024;

/// Speaks HTTP/1 on `transport` until either side is done, or the server stops.
///
/// Deadlines and the server's stop reach the connection through `state`, whose wakers wake this future.
pub(crate) async fn serve<T, S>(
    transport: T,
    app: Arc<App>,
    service: S,
    state: Arc<ConnectionState>,
    shard: Arc<Shard>,
) where
    T: Transport,
    S: hyper::service::Service<Request<Incoming>, Response = Reply>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Unpin,
{
    let wire = Wire::new(transport, app, Arc::clone(&state), Arc::clone(&shard));
    let mut connection = http1::Builder::new()
        // The sweep enforces deadlines; hyper's own would need a timer per request.
        .header_read_timeout(None)
        .max_buf_size(READ_BUFFER)
        // The header is written by `date`.
        .auto_date_header(false)
        // A client may close its sending side and still wait for the answer.
        .half_close(true)
        // Answers are small: one copy into one buffer is cheaper than two slices.
        .writev(false)
        // Gathering the answers to pipelined requests would remove the bound on what is held of them.
        .pipeline_flush(false)
        .serve_connection(wire, service);
    let mut stopping = false;
    let waker = Waker::from(Arc::clone(&state));
    let is_cut = poll_fn(|cx| {
        state.register(cx);
        let cx = &mut Context::from_waker(&waker);
        if state.is_write_overdue() {
            shard.timed_out(Phase::Working);
            return Poll::Ready(false);
        }
        let mut connection = Pin::new(&mut connection);
        // `panics` has counted and logged the panic. The client must not take the written part for a complete answer.
        let polled = catch_unwind(AssertUnwindSafe(|| connection.as_mut().poll(cx)));
        let Ok(polled) = polled else {
            state.broken.store(true, Relaxed);
            return Poll::Ready(false);
        };
        if let Poll::Ready(ended) = polled {
            return Poll::Ready(ended.is_err());
        }
        if state.closing.load(Relaxed) && !stopping {
            // Only after a poll, so that a request which has arrived is not mistaken for silence.
            stopping = true;
            connection.as_mut().graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
    if !is_cut {
        return;
    }
    // hyper does not close a connection that it gave up; a client whose batch was interrupted should still read the
    // reason.
    let mut wire = connection.into_parts().io;
    poll_fn(|cx| {
        state.register(cx);
        let cx = &mut Context::from_waker(&waker);
        match state.is_write_overdue() {
            true => Poll::Ready(()),
            false => Pin::new(&mut wire).poll_shutdown(cx).map(drop),
        }
    })
    .await;
}
