//! Body of a batch as a source that may have nothing at the moment.

use std::io::{self, Read};

use hyper::body::Bytes;

use crate::serve::settings::config::PIECE;

/// Piece of the body that is being read.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// True if it was the last piece.
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
