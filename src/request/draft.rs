//! Request under construction: converts the values of fields to the model's inputs, and collects faults.

use std::borrow::Cow;

use chrono::NaiveDateTime;

use super::json::{Reader, Syntax, Value};
use super::{Fault, Field, Problem, Request, Scores, number, scores, time};

/// Request under construction, and its faults.
pub(super) struct Draft<'a> {
    /// The request, as far as it is known.
    pub request: Request<'a>,
    /// Bitmap of the fields that were present.
    noted: u16,
    problems: Vec<Problem>,
}

impl<'a> Draft<'a> {
    /// Value of `noted` when all fields were present.
    const ALL: u16 = (1 << Field::ALL.len()) - 1;

    #[inline(always)]
    pub fn new() -> Draft<'a> {
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
                time: NaiveDateTime::default(),
                direction: f64::NAN,
            },
            noted: 0,
            problems: Vec::new(),
        }
    }

    /// Reads the request that begins with `first`, nested in `depth` arrays. Returns errors of syntax; faults of the
    /// request are collected.
    pub fn read(
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
            self.problems.push(Problem::NotAnObject(first.kind()));
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
                self.put_other(field, value);
            }
        }
        *reader = here;
        Ok(())
    }

    /// Marks a field as present. If it was present before, the new value and its faults replace the old ones.
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

    /// Fast path: reads a field's value in place if it is a number or a list in common notation, or a string without
    /// escapes. Returns true if it did.
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
            _ => match reader.plain_text() {
                Some(text) => {
                    self.put(field, Value::Text(Cow::Borrowed(text)));
                    true
                }
                None => false,
            },
        }
    }

    /// Takes a field's text, if it is present.
    #[inline(always)]
    pub fn take(&mut self, field: Field, text: Option<Cow<'a, str>>) {
        if let Some(text) = text {
            self.noted |= 1 << field as u16;
            self.put(field, Value::Text(text));
        }
    }

    /// Slow path of [`Draft::put`], kept out of line.
    #[inline(never)]
    fn put_other(&mut self, field: Field, value: Value<'a>) {
        self.put(field, value);
    }

    /// Takes a field's value, or adds its fault.
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

    /// Returns the faults of the request as an error, if there are any.
    #[inline(always)]
    pub fn check(&mut self) -> Result<(), Vec<Problem>> {
        match self.noted == Draft::ALL && self.problems.is_empty() {
            true => Ok(()),
            false => Err(self.told()),
        }
    }

    /// Returns the faults in the order of the message: repeated fields first, then field by field.
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

/// Expected kind of a categorical value.
const CATEGORY: &str = "a string or an integer";

/// Reads a categorical value. As in CatBoost, an integer becomes its decimal text, and a boolean 1 or 0.
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

fn local_time(value: Value<'_>) -> Result<NaiveDateTime, Fault> {
    match value {
        Value::Text(text) => time::from_iso(&text).ok_or(Fault::NoTime),
        other => Err(unlike("a string", &other)),
    }
}

fn unlike(expected: &'static str, found: &Value<'_>) -> Fault {
    Fault::Kind {
        expected,
        found: found.kind(),
    }
}
