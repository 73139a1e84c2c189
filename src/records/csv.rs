//! CSV as RFC 4180 has it: commas, quotes, quotes written twice inside quotes; lines end with LF or CR LF.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;

use super::fault::FaultKind;
use crate::request::Field;
use crate::scan::position;

/// Columns of a file.
const COLUMNS: usize = Field::ALL.len();

/// Which column of a file is which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Each field once.
    columns: [Field; COLUMNS],
}

/// Why a header cannot be used: a sentence that names columns, and repeats nothing of the file, which may have no
/// header but plates in its first line.
#[derive(Debug)]
pub struct HeaderError {
    line: u64,
    message: String,
}

impl HeaderError {
    pub(super) fn too_long(line: u64, limit: usize) -> HeaderError {
        HeaderError {
            line,
            message: FaultKind::TooLong(limit).to_string(),
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for HeaderError {}

impl Header {
    /// Reads a file's first record, which begins on `line`: each of the ten columns once, in any order, and no other.
    ///
    /// # Errors
    /// If a column is missing, unknown, or there twice.
    pub fn parse(record: &[u8], line: u64) -> Result<Header, HeaderError> {
        let error = |message| HeaderError { line, message };
        let names = read_names(record).map_err(|kind| error(kind.to_string()))?;
        let fields: Vec<Option<Field>> = names.iter().map(|name| Field::named(name)).collect();
        if !fields.iter().any(Option::is_some) {
            let hint = match names.iter().any(|name| name.contains(';')) {
                true => "; values are to be separated by commas",
                false => "",
            };
            return Err(error(format!(
                "the first line names none of the columns {}{hint}",
                list(Field::ALL)
            )));
        }
        let mut missing = Field::ALL
            .into_iter()
            .filter(|&field| !fields.contains(&Some(field)));
        if let Some(first) = missing.next() {
            let missing = list([first].into_iter().chain(missing));
            return Err(error(format!("the header lacks {missing}")));
        }
        for (at, field) in fields.iter().enumerate() {
            match field {
                None => {
                    return Err(error(format!(
                        "column {} of the header is none of {}: leave it out",
                        at + 1,
                        list(Field::ALL)
                    )));
                }
                Some(name) if fields[..at].contains(field) => {
                    return Err(error(format!("the header has `{}` twice", name.name())));
                }
                Some(_) => {}
            }
        }
        let mut columns = Field::ALL;
        for (column, field) in columns.iter_mut().zip(fields.into_iter().flatten()) {
            *column = field;
        }
        Ok(Header { columns })
    }
}

/// Names of columns, as a sentence has them.
fn list(fields: impl IntoIterator<Item = Field>) -> String {
    let names = fields
        .into_iter()
        .map(|field| format!("`{}`", field.name()));
    names.collect::<Vec<_>>().join(", ")
}

fn read_names(record: &[u8]) -> Result<Vec<String>, FaultKind> {
    let mut names = Vec::new();
    let mut at = 0;
    loop {
        let (value, next) = Value::read(record, at);
        if let Some(fault) = value.fault {
            return Err(fault.kind());
        }
        let text = std::str::from_utf8(&record[value.start..value.end]);
        let text = text.map_err(|_| FaultKind::NotUtf8)?;
        names.push(value.unescape(text).into_owned());
        match next {
            Next::Value(after) => at = after,
            Next::Record(_) => return Ok(names),
        }
    }
}

/// Where a record's values are in its text, in the order of [`Field::ALL`].
pub(super) struct Places([Value; COLUMNS]);

impl Places {
    /// Of no record.
    pub(super) const NONE: Places = Places([Value::EMPTY; COLUMNS]);

    /// The value of a field.
    #[inline]
    pub(super) fn value<'a>(&self, text: &'a str, field: Field) -> Cow<'a, str> {
        let value = self.0[field as usize];
        value.unescape(&text[value.start..value.end])
    }
}

/// Reads the record that `bytes` begin with: its text, which `places` then are about, and its length with the line feed.
/// `text` is the same as `bytes`, if all of it is known to be UTF-8.
#[inline]
pub(super) fn read<'a>(
    header: &Header,
    bytes: &'a [u8],
    text: Option<&'a str>,
    places: &mut Places,
) -> (Result<&'a str, FaultKind>, usize) {
    let (mut count, mut at, mut fault) = (0, 0, None);
    let len = loop {
        let (value, next) = Value::read(bytes, at);
        fault = fault.or(value.fault);
        if let Some(&field) = header.columns.get(count) {
            places.0[field as usize] = value;
        }
        count += 1;
        match next {
            Next::Value(after) => at = after,
            Next::Record(after) => break after,
        }
    };
    let fault = if let Some(fault) = fault {
        fault.kind()
    } else if let Some(&first) = header.columns.get(count) {
        FaultKind::TooFew(first)
    } else if count > header.columns.len() {
        FaultKind::TooMany {
            values: count,
            columns: header.columns.len(),
        }
    } else if let Some(text) = text.or_else(|| std::str::from_utf8(&bytes[..len]).ok()) {
        return (Ok(text), len);
    } else {
        FaultKind::NotUtf8
    };
    (Err(fault), len)
}

