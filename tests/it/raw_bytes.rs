//! Requests that parsers interpret differently: none may get a second answer, or smuggle in another request.

use crate::support::{Client, KEY, REQUEST, serve};

/// Request that must never be answered, after whatever was refused before it.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

/// Named requests, each with the status of its answer.
fn cases() -> Vec<(&'static str, Vec<u8>, u16)> {
    let post = |headers: &str, body: &str| {
        format!("POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n{headers}\r\n{body}").into_bytes()
    };
    let get = |line: &str, headers: &str| format!("{line}\r\n{headers}\r\n").into_bytes();
    let chunked = |body: &str| post("transfer-encoding: chunked\r\n", body);
    let line = |line: &str| get(line, "host: a\r\n");
    let header = |header: &str| get("GET / HTTP/1.1", &format!("host: a\r\n{header}\r\n"));
    vec![
        // Two ways to tell a body's end.
        (
            "CL.TE",
            post(
                "content-length: 4\r\ntransfer-encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "TE.CL",
            post(
                "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "TE.CL of zero",
            post(
                "transfer-encoding: chunked\r\ncontent-length: 0\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "two lengths",
            post("content-length: 2\r\ncontent-length: 3\r\n", "{} "),
            400,
        ),
        (
            "a length twice",
            post("content-length: 2\r\ncontent-length: 2\r\n", "{}"),
            400,
        ),
        (
            "a list of lengths",
            post("content-length: 2, 2\r\n", "{}"),
            400,
        ),
        ("a signed length", post("content-length: +2\r\n", "{}"), 400),
        (
            "a negative length",
            post("content-length: -2\r\n", "{}"),
            400,
        ),
        (
            "a hexadecimal length",
            post("content-length: 0x2\r\n", "{}"),
            400,
        ),
        (
            "a length with a blank",
            post("content-length: 2 2\r\n", "{}"),
            400,
        ),
        ("an empty length", post("content-length:\r\n", "{}"), 400),
        (
            "a length beyond 64 bits",
            post("content-length: 99999999999999999999\r\n", ""),
            400,
        ),
        (
            "a fractional length",
            post("content-length: 2.0\r\n", "{}"),
            400,
        ),
        (
            "a length of other digits",
            post("content-length: \u{662}\r\n", "{}"),
            400,
        ),
        (
            "two encodings",
            post(
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "chunked and identity",
            post(
                "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "gzip, chunked",
            post("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "chunked, gzip",
            post("transfer-encoding: chunked, gzip\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "identity",
            post("transfer-encoding: identity\r\n", "{}"),
            400,
        ),
        (
            "xchunked",
            post("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "quoted chunked",
            post("transfer-encoding: \"chunked\"\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "chunked after a tab in the name",
            post("transfer-encoding\t: chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "chunked after a blank in the name",
            post("transfer-encoding : chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "chunked after a vertical tab",
            post("transfer-encoding: \u{b}chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "chunked on a folded line",
            post("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "chunked in HTTP/1.0",
            [&b"POST /reg/ HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"[..]].concat(),
            400,
        ),
        (
            "an encoding hidden behind a bare CR",
            post("a: b\rtransfer-encoding: chunked\r\n", ""),
            400,
        ),
        (
            "an encoding hidden behind a bare LF",
            post("a: b\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        // Chunks.
        ("a size that is no number", chunked("x\r\n"), 400),
        ("a size with a sign", chunked("+2\r\n{}\r\n0\r\n\r\n"), 400),
        ("a size with 0x", chunked("0x2\r\n{}\r\n0\r\n\r\n"), 400),
        (
            "a size after a blank",
            chunked(" 2\r\n{}\r\n0\r\n\r\n"),
            400,
        ),
        (
            "a size before a blank",
            chunked("2 \r\n{}\r\n0\r\n\r\n"),
            400,
        ),
        ("a size of 64 bits", chunked("ffffffffffffffff\r\n{}"), 400),
        (
            "a size beyond 64 bits",
            chunked("10000000000000002\r\n{}"),
            400,
        ),
        (
            "a size line that ends in LF",
            chunked("2\n{}\r\n0\r\n\r\n"),
            400,
        ),
        (
            "a size line without a size",
            chunked("\r\n{}\r\n0\r\n\r\n"),
            400,
        ),
        (
            "a chunk longer than its size",
            chunked("2\r\n{} \r\n0\r\n\r\n"),
            400,
        ),
        (
            "a chunk that ends in LF",
            chunked("2\r\n{}\n0\r\n\r\n"),
            400,
        ),
        (
            "an extension with LF",
            chunked("2;a\nb\r\n{}\r\n0\r\n\r\n"),
            400,
        ),
        (
            "an endless extension",
            chunked(&format!("2;{}", "a".repeat(9000))),
            400,
        ),
        (
            "endless trailers",
            chunked(&format!("0\r\n{}", "a: b\r\n".repeat(3000))),
            400,
        ),
        (
            "extensions without end, a few to a chunk",
            chunked(&format!("1;{}\r\n \r\n", "a".repeat(100)).repeat(300)),
            400,
        ),
        ("a trailer that ends in LF", chunked("0\r\na: b\n\r\n"), 400),
        (
            "a trailer with a blank in its name",
            chunked("2\r\n{}\r\n0\r\na b: c\r\n\r\n"),
            400,
        ),
        (
            "a trailer without a colon",
            chunked("2\r\n{}\r\n0\r\na\r\n\r\n"),
            400,
        ),
        (
            "a trailer that goes on, on the next line",
            chunked("2\r\n{}\r\n0\r\na: b\r\n c: d\r\n\r\n"),
            400,
        ),
        (
            "a control character in a trailer",
            chunked("2\r\n{}\r\n0\r\na: \u{1}c\r\n\r\n"),
            400,
        ),
        // Lines.
        (
            "bare LF after the request line",
            b"GET / HTTP/1.1\nhost: a\n\n".to_vec(),
            400,
        ),
        (
            "bare LF after a header",
            b"GET / HTTP/1.1\r\nhost: a\n\r\n".to_vec(),
            400,
        ),
        (
            "bare LF at the end",
            b"GET / HTTP/1.1\r\nhost: a\r\n\n".to_vec(),
            400,
        ),
        (
            "bare CR at the end",
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\r\n\r\n".to_vec(),
            400,
        ),
        ("obs-fold", header("a: b\r\n c"), 400),
        (
            "a first header that begins with a blank",
            get("GET / HTTP/1.1", " host: a\r\n"),
            400,
        ),
        ("a header without a colon", header("nothing"), 400),
        ("a header without a name", header(": a"), 400),
        ("a header with a blank in its name", header("a b: c"), 400),
        ("a header with NUL in its name", header("a\0: c"), 400),
        ("NUL in a value", header("a: b\0c"), 400),
        ("an escape in a value", header("a: b\x1b[0m"), 400),
        ("DEL in a value", header("a: \x7f"), 400),
        ("a value with CR", header("a: b\rc"), 400),
        // Hosts.
        ("no host", get("GET / HTTP/1.1", ""), 400),
        ("two hosts", header("host: a"), 400),
        ("two different hosts", header("Host: b"), 400),
        (
            "a host with a path",
            get("GET / HTTP/1.1", "host: a/b\r\n"),
            400,
        ),
        (
            "a host with a user",
            get("GET / HTTP/1.1", "host: a@b\r\n"),
            400,
        ),
        (
            "a list of hosts",
            get("GET / HTTP/1.1", "host: a, b\r\n"),
            400,
        ),
        // Request lines.
        ("no version", line("GET /"), 400),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), 400),
        ("HTTP/2.0", line("GET / HTTP/2.0"), 400),
        ("HTTP/1.2", line("GET / HTTP/1.2"), 400),
        ("HTTP/1.10", line("GET / HTTP/1.10"), 400),
        ("a version in lower case", line("GET / http/1.1"), 400),
        ("two blanks", line("GET  / HTTP/1.1"), 400),
        ("a tab", line("GET\t/ HTTP/1.1"), 400),
        ("a blank before", line(" GET / HTTP/1.1"), 400),
        ("a blank after", line("GET / HTTP/1.1 "), 400),
        ("a target with a blank", line("GET /a b HTTP/1.1"), 400),
        ("a target with NUL", line("GET /\0 HTTP/1.1"), 400),
        ("a target with a fragment", line("GET /#a HTTP/1.1"), 400),
        ("a target without a slash", line("GET reg/ HTTP/1.1"), 400),
        ("a target beyond ASCII", line("GET /\u{e9} HTTP/1.1"), 400),
        ("an asterisk", line("GET * HTTP/1.1"), 400),
        ("CONNECT", line("CONNECT a:80 HTTP/1.1"), 400),
        ("a method with a colon", line("GE:T / HTTP/1.1"), 400),
        (
            "a long method",
            line(&format!("{} / HTTP/1.1", "A".repeat(100))),
            400,
        ),
        (
            "a huge target",
            line(&format!("GET /{} HTTP/1.1", "a".repeat(100_000))),
            414,
        ),
        (
            "a huge header",
            header(&format!("a: {}", "b".repeat(100_000))),
            431,
        ),
        ("many headers", header(&"a: b\r\n".repeat(1000)), 431),
        ("many empty lines", b"\r\n".repeat(40_000), 431),
        (
            "HTTP/2's preface",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            400,
        ),
        (
            "a TLS hello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            400,
        ),
        (
            "a form feed after a length",
            post("content-length: 2\u{c}\r\n", "{}"),
            400,
        ),
        ("a CR after a value", header("a: b\r"), 400),
        ("noise", (0..=255).chain(0..=255).collect(), 400),
    ]
}

#[test]
fn none_is_answered_twice() {
    let server = serve(&["--header-timeout", "2s", "--body-timeout", "2s"]);
    let cases = cases();
    assert!(cases.len() >= 60);
    for (name, bytes, status) in &cases {
        // All at once, and in two parts that the server reads one by one.
        for cut in [bytes.len(), bytes.len() / 2] {
            let mut client = server.connect();
            client.try_send(&bytes[..cut]);
            std::thread::sleep(std::time::Duration::from_millis(2));
            client.try_send(&bytes[cut..]);
            client.try_send(SMUGGLED);
            client.finish();
            let text = String::from_utf8(client.rest()).unwrap();
            let answers = text.matches("\r\ncontent-length: ").count();
            assert_eq!(answers, 1, "{name}, cut at {cut}: {text}");
            assert!(
                text.starts_with(&format!("HTTP/1.1 {status} ")),
                "{name}, cut at {cut}: {text}"
            );
            assert!(
                text.to_lowercase().contains("\r\nconnection: close\r\n"),
                "{name}: {text}"
            );
            assert!(text.ends_with(",\"status\":\"fail\"}\n"), "{name}: {text}");
        }
    }
    assert_eq!(Client::connect(server.addr).get("/").status, 200);
    assert_eq!(server.metric("http_server_panics_total"), 0.0);
}

/// Chunk extensions and trailers, which RFC 9112 tells a server to ignore.
#[test]
fn extensions_and_trailers_are_passed_over() {
    let server = serve(&[]);
    let mut client = server.connect();
    let chunks: String = REQUEST
        .split_inclusive(' ')
        .map(|piece| format!("{:x};name=\"value\"\r\n{piece}\r\n", piece.len()))
        .collect();
    let trailers = "a: b\r\nc:\r\n";
    let bytes = format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0;last\r\n{trailers}\r\n"
    );
    for cut in [bytes.len(), bytes.len() - 5, bytes.len() - 8] {
        client.send(&bytes[..cut]);
        std::thread::sleep(std::time::Duration::from_millis(20));
        client.send(&bytes[cut..]);
        assert_eq!(client.answer().status, 200, "cut at {cut}");
    }
}

#[test]
fn a_request_that_never_ends_is_not_answered_as_if_it_had() {
    let server = serve(&["--header-timeout", "2s", "--body-timeout", "2s"]);
    for bytes in [
        "GET / HTTP/1.1\r\nhost: a".to_owned(),
        format!(
            "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{}}"
        ),
        format!(
            "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n"
        ),
    ] {
        let mut client = server.connect();
        client.send(&bytes);
        client.finish();
        let text = String::from_utf8(client.rest()).unwrap();
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 40"),
            "{bytes:?}: {text}"
        );
    }
}
