//! Plain text of a file: unpacks gzip, and turns a JSON array into one object per line.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

const GZIP: &[u8] = b"\x1f\x8b";
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Text of a file. The first bytes, which identify its form, are not read before the first call of [`Read::read`].
pub(super) enum Plain<R> {
    /// Nothing has been read.
    New(Option<R>),
    /// Text that is passed through.
    Text(BufReader<R>),
    Unpacked(Box<MultiGzDecoder<BufReader<R>>>),
}

impl<R: Read> Plain<R> {
    pub(super) fn new(file: R) -> Self {
        Self::New(Some(file))
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Text(text) => return text.read(buffer),
                Self::Unpacked(unpacked) => {
                    return unpacked.read(buffer).map_err(explained);
                }
                Self::New(file) => {
                    let Some(file) = file.take() else {
                        return Ok(0);
                    };
                    let mut text = BufReader::new(file);
                    // A pipe that returned a single byte is text: gzip writes its header at once.
                    *self = match text.fill_buf()?.starts_with(GZIP) {
                        true => Self::Unpacked(Box::new(MultiGzDecoder::new(text))),
                        false => Self::Text(text),
                    };
                }
            }
        }
    }
}

/// Adds to the error that the gzip data is damaged.
fn explained(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => error,
        io::ErrorKind::UnexpectedEof => io::Error::new(
            error.kind(),
            "the gzip data end too early: the file is cut off; fetch or pack it again",
        ),
        kind => io::Error::new(
            kind,
            format!("the gzip data are damaged ({error}); fetch or pack the file again"),
        ),
    }
}

/// Turns a JSON array into its elements, one per line, in order. Passes any other text through.
pub(super) struct Elements<R> {
    text: R,
    state: State,
    /// Number of bytes of a byte-order mark that were skipped.
    marks: usize,
    escaped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte that is neither a blank nor part of a byte-order mark.
    Begin,
    /// Not an array: bytes are passed through.
    Other,
    /// In an array, at this depth of brackets; 0 after its end.
    Array(usize),
    /// In a string, at this depth of brackets.
    Quoted(usize),
}

impl<R: Read> Elements<R> {
    pub(super) fn new(text: R) -> Self {
        Self {
            text,
            state: State::Begin,
            marks: 0,
            escaped: false,
        }
    }

    /// Returns the replacement of a byte; `None` for a bracket or blank of the array itself.
    fn next(&mut self, byte: u8) -> Option<u8> {
        match self.state {
            State::Other => {}
            State::Begin if MARK.get(self.marks) == Some(&byte) => self.marks += 1,
            State::Begin if byte.is_ascii_whitespace() => {}
            State::Begin if byte == b'[' => {
                self.state = State::Array(1);
                return None;
            }
            State::Begin => self.state = State::Other,
            State::Quoted(depth) => match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' => self.escaped = true,
                b'"' => self.state = State::Array(depth),
                _ => {}
            },
            State::Array(depth) => match byte {
                b'"' => self.state = State::Quoted(depth),
                b'[' | b'{' => self.state = State::Array(depth + 1),
                b']' | b'}' => {
                    self.state = State::Array(depth.saturating_sub(1));
                    if depth == 1 {
                        return None;
                    }
                }
                b',' if depth == 1 => return Some(b'\n'),
                b'\n' | b'\r' if depth > 0 => return Some(b' '),
                _ => {}
            },
        }
        Some(byte)
    }
}

impl<R: Read> Read for Elements<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.text.read(buffer)?;
            if read == 0 {
                return match self.state {
                    State::Array(1..) | State::Quoted(_) => Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the JSON array is not closed: the file is cut off",
                    )),
                    _ => Ok(0),
                };
            }
            if self.state == State::Other {
                return Ok(read);
            }
            let mut kept = 0;
            for at in 0..read {
                if let Some(byte) = self.next(buffer[at]) {
                    buffer[kept] = byte;
                    kept += 1;
                }
            }
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;

    /// Reader that returns one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(1);
            self.0.read(&mut buffer[..len])
        }
    }

    fn elements(text: &str) -> io::Result<String> {
        let mut whole = String::new();
        Elements::new(text.as_bytes()).read_to_string(&mut whole)?;
        let mut slow = String::new();
        Elements::new(Slow(text.as_bytes())).read_to_string(&mut slow)?;
        assert_eq!(whole, slow, "{text}");
        Ok(whole)
    }

    #[test]
    fn an_array_becomes_lines() {
        for (text, expected) in [
            ("[{\"a\":1},{\"b\":[1,2]}]", "{\"a\":1}\n{\"b\":[1,2]}"),
            (
                " \n[\n  {\n\"a\":\"],\\\"\"\n},\n{}\n]\n",
                " \n   { \"a\":\"],\\\"\" }\n {} \n",
            ),
            ("\u{feff}[{}]", "\u{feff}{}"),
            ("[]", ""),
            ("{\"a\":\n1}", "{\"a\":\n1}"),
            ("a,b\n[1],2\n", "a,b\n[1],2\n"),
            ("", ""),
        ] {
            assert_eq!(elements(text).unwrap(), expected, "{text}");
        }
        for text in ["[{}", "[{\"a\": \"]", "["] {
            let error = elements(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the JSON array is not closed: the file is cut off"
            );
        }
    }

    #[test]
    fn gzip_is_unpacked_and_damage_is_told() {
        let pack = |text: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let unpack = |bytes: &[u8]| {
            let mut text = String::new();
            Plain::new(bytes).read_to_string(&mut text).map(|_| text)
        };
        let two = [pack(b"{\"a\""), pack(b": 1}\n")].concat();
        assert_eq!(unpack(&two).unwrap(), "{\"a\": 1}\n");
        assert_eq!(unpack(b"{}").unwrap(), "{}");
        let error = unpack(&two[..two.len() - 4]).unwrap_err();
        assert!(
            error.to_string().starts_with("the gzip data end too early"),
            "{error}"
        );
        let mut damaged = two.clone();
        let place = damaged.len() - 8;
        damaged[place] ^= 1;
        let error = unpack(&damaged).unwrap_err();
        assert!(
            error.to_string().starts_with("the gzip data are damaged"),
            "{error}"
        );
    }
}
