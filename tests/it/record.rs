//! `--record`: answers are recorded, and `check` replays them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::{Ran, run};
use crate::support::{KEY, REQUEST, Running, serve, within};

fn folder(name: &str) -> PathBuf {
    let name = format!("pick-regno-record-{}-{name}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn recording(folder: &Path, more: &[&str]) -> Running {
    serve(&[&["--record", folder.to_str().unwrap()], more].concat())
}

/// Returns the lines of the complete segments.
fn lines(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        if path.extension().is_some_and(|is| is == "ndjson") {
            let text = std::fs::read_to_string(path).unwrap();
            lines.extend(
                text.lines()
                    .map(|line| serde_json::from_str::<Value>(line).unwrap()),
            );
        }
    }
    lines.sort_by_key(|line| line["seq"].as_u64());
    lines
}

fn batch(server: &Running, content_type: &str, body: &str) -> String {
    let mut client = server.connect();
    client.send(format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\nx-request-id: batch\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    client.answer().text()
}

fn csv() -> String {
    let request: Value = serde_json::from_str(REQUEST).unwrap();
    let request = request.as_object().unwrap();
    let names: Vec<&str> = request.keys().map(String::as_str).collect();
    let values: Vec<String> = request
        .values()
        .map(|value| match value {
            Value::String(text) => format!("\"{text}\""),
            number => number.to_string(),
        })
        .collect();
    format!("{}\n{}\n", names.join(","), values.join(","))
}

#[test]
fn every_answer_is_written_and_replays_to_the_bit() {
    let folder = folder("all");
    let server = recording(&folder, &["--record-plates", "plain"]);
    let one = server.post(REQUEST).text();
    server.post(&format!("[{REQUEST},\n {REQUEST}]"));
    server.post(&serde_json::to_string(REQUEST).unwrap());
    server.post("[]");
    server.post("{}");
    let ndjson = format!("\n{REQUEST}\n{{}}\r\n{REQUEST}");
    batch(&server, "application/x-ndjson", &ndjson);
    batch(&server, "text/csv", &csv());
    within(10, || {
        server.metric("pick_regno_record_rows_written_total") == 7.0
    });
    assert_eq!(server.metric("pick_regno_record_rows_total"), 7.0);
    assert_eq!(
        server.metric("pick_regno_record_rows_lost_total{reason=\"queue\"}"),
        0.0
    );
    drop(server);
    let lines = lines(&folder);
    let expected: Value = serde_json::from_str(&one).unwrap();
    for (seq, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], seq);
        assert_eq!(line["positive"], expected["body"]["positive"]);
    }
    let rows: Vec<_> = lines
        .iter()
        .map(|line| line["row"].as_u64().unwrap())
        .collect();
    assert_eq!(rows, [0, 0, 1, 0, 0, 2, 0]);
    assert_eq!(lines[4]["request_id"], "batch");
    let ran = run(&["check", folder.to_str().unwrap()]);
    let out = "7 cases, 0 differ\n".to_owned();
    assert_eq!(
        ran,
        Ran {
            code: 0,
            out,
            err: String::new()
        }
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_plates_there_is_nothing_to_replay() {
    let folder = folder("omit");
    let server = recording(&folder, &[]);
    server.post(REQUEST);
    within(10, || {
        server.metric("pick_regno_record_rows_written_total") == 1.0
    });
    drop(server);
    let text = lines(&folder)[0].to_string();
    // With its letters, since ids may have any digits; and as the model's texts have it, with blanks between.
    for plate in ["939НО", "9 3 9 Н О"] {
        assert!(!text.contains(plate), "{text}");
    }
    let ran = run(&["check", folder.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("`request` is missing"), "{}", ran.err);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_share_is_recorded_and_its_numbers_have_no_holes() {
    let folder = folder("sample");
    let server = recording(&folder, &["--record-sample", "0.25"]);
    let mut client = server.connect();
    for _ in 0..400 {
        assert_eq!(client.post(REQUEST).status, 200);
    }
    drop(client);
    let given = server.metric("pick_regno_record_rows_total");
    // Some 100, by ten standard deviations.
    assert!((20.0..200.0).contains(&given), "{given}");
    within(10, || {
        server.metric("pick_regno_record_rows_written_total") == given
    });
    drop(server);
    let lines = lines(&folder);
    assert!(
        lines
            .iter()
            .enumerate()
            .all(|(seq, line)| line["seq"] == seq)
    );
    assert_eq!(lines.len() as f64, given);
    std::fs::remove_dir_all(folder).unwrap();
}

/// The folder disappears: answers go on, and rows that are not written are counted.
#[test]
fn a_disk_that_fails_costs_rows_and_no_answers() {
    let folder = folder("gone");
    let server = recording(&folder, &[]);
    std::fs::remove_dir_all(&folder).unwrap();
    let mut client = server.connect();
    for _ in 0..50 {
        assert_eq!(client.post(REQUEST).status, 200);
    }
    drop(client);
    within(10, || {
        server.metric("pick_regno_record_rows_lost_total{reason=\"disk\"}") == 50.0
    });
    assert_eq!(server.metric("pick_regno_record_rows_written_total"), 0.0);
}

#[test]
fn settings_that_do_not_fit_are_told() {
    for (flags, part) in [
        (
            &["--record-plates", "hmac"][..],
            "--record-plates hmac: needs --record-key-file",
        ),
        (
            &["--record-sample", "2"],
            "--record-sample 2: must be 0 to 1",
        ),
        (
            &["--record-limit", "1KiB"],
            "--record-limit 1024: must be 1048576 or more",
        ),
        (
            &["--record-key-file", "/dev/null"],
            "is for --record-plates hmac only",
        ),
        (
            &["--record-plates", "hmac", "--record-key-file", "/dev/null"],
            "a key has 16 bytes or more",
        ),
    ] {
        let args = [&["serve", "--check-config", "--record", "/tmp/x"], flags].concat();
        let ran = run(&args);
        assert_eq!(ran.code, 78);
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    let ran = run(&[
        "serve",
        "--record",
        "/proc/nowhere",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    assert_eq!(ran.code, 71);
    assert!(ran.err.contains("--record: cannot record"), "{}", ran.err);
}
