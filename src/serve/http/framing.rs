//! Boundaries between requests.
//!
//! [`Framing`] walks the bytes that a client sends and determines how many of them may be passed to hyper: whole heads
//! that [`read_head`](super::head::read_head) accepts, and bodies. It is a second opinion on hyper's framing, never a
//! replacement: refused bytes are not passed on, and hyper parses the others again. Only the header `Upgrade` is
//! hidden.

use super::head::{BodyFraming, Head, Refusal, ignore_upgrade, read_header};
use super::last_head::LastHead;

/// Limits on the bytes of all chunk extensions of a body, and of all its trailers. A line of trailers counts
/// [`TRAILER_LINE`] bytes extra, since hyper limits lines as well. Beyond its limits hyper closes without an answer, so
/// these are lower.
const MAX_EXTENSIONS: u32 = 8 * 1024;
const MAX_TRAILERS: usize = 4 * 1024;
const TRAILER_LINE: usize = 128;

/// Element that the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Expecting {
    Head,
    /// Remaining bytes of a body.
    Body(u64),
    /// Hexadecimal size of a chunk, with its digits so far and the bytes of the line so far.
    ChunkSize {
        size: u64,
        digits: u32,
    },
    ChunkExtension(u64),
    /// LF that ends a chunk's size line.
    ChunkSizeLf(u64),
    ChunkData(u64),
    ChunkDataCr,
    ChunkDataLf,
    /// Line of trailers, with the bytes of trailers so far.
    Trailer(usize),
}

/// State of one connection's incoming bytes.
#[derive(Debug)]
pub(crate) struct Framing {
    expecting: Expecting,
    /// Bytes of the body's chunk extensions so far.
    extensions: u32,
    max_head: usize,
    last_head: LastHead,
}

/// Result of checking a run of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Number of bytes at the front that may be passed on. The rest is part of a head or of a trailer: keep it, and
    /// offer it again with the bytes that follow.
    pub(crate) len: usize,
    /// Fault of the next byte.
    pub(crate) refusal: Option<Refusal>,
}

impl Framing {
    /// Creates the state of a new connection, whose heads may have up to `max_head` bytes.
    pub(crate) fn new(max_head: usize) -> Framing {
        Framing {
            expecting: Expecting::Head,
            extensions: 0,
            max_head,
            last_head: LastHead::default(),
        }
    }

    /// Returns true if the next byte begins or continues a head.
    pub(crate) fn is_between_requests(&self) -> bool {
        matches!(self.expecting, Expecting::Head)
    }

