//! The service that this one replaces: 211 exchanges that were recorded of it, sent again.
//!
//! The recordings are the customer's and not in this repository: `../shared/contract`, or the folder that
//! `CONTRACT_DIR` names; without it there is nothing to replay, and the test says so. They were recorded with the
//! customer's model: a service built around it must answer every 200 byte for byte (`customer.rs`), the one of these tests
//! the same but for the two numbers.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Answer, Client, serve};

/// Values of `time_check` whose meaning the replaced service guessed, and that this one refuses.
const GUESSED_TIMES: [&str; 4] = [
    "time_check = '01.08.2021 09:02'",
    "time_check = 1627808579",
    "time_check = 'now'",
    "time_check = 'Aug 1 2021'",
];

/// Cases on which the replaced service failed, though nothing is wrong with them: fields are found by name and not by
/// position, and arrays are answered.
const ANSWERED_NOW: [&str; 3] = ["array of two", "one field more", "fields in reverse order"];

#[test]
fn recorded_exchanges_are_answered_as_they_were_or_better() {
    replay(serve(&[]).addr, false);
}

/// Sends the recordings to a service. `is_exact` states that it has the model that they were recorded with.
pub fn replay(addr: SocketAddr, is_exact: bool) {
    let folder = std::env::var_os("CONTRACT_DIR")
        .map_or_else(|| PathBuf::from("../shared/contract"), PathBuf::from);
    let Ok(text) = fs::read_to_string(folder.join("replaced_service.ndjson")) else {
        eprintln!("skipped: no recordings in {}", folder.display());
        return;
    };
    let (mut exchanges, mut answered) = (0, 0);
    for line in text.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let case = exchange["case"].as_str().unwrap();
        let answer = send(addr, &exchange);
        exchanges += 1;
        let expected = expected_status(case, &exchange);
        assert_eq!(answer.status, expected, "{case}: {}", answer.text());
        assert_eq!(answer.headers["content-type"], "application/json", "{case}");
        let text = answer.text();
        match (expected, exchange["status"].as_u64()) {
            (200, Some(200)) => {
                answered += 1;
                let recorded = exchange["response"].as_str().unwrap();
                if is_exact {
                    assert_eq!(text, recorded, "{case}");
                } else {
                    assert_eq!(without_numbers(&text), without_numbers(recorded), "{case}");
                }
            }
            (200, _) => assert!(text.ends_with(",\"status\":\"ok\"}\n"), "{case}: {text}"),
            (401, _) => assert_eq!(text, exchange["response"].as_str().unwrap(), "{case}"),
            (400, _) => assert_refused(case, &exchange, &text),
            (308, _) => assert_eq!(answer.headers["location"], "/reg/", "{case}"),
            _ => assert!(text.ends_with(",\"status\":\"fail\"}\n"), "{case}: {text}"),
        }
    }
    assert_eq!((exchanges, answered), (211, 163 - GUESSED_TIMES.len()));
    eprintln!(
        "{exchanges} exchanges, {answered} answers of 200 compared {}",
        if is_exact {
            "byte for byte"
        } else {
            "but for the numbers: another model is built in"
        }
    );
}

/// Sends a recorded request: method, path, headers and body, and only what HTTP needs besides.
fn send(addr: SocketAddr, exchange: &Value) -> Answer {
    let method = exchange["method"].as_str().unwrap();
    let path = exchange["path"].as_str().unwrap();
    let body = exchange["body"].as_str().unwrap_or("");
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: test\r\n");
    for (name, value) in exchange["headers"].as_object().unwrap() {
        text.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let mut client = Client::connect(addr);
    client.send(text);
    client.answer()
}

fn expected_status(case: &str, exchange: &Value) -> u16 {
    match (case, exchange["status"].as_u64().unwrap()) {
        ("GET", _) => 405,
        ("unknown path", _) => 404,
        _ if ANSWERED_NOW.contains(&case) => 200,
        _ if GUESSED_TIMES.contains(&case) => 400,
        (_, 500) => 400,
        (_, status) => status as u16,
    }
}

/// Asserts that a 400 names the wrong field, if one is wrong, and repeats nothing of the request.
fn assert_refused(case: &str, exchange: &Value, text: &str) {
    let message = text
        .strip_prefix("{\"body\":\"Bad request: ")
        .and_then(|rest| rest.strip_suffix("\",\"status\":\"fail\"}\n"))
        .unwrap_or_else(|| panic!("{case}: {text}"));
    let field = case
        .strip_prefix("without ")
        .or(case.split_once(" = ").map(|(field, _)| field));
    if let Some(field) = field {
        assert!(message.contains(field), "{case}: {message}");
        let body: Value = serde_json::from_str(exchange["body"].as_str().unwrap()).unwrap();
        if let Some(value) = body[field].as_str().filter(|value| value.len() > 2) {
            assert!(!message.contains(value), "{case}: {message}");
        }
    }
}

/// Replaces each number in an answer by `#`, after checking that it is a probability.
fn without_numbers(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(at) = rest.find("ive\":") {
        let (before, number) = rest.split_at(at + 5);
        let end = number.find([',', '}']).unwrap();
        let probability: f64 = number[..end].parse().unwrap();
        assert!((0.0..=1.0).contains(&probability), "{text}");
        out.push_str(before);
        out.push('#');
        rest = &number[end..];
    }
    out.push_str(rest);
    out
}
