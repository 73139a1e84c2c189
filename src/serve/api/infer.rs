//! The Open Inference Protocol (V2, REST): the model as any inference server shows it, and `POST …/infer`, where each of the ten
//! fields is a tensor and each row one request.
//!
//! A tensor of `n` strings or numbers is one column; the rows are read and refused as the elements of an array that is sent to
//! `/reg/`. Binary tensors, an extension, are not read.

use std::fmt::Write as _;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::ledger::Ledger;
use super::reg::pick_all;
use super::route::Route;
use crate::answer::write_float;
use crate::pick_regno::Answer;
use crate::picker::Picker;
use crate::request::Field;
use crate::serve::http::reply::{self, Reply};

/// Name of the model in paths and answers.
pub(crate) const MODEL_NAME: &str = "pick_regno";

/// A request.
#[derive(Deserialize)]
struct Infer<'a> {
    id: Option<String>,
    #[serde(borrow)]
    inputs: Vec<Tensor<'a>>,
    #[serde(default)]
    outputs: Vec<Wanted>,
}

/// A column.
#[derive(Deserialize)]
struct Tensor<'a> {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

/// An output that is asked for.
#[derive(Deserialize)]
struct Wanted {
    name: String,
}

/// Outputs: a name, and its value of an answer.
type Output = (&'static str, fn(&Answer) -> f64);

const OUTPUTS: [Output; 3] = [
    ("negative", |answer| answer.negative),
    ("positive", |answer| answer.positive),
    ("raw", |answer| answer.raw),
];

/// The datatype of a field's tensor.
fn datatype(field: Field) -> &'static str {
    match field {
        Field::Direction => "INT64",
        field if field.is_number() => "FP64",
        _ => "BYTES",
    }
}

/// The answer at one of the routes that have no body to be read.
pub(crate) fn about(route: Route, picker: &Picker, is_ready: bool) -> Reply {
    let tensor = |name: &str, datatype| json!({"name": name, "datatype": datatype, "shape": [-1]});
    let body = match route {
        Route::V2 => json!({
            "name": "pick-regno",
            "version": env!("CARGO_PKG_VERSION"),
            "extensions": [],
        }),
        Route::V2Live => json!({"live": true}),
        Route::V2Ready => json!({"ready": is_ready}),
        Route::V2ModelReady => json!({"name": MODEL_NAME, "ready": is_ready}),
        _ => json!({
            "name": MODEL_NAME,
            "versions": [picker.sha256()],
            "platform": "catboost",
            "inputs": Field::ALL.map(|field| tensor(field.name(), datatype(field))),
            "outputs": OUTPUTS.map(|(name, _)| tensor(name, "FP64")),
        }),
    };
    let tells_ready = matches!(route, Route::V2Ready | Route::V2ModelReady);
    let status = match tells_ready && !is_ready {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    reply::json(status, format!("{body}\n"))
}

/// Answers the rows of a body: the answer, and how many rows were answered.
pub(super) fn infer(body: &[u8], ledger: &Ledger) -> (Reply, u64) {
    match infer_rows(body, ledger) {
        Ok((out, rows)) => (reply::json(StatusCode::OK, out), rows),
        Err(why) => {
            let message = format!("Bad request: {why}");
            (reply::fail(StatusCode::BAD_REQUEST, &message), 0)
        }
    }
}

fn infer_rows(body: &[u8], ledger: &Ledger) -> Result<(Vec<u8>, u64), String> {
    let (infer, rows) = rows_of(body)?;
    let outputs = outputs(&infer.outputs)?;
    let answers = pick_all(rows.as_bytes(), ledger).map_err(|invalid| invalid.to_string())?;
    let out = write(infer.id.as_deref(), &outputs, &answers, &ledger.picker);
    Ok((out, answers.len() as u64))
}

/// Reads a body, and turns its columns into an array of objects, as `/reg/` reads them.
fn rows_of(body: &[u8]) -> Result<(Infer<'_>, String), String> {
    let infer: Infer<'_> = serde_json::from_slice(body).map_err(|why| {
        // serde's own sentence may quote the body.
        format!(
            "not an inference request from line {} column {} on: expected {{\"inputs\":[{{\"name\":…,\"shape\":[n],\"datatype\":…,\"data\":[…]}},…]}}",
            why.line(),
            why.column()
        )
    })?;
    let mut columns: [Option<&Tensor<'_>>; Field::ALL.len()] = [None; _];
    let mut rows = None;
    for (nth, tensor) in infer.inputs.iter().enumerate() {
        let Some(field) = Field::named(&tensor.name) else {
            return Err(format!("input {nth} is none of the ten fields"));
        };
        let name = field.name();
        if columns[field as usize].replace(tensor).is_some() {
            return Err(format!("{name} is there more than once"));
        }
        check_type(field, tensor)?;
        let len = tensor.data.len();
        if tensor.shape != [len as u64] {
            return Err(format!(
                "{name}: the shape must be [{len}], as there are {len} values"
            ));
        }
        if *rows.get_or_insert(len) != len {
            return Err(format!(
                "{name}: {len} values; all inputs must have as many as the first"
            ));
        }
    }
    let mut text = String::from("[");
    for row in 0..rows.unwrap_or_default() {
        text.push_str(if row > 0 { ",{" } else { "{" });
        let mut separator = "";
        for (field, column) in Field::ALL.into_iter().zip(&columns) {
            if let Some(column) = column {
                // A String takes everything.
                let _ = write!(text, "{separator}\"{}\":{}", field.name(), column.data[row]);
                separator = ",";
            }
        }
        text.push('}');
    }
    text.push(']');
    let missing = Field::ALL.into_iter().zip(&columns);
    let missing = missing.filter(|(_, column)| column.is_none());
    let missing: Vec<String> = missing
        .map(|(field, _)| format!("{} is missing", field.name()))
        .collect();
    match missing.is_empty() {
        true => Ok((infer, text)),
        false => Err(missing.join(", ")),
    }
}

