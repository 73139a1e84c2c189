//! Records become requests.

use memchr::{memchr, memchr_iter};

use super::csv::{self, Header, Values};
use super::{Fault, FaultKind, Format, MAX_RECORD, Text};
use crate::request::{Request, parse_object};

/// How a file's records are written, and for CSV in which order.
#[derive(Clone, Debug)]
pub enum Shape {
    /// One JSON object a line.
    Ndjson,
    /// Values in the order of the header.
    Csv(Header),
}

impl Shape {
    /// Which of the two it is.
    pub fn format(&self) -> Format {
        match self {
            Shape::Ndjson => Format::Ndjson,
            Shape::Csv(_) => Format::Csv,
        }
    }
}

/// The requests of whole records. Blank lines are none, and skipped.
pub struct Records<'a> {
    shape: &'a Shape,
    rest: &'a [u8],
    /// What lines were counted in: from the end of the last record whose line was asked for.
    uncounted: &'a [u8],
    /// The line that `uncounted` begins on.
    line: u64,
}

impl<'a> Records<'a> {
    /// The records of `text`, which are written as `shape` says.
    pub fn new(shape: &'a Shape, text: &'a Text) -> Records<'a> {
        Records {
            shape,
            rest: &text.bytes,
            uncounted: &text.bytes,
            line: text.line,
        }
    }

    /// The next record, its request unread, and where it begins.
    fn next_record(&mut self) -> Option<(&'a [u8], Result<Record<'a>, FaultKind>)> {
        loop {
            let at = self.rest;
            let (record, len) = match (self.shape, at) {
                (_, []) => return None,
                (Shape::Csv(_), [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..]) => {
                    self.rest = rest;
                    continue;
                }
                (Shape::Csv(header), _) => {
                    let (values, len) = csv::read(header, at);
                    (values.map(Record::Csv), len)
                }
                (Shape::Ndjson, _) => {
                    let len = memchr(b'\n', at).map_or(at.len(), |end| end + 1);
                    (Ok(Record::Json(&at[..len])), len)
                }
            };
            self.rest = &at[len..];
            match record {
                Ok(Record::Json(line)) if line.trim_ascii().is_empty() => {}
                _ if len > MAX_RECORD => return Some((at, Err(FaultKind::TooLong))),
                record => return Some((at, record)),
            }
        }
    }

    /// Where `at` is, with what is wrong there.
    fn fault(&mut self, at: &'a [u8], kind: FaultKind) -> Fault {
        let passed = self.uncounted.len() - at.len();
        self.line += memchr_iter(b'\n', &self.uncounted[..passed]).count() as u64;
        self.uncounted = at;
        Fault {
            line: self.line,
            kind,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Request<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let (at, record) = self.next_record()?;
        let request = record.and_then(Record::request);
        Some(request.map_err(|kind| self.fault(at, kind)))
    }
}

/// A record whose request is not read yet.
enum Record<'a> {
    /// A line.
    Json(&'a [u8]),
    Csv(Values<'a>),
}

impl<'a> Record<'a> {
    fn request(self) -> Result<Request<'a>, FaultKind> {
        match self {
            Record::Json(line) => parse_object(line),
            Record::Csv(mut values) => {
                Request::from_columns(|field| Some(std::mem::take(&mut values[field as usize])))
            }
        }
        .map_err(FaultKind::Request)
    }
}
