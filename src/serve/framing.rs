//! Where one request ends and the next begins.
//!
//! [`Framing`] walks the bytes a client sends and says how many of them may go on to hyper: whole heads that
//! [`read_head`] accepts, and bodies. It is a second opinion on hyper's framing, never a replacement: what it refuses is
//! not passed on, what it passes on hyper parses again.

use super::head::{BodyFraming, Head, Refusal, read_head};

/// Bytes of a chunk's size line with its extensions, and of all trailers. A line of trailers counts as at least
/// [`TRAILER_LINE`]: hyper has a limit of lines as well, and closes without an answer beyond it.
const MAX_CHUNK_LINE: u32 = 256;
const MAX_TRAILERS: u32 = 4 * 1024;
const TRAILER_LINE: u32 = 128;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Expecting {
    Head,
    /// This many bytes of body.
    Body(u64),
    /// The hexadecimal size of a chunk; its digits so far and the bytes of the line so far.
    ChunkSize {
        size: u64,
        digits: u32,
    },
    ChunkExtension {
        size: u64,
        bytes: u32,
    },
    /// The LF that ends a chunk's size line.
    ChunkSizeLf(u64),
    ChunkData(u64),
    ChunkDataCr,
    ChunkDataLf,
    /// A line of trailers; its bytes so far, and those of all.
    Trailer {
        line: u32,
        all: u32,
    },
    TrailerLf {
        line: u32,
        all: u32,
    },
}

/// The state of one connection's incoming bytes.
#[derive(Debug)]
pub(super) struct Framing {
    expecting: Expecting,
    max_head: usize,
}

/// What may be passed on of a run of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// So many from the front. The rest is part of a head: keep it, and offer it again with what follows.
    pub(super) len: usize,
    /// What is wrong with the byte after them.
    pub(super) refusal: Option<Refusal>,
}

impl Framing {
    /// Heads may have up to `max_head` bytes.
    pub(super) fn new(max_head: usize) -> Framing {
        Framing {
            expecting: Expecting::Head,
            max_head,
        }
    }

