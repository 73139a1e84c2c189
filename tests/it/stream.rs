//! Batches: bodies of records that are answered while they arrive.

mod broken;
mod held;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use pick_regno::serve::Faults;
use serde_json::Value;

use crate::support::{Client, KEY, REQUEST, Running, config, faults, serve, start_with, within};

const NDJSON: &str = "application/x-ndjson";
const COLUMNS: &str = "regno_recognize,afts_regno_ai,recognition_accuracy,afts_regno_ai_score,\
                       afts_regno_ai_char_scores,afts_regno_ai_length_scores,camera_type,camera_class,time_check,direction";

fn head(content_type: &str, more: &str) -> String {
    format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: {content_type}\r\n\
         transfer-encoding: chunked\r\n{more}\r\n"
    )
}

fn chunk(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let size = format!("{:x}\r\n", bytes.len());
    [size.as_bytes(), bytes, b"\r\n"].concat()
}

const LAST: &[u8] = b"0\r\n\r\n";

/// Answer to [`REQUEST`] without its envelope.
fn answered(server: &Running) -> String {
    let whole = server.post(REQUEST).text();
    let inner = whole.strip_prefix("{\"body\":").unwrap();
    inner
        .strip_suffix(",\"status\":\"ok\"}\n")
        .unwrap()
        .to_owned()
}

const OUR_FAULT: &str = "Internal server error: the fault is the service's, and has been noted";

/// Number of batches that were answered with `status`.
fn answered_with(server: &Running, status: u16) -> f64 {
    server.metric(&format!(
        "http_server_request_duration_seconds_count{{route=\"/reg/ batch\",method=\"POST\",status=\"{status}\"}}"
    ))
}

/// [`REQUEST`] as a record of CSV, every value in quotes.
fn record() -> String {
    let request: Value = serde_json::from_str(REQUEST).unwrap();
    let values = COLUMNS.split(',').map(|column| match &request[column] {
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        number => format!("\"{number}\""),
    });
    values.collect::<Vec<_>>().join(",")
}

/// Number of faulty records whose errors are too long to be held until the body ends.
const MANY: usize = 6_000;

/// Starts a batch, and reads the answers to its first [`MANY`] records.
fn begun(server: &Running, more: &str) -> Client {
    let mut client = server.connect();
    client.send(head(NDJSON, more));
    client.send(chunk("{}\n".repeat(MANY)));
    let head = client.head();
    assert_eq!(head.status, 200);
    assert_eq!(head.headers["content-type"], NDJSON);
    assert_eq!(head.headers["x-request-id"].len(), 32);
    let mut read = 0;
    while read < MANY {
        read += lines(&client.chunk()).len();
    }
    assert_eq!(read, MANY);
    client
}

