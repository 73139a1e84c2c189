//! Finds the ends of records.

use memchr::{memchr_iter, memrchr};

use super::Format;
use crate::scan::marks_of_64;

/// Finds the end of the last whole record in bytes that arrive in pieces. Does no I/O and keeps no bytes.
///
/// A line feed ends a record, except inside quotes in CSV. A quote opens only at the beginning of a field. Elsewhere it
/// is a fault, which [`Records`](super::Records) reports and which does not swallow the following lines.
#[derive(Debug)]
pub struct Boundary {
    format: Format,
    /// Number of scanned bytes since the beginning of the incomplete record.
    seen: usize,
    /// Number of line feeds in the scanned bytes.
    lines: u64,
    /// True if offset `seen` is inside quotes.
    quoted: bool,
    /// Offset after the last closing quote. Another quote right there is an escaped one, and the text continues.
    closed: Option<usize>,
}

/// Whole records at the beginning of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Length in bytes, including the last line feed.
    pub len: usize,
    /// Number of line feeds.
    pub lines: u64,
}

impl Boundary {
    /// Creates a scanner at the beginning of a record.
    pub fn new(format: Format) -> Boundary {
        Boundary {
            format,
            seen: 0,
            lines: 0,
            quoted: false,
            closed: None,
        }
    }

    /// Finds the whole records of `bytes`, which consist of the rest of earlier calls and new bytes. The caller removes
    /// the returned records before the next call.
    pub fn scan(&mut self, bytes: &[u8]) -> Option<Whole> {
        let whole = match self.format {
            Format::Ndjson => self.scan_lines(bytes),
            Format::Csv => self.scan_quotes(bytes),
        };
        self.seen = bytes.len();
        if let Some(Whole { len, lines }) = whole {
            self.seen -= len;
            self.lines -= lines;
            self.closed = self.closed.and_then(|at| at.checked_sub(len));
        }
        whole
    }

    /// Like [`Boundary::scan`], but finds only the first whole record, and scans nothing after it.
    pub fn scan_first(&mut self, bytes: &[u8]) -> Option<Whole> {
        let seen = self.seen;
        memchr_iter(b'\n', &bytes[seen..])
            .find_map(|offset| self.scan(&bytes[..=seen + offset]))
            .or_else(|| self.scan(bytes))
    }

    /// Format of the records.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns true if the scanned bytes end inside quotes.
    pub fn is_quoted(&self) -> bool {
        self.quoted
    }

    fn scan_lines(&mut self, bytes: &[u8]) -> Option<Whole> {
        let len = self.seen + memrchr(b'\n', &bytes[self.seen..])? + 1;
        let lines = memchr_iter(b'\n', &bytes[..len]).count() as u64;
        self.lines = lines;
        Some(Whole { len, lines })
    }

    fn scan_quotes(&mut self, bytes: &[u8]) -> Option<Whole> {
        let is_special = |byte| (byte == b'"') | (byte == b'\n');
        let mut whole = None;
        let (blocks, rest) = bytes[self.seen..].as_chunks();
        let mut begin = self.seen;
        for block in blocks {
            self.scan_marks(bytes, begin, marks_of_64(block, is_special), &mut whole);
            begin += block.len();
        }
        let mut last = [0; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.scan_marks(bytes, begin, marks_of_64(&last, is_special), &mut whole);
        whole
    }

    /// Processes quotes and line feeds. `marks` has a bit per byte, the lowest for the byte at `begin`.
    #[inline(always)]
    fn scan_marks(
        &mut self,
        bytes: &[u8],
        begin: usize,
        mut marks: u64,
        whole: &mut Option<Whole>,
    ) {
        while marks != 0 {
            let at = begin + marks.trailing_zeros() as usize;
            marks &= marks - 1;
            if bytes[at] == b'\n' {
                self.lines += 1;
                if !self.quoted {
                    *whole = Some(Whole {
                        len: at + 1,
                        lines: self.lines,
                    });
                }
            } else if self.quoted {
                self.quoted = false;
                self.closed = Some(at);
            } else {
                let before = at.checked_sub(1);
                self.quoted = before.is_none_or(|before| {
                    matches!(bytes[before], b',' | b'\n') || self.closed == Some(before)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the records of `bytes` if they arrive `step` at a time, followed by the rest.
    fn split(format: Format, bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut boundary = Boundary::new(format);
        let (mut held, mut records) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(step) {
            held.extend_from_slice(piece);
            if let Some(whole) = boundary.scan(&held) {
                let record: Vec<u8> = held.drain(..whole.len).collect();
                assert_eq!(
                    whole.lines,
                    record.iter().filter(|&&byte| byte == b'\n').count() as u64
                );
                records.push(record);
            }
        }
        records.push(held);
        records
    }

    #[test]
    fn a_line_feed_inside_quotes_ends_nothing() {
        for (bytes, expected) in [
            ("a\nb\n", vec!["a\n", "b\n", ""]),
            ("\"a\nb\"\r\nc", vec!["\"a\nb\"\r\n", "c"]),
            ("\"a\"\"\nb\"\nc", vec!["\"a\"\"\nb\"\n", "c"]),
            ("\"\"\"\n\"\n\"\"\n", vec!["\"\"\"\n\"\n", "\"\"\n", ""]),
            ("x,\"\n\",y\n", vec!["x,\"\n\",y\n", ""]),
            // A quote that opens nothing, and text after one that closes.
            ("a\"b\nc\n", vec!["a\"b\n", "c\n", ""]),
            ("\"a\" \"\nb\n", vec!["\"a\" \"\n", "b\n", ""]),
            ("\"a\nb", vec!["\"a\nb"]),
            ("", vec![""]),
        ] {
            assert_eq!(
                split(Format::Csv, bytes.as_bytes(), 1),
                expected
                    .iter()
                    .map(|text| text.as_bytes())
                    .collect::<Vec<_>>(),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn how_bytes_arrive_changes_nothing() {
        let text = "x,\"a\"\"\n\"\"\",\"\"\r\n\"\n\",,\n\"\"\"\"\ny\"\n,\"\"\n";
        for format in [Format::Csv, Format::Ndjson] {
            let by_one = split(format, text.as_bytes(), 1);
            for step in 2..text.len() + 1 {
                let records = split(format, text.as_bytes(), step);
                assert_eq!(records.concat(), text.as_bytes());
                let mut ends = records.iter().scan(0, |at, record| {
                    *at += record.len();
                    Some(*at)
                });
                let fine: Vec<usize> = by_one
                    .iter()
                    .scan(0, |at, record| {
                        *at += record.len();
                        Some(*at)
                    })
                    .collect();
                assert!(ends.all(|end| fine.contains(&end)), "{format:?} {step}");
            }
        }
    }

    #[test]
    fn in_ndjson_quotes_mean_nothing() {
        assert_eq!(
            split(Format::Ndjson, b"{\"a\n\"}\n", 1),
            [&b"{\"a\n"[..], b"\"}\n", b""]
        );
    }
}
