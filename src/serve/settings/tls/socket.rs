//! Socket below TLS: bounds and counts the bytes that a session keeps.
//!
//! A session keeps the parts of a record, and of a handshake message in many records, until the last has arrived.
//! rustls keeps up to 64 KiB for a client without a certificate or a key.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::Error;

use crate::serve::telemetry::metrics::Shard;

/// Maximum number of bytes that a session may read before it passes something on: more than a record, and more than a
/// handshake with a chain of certificates.
const MOST: usize = 32 * 1024;

/// Socket whose session may keep [`MOST`] bytes.
pub(crate) struct Bounded {
    stream: TcpStream,
    /// Bytes that were read since the session last passed something on, as they are counted.
    kept: usize,
    shard: Arc<Shard>,
}

impl Bounded {
    pub(super) fn new(stream: TcpStream, shard: Arc<Shard>) -> Bounded {
        Bounded {
            stream,
            kept: 0,
            shard,
        }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sets the number of bytes that the session keeps.
    pub(super) fn keep(&mut self, bytes: usize) {
        self.shard
            .held_open_bytes
            .add(bytes as i64 - self.kept as i64);
        self.kept = bytes;
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        self.keep(0);
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let kept = self.kept + buf.filled().len() - before;
        if kept > MOST {
            let why = Error::General(format!("{MOST} bytes and nothing said"));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        self.keep(kept);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
