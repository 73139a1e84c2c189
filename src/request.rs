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
mod parse;
mod scores;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;

use chrono::NaiveDateTime;
pub use fault::{Fault, Invalid, MAX_ELEMENTS, Problem};
pub use field::Field;
pub use parse::{parse_body, parse_line, parse_object};
pub use scores::Scores;

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

impl Request<'_> {
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