    /// Whether the next byte would begin, or go on with, a head.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.expecting, Expecting::Head)
    }

    /// Walks `bytes`, which follow what was passed on before.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut at = 0;
        while at < bytes.len() {
            match self.step(&bytes[at..]) {
                Ok(0) => break,
                Ok(len) => at += len,
                Err(refusal) => {
                    return Passed {
                        len: at,
                        refusal: Some(refusal),
                    };
                }
            }
        }
        Passed {
            len: at,
            refusal: None,
        }
    }

    /// Takes the next thing from the front of `bytes`, which is not empty; 0 if it has not all arrived.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let byte = bytes[0];
        let (taken, next) = match self.expecting {
            Expecting::Head => match read_head(bytes, self.max_head)? {
                Head::Partial => return Ok(0),
                Head::Complete { len, body } => (
                    len,
                    match body {
                        BodyFraming::Length(0) => Expecting::Head,
                        BodyFraming::Length(length) => Expecting::Body(length),
                        BodyFraming::Chunked => Expecting::ChunkSize { size: 0, digits: 0 },
                    },
                ),
            },
            Expecting::Body(left) => {
                let taken = left.min(bytes.len() as u64);
                let next = match left - taken {
                    0 => Expecting::Head,
                    left => Expecting::Body(left),
                };
                (taken as usize, next)
            }
            Expecting::ChunkSize { size, digits } => (
                1,
                match (byte, digits) {
                    (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', 0..=14) => {
                        let digit = (byte as char).to_digit(16).ok_or(Refusal::Chunk)?;
                        Expecting::ChunkSize {
                            size: size * 16 + u64::from(digit),
                            digits: digits + 1,
                        }
                    }
                    (b'\r', 1..) => Expecting::ChunkSizeLf(size),
                    (b';', 1..) => Expecting::ChunkExtension { size, bytes: 0 },
                    _ => return Err(Refusal::Chunk),
                },
            ),
            Expecting::ChunkExtension { size, bytes } => (
                1,
                match byte {
                    b'\r' => Expecting::ChunkSizeLf(size),
                    b'\t' | 0x20..=0x7e | 0x80.. if bytes < MAX_CHUNK_LINE => {
                        Expecting::ChunkExtension {
                            size,
                            bytes: bytes + 1,
                        }
                    }
                    _ => return Err(Refusal::Chunk),
                },
            ),
            Expecting::ChunkSizeLf(size) => (
                1,
                match (byte, size) {
                    (b'\n', 0) => Expecting::Trailer { line: 0, all: 0 },
                    (b'\n', size) => Expecting::ChunkData(size),
                    _ => return Err(Refusal::Chunk),
                },
            ),
            Expecting::ChunkData(left) => {
                let taken = left.min(bytes.len() as u64);
                let next = match left - taken {
                    0 => Expecting::ChunkDataCr,
                    left => Expecting::ChunkData(left),
                };
                (taken as usize, next)
            }
            Expecting::ChunkDataCr if byte == b'\r' => (1, Expecting::ChunkDataLf),
            Expecting::ChunkDataLf if byte == b'\n' => {
                (1, Expecting::ChunkSize { size: 0, digits: 0 })
            }
            Expecting::ChunkDataCr | Expecting::ChunkDataLf => return Err(Refusal::Chunk),
            Expecting::Trailer { line, all } => (
                1,
                match byte {
                    b'\r' => Expecting::TrailerLf { line, all },
                    b'\n' | 0 => return Err(Refusal::Chunk),
                    _ if all < MAX_TRAILERS => Expecting::Trailer {
                        line: line + 1,
                        all: all + 1,
                    },
                    _ => return Err(Refusal::Chunk),
                },
            ),
            Expecting::TrailerLf { line, all } => (
                1,
                match (byte, line) {
                    (b'\n', 0) => Expecting::Head,
                    (b'\n', _) => Expecting::Trailer {
                        line: 0,
                        all: all + TRAILER_LINE,
                    },
                    _ => return Err(Refusal::Chunk),
                },
            ),
        };
        self.expecting = next;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn requests_pass_however_they_are_cut() {
        let mut stream = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_vec();
        stream.extend_from_slice(CHUNKED);
        stream.extend_from_slice(b"2;x=y\r\nab\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n");
        stream.extend_from_slice(b"GET / HTTP/1.0\r\n\r\n");
        for cut in 1..stream.len() {
            let mut framing = Framing::new(1024);
            let mut held: Vec<u8> = Vec::new();
            let mut passed = 0;
            for part in stream.chunks(cut) {
                held.extend_from_slice(part);
                let Passed { len, refusal } = framing.pass(&held);
                assert_eq!(refusal, None, "cut into {cut}");
                held.drain(..len);
                passed += len;
            }
            assert_eq!(passed, stream.len(), "cut into {cut}");
            assert!(framing.is_between_requests());
        }
    }

    #[test]
    fn bad_chunks_are_refused() {
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "1\n",
            "1 \r\na\r\n",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rb",
            "1111111111111111\r\n",
            "1;a\nb\r\n",
            "0\r\n\n",
            "0\r\nA: b\n",
        ] {
            let bytes = [CHUNKED, body.as_bytes()].concat();
            let passed = Framing::new(1024).pass(&bytes);
            assert_eq!(passed.refusal, Some(Refusal::Chunk), "{body:?}");
            assert!(passed.len >= CHUNKED.len());
        }
    }

    #[test]
    fn what_follows_a_good_request_is_refused_alone() {
        let good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let bytes = [&good[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(
            Framing::new(1024).pass(&bytes),
            Passed {
                len: good.len(),
                refusal: Some(Refusal::Host)
            }
        );
    }
}
