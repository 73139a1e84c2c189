//! Time at which the answer to a batch begins, and how a broken answer is distinguished from a complete one.

use super::*;

/// Head of a batch with a length, or over HTTP/1.0.
fn head_with_length(version: &str, length: usize, more: &str) -> String {
    format!(
        "POST /reg/ {version}\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: {NDJSON}\r\ncontent-length: {length}\r\n{more}\r\n"
    )
}

/// Returns true if nothing arrives for a while.
fn is_silent(stream: &TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let silent = stream.peek(&mut [0]).is_err();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    silent
}

#[test]
fn a_short_answer_waits_for_the_bodys_end_and_has_a_length() {
    let server = serve(&[]);
    let good = format!("{}\n", answered(&server));
    for (version, more) in [
        ("HTTP/1.1", ""),
        ("HTTP/1.1", "x-forwarded-for: 192.0.2.1\r\n"),
        ("HTTP/1.0", ""),
    ] {
        let body = format!("{REQUEST}\n{{}}\n{REQUEST}");
        let mut stream = crate::support::stream(server.addr);
        let head = head_with_length(version, body.len(), more);
        stream.write_all(head.as_bytes()).unwrap();
        let (first, last) = body.split_at(body.len() - 5);
        stream.write_all(first.as_bytes()).unwrap();
        assert!(is_silent(&stream), "{version} {more}");
        stream.write_all(last.as_bytes()).unwrap();
        let answer = Client::on(stream).answer();
        assert_eq!((answer.status, &*answer.headers["x-records"]), (200, "3"));
        let lines = lines(&answer.body);
        assert_eq!(lines.len(), 3);
        assert_eq!(
            (&*lines[0], &*lines[2]),
            (good.trim_end(), good.trim_end()),
            "{version}"
        );
    }
    let mut empty = server.connect();
    empty.send(head(NDJSON, ""));
    empty.send(LAST);
    let answer = empty.answer();
    assert_eq!(
        (
            &*answer.headers["content-length"],
            &*answer.headers["x-records"]
        ),
        ("0", "0")
    );
}

/// A complete answer that is longer than hyper's buffer.
#[test]
fn a_long_answer_with_a_length_is_whole() {
    let server = serve(&[]);
    let body = "{}\n".repeat(4 * MANY);
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let mut client = server.connect();
        client.send(head_with_length(version, body.len(), ""));
        client.send(&body);
        let answer = client.answer();
        assert_eq!(answer.headers["x-records"], (4 * MANY).to_string());
        let lines = lines(&answer.body);
        assert_eq!(lines.len(), 4 * MANY);
        for (nth, line) in lines.iter().enumerate() {
            assert!(line.starts_with(&format!("{{\"error\":\"line {}: ", nth + 1)));
        }
    }
    within(20, || server.metric("http_server_held_body_bytes") == 0.0);
}

#[test]
fn a_stream_ends_with_the_number_of_its_records() {
    let server = serve(&[]);
    let mut client = begun(&server, "te: trailers\r\n");
    client.send(chunk(format!("{REQUEST}\n")));
    client.chunk();
    client.send(LAST);
    let end = [client.line(), client.line(), client.line()];
    assert_eq!(
        end,
        [
            "0".to_owned(),
            format!("x-records: {}", MANY + 1),
            String::new()
        ]
    );
    assert_eq!(client.get("/").status, 200, "the connection goes on");
}

/// Answers of a batch that was broken off would look complete without a length or an end.
#[test]
fn a_batch_that_is_broken_before_it_is_answered_has_a_status_of_its_own() {
    let server = serve(&["--body-timeout", "600ms"]);
    let mut malformed = server.connect();
    malformed.send(head(NDJSON, ""));
    malformed.send(chunk(format!("{REQUEST}\n")));
    malformed.send("no size\r\n");
    assert_eq!(malformed.answer().status, 400);

    let mut short = server.connect();
    short.send(head_with_length("HTTP/1.0", 5000, ""));
    short.send(format!("{REQUEST}\n"));
    short.finish();
    assert_eq!(short.answer().status, 400);

    let mut late = server.connect();
    late.send(head_with_length("HTTP/1.1", 5000, ""));
    late.send(format!("{REQUEST}\n"));
    assert_eq!(late.answer().status, 408);
}

/// Answers without room, to clients that must not be answered before the end.
#[test]
fn a_batch_that_cannot_be_held_and_must_not_be_begun_is_refused() {
    let server = serve(&[
        "--max-body",
        "64KiB",
        "--max-line",
        "1KiB",
        "--max-body-memory",
        "1MiB",
    ]);
    let body = "{}\n".repeat(3 * MANY);
    let mut old = server.connect();
    old.send(head_with_length("HTTP/1.0", body.len(), ""));
    old.try_send(&body);
    let answer = old.answer();
    assert_eq!(answer.status, 413);
    assert!(
        answer.text().contains("send it in parts"),
        "{}",
        answer.text()
    );

    let mut proxied = server.connect();
    proxied.send(head(NDJSON, "via: 1.1 somebody\r\n"));
    proxied.try_send(chunk(&body));
    assert_eq!(proxied.answer().status, 413);

    // With a length, a part that is lost on the way would be missed.
    let mut with_length = server.connect();
    with_length.send(head_with_length(
        "HTTP/1.1",
        body.len(),
        "via: 1.1 somebody\r\n",
    ));
    with_length.send(&body);
    let answer = with_length.answer();
    assert_eq!((answer.status, lines(&answer.body).len()), (200, 3 * MANY));
}

/// Most client libraries send everything before they read. This takes longer than the write deadline, which is for
/// clients that do neither.
#[test]
fn who_sends_everything_before_it_reads_is_answered() {
    let server = serve(&["--write-timeout", "500ms", "--workers", "1"]);
    let mut client = server.connect();
    client.send(head(NDJSON, ""));
    // More than the kernel holds for a client that does not read: 12 MB of errors, which are within what may be held.
    for _ in 0..20 {
        client.send(chunk("{}\n".repeat(MANY / 3)));
        std::thread::sleep(Duration::from_millis(100));
    }
    client.send(LAST);
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    let lines = lines(&answer.body);
    assert_eq!(lines.len(), 20 * (MANY / 3));
    for (nth, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("{{\"error\":\"line {}: ", nth + 1)));
    }
    within(20, || server.metric("http_server_held_body_bytes") == 0.0);
    assert_eq!(server.get("/").status, 200);
}

/// A client that sends a byte now and then makes no progress.
#[test]
fn a_record_that_does_not_end_has_a_deadline() {
    let server = serve(&["--body-timeout", "600ms"]);
    let mut client = server.connect();
    client.send(head(NDJSON, ""));
    client.send(chunk(format!("{REQUEST}\n")));
    let started = std::time::Instant::now();
    while server.metric("http_server_timeouts_total{phase=\"body\"}") == 0.0 {
        client.try_send(chunk(" "));
        std::thread::sleep(Duration::from_millis(50));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(client.answer().status, 408);
}
