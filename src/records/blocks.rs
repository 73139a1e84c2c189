//! Splits a file into blocks of whole records.

use std::fmt;
use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use super::csv::{Header, HeaderError};
use super::{Boundary, Fault, FaultKind, Format, Limits, Shape, Whole};

/// Byte-order mark at the beginning of some UTF-8 files.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads a source of any size, one [`Block`] at a time.
///
/// A block is returned as soon as a whole record was read, so that a slow pipe is answered as it flows.
pub struct Blocks<R> {
    source: R,
    limits: Limits,
    shape: Shape,
    boundary: Boundary,
    /// Buffer. Its first `len` bytes were read and not returned yet: the beginning of a record, or more after a fault.
    held: Vec<u8>,
    len: usize,
    /// Line number of the beginning of `held`, from 1.
    line: u64,
    /// True while the rest of a line that was too long is skipped.
    skipping: bool,
    /// Number of bytes in `held` that belonged to an abandoned record: each of their lines is a record.
    torn: usize,
    ended: bool,
    /// True if no byte was dropped yet: a byte-order mark counts only at the very beginning.
    untouched: bool,
}

/// Result of [`Blocks::next`].
#[derive(Debug)]
pub enum Block {
    /// Whole records.
    Records(Text),
    /// Record that is too long, or whose quotes are never closed.
    Fault(Fault),
}

/// Text of whole records.
#[derive(Debug)]
pub struct Text {
    /// Bytes. Only the file's last record may lack its line feed.
    pub bytes: Vec<u8>,
    /// Line number of the first byte, from 1.
    pub line: u64,
    /// True if each line is a record, ignoring quotes.
    pub by_line: bool,
}

/// Reason why a source cannot be read as a file of requests.
#[derive(Debug)]
pub enum Unreadable {
    /// Reading failed.
    Io(io::Error),
    /// The CSV's header does not name the columns.
    Header(HeaderError),
    /// The file is one JSON array.
    Array,
    /// The file is UTF-16.
    Utf16,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Io(error) => error.fmt(formatter),
            Unreadable::Header(error) => error.fmt(formatter),
            Unreadable::Array => formatter.write_str(
                "one JSON array: put one object on each line, for example with `jq -c '.[]'`",
            ),
            Unreadable::Utf16 => formatter.write_str(
                "UTF-16: save the file as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`",
            ),
        }
    }
}

impl std::error::Error for Unreadable {}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Unreadable {
        Unreadable::Io(error)
    }
}

impl<R: Read> Blocks<R> {
    /// Starts to read the file `source`, as [`Blocks::begin`] does.
    ///
    /// # Errors
    /// As [`Blocks::begin`].
    pub fn open(source: R, format: Option<Format>) -> Result<Blocks<R>, Unreadable> {
        let mut blocks = Blocks::new(source, Limits::FILE);
        blocks.begin(format)?;
        Ok(blocks)
    }

    /// Creates a reader. Reads nothing of `source` before [`Blocks::begin`].
    pub fn new(source: R, limits: Limits) -> Blocks<R> {
        Blocks {
            source,
            limits,
            shape: Shape::Ndjson,
            boundary: Boundary::new(Format::Ndjson),
            held: Vec::new(),
            len: 0,
            line: 1,
            skipping: false,
            torn: 0,
            ended: false,
            untouched: true,
        }
    }

    /// Detects the format. Skips a byte-order mark; without a `format`, a file that begins with `{` is NDJSON and any
    /// other CSV. Reads the header of CSV.
    ///
    /// # Errors
    /// If reading fails, the CSV's header does not name each column once, or the file is one JSON array. After
    /// [`io::ErrorKind::WouldBlock`] it may be called again when there is more to read.
    pub fn begin(&mut self, format: Option<Format>) -> Result<(), Unreadable> {
        // UTF-16 shows in the second byte at the latest.
        let first = loop {
            let first = self.skip_to_text();
            if let Some(first) = first
                && (self.len > 1 || self.ended)
            {
                break first;
            }
            if !self.fill()? {
                match first {
                    Some(first) => break first,
                    None => return Ok(()),
                }
            }
        };
        // Either byte-order mark of UTF-16, or half of its first letter.
        if matches!(first, 0xfe | 0xff | 0) || self.held[..self.len].get(1) == Some(&0) {
            return Err(Unreadable::Utf16);
        }
        match format {
            None if first == b'[' => return Err(Unreadable::Array),
            None if first == b'{' => return Ok(()),
            Some(Format::Ndjson) => return Ok(()),
            None | Some(Format::Csv) => {}
        }
        if self.boundary.format() != Format::Csv {
            self.boundary = Boundary::new(Format::Csv);
        }
        self.shape = Shape::Csv(self.read_header()?);
        self.boundary = Boundary::new(Format::Csv);
        Ok(())
    }