fn lines(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn answers_flow_before_the_body_ends() {
    let server = serve(&[]);
    let answer = format!("{}\n", answered(&server));
    let mut client = begun(&server, "");
    client.send(chunk(format!("{REQUEST}\n")));
    assert_eq!(client.chunk(), answer.as_bytes());
    assert_eq!(server.metric("http_server_active_requests"), 1.0);
    for _ in 0..3 {
        client.send(chunk(format!("{REQUEST}\r\n\n")));
        assert_eq!(client.chunk(), answer.as_bytes());
    }
    // The last line may do without its end.
    client.send(chunk(REQUEST));
    client.send(LAST);
    assert_eq!(client.chunk(), answer.as_bytes());
    assert_eq!(client.chunk(), b"");
    assert_eq!(client.get("/").status, 200, "the connection goes on");
    assert_eq!(server.metric("pick_regno_rows_total"), 6.0);
    assert_eq!(server.metric("http_server_active_requests"), 0.0);
    let series = "http_server_request_duration_seconds_count{route=\"/reg/ batch\",method=\"POST\",status=\"200\"}";
    assert_eq!(server.metric(series), 1.0);
}

#[test]
fn each_line_has_an_answer_or_an_error_of_its_own() {
    let server = serve(&[]);
    let good = answered(&server);
    let body = format!(
        "{REQUEST}\n{{}}\n[{REQUEST}]\nsecret\n{}\n{REQUEST}\n",
        REQUEST.replace("6.4", "\"secret\"")
    );
    let answer = server
        .connect()
        .request("POST", "/reg/", &[("content-type", NDJSON)], &body);
    assert_eq!(answer.status, 200);
    let lines = lines(&answer.body);
    assert_eq!((lines.len(), &lines[0], &lines[5]), (6, &good, &good));
    for (nth, part) in [
        (1, "line 2: "),
        (2, "line 3: "),
        (3, "line 4: "),
        (4, "line 5: recognition_accuracy "),
    ] {
        let error: Value = serde_json::from_str(&lines[nth]).unwrap();
        let error = error["error"].as_str().unwrap();
        assert!(error.starts_with(part), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_line_has_a_limit_and_a_body_has_none() {
    let server = serve(&["--max-line", "4096", "--max-body", "4096"]);
    let good = answered(&server);
    // Each with its line feed.
    let padded = |length: usize| format!("{REQUEST}{}\n", " ".repeat(length - REQUEST.len() - 1));
    let long = format!("{{{}\n", "x".repeat(300_000));
    let body = [padded(4096), padded(4097), long, padded(4096)].concat();
    for cut in [1000, 16 * 1024, body.len()] {
        let mut client = server.connect();
        client.send(head(NDJSON, ""));
        for part in body.as_bytes().chunks(cut) {
            client.send(chunk(part));
        }
        client.send(LAST);
        let error = |line: u64| format!("{{\"error\":\"line {line}: longer than 4096 bytes\"}}");
        assert_eq!(
            lines(&client.answer().body),
            [good.clone(), error(2), error(3), good.clone()],
            "cut into {cut}"
        );
    }
}

#[test]
fn csv_may_be_cut_anywhere() {
    let server = serve(&[]);
    let good = answered(&server);
    let body = format!("\u{feff}{COLUMNS}\r\n{}\r\nx,\"\n\"\"\",,\n", record());
    let mut client = server.connect();
    let mut expected = None;
    for cut in 1..body.len() {
        client.send(head("text/csv", ""));
        let (first, second) = body.as_bytes().split_at(cut);
        client.send(chunk(first));
        client.send(chunk(second));
        client.send(LAST);
        let answer = client.answer();
        assert_eq!(answer.status, 200, "cut at {cut}: {}", answer.text());
        let lines = lines(&answer.body);
        assert_eq!((lines.len(), &lines[0]), (2, &good), "cut at {cut}");
        assert!(
            lines[1].starts_with("{\"error\":\"line 3: "),
            "{}",
            lines[1]
        );
        assert_eq!(
            *expected.get_or_insert(lines.clone()),
            lines,
            "cut at {cut}"
        );
    }
}

#[test]
fn columns_are_checked_before_anything_is_answered() {
    let server = serve(&[]);
    let unknown = format!("{COLUMNS},secret");
    for (columns, part) in [
        ("", "the body is empty"),
        ("secret,other", "names none of the columns"),
        (
            &COLUMNS[..COLUMNS.len() - 10],
            "the header lacks `direction`",
        ),
        (&unknown, "column 11 of the header is none of"),
    ] {
        let body = if columns.is_empty() {
            String::new()
        } else {
            format!("{columns}\n{}\n", record())
        };
        let answer =
            server
                .connect()
                .request("POST", "/reg/", &[("content-type", "text/csv")], &body);
        assert_eq!(answer.status, 400, "{columns}");
        let text = answer.text();
        assert!(text.contains(part) && !text.contains("secret"), "{text}");
        assert!(text.ends_with("\",\"status\":\"fail\"}\n"), "{text}");
    }
}

#[test]
fn the_client_says_how_answers_are_written() {
    let server = serve(&[]);
    let good = answered(&server);
    let probabilities: Value = serde_json::from_str(&good).unwrap();
    let row = format!(
        "{},{},",
        probabilities["negative"], probabilities["positive"]
    );
    let csv = format!("{COLUMNS}\n{}\nx\n", record());
    let ask = |accept: &str, body: &str| {
        let headers = [("content-type", "text/csv"), ("accept", accept)];
        server.connect().request("POST", "/reg/", &headers, body)
    };
    let error = "line 3: no value for column `afts_regno_ai`";
    for (accept, content_type, body) in [
        (
            "*/*",
            NDJSON,
            format!("{good}\n{{\"error\":\"{error}\"}}\n"),
        ),
        (
            "text/csv",
            "text/csv; charset=utf-8; header=present",
            format!("negative,positive,error\n{row}\n,,\"{error}\"\n"),
        ),
        (
            "application/json",
            "application/json",
            format!("{{\"body\":[{good},{{\"error\":\"{error}\"}}],\"status\":\"ok\"}}\n"),
        ),
    ] {
        let answer = ask(accept, &csv);
        assert_eq!(answer.headers["content-type"], content_type);
        assert_eq!(answer.text(), body, "{accept}");
    }
    assert_eq!(
        ask("application/json", COLUMNS).text(),
        "{\"body\":[],\"status\":\"ok\"}\n"
    );
    let refused = ask("text/html", &csv);
    assert_eq!(refused.status, 406);
    assert!(
        refused.text().contains("application/x-ndjson"),
        "{}",
        refused.text()
    );
    let json = [("content-type", "application/json"), ("accept", "text/csv")];
    assert_eq!(
        server
            .connect()
            .request("POST", "/reg/", &json, REQUEST)
            .status,
        406
    );
}

#[test]
fn who_does_not_read_answers_is_not_read_from() {
    let server = serve(&["--write-timeout", "500ms", "--workers", "1"]);
    let mut stream = TcpStream::connect(server.addr).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(head(NDJSON, "").as_bytes()).unwrap();
    // Each is answered by a sentence that is far longer than itself.
    let part = chunk("{}\n".repeat(5_000));
    let mut sent = 0;
    while sent < 200 << 20 && stream.write_all(&part).is_ok() {
        sent += part.len();
    }
    assert!(sent < 200 << 20, "all of it was read");
    assert_eq!(
        server.metric("http_server_timeouts_total{phase=\"write\"}"),
        1.0
    );
    while server.metric("http_server_active_requests") > 0.0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.metric("http_server_abandoned_requests_total"), 1.0);
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn others_are_served_beside_a_batch() {
    let server = serve(&["--workers", "1"]);
    let mut stream = TcpStream::connect(server.addr).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut part = [0; 16 * 1024];
        while reading.read(&mut part).is_ok_and(|len| len > 0) {}
    });
    let addr = server.addr;
    let others = std::thread::spawn(move || {
        let mut client = Client::connect(addr);
        (0..50).all(|_| client.post(REQUEST).status == 200)
    });
    stream.write_all(head(NDJSON, "").as_bytes()).unwrap();
    let part = chunk(format!("{REQUEST}\n").repeat(200));
    let mut parts = 0;
    while !others.is_finished() {
        stream.write_all(&part).unwrap();
        parts += 1;
    }
    assert!(others.join().unwrap());
    assert!(parts > 0);
    drop(stream.shutdown(std::net::Shutdown::Both));
    reader.join().unwrap();
}

#[test]
fn a_batch_counts_as_one_request_in_flight() {
    let server = serve(&["--max-in-flight", "1", "--workers", "1"]);
    let mut batch = server.connect();
    batch.send(head(NDJSON, ""));
    batch.send(chunk(format!("{REQUEST}\n")));
    within(20, || server.metric("http_server_active_requests") == 1.0);
    assert_eq!(server.post(REQUEST).status, 503);
    drop(batch);
    while server.metric("http_server_active_requests") > 0.0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.post(REQUEST).status, 200);
}

#[test]
fn a_batch_on_its_way_is_answered_to_its_end_when_the_service_stops() {
    let server = serve(&[]);
    let good = format!("{}\n", answered(&server));
    let mut client = begun(&server, "");
    client.send(chunk(format!("{REQUEST}\n")));
    assert_eq!(client.chunk(), good.as_bytes());
    server.stopper.stop();
    while Client::connect(server.admin).get("/readyz").status == 200 {
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..3 {
        client.send(chunk(format!("{REQUEST}\n")));
        assert_eq!(client.chunk(), good.as_bytes());
    }
    client.send(LAST);
    assert_eq!(client.chunk(), b"");
    assert_eq!(client.rest(), b"", "and the connection is closed");
    server.join().unwrap();
}
