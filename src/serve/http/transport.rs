//! What a connection's bytes travel by.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A byte stream over a socket.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Most bytes that it keeps of those that were written and not flushed.
    const KEEPS: usize = 0;

    /// What the bytes travel by.
    fn socket(&self) -> &TcpStream;

    /// Notes that what was read has been handed on.
    fn handed_on(&mut self) {}
}

impl Transport for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}
