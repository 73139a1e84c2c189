//! `load`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::Value;

use super::{Folder, Ran, fixture, program, run};
use crate::support::{KEY, serve};

/// Runs `load` with the right key, and reads its report.
fn load(addr: SocketAddr, args: &[&str]) -> (i32, Value, String) {
    let ran = load_as(addr, &format!(" , {KEY},other"), args, &["--json"]);
    let report = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    (ran.code, report, ran.err)
}

fn load_as(addr: SocketAddr, key: &str, args: &[&str], more: &[&str]) -> Ran {
    let ran = program()
        .env("PICK_REGNO_API_KEYS", key)
        .args(["load", &fixture("test_data.csv"), "--url"])
        .arg(format!("http://{addr}/reg/"))
        .args(args)
        .args(more)
        .output()
        .unwrap();
    Ran {
        code: ran.status.code().unwrap(),
        out: String::from_utf8(ran.stdout).unwrap(),
        err: String::from_utf8(ran.stderr).unwrap(),
    }
}

/// Starts a service that calls `answer` with every connection.
fn fake(answer: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    addr
}

/// Starts a service that reads part of each request and answers with `bytes`.
fn canned(bytes: &'static [u8]) -> SocketAddr {
    fake(move |mut stream| {
        let _ = stream.read(&mut [0; 16 * 1024]);
        let _ = stream.write_all(bytes);
    })
}

#[test]
fn an_open_loop_sends_what_it_is_told_to_and_every_answer_is_right() {
    let server = serve(&[]);
    let (code, report, err) = load(
        server.addr,
        &["--rate", "400", "--duration", "500ms", "--connections", "4"],
    );
    assert_eq!((code, err.as_str()), (0, ""), "{report}");
    let count = |name: &str| report[name].as_u64().unwrap();
    // A machine that stalls may find no time for the last ones.
    assert_eq!(count("sent") + count("unsent"), 200);
    assert_eq!(count("right"), count("sent"));
    assert_eq!(report["rate"], 400.0);
    assert!(report["latency_us"]["p99"].as_f64().unwrap() > 0.0);
    let rows = server.metric("pick_regno_rows_total");
    assert_eq!(rows, report["right"].as_f64().unwrap());
}

#[test]
fn without_a_rate_each_connection_goes_on_when_it_is_answered() {
    let server = serve(&[]);
    let (code, report, _) = load(server.addr, &["--duration", "300ms", "--connections", "2"]);
    assert_eq!((code, &report["rate"]), (0, &Value::Null), "{report}");
    assert_eq!(
        (&report["sent"], &report["wrong"]),
        (&report["right"], &0.into())
    );
    let rows = server.metric("pick_regno_rows_total");
    assert_eq!(rows, report["right"].as_f64().unwrap());
    assert!(rows > 0.0);
}

#[test]
fn a_key_comes_from_a_file_and_a_wrong_one_is_refused() {
    let server = serve(&[]);
    let folder = Folder::new("load-keys");
    let file = folder.file("keys", format!("# the first\n\n{KEY}\nother\n"));
    let short = ["--duration", "100ms", "--connections", "1", "--rate", "50"];
    let ran = load_as(server.addr, "", &short, &["--api-keys-file", &file]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("+ refused 0 + wrong 0 + failed 0\n"),
        "{}",
        ran.out
    );
    let ran = load_as(server.addr, "wrong", &short, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("\n  refused with 401: "), "{}", ran.out);
    assert!(
        ran.out.contains("; its key: --api-keys-file, or "),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("= right 0 + "), "{}", ran.out);
}

