//! The ten fields of a request: reading them, checking them, naming what is wrong.
//!
//! They come as JSON ([`parse_body`], [`parse_object`]) or as columns of text ([`Request::from_columns`]); both are one
//! `Value` a field first, and from there on the rules are the same.

mod decimal;
mod fault;
mod json;
mod number;
mod scores;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;

use fault::BadElements;
pub use fault::{Fault, Invalid, Problem};
use json::{Reader, Syntax, Value};
pub use scores::Scores;
pub use time::Time;

/// The most requests that one array may hold.
pub const MAX_ELEMENTS: usize = 1_000;

/// What `pick_regno` takes, checked. Text is borrowed from the body where it holds no escapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// The plate as the camera read it.
    pub regno_recognize: Cow<'a, str>,
    /// The plate as the network read it.
    pub afts_regno_ai: Cow<'a, str>,
    /// How sure the camera is, 0–100; NaN if it is not known.
    pub recognition_accuracy: f64,
    /// How sure the network is, 0–1; NaN if it is not known.
    pub afts_regno_ai_score: f64,
    /// How sure the network is of each character.
    pub char_scores: Scores,
    /// The greatest of `afts_regno_ai_length_scores`, NaN if one is NaN: more is not asked of them.
    pub max_length_score: f64,
    /// What kind of camera it is.
    pub camera_type: Cow<'a, str>,
    /// Which model of camera it is.
    pub camera_class: Cow<'a, str>,
    /// When it was, on the clock where it was.
    pub time: Time,
    /// Whether the car comes or goes, as a number; NaN if it is not known.
    pub direction: f64,
}

/// A field of a request. In the order of the customer's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`Request` describes them")]
pub enum Field {
    RegnoRecognize,
    AftsRegnoAi,
    RecognitionAccuracy,
    AftsRegnoAiScore,
    AftsRegnoAiCharScores,
    AftsRegnoAiLengthScores,
    CameraType,
    CameraClass,
    TimeCheck,
    Direction,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 10] = [
        Field::RegnoRecognize,
        Field::AftsRegnoAi,
        Field::RecognitionAccuracy,
        Field::AftsRegnoAiScore,
        Field::AftsRegnoAiCharScores,
        Field::AftsRegnoAiLengthScores,
        Field::CameraType,
        Field::CameraClass,
        Field::TimeCheck,
        Field::Direction,
    ];

    /// Its name in JSON, and at the head of its column in CSV.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Field::RegnoRecognize => "regno_recognize",
            Field::AftsRegnoAi => "afts_regno_ai",
            Field::RecognitionAccuracy => "recognition_accuracy",
            Field::AftsRegnoAiScore => "afts_regno_ai_score",
            Field::AftsRegnoAiCharScores => "afts_regno_ai_char_scores",
            Field::AftsRegnoAiLengthScores => "afts_regno_ai_length_scores",
            Field::CameraType => "camera_type",
            Field::CameraClass => "camera_class",
            Field::TimeCheck => "time_check",
            Field::Direction => "direction",
        }
    }

    /// Whether it is a number, not a text.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Field::RecognitionAccuracy | Field::AftsRegnoAiScore | Field::Direction
        )
    }

    /// The field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Field> {
        let field = Field::of_length(name.len())?;
        (field.name() == name).then_some(field)
    }

    /// The field whose name has so many bytes.
    #[inline]
    fn of_length(len: usize) -> Option<Field> {
        *Field::BY_LENGTH.get(len)?
    }

    /// By their names' lengths: no two names are as long.
    const BY_LENGTH: [Option<Field>; 28] = {
        let mut fields = [None; _];
        let mut at = 0;
        while at < Field::ALL.len() {
            let field = Field::ALL[at];
            let held = &mut fields[field.name().len()];
            assert!(held.is_none());
            *held = Some(field);
            at += 1;
        }
        fields
    };
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
/// If it is not JSON (RFC 8259, UTF-8), or something else than these, or if a request is not one that can be answered:
/// then each of its faults is named.
pub fn parse_body(bytes: &[u8]) -> Result<Body<'_>, Invalid> {
    let mut reader = Reader::new(utf8(bytes)?);
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
/// As [`parse_body`], and if it is anything but an object.
pub fn parse_object(bytes: &[u8]) -> Result<Request<'_>, Invalid> {
    let mut reader = Reader::new(utf8(bytes)?);
    let first = reader.value()?;
    let mut draft = Draft::new();
    draft.read(&first, &mut reader, 0)?;
    reader.end()?;
    draft.check().map_err(Invalid::request)?;
    Ok(draft.request)
}

