//! Formats lines of segments.

use std::io::Write as _;

use chrono::DateTime;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;

use super::gather::{Entry, Source};
use super::settings::{Plates, Settings};
use crate::answer::write_float;
use crate::features::{Texts, features};
use crate::model::{self, Features};
use crate::pick_regno::Answer;
use crate::request::{Request, parse_object};

/// Formatter of rows.
pub(super) struct Rows {
    instance: String,
    plates: Plates,
    digest: Option<Hmac<Sha256>>,
    /// Names of the numeric and of the categorical inputs, each with the JSON that precedes its value.
    numeric: Vec<String>,
    categorical: Vec<String>,
}

/// Features of the model's card, for their names.
#[derive(Deserialize)]
struct Card {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    kind: String,
    name: String,
}

impl Rows {
    pub(super) fn new(instance: &str, settings: &Settings) -> Rows {
        let card: Card = serde_json::from_str(model::CARD).expect("the build wrote the card");
        let names = |kind: &str| -> Vec<String> {
            let features = card.features.iter().filter(|feature| feature.kind == kind);
            features.map(|feature| label(&feature.name)).collect()
        };
        let digest = match settings.plates {
            Plates::Hmac => Hmac::new_from_slice(&settings.key).ok(),
            Plates::Omit | Plates::Plain => None,
        };
        Rows {
            instance: instance.to_owned(),
            plates: settings.plates,
            digest,
            numeric: names("float"),
            categorical: names("categorical"),
        }
    }

    /// Appends a line for each row of an entry.
    pub(super) fn write(&self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let inner;
        let mut text = entry.text;
        if entry.source == Source::Body && text.trim_ascii_start().starts_with(b"\"") {
            inner = serde_json::from_slice::<String>(text).unwrap_or_default();
            text = inner.as_bytes();
        }
        let is_array = text.trim_ascii_start().starts_with(b"[");
        let objects: Vec<&RawValue> = match is_array {
            true => serde_json::from_slice(text).unwrap_or_default(),
            false => Vec::new(),
        };
        for (index, answer) in entry.answers().enumerate() {
            let object = match is_array {
                true => objects.get(index).map_or("null", |object| object.get()),
                // The model has answered it, so it is UTF-8.
                false => std::str::from_utf8(text).unwrap_or("null").trim_ascii(),
            };
            self.line(entry, index as u64, object, &answer, out);
        }
    }

    fn line(
        &self,
        entry: &Entry<'_>,
        index: u64,
        object: &str,
        answer: &Answer,
        out: &mut Vec<u8>,
    ) {
        let time = DateTime::from_timestamp_micros(entry.micros as i64).unwrap_or_default();
        let instance = &self.instance;
        // Writing to a Vec cannot fail. `Debug` of a time is RFC 3339, without a zero fraction.
        let _ = write!(
            out,
            "{{\"time\":\"{time:?}\",\"instance\":\"{instance}\",\"seq\":{},\"request_id\":",
            entry.seq + index
        );
        push_text(entry.request_id, out);
        let _ = write!(
            out,
            ",\"row\":{},\"model\":\"{}\"",
            entry.row + index,
            entry.model
        );
        if let Ok(request) = parse_object(object.as_bytes()) {
            let mut texts = Texts::default();
            self.inputs(&features(&request, &mut texts), out);
            self.digests(&request, out);
        }
        if self.plates == Plates::Plain {
            out.extend_from_slice(b",\"request\":");
            // JSON has line ends only outside strings, where they are blanks.
            let bytes = object.bytes();
            out.extend(bytes.map(|byte| {
                if matches!(byte, b'\n' | b'\r') {
                    b' '
                } else {
                    byte
                }
            }));
        }
        for (name, value) in [
            (",\"raw\":", answer.raw),
            (",\"negative\":", answer.negative),
            (",\"positive\":", answer.positive),
        ] {
            out.extend_from_slice(name.as_bytes());
            write_float(value, out);
        }
        out.extend_from_slice(b"}\n");
    }

    fn inputs(&self, features: &Features<'_>, out: &mut Vec<u8>) {
        let (numeric, categorical, _) = features.to_kinds();
        out.extend_from_slice(b",\"inputs\":{");
        let begin = out.len();
        for (name, value) in self.numeric.iter().zip(numeric) {
            out.extend_from_slice(name.as_bytes());
            write_number(value, out);
            out.push(b',');
        }
        for (name, value) in self.categorical.iter().zip(categorical) {
            out.extend_from_slice(name.as_bytes());
            push_text(value, out);
            out.push(b',');
        }
        if out.len() > begin {
            out.pop();
        }
        out.push(b'}');
    }

    fn digests(&self, request: &Request<'_>, out: &mut Vec<u8>) {
        let Some(digest) = &self.digest else { return };
        let hex = |plate: &str| {
            let mut digest = digest.clone();
            digest.update(plate.as_bytes());
            let bytes = digest.finalize().into_bytes();
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let _ = write!(
            out,
            ",\"plates\":{{\"regno_recognize\":\"{}\",\"afts_regno_ai\":\"{}\"}}",
            hex(&request.regno_recognize),
            hex(&request.afts_regno_ai)
        );
    }
}

/// JSON that precedes an input's value. The digits' inputs have the names of [`Features`], so that they are identifiers
/// in SQL, too.
fn label(name: &str) -> String {
    let digit = name.len() == 1 && name.as_bytes()[0].is_ascii_digit();
    format!("\"{}{name}\":", if digit { "f_" } else { "" })
}

/// Appends a number that reads back to the same `f32`; JSON has no NaN and no infinity.
fn write_number(value: f32, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"null");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"\"inf\"" } else { b"\"-inf\"" });
    } else {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

fn push_text(text: &str, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = serde_json::to_writer(out, text);
}
