//! The ten fields of a request: reads and checks them, and names faults.
//!
//! They come as JSON ([`parse_body`], [`parse_object`]) or as columns of text ([`Request::from_columns`]). Both become
//! one `Value` per field first, and then follow the same rules.

mod decimal;
mod draft;
mod fault;
mod field;
mod json;
mod number;
mod scores;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;

use chrono::NaiveDateTime;
use draft::Draft;
use fault::BadElements;
pub use fault::{Fault, Invalid, Problem};
pub use field::Field;
use field::each_field;
use json::{Reader, Syntax, Value};
pub use scores::Scores;

/// Maximum number of requests in one array.
pub const MAX_ELEMENTS: usize = 1_000;

/// Checked input of `pick_regno`. Text without escapes is borrowed from the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// The plate as the camera read it.
    pub regno_recognize: Cow<'a, str>,
    /// The plate as the network read it.
    pub afts_regno_ai: Cow<'a, str>,
    /// Confidence of the camera, 0–100; NaN if unknown.
    pub recognition_accuracy: f64,
    /// Confidence of the network, 0–1; NaN if unknown.
    pub afts_regno_ai_score: f64,
    /// Confidence of the network in each character.
    pub char_scores: Scores,
    /// Greatest of `afts_regno_ai_length_scores`, or NaN if one is NaN: the other scores are not needed.
    pub max_length_score: f64,
    /// Type of the camera.
    pub camera_type: Cow<'a, str>,
    /// Model of the camera.
    pub camera_class: Cow<'a, str>,
    /// Local time of the recognition, to the second.
    pub time: NaiveDateTime,
    /// Direction of the car (coming or going) as a number; NaN if unknown.
    pub direction: f64,
}

/// The body of `POST /reg/`.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all bodies are one object, and boxing it would cost an allocation"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// One object.
    One(Request<'a>),
    /// An array of at most [`MAX_ELEMENTS`] objects.
    Many(Vec<Request<'a>>),
}

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

fn utf8(bytes: &[u8]) -> Result<&str, Syntax> {
    // Fast check of many bytes at a time; the position of a fault is searched only if there is one.
    simdutf8::basic::from_utf8(bytes).or_else(|_| {
        std::str::from_utf8(bytes).map_err(|error| Syntax {
            at: error.valid_up_to(),
            fault: "expected UTF-8",
        })
    })
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
            Err(Invalid::kind(kind(&other)))
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

    /// Converts borrowed text to owned text.
    fn into_owned(self) -> Request<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Request {
            regno_recognize: own(self.regno_recognize),
            afts_regno_ai: own(self.afts_regno_ai),
            camera_type: own(self.camera_type),
            camera_class: own(self.camera_class),
            ..self
        }
    }
}

impl Body<'_> {
    fn into_owned(self) -> Body<'static> {
        match self {
            Body::One(request) => Body::One(request.into_owned()),
            Body::Many(requests) => {
                Body::Many(requests.into_iter().map(Request::into_owned).collect())
            }
        }
    }
}

/// Kind of a value, with its article.
fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::Array => "an array",
        Value::Object => "an object",
    }
}