fn utf8(bytes: &[u8]) -> Result<&str, Syntax> {
    // Many bytes at a time; where it stopped is looked for only if it did.
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

/// Reads what begins with `first`.
fn read_body_from<'a>(first: Value<'a>, mut reader: Reader<'a>) -> Result<Body<'a>, Invalid> {
    let body = match first {
        Value::Object => {
            let mut draft = Draft::new();
            draft.read(&first, &mut reader, 0)?;
            draft.check().map_err(Invalid::request)?;
            Body::One(draft.request)
        }
        Value::Array => Body::Many(read_requests(&mut reader)?),
        other => {
            reader.end()?;
            return Err(Invalid::kind(kind(&other)));
        }
    };
    reader.end()?;
    Ok(body)
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
    /// A request from columns of text. Numbers are text there, and a column that is empty is a missing number.
    ///
    /// # Errors
    /// If a column is not there or does not hold what it has to; each fault is named.
    pub fn from_columns<T: Into<Cow<'a, str>>>(
        mut column: impl FnMut(Field) -> Option<T>,
    ) -> Result<Request<'a>, Invalid> {
        let mut draft = Draft::new();
        // One by one, so that each is compiled for its field.
        let mut take = |field| draft.take(field, column(field).map(T::into));
        take(Field::RegnoRecognize);
        take(Field::AftsRegnoAi);
        take(Field::RecognitionAccuracy);
        take(Field::AftsRegnoAiScore);
        take(Field::AftsRegnoAiCharScores);
        take(Field::AftsRegnoAiLengthScores);
        take(Field::CameraType);
        take(Field::CameraClass);
        take(Field::TimeCheck);
        take(Field::Direction);
        draft.check().map_err(Invalid::request)?;
        Ok(draft.request)
    }

    /// The same, borrowing nothing.
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

/// A request on its way, and what is wrong with it.
struct Draft<'a> {
    /// What of it is known so far.
    request: Request<'a>,
    /// A bit for each field that was there.
    noted: u16,
    problems: Vec<Problem>,
}

impl<'a> Draft<'a> {
    /// What `noted` is when all fields were there.
    const ALL: u16 = (1 << Field::ALL.len()) - 1;

