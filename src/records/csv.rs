//! CSV according to RFC 4180: commas, quotes, doubled quotes inside quotes; lines end with LF or CR LF.

use std::borrow::Cow;
use std::fmt;

use super::fault::FaultKind;
use super::marked::Marked;
use crate::request::Field;

/// Number of columns of a file.
const COLUMNS: usize = Field::ALL.len();

/// Order of the columns in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Fields in the order of the columns, each once.
    columns: [Field; COLUMNS],
}

/// Error of a header: a sentence that names columns, and repeats nothing of the file, whose first line may have plates
/// in place of a header.
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
    /// Reads a file's first record, which begins on `line`. It must name each of the ten columns once, in any order,
    /// and no other.
    ///
    /// # Errors
    /// If a column is missing, unknown, or repeated.
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

/// Joins names of columns for a sentence.
fn list(fields: impl IntoIterator<Item = Field>) -> String {
    let names = fields
        .into_iter()
        .map(|field| format!("`{}`", field.name()));
    names.collect::<Vec<_>>().join(", ")
}

fn read_names(record: &[u8]) -> Result<Vec<String>, FaultKind> {
    let mut names = Vec::new();
    let mut marked = Marked::new(record);
    let mut at = 0;
    loop {
        let (value, next) = Value::read(&mut marked, at, record.len());
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

/// Positions of a record's values, in the order of [`Field::ALL`].
pub(super) struct Places {
    values: [Value; COLUMNS],
    /// Offset of the text that they refer to.
    begin: usize,
}

impl Places {
    /// Positions without a record.
    pub(super) const NONE: Places = Places {
        values: [Value::EMPTY; COLUMNS],
        begin: 0,
    };

    /// Returns the value of a field, from the text that [`read`] returned.
    #[inline]
    pub(super) fn value<'a>(&self, text: &'a str, field: Field) -> Cow<'a, str> {
        let value = self.values[field as usize];
        value.unescape(&text[value.start - self.begin..value.end - self.begin])
    }
}

/// Reads the record at `start`, which ends before `end`, and sets `places`. Returns a text that holds the values, and
/// the offset after the record with its line feed. If all of the bytes are known to be UTF-8, they are that text.
#[inline]
pub(super) fn read<'a>(
    header: &Header,
    marked: &mut Marked<'a>,
    (start, end): (usize, usize),
    known: Option<&'a str>,
    places: &mut Places,
) -> (Result<&'a str, FaultKind>, usize) {
    places.begin = if known.is_some() { 0 } else { start };
    if let Some(text) = known
        && let Some(after) = read_usual(header, marked, start, places)
        && after <= end
    {
        return (Ok(text), after);
    }
    let (mut count, mut at, mut fault) = (0, start, None);
    let after = loop {
        let (value, next) = Value::read(marked, at, end);
        fault = fault.or(value.fault);
        if let Some(&field) = header.columns.get(count) {
            places.values[field as usize] = value;
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
    } else if let Some(text) =
        known.or_else(|| std::str::from_utf8(&marked.bytes()[start..after]).ok())
    {
        return (Ok(text), after);
    } else {
        FaultKind::NotUtf8
    };
    (Err(fault), after)
}

/// Fast path: reads the record at `start` if it has as many values as there are columns, no quotes within quotes, a
/// final line feed, and no fault. Returns the offset after it.
#[inline(always)]
fn read_usual(
    header: &Header,
    marked: &mut Marked<'_>,
    start: usize,
    places: &mut Places,
) -> Option<usize> {
    let bytes = marked.bytes();
    let mut at = start;
    for (nth, &field) in header.columns.iter().enumerate() {
        let is_quoted = bytes.get(at) == Some(&b'"');
        let (start, end, after) = if is_quoted {
            let end = marked.quote(at + 1);
            (at + 1, end, end + 1)
        } else {
            let end = marked.special(at);
            (at, end, end)
        };
        let is_last = nth + 1 == COLUMNS;
        if *bytes.get(after)? != if is_last { b'\n' } else { b',' } {
            return None;
        }
        let value = Value {
            start,
            end,
            ..Value::EMPTY
        };
        places.values[field as usize] = match is_last && !is_quoted {
            true => value.without_cr(bytes),
            false => value,
        };
        at = after + 1;
    }
    Some(at)
}

/// Position of a value, without the quotes around it.
#[derive(Clone, Copy)]
struct Value {
    start: usize,
    end: usize,
    /// True if the value has doubled quotes.
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

/// Element after a value, with its offset.
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

    /// Reads the value at `start` of a record that ends before `end`.
    #[inline(always)]
    fn read(marked: &mut Marked<'_>, start: usize, end: usize) -> (Value, Next) {
        if marked.bytes()[..end].get(start) == Some(&b'"') {
            Value::read_quoted(marked, start + 1, end)
        } else {
            Value::read_plain(marked, start, end)
        }
    }

    #[inline(always)]
    fn read_plain(marked: &mut Marked<'_>, start: usize, end: usize) -> (Value, Next) {
        let text = &marked.bytes()[..end];
        let mut value = Value {
            start,
            ..Value::EMPTY
        };
        let mut at = start;
        loop {
            at = marked.special(at).min(end);
            value.end = at;
            match text.get(at) {
                Some(b',') => return (value, Next::Value(at + 1)),
                Some(b'\n') => return (value.without_cr(text), Next::Record(at + 1)),
                Some(_) => value.fault = Some(QuoteFault::Stray),
                None => return (value.without_cr(text), Next::Record(end)),
            }
            at += 1;
        }
    }

    /// Continues after the opening quote of a value.
    #[inline(always)]
    fn read_quoted(marked: &mut Marked<'_>, start: usize, end: usize) -> (Value, Next) {
        let text = &marked.bytes()[..end];
        let mut value = Value {
            start,
            ..Value::EMPTY
        };
        let mut at = start;
        loop {
            value.end = marked.quote(at).min(end);
            at = value.end + 1;
            if at > end {
                value.fault = Some(QuoteFault::Unclosed);
                return (value, Next::Record(end));
            }
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
            [] | [b'\r'] => (value, Next::Record(end)),
            _ => {
                value.fault = Some(QuoteFault::After);
                (value, Value::read_plain(marked, at, end).1)
            }
        }
    }

    /// Drops the carriage return of a CR LF line end.
    #[inline]
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
mod tests;