#[test]
fn what_is_not_right_is_told_apart() {
    let short = [
        "--duration",
        "150ms",
        "--connections",
        "1",
        "--timeout",
        "50ms",
    ];
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let busy: &[u8] = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    for (addr, place) in [
        (canned(ok), "/wrong"),
        (canned(busy), "/refused/503"),
        (canned(b"hello\r\n\r\n"), "/failed/malformed"),
        (canned(b""), "/failed/closed"),
        (
            canned(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
            "/failed/closed",
        ),
        (fake(std::mem::forget), "/failed/timeout"),
    ] {
        let (code, report, _) = load(addr, &short);
        assert_eq!((code, &report["right"]), (1, &0.into()), "{report}");
        let count = report.pointer(place).and_then(Value::as_u64);
        assert!(count.is_some_and(|count| count > 0), "{place}: {report}");
    }
    // A port that nobody listens on.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, report, _) = load(nobody, &short);
    assert_eq!(code, 1);
    assert_eq!(report["failed"]["connect"], report["sent"]);
    let url = format!("http://{nobody}/reg/");
    let told = run(&[
        &["load", &fixture("test_data.csv"), "--url", &url],
        &short[..],
    ]
    .concat());
    assert!(
        told.out.contains("; does the service listen there?\n"),
        "{}",
        told.out
    );
}

#[test]
fn one_wrong_byte_is_wrong() {
    let csv = std::fs::read_to_string(fixture("test_data.csv")).unwrap();
    let folder = Folder::new("load-byte");
    let two_lines: Vec<&str> = csv.lines().take(2).collect();
    let file = folder.file("one.csv", two_lines.join("\n"));
    let scored = run(&["score", &file]).out;
    let (numbers, _) = scored.split_once(",\"raw\"").unwrap();
    let right = format!("{{\"body\":{numbers}}},\"status\":\"ok\"}}\n");
    for (body, place) in [
        (right.clone(), "right"),
        (right.replace("ok", "oK"), "wrong"),
    ] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let addr = canned(Vec::leak(answer.into_bytes()));
        let ran = program()
            .args([
                "load",
                &file,
                "--json",
                "--duration",
                "50ms",
                "--connections",
                "1",
            ])
            .args(["--url", &format!("http://{addr}/reg/")])
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(report[place], report["sent"], "{report}");
        assert!(report["latency_us"]["p50"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_stall_makes_the_requests_behind_it_late() {
    // The first answer takes 200 ms; in that time 20 more requests are due on the only connection.
    let addr = fake(|mut stream| {
        let body = [0; 16 * 1024];
        let mut buffer = body;
        let mut first = true;
        while stream.read(&mut buffer).is_ok_and(|len| len > 0) {
            if std::mem::take(&mut first) {
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let (_, report, _) = load(
        addr,
        &["--rate", "100", "--duration", "400ms", "--connections", "1"],
    );
    // On a machine that stalls as well, some find no time at all.
    let count = |name: &str| report[name].as_u64().unwrap();
    assert!(count("late") + count("unsent") >= 18, "{report}");
}

#[test]
fn what_cannot_be_sent_is_said_before_anything_is() {
    let folder = Folder::new("load-errors");
    let bad = folder.file("bad.ndjson", "{}\n");
    let empty = folder.file("empty.ndjson", "\n");
    let good = fixture("test_data.csv");
    for (args, code, expected) in [
        (vec!["load", &bad], 65, "bad.ndjson: line 1: "),
        (vec!["load", &empty], 65, "empty.ndjson: no request in it"),
        (
            vec!["load", "/nonexistent/a"],
            66,
            "/nonexistent/a: cannot open: ",
        ),
        (
            vec!["load", &good, "--url", "https://localhost/"],
            78,
            "--url https://localhost/: must begin with http://",
        ),
        (
            vec!["load", &good, "--api-keys-file", &empty],
            78,
            "empty.ndjson: no key in it",
        ),
        (
            vec!["load", &good, "--rate", "0"],
            64,
            "a rate is more than 0",
        ),
        (
            vec!["load", &good, "--connections", "two"],
            64,
            "a count is a whole number from 1 to 10000",
        ),
        (
            vec!["load", &good, "--timeout", "0s"],
            64,
            "must be more than 0",
        ),
        (vec!["load"], 64, "FILE"),
    ] {
        let ran = run(&args);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}");
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
}
