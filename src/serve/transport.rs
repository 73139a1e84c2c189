//! What a connection's bytes travel by.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A byte stream over a socket.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// What the bytes travel by.
    fn socket(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}