    #[inline(always)]
    fn new() -> Draft<'a> {
        Draft {
            request: Request {
                regno_recognize: Cow::Borrowed(""),
                afts_regno_ai: Cow::Borrowed(""),
                recognition_accuracy: f64::NAN,
                afts_regno_ai_score: f64::NAN,
                char_scores: Scores::new(),
                max_length_score: f64::NAN,
                camera_type: Cow::Borrowed(""),
                camera_class: Cow::Borrowed(""),
                time: Time::default(),
                direction: f64::NAN,
            },
            noted: 0,
            problems: Vec::new(),
        }
    }

    /// Reads the request that begins with `first`, `depth` arrays deep. The error is that of the text; what is wrong with
    /// the request is noted.
    fn read(
        &mut self,
        first: &Value<'a>,
        reader: &mut Reader<'a>,
        depth: usize,
    ) -> Result<(), Syntax> {
        if *first != Value::Object {
            if *first == Value::Array {
                reader.skip(depth)?;
            }
            self.noted = Draft::ALL;
            self.problems.push(Problem::NotAnObject(kind(first)));
            return Ok(());
        }
        // A copy, whose position need not be kept in memory.
        let mut here = *reader;
        let mut object = here.enter();
        while let Some(field) = here.key(&mut object)? {
            if let Some(field) = field {
                self.note(field);
                if self.read_usual(field, &mut here) {
                    continue;
                }
            }
            let value = here.value()?;
            if let Value::Array | Value::Object = value {
                here.apart(|reader| reader.skip(depth + 1))?;
            }
            if let Some(field) = field {
                self.put(field, value);
            }
        }
        *reader = here;
        Ok(())
    }

    /// Notes that a field is there. If it was before, the new value counts, and what was wrong with the old one does not.
    #[inline(always)]
    fn note(&mut self, field: Field) {
        let bit = 1 << field as u16;
        if self.noted & bit != 0 {
            self.forget(field);
        }
        self.noted |= bit;
    }

    #[cold]
    fn forget(&mut self, field: Field) {
        let twice = Problem::Field(field, Fault::Twice);
        self.problems.retain(|problem| {
            *problem == twice || !matches!(problem, Problem::Field(other, _) if *other == field)
        });
        if !self.problems.contains(&twice) {
            self.problems.push(twice);
        }
    }

    /// Reads a field's value where it lies if it is a number or a list in usual notation.
    #[inline(always)]
    fn read_usual(&mut self, field: Field, reader: &mut Reader<'a>) -> bool {
        let request = &mut self.request;
        match field {
            Field::RecognitionAccuracy => reader.usual_number(&mut request.recognition_accuracy),
            Field::AftsRegnoAiScore => reader.usual_number(&mut request.afts_regno_ai_score),
            Field::Direction => reader.usual_number(&mut request.direction),
            Field::AftsRegnoAiCharScores => {
                reader.usual_text(|text| scores::usual_all(text, &mut request.char_scores))
            }
            Field::AftsRegnoAiLengthScores => reader
                .usual_text(|text| scores::usual_greatest(text, &mut request.max_length_score)),
            _ => false,
        }
    }

    /// Takes a field's text, if there is one.
    #[inline(always)]
    fn take(&mut self, field: Field, text: Option<Cow<'a, str>>) {
        if let Some(text) = text {
            self.noted |= 1 << field as u16;
            self.put(field, Value::Text(text));
        }
    }

    /// Takes a field's value, or notes what is wrong with it.
    #[inline(always)]
    fn put(&mut self, field: Field, value: Value<'a>) {
        let request = &mut self.request;
        let put = match field {
            Field::RegnoRecognize => text(value).map(|text| request.regno_recognize = text),
            Field::AftsRegnoAi => text(value).map(|text| request.afts_regno_ai = text),
            Field::RecognitionAccuracy => {
                number(value).map(|number| request.recognition_accuracy = number)
            }
            Field::AftsRegnoAiScore => {
                number(value).map(|number| request.afts_regno_ai_score = number)
            }
            Field::AftsRegnoAiCharScores => {
                list(value).and_then(|list| scores::all(&list, &mut request.char_scores))
            }
            Field::AftsRegnoAiLengthScores => {
                list(value).and_then(|list| scores::greatest(&list, &mut request.max_length_score))
            }
            Field::CameraType => category(value).map(|text| request.camera_type = text),
            Field::CameraClass => category(value).map(|text| request.camera_class = text),
            Field::TimeCheck => local_time(value).map(|time| request.time = time),
            Field::Direction => number(value).map(|number| request.direction = number),
        };
        if let Err(fault) = put {
            self.problems.push(Problem::Field(field, fault));
        }
    }

    /// Says what is wrong with the request, if anything is.
    #[inline(always)]
    fn check(&mut self) -> Result<(), Vec<Problem>> {
        match self.noted == Draft::ALL && self.problems.is_empty() {
            true => Ok(()),
            false => Err(self.told()),
        }
    }

    /// What is wrong, in the order in which it is told: what is there twice first, then field by field.
    #[cold]
    fn told(&mut self) -> Vec<Problem> {
        let mut problems = std::mem::take(&mut self.problems);
        let missing = Field::ALL
            .into_iter()
            .filter(|&field| self.noted & 1 << field as u16 == 0);
        problems.extend(missing.map(|field| Problem::Field(field, Fault::Missing)));
        problems.sort_by_key(|problem| match problem {
            Problem::NotAnObject(_) | Problem::Field(_, Fault::Twice) => 0,
            Problem::Field(field, _) => 1 + *field as usize,
        });
        problems
    }
}

fn text(value: Value<'_>) -> Result<Cow<'_, str>, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(unlike("a string", &other)),
    }
}

fn list(value: Value<'_>) -> Result<Cow<'_, str>, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(unlike("a string that holds a list of numbers", &other)),
    }
}

fn number(value: Value<'_>) -> Result<f64, Fault> {
    match value {
        Value::Null => Ok(f64::NAN),
        Value::Bool(bit) => Ok(f64::from(u8::from(bit))),
        Value::Number(number) => number::from_json(number).ok_or(Fault::NoNumber),
        Value::Text(text) => number::from_string(&text).ok_or(Fault::NoNumber),
        other => Err(unlike("a number", &other)),
    }
}

/// What a categorical value has to be.
const CATEGORY: &str = "a string or an integer";

/// A categorical value. As CatBoost does, an integer is taken as its decimal text, a truth value as 1 or 0.
fn category(value: Value<'_>) -> Result<Cow<'_, str>, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Number("-0") | Value::Bool(false) => Ok("0".into()),
        Value::Bool(true) => Ok("1".into()),
        Value::Number(number) if !number.contains(['.', 'e', 'E']) => Ok(number.into()),
        Value::Number(_) => Err(Fault::Kind {
            expected: CATEGORY,
            found: "a number with a fraction or an exponent",
        }),
        other => Err(unlike(CATEGORY, &other)),
    }
}

fn local_time(value: Value<'_>) -> Result<Time, Fault> {
    match value {
        Value::Text(text) => time::from_iso(&text).ok_or(Fault::NoTime),
        other => Err(unlike("a string", &other)),
    }
}

fn unlike(expected: &'static str, found: &Value<'_>) -> Fault {
    Fault::Kind {
        expected,
        found: kind(found),
    }
}

/// What a value is, with its article.
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
