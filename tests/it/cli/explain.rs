//! `explain`, and `score --explain`.

use serde_json::Value;

use super::{Ran, run_with};
use crate::support::REQUEST;

fn line() -> String {
    serde_json::from_str::<Value>(REQUEST).unwrap().to_string()
}

#[test]
fn the_picture_goes_from_the_mean_answer_to_this_one() {
    let input = format!("{{}}\n{}\n", line());
    let Ran { code, out, err } = run_with(&["explain", "-", "--record", "2"], input.as_bytes());
    assert_eq!((code, &*err), (0, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 13, "{out}");
    assert!(
        lines[0].starts_with("base") && lines[11].starts_with("raw"),
        "{out}"
    );
    for field in ["afts_regno_ai_char_scores", "direction", "time_check"] {
        assert!(out.contains(field), "{out}");
    }
    assert!(!out.contains("А939"), "no plate is shown: {out}");
}

#[test]
fn svg_is_written_to_a_file() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("explained.svg");
    let name = path.display().to_string();
    let ran = run_with(&["explain", "--svg", &name], line().as_bytes());
    assert_eq!((ran.code, &*ran.out, &*ran.err), (0, "", ""));
    let svg = std::fs::read_to_string(path).unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.contains(">direction</text>"),
        "{svg}"
    );
}

#[test]
fn what_is_no_request_is_said() {
    let ran = run_with(&["explain"], b"{}\n");
    assert_eq!(ran.code, 65);
    assert!(ran.err.contains("line 1"), "{}", ran.err);
    let ran = run_with(&["explain", "--record", "3"], line().as_bytes());
    assert_eq!(ran.code, 65);
    assert!(ran.err.contains("it has 1 records"), "{}", ran.err);
    let ran = run_with(&["explain"], b"");
    assert_eq!(ran.code, 65);
    assert!(ran.err.contains("it has no records"), "{}", ran.err);
    let ran = run_with(&["explain"], b"{\n}\n");
    assert_eq!(ran.code, 65);
    assert!(ran.err.contains("jq -c ."), "{}", ran.err);
}

#[test]
fn scores_are_explained_if_it_is_asked() {
    let ran = run_with(&["score", "--explain"], format!("{}\n", line()).as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        answer["explanation"]["contributions"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    assert!(answer["positive"].is_number());
}
