//! Explanations: requests get them only if they ask.

use serde_json::Value;

use crate::support::{KEY, REQUEST, Running, serve};

/// Sends `POST /reg/` with a query. Returns status and text.
fn ask(server: &Running, query: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut all = vec![("content-type", "application/json")];
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    all.extend(headers);
    let path = format!("/reg/{query}");
    let mut client = server.connect();
    let answer = client.request_with("POST", &path, KEY, &all, body);
    (answer.status, answer.text())
}

/// Checks an explanation against the answer that contains it.
fn check(answer: &Value) {
    let explanation = &answer["explanation"];
    let contributions = explanation["contributions"].as_array().unwrap();
    assert_eq!(contributions.len(), 10);
    let values: Vec<f64> = contributions
        .iter()
        .map(|one| one["value"].as_f64().unwrap())
        .collect();
    assert!(values.is_sorted_by(|a, b| a.abs() >= b.abs()), "{values:?}");
    let base = explanation["base"].as_f64().unwrap();
    let sum = values.iter().fold(base, |sum, value| sum + value);
    let raw = explanation["raw"].as_f64().unwrap();
    assert_eq!(sum as f32, raw as f32, "up to rounding");
    let positive = 1.0 / (1.0 + (-raw).exp());
    assert_eq!(answer["positive"].as_f64().unwrap() as f32, positive as f32);
}

#[test]
fn answers_are_explained_if_the_query_asks() {
    let server = serve(&[]);
    let plain = server.post(REQUEST).text();
    let (status, text) = ask(&server, "?explain=0", &[], REQUEST);
    assert_eq!((status, text), (200, plain.clone()));

    let (status, text) = ask(&server, "?explain=1", &[], REQUEST);
    assert_eq!(status, 200, "{text}");
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    check(&answer["body"]);
    answer["body"]
        .as_object_mut()
        .unwrap()
        .remove("explanation");
    assert_eq!(answer, serde_json::from_str::<Value>(&plain).unwrap());

    let (status, text) = ask(
        &server,
        "?a=b&explain=1",
        &[],
        &format!("[{REQUEST},{REQUEST}]"),
    );
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let answers = answer["body"].as_array().unwrap();
    assert_eq!(answers.len(), 2);
    answers.iter().for_each(check);
    assert_eq!(server.metric("pick_regno_explained_rows_total"), 3.0);

    let (status, text) = ask(&server, "?explain=yes", &[], REQUEST);
    assert_eq!(status, 400);
    assert!(text.contains("explain: expected 1 or 0"), "{text}");
}

#[test]
fn an_array_that_takes_too_long_to_explain_is_refused() {
    let server = serve(&[]);
    let many = vec![REQUEST; 51].join(",");
    let (status, text) = ask(&server, "?explain=1", &[], &format!("[{many}]"));
    if pick_regno::explanation::is_fast() {
        assert_eq!(status, 200);
    } else {
        assert_eq!(status, 400);
        assert!(text.contains("at most 50"), "{text}");
    }
    assert_eq!(ask(&server, "", &[], &format!("[{many}]")).0, 200);
}

#[test]
fn batches_are_explained_record_by_record() {
    let server = serve(&[]);
    let line = serde_json::from_str::<Value>(REQUEST).unwrap().to_string();
    let body = format!("{line}\n{{}}\n{line}\n");
    let ndjson = ("content-type", "application/x-ndjson");
    let (status, text) = ask(&server, "?explain=1", &[ndjson], &body);
    assert_eq!(status, 200);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    check(&lines[0]);
    assert!(lines[1]["error"].is_string());
    check(&lines[2]);

    let (status, text) = ask(
        &server,
        "?explain=1",
        &[ndjson, ("accept", "text/csv")],
        &body,
    );
    assert_eq!(status, 200);
    let rows: Vec<&str> = text.lines().collect();
    assert!(
        rows[0].starts_with("negative,positive,raw,base,regno_recognize,"),
        "{}",
        rows[0]
    );
    let numbers: Vec<f64> = rows[1]
        .split(',')
        .filter_map(|cell| cell.parse().ok())
        .collect();
    assert_eq!(numbers.len(), 14);
    let sum = numbers[4..]
        .iter()
        .fold(numbers[3], |sum, value| sum + value);
    assert_eq!(sum as f32, numbers[2] as f32, "up to rounding");
    assert_eq!(server.metric("pick_regno_explained_rows_total"), 4.0);
}