/// Where a value is: without the quotes around it.
#[derive(Clone, Copy)]
struct Value {
    start: usize,
    end: usize,
    /// Whether quotes in it are written twice.
    escaped: bool,
    fault: Option<QuoteFault>,
}

#[derive(Clone, Copy)]
enum QuoteFault {
    Stray,
    After,
    Unclosed,
}

impl QuoteFault {
    fn kind(self) -> FaultKind {
        match self {
            QuoteFault::Stray => FaultKind::StrayQuote,
            QuoteFault::After => FaultKind::AfterQuote,
            QuoteFault::Unclosed => FaultKind::UnclosedQuote,
        }
    }
}

/// What comes after a value, and where it begins.
enum Next {
    Value(usize),
    Record(usize),
}

impl Value {
    const EMPTY: Value = Value {
        start: 0,
        end: 0,
        escaped: false,
        fault: None,
    };

    /// Reads the value at `start`.
    fn read(text: &[u8], start: usize) -> (Value, Next) {
        if text.get(start) == Some(&b'"') {
            Value::read_quoted(text, start + 1)
        } else {
            Value::read_plain(text, start)
        }
    }

    fn read_plain(text: &[u8], start: usize) -> (Value, Next) {
        let mut value = Value {
            start,
            ..Value::EMPTY
        };
        let mut at = start;
        loop {
            let is_special = |byte| (byte == b',') | (byte == b'\n') | (byte == b'"');
            let Some(offset) = position(&text[at..], is_special) else {
                value.end = text.len();
                return (value.without_cr(text), Next::Record(text.len()));
            };
            at += offset;
            value.end = at;
            match text[at] {
                b',' => return (value, Next::Value(at + 1)),
                b'\n' => return (value.without_cr(text), Next::Record(at + 1)),
                _ => value.fault = Some(QuoteFault::Stray),
            }
            at += 1;
        }
    }

    /// Reads on after the quote that opens a value.
    fn read_quoted(text: &[u8], start: usize) -> (Value, Next) {
        let mut value = Value {
            start,
            ..Value::EMPTY
        };
        let mut at = start;
        loop {
            let Some(offset) = memchr(b'"', &text[at..]) else {
                value.end = text.len();
                value.fault = Some(QuoteFault::Unclosed);
                return (value, Next::Record(text.len()));
            };
            value.end = at + offset;
            at = value.end + 1;
            if text.get(at) != Some(&b'"') {
                break;
            }
            value.escaped = true;
            at += 1;
        }
        match &text[at..] {
            [b',', ..] => (value, Next::Value(at + 1)),
            [b'\n', ..] => (value, Next::Record(at + 1)),
            [b'\r', b'\n', ..] => (value, Next::Record(at + 2)),
            [] | [b'\r'] => (value, Next::Record(text.len())),
            _ => {
                value.fault = Some(QuoteFault::After);
                (value, Value::read_plain(text, at).1)
            }
        }
    }

    fn without_cr(mut self, text: &[u8]) -> Value {
        if self.end > self.start && text[self.end - 1] == b'\r' {
            self.end -= 1;
        }
        self
    }