/// Checks that a tensor's values are what its datatype says, and that the field may have that.
fn check_type(field: Field, tensor: &Tensor<'_>) -> Result<(), String> {
    let name = field.name();
    let is_number = |value: &&RawValue| {
        let text = value.get();
        text == "null" || text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
    };
    let is_integer = |value: &&RawValue| is_number(value) && !value.get().contains(['.', 'e', 'E']);
    let is_text = |value: &&RawValue| value.get().starts_with('"');
    let mut values = tensor.data.iter();
    let (is_right, expected) = match (field.is_number(), tensor.datatype.as_str()) {
        (false, "BYTES") => (values.all(is_text), "strings"),
        (true, "FP64" | "FP32") => (values.all(is_number), "numbers"),
        (true, "INT64" | "INT32" | "INT16" | "INT8") => (values.all(is_integer), "integers"),
        (true, _) => return Err(format!("{name}: the datatype must be FP64 or INT64")),
        (false, _) => return Err(format!("{name}: the datatype must be BYTES")),
    };
    match is_right {
        true => Ok(()),
        false => Err(format!(
            "{name}: the data must be {expected}, one for each row"
        )),
    }
}

/// The outputs that are asked for, in their order; all, if none is.
fn outputs(wanted: &[Wanted]) -> Result<Vec<Output>, String> {
    if wanted.is_empty() {
        return Ok(OUTPUTS.to_vec());
    }
    let find = |(nth, wanted): (usize, &Wanted)| {
        let found = OUTPUTS.into_iter().find(|(name, _)| *name == wanted.name);
        found.ok_or_else(|| format!("output {nth} is none of negative, positive and raw"))
    };
    wanted.iter().enumerate().map(find).collect()
}

fn write(id: Option<&str>, outputs: &[Output], answers: &[Answer], picker: &Picker) -> Vec<u8> {
    let mut out = format!(
        "{{\"model_name\":\"{MODEL_NAME}\",\"model_version\":\"{}\"",
        picker.sha256()
    )
    .into_bytes();
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":");
        serde_json::to_writer(&mut out, id).expect("a Vec takes all bytes");
    }
    out.extend_from_slice(b",\"outputs\":[");
    for (nth, (name, value)) in outputs.iter().enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        let len = answers.len();
        let head = format!(
            "{comma}{{\"name\":\"{name}\",\"datatype\":\"FP64\",\"shape\":[{len}],\"data\":["
        );
        out.extend_from_slice(head.as_bytes());
        for (row, answer) in answers.iter().enumerate() {
            if row > 0 {
                out.push(b',');
            }
            write_float(value(answer), &mut out);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}\n");
    out
}
