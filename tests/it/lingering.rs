//! End of a connection: an answer arrives completely, whatever its client goes on to send.

use std::io::Write as _;
use std::time::Duration;

use crate::support::{Client, KEY, serve, stream};

/// Headers that Java's default client adds to its first request.
const H2C: &str = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";

/// Refusals of requests whose bodies are still arriving: a reset would destroy the answer.
#[test]
fn a_refusal_is_read_after_the_body_was_sent() {
    let server = serve(&["--max-body", "50000"]);
    for (more, status) in [
        ("", 401),
        (H2C, 401),
        (&format!("x-api-key: {KEY}\r\n"), 413),
        (&format!("x-api-key: {KEY}\r\n{H2C}"), 413),
    ] {
        let mut socket = stream(server.addr);
        write!(
            socket,
            "POST /reg/ HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\n{more}Content-Length: 100000\r\n\r\n"
        )
        .unwrap();
        for _ in 0..10 {
            // The answer is ready long before the body is.
            std::thread::sleep(Duration::from_millis(20));
            socket.write_all(&[b'x'; 10_000]).unwrap();
        }
        let mut client = Client::on(socket);
        let answer = client.answer();
        assert_eq!(
            (answer.status, &*answer.headers["connection"]),
            (status, "close"),
            "{more:?}"
        );
        assert!(client.is_ended(), "and no reset: {more:?}");
    }
}

#[test]
fn a_connection_goes_on_after_a_wish_to_upgrade() {
    let server = serve(&[]);
    let mut client = server.connect();
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n{H2C}\r\n");
    for _ in 0..3 {
        client.send(&request);
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers.get("connection"), None);
    }
}

/// Sends a request after the last answer of a connection, before the client has read that it is the last.
#[test]
fn a_request_after_the_last_answer_does_not_reset_it() {
    let server = serve(&["--drain-delay", "2s"]);
    let mut client = server.connect();
    assert_eq!(client.get("/").status, 200);
    server.stopper.stop();
    while Client::connect(server.admin).get("/readyz").status == 200 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n");
    client.send(&request);
    std::thread::sleep(Duration::from_millis(50));
    client.send(&request);
    std::thread::sleep(Duration::from_millis(50));
    let answer = client.answer();
    assert_eq!(
        (answer.status, &*answer.headers["connection"]),
        (200, "close")
    );
    assert!(client.is_ended(), "and no reset");
}

/// The last line of an interrupted batch says why; the client may still be sending.
#[test]
fn the_reason_for_a_cut_is_read_after_the_rest_was_sent() {
    let server = serve(&[]);
    let mut socket = stream(server.addr);
    let many = "{}\n".repeat(6000);
    write!(
        socket,
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{many}\r\nno size\r\n",
        many.len()
    )
    .unwrap();
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(20));
        socket.write_all(&[b'x'; 10_000]).unwrap();
    }
    let rest = Client::on(socket).rest();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.starts_with("HTTP/1.1 200"));
    assert!(rest.contains("the chunked body is malformed"));
}