    fn unescape(self, text: &str) -> Cow<'_, str> {
        match self.escaped {
            true => Cow::Owned(text.replace("\"\"", "\"")),
            false => Cow::Borrowed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [&'static str; COLUMNS] {
        Field::ALL.map(Field::name)
    }

    /// A header in the fields' own order.
    fn header() -> Header {
        Header::parse(names().join(",").as_bytes(), 1).unwrap()
    }

    /// The values of the record that `bytes` begin with, or what is wrong with it, and its length.
    fn values_of(
        header: &Header,
        bytes: &[u8],
        text: Option<&str>,
    ) -> (Result<[String; COLUMNS], String>, usize) {
        let mut places = Places::NONE;
        let (text, len) = read(header, bytes, text, &mut places);
        let values = |text| Field::ALL.map(|field| places.value(text, field).into_owned());
        (text.map(values).map_err(|fault| fault.to_string()), len)
    }

    /// The records of `text`, each as its values between bars, or what is wrong with it.
    fn records(text: &str) -> Vec<String> {
        let mut rest = text.as_bytes();
        let mut records = Vec::new();
        while !rest.is_empty() {
            // Known to be UTF-8 or not: it makes no difference.
            let (row, len) = values_of(&header(), rest, None);
            let (again, _) = values_of(&header(), rest, std::str::from_utf8(rest).ok());
            assert_eq!(row, again);
            records.push(match row {
                Ok(values) => values.join("|"),
                Err(fault) => fault,
            });
            rest = &rest[len..];
        }
        records
    }

    #[test]
    fn values_are_read_as_the_rfc_has_them() {
        for (text, expected) in [
            ("0,1,2,3,4,5,6,7,8,9\n", "0|1|2|3|4|5|6|7|8|9"),
            ("0,1,2,3,4,5,6,7,8,9\r\n", "0|1|2|3|4|5|6|7|8|9"),
            ("0,1,2,3,4,5,6,7,8,9", "0|1|2|3|4|5|6|7|8|9"),
            (",,,,,,,,,", "|||||||||"),
            (",,,,,,,,,\r\n", "|||||||||"),
            (
                "\"0\",\"1,\",\"2\n\",\"3\r\n\",\"\"\"4\"\"\",\"\",\"\"\"\",7,8,\"9\"\r\n",
                "0|1,|2\n|3\r\n|\"4\"||\"|7|8|9",
            ),
            ("А, b ,\t,3\r,4,5,6,7,8,\"9\"", "А| b |\t|3\r|4|5|6|7|8|9"),
        ] {
            assert_eq!(records(text), [expected], "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_the_next_record_is_read() {
        let good = "0,1,2,3,4,5,6,7,8,9\n";
        let told = |fault: FaultKind| fault.to_string();
        let many = |values| {
            told(FaultKind::TooMany {
                values,
                columns: 10,
            })
        };
        for (text, expected) in [
            ("0\n", told(FaultKind::TooFew(Field::AftsRegnoAi))),
            (
                "0,1,2,3,4,5,6,7,8\n",
                told(FaultKind::TooFew(Field::Direction)),
            ),
            ("0,1,2,3,4,5,6,7,8,9,\n", many(11)),
            ("0,1,2,3,4,5,6,7,8,9,10,11\n", many(12)),
            ("0,1\"1,2,3,4,5,6,7,8,9\n", told(FaultKind::StrayQuote)),
            ("0,\"1\"1,2,3,4,5,6,7,8,9\n", told(FaultKind::AfterQuote)),
            ("0,\"1\" ,2,3,4,5,6,7,8,9\n", told(FaultKind::AfterQuote)),
            ("0,\"1\"\r,2,3,4,5,6,7,8,9\n", told(FaultKind::AfterQuote)),
        ] {
            let read = records(&format!("{text}{good}"));
            assert_eq!(read, [expected.as_str(), "0|1|2|3|4|5|6|7|8|9"], "{text:?}");
        }
        assert_eq!(
            records("0,\"1\n0,1"),
            ["a quote is opened and not closed"],
            "there is no next record"
        );
        let (row, len) = values_of(&header(), b"\xff,1,2,3,4,5,6,7,8,9\n", None);
        assert_eq!(len, 20);
        assert_eq!(row.unwrap_err(), "not UTF-8: save the file as UTF-8");
    }

    #[test]
    fn columns_may_come_in_any_order() {
        let mut names = names();
        names.reverse();
        let header =
            Header::parse(format!("\"{}\"\r\n", names.join("\",\"")).as_bytes(), 1).unwrap();
        let (row, _) = values_of(&header, b"9,8,7,6,5,4,3,2,1,0", None);
        assert_eq!(
            row.unwrap(),
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
        );
    }

    #[test]
    fn a_header_must_name_each_column_once() {
        let all = names().join(",");
        for (header, expected) in [
            (
                all.replace(",direction", ""),
                "line 3: the header lacks `direction`",
            ),
            (
                all.replace("camera_type,", "").replace(",direction", ""),
                "line 3: the header lacks `camera_type`, `direction`",
            ),
            (
                format!("{all},direction"),
                "line 3: the header has `direction` twice",
            ),
            (
                format!("{all},А123ВС77"),
                "line 3: column 11 of the header is none of `regno_recognize`",
            ),
            (
                "А123ВС77,1".to_owned(),
                "line 3: the first line names none of the columns `regno_recognize`",
            ),
            (
                all.replace(',', ";"),
                "`direction`; values are to be separated by commas",
            ),
            (format!("{all}\""), "line 3: a quote inside a value"),
        ] {
            let error = Header::parse(header.as_bytes(), 3).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("А123"), "{error}");
        }
    }
}
