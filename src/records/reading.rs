//! Records become requests.

use memchr::{memchr, memchr_iter};
use serde_json::value::RawValue;

use super::csv::{self, Header, Places};
use super::{Fault, FaultKind, Format, Limits, Text};
use crate::request::{Field, Invalid, Request, parse_object};

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
    /// The same as `rest`, if it is CSV and all of it UTF-8: checked once, not value by value.
    text: Option<&'a str>,
    /// Where the last record's values are.
    places: Places,
    /// Whether each line is a record, whatever quotes it has.
    by_line: bool,
    /// What lines were counted in: from the end of the last record whose line was asked for.
    uncounted: &'a [u8],
    /// The line that `uncounted` begins on.
    line: u64,
    max_record: usize,
}

impl<'a> Records<'a> {
    /// The records of `text`, which are written as `shape` says.
    pub fn new(shape: &'a Shape, text: &'a Text) -> Records<'a> {
        Records::of(shape, text, Limits::FILE.record)
    }

    /// The records of `text`; those longer than `max_record` bytes are faults.
    pub fn of(shape: &'a Shape, text: &'a Text, max_record: usize) -> Records<'a> {
        let bytes = &text.bytes[..];
        Records {
            shape,
            rest: bytes,
            text: match shape {
                Shape::Csv(_) => simdutf8::basic::from_utf8(bytes).ok(),
                Shape::Ndjson => None,
            },
            places: Places::NONE,
            by_line: text.by_line,
            uncounted: bytes,
            line: text.line,
            max_record,
        }
    }

    /// The next record as the body of a `POST /reg/`, if it is a request that can be answered.
    pub fn next_body(&mut self) -> Option<Result<Vec<u8>, Fault>> {
        let (at, record) = self.next_record()?;
        let body = record.and_then(|record| {
            self.request(&record).map_err(FaultKind::Request)?;
            Ok(self.json(&record))
        });
        Some(body.map_err(|kind| self.fault(at, kind)))
    }

    /// What follows the records that were given.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next record, its request unread, and where it begins.
    fn next_record(&mut self) -> Option<(&'a [u8], Result<Record<'a>, FaultKind>)> {
        loop {
            let at = self.rest;
            let (record, len) = match (self.shape, at) {
                (_, []) => return None,
                (Shape::Csv(_), [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..]) => {
                    self.skip(at.len() - rest.len());
                    continue;
                }
                (Shape::Csv(header), _) => {
                    let end = match self.by_line {
                        true => line_len(at),
                        false => at.len(),
                    };
                    let known = self.text.map(|text| &text[..end]);
                    let (text, len) = csv::read(header, &at[..end], known, &mut self.places);
                    (text.map(Record::Csv), len)
                }
                (Shape::Ndjson, _) => {
                    let len = line_len(at);
                    (Ok(Record::Json(&at[..len])), len)
                }
            };
            self.skip(len);
            match record {
                Ok(Record::Json(line)) if line.trim_ascii().is_empty() => {}
                _ if len > self.max_record => {
                    return Some((at, Err(FaultKind::TooLong(self.max_record))));
                }
                record => return Some((at, record)),
            }
        }
    }

    /// The last record's request.
    #[inline]
    fn request(&self, record: &Record<'a>) -> Result<Request<'a>, Invalid> {
        match *record {
            Record::Json(line) => parse_object(line),
            Record::Csv(text) => {
                Request::from_columns(|field| Some(self.places.value(text, field)))
            }
        }
    }

    /// The last record as a JSON object.
    fn json(&self, record: &Record<'a>) -> Vec<u8> {
        let text = match *record {
            Record::Json(line) => return line.trim_ascii().to_vec(),
            Record::Csv(text) => text,
        };
        let mut json = vec![b'{'];
        for field in Field::ALL {
            let value = self.places.value(text, field);
            if json.len() > 1 {
                json.push(b',');
            }
            json.extend_from_slice(format!("\"{}\":", field.name()).as_bytes());
            if field.is_number() && is_json_number(&value) {
                json.extend_from_slice(value.as_bytes());
            } else {
                serde_json::to_writer(&mut json, &value).expect("a Vec takes all bytes");
            }
        }
        json.push(b'}');
        json
    }

    fn skip(&mut self, len: usize) {
        self.rest = &self.rest[len..];
        self.text = self.text.map(|text| &text[len..]);
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
        let fault = match record {
            Ok(record) => match self.request(&record) {
                Ok(request) => return Some(Ok(request)),
                Err(invalid) => FaultKind::Request(invalid),
            },
            Err(fault) => fault,
        };
        Some(Err(self.fault(at, fault)))
    }
}

/// A record whose request is not read yet.
enum Record<'a> {
    /// A line.
    Json(&'a [u8]),
    /// A record's text; where its values are is kept beside it.
    Csv(&'a str),
}

/// The length of the line that `bytes` begin with, with its line feed.
fn line_len(bytes: &[u8]) -> usize {
    memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}

/// Whether JSON can have `text` as a number: what CSV has may be a number in another way, or missing.
fn is_json_number(text: &str) -> bool {
    let value = serde_json::from_str::<&RawValue>(text);
    value.is_ok_and(|value| {
        value
            .get()
            .starts_with(|first: char| first == '-' || first.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_csv_can_be_sent_as_json() {
        let header = Field::ALL.map(Field::name).join(",");
        let header = Header::parse(header.as_bytes(), 1).unwrap();
        let text = Text {
            bytes: "7,\"\"\"А\"\"\",6.40,.5,[1],\"[0.5, 1]\",1,К,2021-08-01,\n1\n".into(),
            line: 2,
            by_line: false,
        };
        let shape = Shape::Csv(header);
        let mut records = Records::new(&shape, &text);
        let body = records.next_body().unwrap().unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"regno_recognize":"7","afts_regno_ai":"\"А\"","recognition_accuracy":6.40,"afts_regno_ai_score":".5","afts_regno_ai_char_scores":"[1]","afts_regno_ai_length_scores":"[0.5, 1]","camera_type":"1","camera_class":"К","time_check":"2021-08-01","direction":""}"#
        );
        let fault = records.next_body().unwrap().unwrap_err();
        assert!(fault.to_string().starts_with("line 3: "), "{fault}");
        assert!(records.next_body().is_none());
    }
}
