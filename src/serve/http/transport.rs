//! Transports of a connection's bytes.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Byte stream over a socket.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Maximum number of written bytes that are kept before a flush.
    const KEEPS: usize = 0;

    /// Returns the underlying socket.
    fn socket(&self) -> &TcpStream;

    /// Called when the bytes that were read have been passed on.
    fn handed_on(&mut self) {}
}

impl Transport for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}