    /// Capacity of the buffer, in bytes.
    pub fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Returns the source.
    pub fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// Drops a byte-order mark and blank lines. Returns the first byte that follows, if it was read. A second call
    /// drops nothing that follows, since the boundary has scanned it.
    fn skip_to_text(&mut self) -> Option<u8> {
        let held = &self.held[..self.len];
        if self.untouched && BOM.starts_with(held) && held.len() < BOM.len() && !self.ended {
            return None;
        }
        let mark = if self.untouched && held.starts_with(BOM) {
            BOM.len()
        } else {
            0
        };
        self.untouched = false;
        let blank = held[mark..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.line += memchr_iter(b'\n', &held[..mark + blank]).count() as u64;
        self.drop_first(mark + blank);
        self.held[..self.len].first().copied()
    }

    fn read_header(&mut self) -> Result<Header, Unreadable> {
        let line = self.line;
        let len = loop {
            if let Some(whole) = self.boundary.scan_first(&self.held[..self.len]) {
                break whole.len;
            }
            if self.len > self.limits.record || !self.fill()? {
                break self.len;
            }
        };
        // Also a header that arrived whole: the timing of bytes must not matter.
        if len > self.limits.record {
            let error = HeaderError::too_long(line, self.limits.record);
            return Err(Unreadable::Header(error));
        }
        let record = &self.held[..len];
        let header = Header::parse(record, line).map_err(Unreadable::Header)?;
        self.line += memchr_iter(b'\n', record).count() as u64;
        self.drop_first(len);
        Ok(header)
    }

    /// Returns the format of the records.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the next block, or `None` at the end. `buffer` is reused for the bytes that follow; its contents do not
    /// matter.
    ///
    /// # Errors
    /// If reading fails. After [`io::ErrorKind::WouldBlock`] it may be called again when there is more to read.
    pub fn next(&mut self, buffer: Vec<u8>) -> io::Result<Option<Block>> {
        loop {
            if self.skipping && !self.skip_line() {
                if !self.fill()? {
                    return Ok(None);
                }
                continue;
            }
            if let Some(end) = memrchr(b'\n', &self.held[..std::mem::take(&mut self.torn)]) {
                let lines = memchr_iter(b'\n', &self.held[..=end]).count() as u64;
                let text = self.hand_out(end + 1, lines, true, buffer);
                return Ok(Some(Block::Records(text)));
            }
            let held = &self.held[..self.len];
            if let Some(Whole { len, lines }) = self.boundary.scan(held) {
                let text = self.hand_out(len, lines, false, buffer);
                return Ok(Some(Block::Records(text)));
            }
            if self.len > self.limits.record || (self.ended && self.boundary.is_quoted()) {
                return Ok(Some(self.give_up()));
            }
            if self.fill()? {
                continue;
            }
            if self.len == 0 {
                return Ok(None);
            }
            if !self.boundary.is_quoted() {
                self.boundary = Boundary::new(self.shape.format());
                let text = self.hand_out(self.len, 0, false, buffer);
                return Ok(Some(Block::Records(text)));
            }
        }
    }

    /// Returns the first `len` bytes of `held`, with `lines` line feeds. The rest, usually short, moves to `buffer`,
    /// which becomes `held`.
    fn hand_out(&mut self, len: usize, lines: u64, by_line: bool, mut buffer: Vec<u8>) -> Text {
        let rest = &self.held[len..self.len];
        if buffer.len() < rest.len() {
            buffer.resize(rest.len(), 0);
        }
        buffer[..rest.len()].copy_from_slice(rest);
        self.len = rest.len();
        std::mem::swap(&mut self.held, &mut buffer);
        buffer.truncate(len);
        let line = self.line;
        self.line += lines;
        Text {
            bytes: buffer,
            line,
            by_line,
        }
    }

    /// Drops the first line of `held`. If quotes made it too long, the following lines are records again, so that one
    /// bad row costs one row. The lines that are already held are not searched for quotes again: that could fail line
    /// after line, each time through all of `held`.
    fn give_up(&mut self) -> Block {
        let kind = match self.boundary.is_quoted() {
            true => FaultKind::UnclosedQuote,
            false => FaultKind::TooLong(self.limits.record),
        };
        let line = self.line;
        self.skipping = true;
        self.torn = self.len;
        self.boundary = Boundary::new(self.shape.format());
        Block::Fault(Fault { line, kind })
    }

    /// Drops `held` up to the end of the line. Returns true if that end was found.
    fn skip_line(&mut self) -> bool {
        match memchr(b'\n', &self.held[..self.len]) {
            Some(end) => {
                self.drop_first(end + 1);
                self.line += 1;
                self.skipping = false;
                true
            }
            None => {
                self.len = 0;
                self.torn = 0;
                false
            }
        }
    }

    fn drop_first(&mut self, len: usize) {
        self.held.copy_within(len..self.len, 0);
        self.len -= len;
        self.torn = self.torn.saturating_sub(len);
    }

    /// Reads once. Returns true if there was anything.
    fn fill(&mut self) -> io::Result<bool> {
        // A reused buffer ends where its records did.
        if self.len == self.held.len() || self.held.len() < self.limits.block {
            self.held.resize(self.limits.block.max(2 * self.len), 0);
        }
        while !self.ended {
            match self.source.read(&mut self.held[self.len..]) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    self.len += read;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
