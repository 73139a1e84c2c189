//! Turns records into requests.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};
use serde_json::value::RawValue;

use super::csv::{self, Places};
use super::marked::Marked;
use super::{Fault, FaultKind, Limits, Shape, Text};
use crate::request::{Field, Invalid, Request, parse_line, parse_object};

/// Iterator over the requests of whole records. Blank lines are skipped.
pub struct Records<'a> {
    shape: &'a Shape,
    marked: Marked<'a>,
    /// `marked` as text, if it is CSV and all of it UTF-8. This is checked once, not for each value.
    text: Option<&'a str>,
    /// Offset of the next record.
    at: usize,
    /// Offset of the last record.
    last: usize,
    /// Positions of the last record's values.
    places: Places,
    /// Text of the last record's values, if it is CSV.
    csv: Option<&'a str>,
    /// True if each line is a record, ignoring quotes.
    by_line: bool,
    /// Offset up to which lines were counted: the record whose line number was last requested.
    counted: usize,
    /// Line number at offset `counted`.
    line: u64,
    max_record: usize,
    /// True to accept `NaN` and `Infinity` as JSON numbers, as Python writes them.
    words: bool,
}

impl<'a> Records<'a> {
    /// Reads the records of `text`, whose format is `shape`.
    pub fn new(shape: &'a Shape, text: &'a Text) -> Records<'a> {
        Records {
            words: true,
            ..Records::of(shape, text, Limits::FILE.record)
        }
    }

    /// Reads the records of `text`. Records longer than `max_record` bytes are faults.
    pub fn of(shape: &'a Shape, text: &'a Text, max_record: usize) -> Records<'a> {
        let bytes = &text.bytes[..];
        Records {
            shape,
            marked: Marked::new(bytes),
            text: match shape {
                Shape::Csv(_) => simdutf8::basic::from_utf8(bytes).ok(),
                Shape::Ndjson => None,
            },
            at: 0,
            last: 0,
            places: Places::NONE,
            csv: None,
            by_line: text.by_line,
            counted: 0,
            line: text.line,
            max_record,
            words: false,
        }
    }

    /// Returns the next record as the body of a `POST /reg/`, if its request is valid.
    pub fn next_body(&mut self) -> Option<Result<Vec<u8>, Fault>> {
        let record = self.next_record()?;
        let body = record.and_then(|record| {
            self.request(&record).map_err(FaultKind::Request)?;
            Ok(self.json(&record))
        });
        Some(body.map_err(|kind| self.fault(kind)))
    }

    /// Returns the bytes after the last record.
    pub fn rest(&self) -> &'a [u8] {
        &self.marked.bytes()[self.at..]
    }

    /// Returns the offset of the last record's beginning.
    pub fn last_offset(&self) -> usize {
        self.last
    }

    /// Returns the line number of the last record's beginning.
    fn line(&mut self) -> u64 {
        let passed = &self.marked.bytes()[self.counted..self.last];
        self.line += memchr_iter(b'\n', passed).count() as u64;
        self.counted = self.last;
        self.line
    }

    /// Returns the last record as a JSON object. A CSV record becomes an object of its columns.
    pub fn last_object(&self) -> Cow<'a, [u8]> {
        match self.csv {
            Some(text) => Cow::Owned(self.json(&Record::Csv(text))),
            None => Cow::Borrowed(self.marked.bytes()[self.last..self.at].trim_ascii()),
        }
    }

    /// Returns the next record, without reading its request.
    fn next_record(&mut self) -> Option<Result<Record<'a>, FaultKind>> {
        loop {
            let (bytes, at) = (self.marked.bytes(), self.at);
            let record = match (self.shape, &bytes[at..]) {
                (_, []) => return None,
                (Shape::Csv(_), [b'\n', ..]) => {
                    self.at += 1;
                    continue;
                }
                (Shape::Csv(_), [b'\r', b'\n', ..]) => {
                    self.at += 2;
                    continue;
                }
                (Shape::Csv(header), rest) => {
                    let end = match self.by_line {
                        true => at + line_len(rest),
                        false => bytes.len(),
                    };
                    let (marked, places) = (&mut self.marked, &mut self.places);
                    let (text, after) = csv::read(header, marked, (at, end), self.text, places);
                    self.at = after;
                    self.csv = text.as_ref().ok().copied();
                    text.map(Record::Csv)
                }
                (Shape::Ndjson, rest) => {
                    let line = &rest[..line_len(rest)];
                    self.at += line.len();
                    Ok(Record::Json(line))
                }
            };
            self.last = at;
            match record {
                Ok(Record::Json(line)) if line.trim_ascii().is_empty() => {}
                _ if self.at - at > self.max_record => {
                    return Some(Err(FaultKind::TooLong(self.max_record)));
                }
                record => return Some(record),
            }
        }
    }

    /// Reads the last record's request.
    #[inline]
    fn request(&self, record: &Record<'a>) -> Result<Request<'a>, Invalid> {
        match *record {
            Record::Json(line) if self.words => parse_line(line),
            Record::Json(line) => parse_object(line),
            Record::Csv(text) => {
                Request::from_columns(|field| Some(self.places.value(text, field)))
            }
        }
    }

    /// Converts the last record to a JSON object.
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

    /// Adds the line number of the last record to a fault.
    fn fault(&mut self, kind: FaultKind) -> Fault {
        Fault {
            line: self.line(),
            kind,
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Request<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.next_record()?;
        let fault = match record {
            Ok(record) => match self.request(&record) {
                Ok(request) => return Some(Ok(request)),
                Err(invalid) => FaultKind::Request(invalid),
            },
            Err(fault) => fault,
        };
        Some(Err(self.fault(fault)))
    }
}

/// Record whose request is not read yet.
enum Record<'a> {
    /// Line.
    Json(&'a [u8]),
    /// Text that holds the values, whose positions are kept in [`Records`].
    Csv(&'a str),
}

/// Length of the first line of `bytes`, including its line feed.
fn line_len(bytes: &[u8]) -> usize {
    memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}

/// Returns true if `text` is a JSON number. CSV may have numbers in other notations, or none.
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
    use crate::records::Header;

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
