//! Bodies, lines and columns become requests.

use std::borrow::Cow;

use super::draft::Draft;
use super::fault::{BadElements, Invalid, MAX_ELEMENTS};
use super::field::{Field, each_field};
use super::json::{Reader, Value, utf8};
use super::{Body, Request};

/// Reads a body: an object, an array of objects, or a JSON string that holds either.
///
/// # Errors
/// If the body is not JSON (RFC 8259, UTF-8), is another kind of value, or has an invalid request. Each fault of a
/// request is named.
pub fn parse_body(bytes: &[u8]) -> Result<Body<'_>, Invalid> {
    let mut reader = Reader::new(utf8(bytes)?);
    reader.skip_mark();
    match reader.value()? {
        Value::Text(inner) => {
            reader.end()?;
            match inner {
                Cow::Borrowed(inner) => read_body(inner),
                Cow::Owned(inner) => read_body(&inner).map(Body::into_owned),
            }
            .map_err(Invalid::within_string)
        }
        first => read_body_from(first, reader),
    }
}

/// Reads one object, such as a line of NDJSON.
///
/// # Errors
/// As [`parse_body`], and if it is not an object.
pub fn parse_object(bytes: &[u8]) -> Result<Request<'_>, Invalid> {
    parse_one(Reader::new(utf8(bytes)?))
}

/// Reads one object of a file, to which Python's `json.dumps` may have written `NaN` and `Infinity`, which are not
/// JSON.
///
/// # Errors
/// As [`parse_object`].
pub fn parse_line(bytes: &[u8]) -> Result<Request<'_>, Invalid> {
    parse_one(Reader::with_words(utf8(bytes)?))
}

#[inline(always)]
fn parse_one(mut reader: Reader<'_>) -> Result<Request<'_>, Invalid> {
    let first = reader.value()?;
    let mut draft = Draft::new();
    draft.read(&first, &mut reader, 0)?;
    reader.end()?;
    draft.check().map_err(Invalid::request)?;
    Ok(draft.request)
}

fn read_body(text: &str) -> Result<Body<'_>, Invalid> {
    let mut reader = Reader::new(text);
    let first = reader.value()?;
    read_body_from(first, reader)
}

/// Reads a body whose first value is `first`.
fn read_body_from<'a>(first: Value<'a>, mut reader: Reader<'a>) -> Result<Body<'a>, Invalid> {
    match first {
        Value::Object => {
            let mut draft = Draft::new();
            draft.read(&first, &mut reader, 0)?;
            draft.check().map_err(Invalid::request)?;
            // Moved once, at the end.
            reader.end()?;
            Ok(Body::One(draft.request))
        }
        Value::Array => {
            let requests = read_requests(&mut reader)?;
            reader.end()?;
            Ok(Body::Many(requests))
        }
        other => {
            reader.end()?;
            Err(Invalid::kind(other.kind()))
        }
    }
}

/// Reads the array that begins here.
fn read_requests<'a>(reader: &mut Reader<'a>) -> Result<Vec<Request<'a>>, Invalid> {
    let mut requests = Vec::new();
    let mut bad = BadElements::default();
    let mut array = reader.enter();
    let mut index = 0;
    while reader.element(&mut array)? {
        if index == MAX_ELEMENTS {
            return Err(Invalid::too_many());
        }
        let first = reader.value()?;
        let mut draft = Draft::new();
        draft.read(&first, reader, 1)?;
        match draft.check() {
            Ok(()) => requests.push(draft.request),
            Err(problems) => bad.push(index, problems),
        }
        index += 1;
    }
    bad.check()?;
    Ok(requests)
}

impl<'a> Request<'a> {
    /// Reads a request from columns of text. Numbers are text, and an empty column is a missing number.
    ///
    /// # Errors
    /// If a column is missing or has an invalid value. Each fault is named.
    pub fn from_columns<T: Into<Cow<'a, str>>>(
        mut column: impl FnMut(Field) -> Option<T>,
    ) -> Result<Request<'a>, Invalid> {
        let mut draft = Draft::new();
        let mut take = |field| draft.take(field, column(field).map(T::into));
        each_field!(take);
        draft.check().map_err(Invalid::request)?;
        Ok(draft.request)
    }
}