    /// Walks `bytes`, which follow those that were passed on before, and renames `Upgrade` lines in them.
    pub(crate) fn pass(&mut self, bytes: &mut [u8]) -> Passed {
        let mut at = 0;
        while at < bytes.len() {
            match self.step(&mut bytes[at..]) {
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

    /// Takes the next element from the front of `bytes`, which is not empty. Returns its length, or 0 if it is
    /// incomplete.
    fn step(&mut self, bytes: &mut [u8]) -> Result<usize, Refusal> {
        let byte = bytes[0];
        let (taken, next) = match self.expecting {
            Expecting::Head => match self.last_head.read(bytes, self.max_head)? {
                Head::Partial => return Ok(0),
                Head::Complete {
                    len, body, upgrade, ..
                } => {
                    if upgrade {
                        ignore_upgrade(&mut bytes[..len]);
                    }
                    let next = match body {
                        BodyFraming::Length(0) => Expecting::Head,
                        BodyFraming::Length(length) => Expecting::Body(length),
                        BodyFraming::Chunked => {
                            self.extensions = 0;
                            Expecting::ChunkSize { size: 0, digits: 0 }
                        }
                    };
                    (len, next)
                }
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
                    (b';', 1..) => Expecting::ChunkExtension(size),
                    _ => return Err(Refusal::Chunk),
                },
            ),
            Expecting::ChunkExtension(size) => (
                1,
                match byte {
                    b'\r' => Expecting::ChunkSizeLf(size),
                    b'\t' | 0x20..=0x7e | 0x80.. if self.extensions < MAX_EXTENSIONS => {
                        self.extensions += 1;
                        Expecting::ChunkExtension(size)
                    }
                    _ => return Err(Refusal::Chunk),
                },
            ),
            Expecting::ChunkSizeLf(size) => (
                1,
                match (byte, size) {
                    (b'\n', 0) => Expecting::Trailer(0),
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
            Expecting::Trailer(before) => {
                let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
                    return match before + bytes.len() <= MAX_TRAILERS {
                        true => Ok(0),
                        false => Err(Refusal::Chunk),
                    };
                };
                let line = bytes[..end].strip_suffix(b"\r").ok_or(Refusal::Chunk)?;
                let all = before + end + TRAILER_LINE;
                let next = match line.is_empty() {
                    true => Expecting::Head,
                    false if all > MAX_TRAILERS => return Err(Refusal::Chunk),
                    false => {
                        read_header(line).map_err(|_| Refusal::Chunk)?;
                        Expecting::Trailer(all)
                    }
                };
                (end + 1, next)
            }
        };
        self.expecting = next;
        Ok(taken)
    }
}

/// [`Framing`] for the fuzz targets.
#[cfg(fuzzing)]
pub struct Framer(Framing);

#[cfg(fuzzing)]
impl Framer {
    /// Creates the state of a new connection, whose heads may have up to `max_head` bytes.
    pub fn new(max_head: usize) -> Framer {
        Framer(Framing::new(max_head))
    }

    /// Returns the number of bytes at the front that pass, and true if the following ones are refused.
    pub fn pass(&mut self, bytes: &mut [u8]) -> (usize, bool) {
        let Passed { len, refusal } = self.0.pass(bytes);
        (len, refusal.is_some())
    }

    /// Returns true if the next byte begins a head.
    pub fn is_between_requests(&self) -> bool {
        self.0.is_between_requests()
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
                let Passed { len, refusal } = framing.pass(&mut held);
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
            "0\r\nA b: c\r\n",
            "0\r\nA\r\n",
            "0\r\nA: b\r\n c: d\r\n",
            "0\r\nA: \u{1}b\r\n",
        ] {
            let mut bytes = [CHUNKED, body.as_bytes()].concat();
            let passed = Framing::new(1024).pass(&mut bytes);
            assert_eq!(passed.refusal, Some(Refusal::Chunk), "{body:?}");
            assert!(passed.len >= CHUNKED.len());
        }
    }

    #[test]
    fn what_is_passed_over_of_a_body_is_bounded() {
        let refusal = |body: &str| {
            let mut bytes = [CHUNKED, body.as_bytes()].concat();
            Framing::new(1024).pass(&mut bytes).refusal
        };
        // However they are distributed over chunks; each body has its own limit.
        let extensions =
            |bytes: usize| format!("1;{}\r\na\r\n", "e".repeat(100)).repeat(bytes / 100);
        let chunked = std::str::from_utf8(CHUNKED).unwrap();
        let some = extensions(8_000);
        assert_eq!(refusal(&format!("{some}0\r\n\r\n{chunked}{some}")), None);
        assert_eq!(refusal(&extensions(8_300)), Some(Refusal::Chunk));
        assert_eq!(
            refusal(&format!("1;{}", "e".repeat(8_300))),
            Some(Refusal::Chunk)
        );
        let trailers = |count| format!("0\r\n{}", "A: b\r\n".repeat(count));
        assert_eq!(
            refusal(&format!("{}\r\n{chunked}{}", trailers(30), trailers(30))),
            None
        );
        assert_eq!(refusal(&trailers(32)), Some(Refusal::Chunk));
        assert_eq!(
            refusal(&format!("0\r\nA: {}", "b".repeat(5_000))),
            Some(Refusal::Chunk)
        );
    }

    #[test]
    fn the_wish_to_upgrade_is_hidden() {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nUpGrade: h2c\r\nUpgraded: x\r\nupgrade:\r\nConnection: Upgrade\r\n\r\n";
        let mut framing = Framing::new(1024);
        // The second head is recognized.
        for _ in 0..2 {
            let mut bytes = head.as_bytes().to_vec();
            assert_eq!(framing.pass(&mut bytes).len, head.len());
            assert_eq!(
                std::str::from_utf8(&bytes).unwrap(),
                "GET / HTTP/1.1\r\nHost: a\r\nignored: h2c\r\nUpgraded: x\r\nignored:\r\nConnection: Upgrade\r\n\r\n"
            );
        }
    }

    #[test]
    fn what_follows_a_good_request_is_refused_alone() {
        let good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut bytes = [&good[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(
            Framing::new(1024).pass(&mut bytes),
            Passed {
                len: good.len(),
                refusal: Some(Refusal::Host)
            }
        );
    }
}
