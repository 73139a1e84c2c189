//! The answers are those of CatBoost's Python package, to the bit.

use std::fs;

use pick_regno::pick_regno::pick_regno;
use pick_regno::request::{Body, parse_body, parse_object};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::serve;

const FIXTURES: [(&str, usize); 2] = [("test_data.expected.ndjson", 100), ("cases.ndjson", 1000)];

/// A request and what Python answered.
#[derive(serde::Deserialize)]
struct Case<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
    raw: f64,
    negative: f64,
    positive: f64,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_library_answers_as_python_did() {
    for (name, count) in FIXTURES {
        let text = fs::read_to_string(format!("fixtures/{name}")).unwrap();
        let cases = cases(&text);
        assert_eq!(cases.len(), count);
        for (index, case) in cases.iter().enumerate() {
            let request = parse_object(case.request.get().as_bytes())
                .unwrap_or_else(|invalid| panic!("{name}, line {}: {invalid}", index + 1));
            let answer = pick_regno(&request);
            let bits = [answer.raw, answer.negative, answer.positive].map(f64::to_bits);
            let expected = [case.raw, case.negative, case.positive].map(f64::to_bits);
            assert_eq!(bits, expected, "{name}, line {}", index + 1);
        }
    }
}
