//! `check`.

use super::{Folder, Ran, fixture, run, run_with};

/// Case of the fixtures, with its line feed.
fn a_case() -> String {
    let cases = std::fs::read_to_string(fixture("test_data.expected.ndjson")).unwrap();
    cases.split_inclusive('\n').next().unwrap().to_owned()
}

/// Number of a field in `case`, as it is written.
fn number<'a>(case: &'a str, field: &str) -> &'a str {
    let (_, after) = case.split_once(&format!("\"{field}\": ")).unwrap();
    after.split([',', '}']).next().unwrap()
}

#[test]
fn the_fixtures_agree() {
    let ran = run(&[
        "check",
        &fixture("test_data.expected.ndjson"),
        &fixture("cases.ndjson"),
    ]);
    assert_eq!(
        ran,
        Ran {
            code: 0,
            out: "1100 cases, 0 differ\n".to_owned(),
            err: String::new()
        }
    );
}

#[test]
fn one_bit_is_a_difference() {
    let case = a_case();
    for field in ["raw", "negative", "positive"] {
        let old: f64 = number(&case, field).parse().unwrap();
        let new = f64::from_bits(old.to_bits() ^ 1);
        let changed = case.replace(
            &format!("\"{field}\": {}", number(&case, field)),
            &format!("\"{field}\": {new:?}"),
        );
        let ran = run_with(&["check", "-"], format!("{case}\n{changed}").as_bytes());
        assert_eq!(
            (ran.code, ran.err.as_str()),
            (1, ""),
            "{field}: {}",
            ran.out
        );
        assert_eq!(
            ran.out,
            format!(
                "standard input: line 3: {field}: expected {new:?} ({:#018x}), found {old:?} ({:#018x})\n2 cases, 1 differ\n",
                new.to_bits(),
                old.to_bits()
            )
        );
    }
}

#[test]
fn ten_differences_are_told_and_all_are_counted() {
    let case = a_case();
    let raw = number(&case, "raw");
    let wrong = case.replace(&format!("\"raw\": {raw}"), "\"raw\": 0");
    let folder = Folder::new("differences");
    let (first, second) = (
        folder.file("first.ndjson", wrong.repeat(7)),
        folder.file("second.ndjson", wrong.repeat(8)),
    );
    let ran = run(&["check", &first, &second]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.last(), "15 cases, 15 differ");
    assert_eq!(ran.out.matches("first.ndjson: line").count(), 7);
    assert_eq!(ran.out.matches("second.ndjson: line").count(), 3);
    assert!(!ran.out.contains("А292ТУ07"), "{}", ran.out);
}

#[test]
fn a_line_that_is_no_case_is_named_and_fails_the_check() {
    let case = a_case();
    let raw = number(&case, "raw");
    for (line, expected) in [
        ("{}".to_owned(), "`request` is missing"),
        ("oops".to_owned(), "not a JSON object that has"),
        (
            case.replace(raw, "NaN"),
            "not a JSON object that has `request`",
        ),
        (case.replace("\"raw\"", "\"row\""), "`raw` is missing"),
        (
            case.replace(&format!("\"raw\": {raw}"), "\"raw\": \"1\""),
            "`raw` is not a finite number",
        ),
        (
            case.replace("\"direction\"", "\"Direction\""),
            "`request`: ",
        ),
    ] {
        let input = format!("{case}{}\n{case}", line.trim_end());
        let ran = run_with(&["check", "-"], input.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (1, "2 cases, 0 differ\n"));
        assert!(
            ran.err
                .starts_with(&format!("standard input: line 2: {expected}")),
            "{}",
            ran.err
        );
        assert!(
            ran.err.ends_with("\nlines that are not cases: 1\n"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn a_check_of_nothing_fails() {
    let ran = run_with(&["check", "-"], b"\n\n");
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (1, "0 cases, 0 differ\n", "standard input: no case in it\n")
    );
    let ran = run(&["check", "/nonexistent/cases"]);
    assert_eq!((ran.code, ran.out.as_str()), (66, ""));
    assert!(
        ran.err
            .starts_with("pick-regno check: /nonexistent/cases: cannot open: "),
        "{}",
        ran.err
    );
}
