//! `POST /reg/`: JSON in, what the model says out.

use std::fmt::Display;

use hyper::StatusCode;

use super::ledger::Ledger;
use super::rows;
use crate::answer::{write_explained, write_many, write_one};
use crate::pick_regno::Answer;
use crate::recorder::Source;
use crate::request::{Body, Invalid, parse_body};
use crate::serve::http::reply::{self, Reply};

/// Reads a JSON body and computes the answer. Returns the answer, and the number of rows.
pub(super) fn answer(body: &[u8], ledger: &Ledger) -> (Reply, u64) {
    let mut out = Vec::new();
    let rows = match parse_body(body) {
        Ok(Body::One(request)) => {
            let answer = rows::pick(&request, ledger);
            out.reserve_exact(128);
            write_one(&answer, &mut out);
            ledger.record(Source::Body, 0, body, &[answer]);
            1
        }
        Ok(Body::Many(requests)) => {
            let answers = rows::pick_all(requests.iter(), ledger);
            write_many(&answers, &mut out);
            ledger.record(Source::Body, 0, body, &answers);
            answers.len() as u64
        }
        Err(invalid) => {
            let message = format!("Bad request: {invalid}");
            return (reply::fail(StatusCode::BAD_REQUEST, &message), 0);
        }
    };
    ledger.desk.shard.rows.add(rows);
    (reply::json(StatusCode::OK, out), rows)
}

/// Answers an array, as its body is read here.
pub(super) fn pick_all(body: &[u8], ledger: &Ledger) -> Result<Vec<Answer>, Invalid> {
    let requests = match parse_body(body)? {
        Body::One(request) => vec![request],
        Body::Many(requests) => requests,
    };
    let answers = rows::pick_all(requests.iter(), ledger);
    ledger.record(Source::Body, 0, body, &answers);
    ledger.desk.shard.rows.add(answers.len() as u64);
    Ok(answers)
}

/// Maximum number of rows in an array to be explained: without tables, an explanation takes as long as many answers.
const MAX_EXPLAINED: usize = 50;

/// Like [`answer`], with explanations.
#[cold]
pub(super) fn explain(body: &[u8], ledger: &Ledger) -> (Reply, u64) {
    let bad = |why: &dyn Display| {
        let message = format!("Bad request: {why}");
        (reply::fail(StatusCode::BAD_REQUEST, &message), 0)
    };
    let (requests, is_many) = match parse_body(body) {
        Ok(Body::One(request)) => (vec![request], false),
        Ok(Body::Many(requests)) => (requests, true),
        Err(invalid) => return bad(&invalid),
    };
    if requests.len() > MAX_EXPLAINED && !ledger.picker.explains_fast() {
        return bad(&format_args!(
            "{} objects to explain; at most {MAX_EXPLAINED} are explained in one array: send more as NDJSON, one object a line",
            requests.len()
        ));
    }
    let mut out = b"{\"body\":".to_vec();
    if is_many {
        out.push(b'[');
    }
    let mut answers = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let (answer, explanation) = rows::explain(request, ledger);
        write_explained(&answer, &explanation, &mut out);
        answers.push(answer);
    }
    ledger.record(Source::Body, 0, body, &answers);
    if is_many {
        out.push(b']');
    }
    out.extend_from_slice(b",\"status\":\"ok\"}\n");
    let rows = requests.len() as u64;
    let shard = &ledger.desk.shard;
    shard.rows.add(rows);
    shard.explained.add(rows);
    (reply::json(StatusCode::OK, out), rows)
}
