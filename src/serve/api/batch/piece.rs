//! A batch's body as a source that may have nothing at the moment.

use std::io::{self, Read};

use hyper::body::Bytes;

use crate::serve::settings::config::PIECE;

/// The piece of the body that is read.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// Whether it was the last.
    pub(super) ended: bool,
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = self.bytes.len().min(buffer.len()).min(PIECE);
        buffer[..len].copy_from_slice(&self.bytes.split_to(len));
        Ok(len)
    }
}
