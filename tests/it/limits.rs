//! Sizes and deadlines, at the limit and beyond it.

use std::time::{Duration, Instant};

use crate::support::{KEY, REQUEST, config, serve, within};

fn post_head(length: usize, more: &str) -> String {
    format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
    )
}

/// [`REQUEST`] padded with blanks to a length.
fn padded(length: usize) -> String {
    format!("{REQUEST}{}", " ".repeat(length - REQUEST.len()))
}

#[test]
fn a_body_at_the_limit_is_read_and_one_over_is_not() {
    let server = serve(&["--max-body", "4096"]);
    assert_eq!(server.post(&padded(4096)).status, 200);
    let over = server.post(&padded(4097));
    assert_eq!(over.status, 413);
    assert!(
        over.text().contains("the limit is 4096 bytes"),
        "{}",
        over.text()
    );

    // Without a length, the limit is noticed on the way.
    let mut client = server.connect();
    client.send(post_head(0, "").replace("content-length: 0", "transfer-encoding: chunked"));
    client.send(format!("1001\r\n{}", padded(4097)));
    assert_eq!(client.answer().status, 413);
}

#[test]
fn the_answer_to_a_huge_body_arrives_although_it_is_not_read() {
    let server = serve(&["--max-body", "4096"]);
    let mut client = server.connect();
    client.send(post_head(8 << 20, ""));
    client.try_send(vec![b' '; 8 << 20]);
    assert_eq!(client.answer().status, 413);
}

#[test]
fn expect_continue_is_answered_only_if_the_body_is_wanted() {
    let server = serve(&["--max-body", "4096"]);
    let mut client = server.connect();
    client.send(post_head(REQUEST.len(), "expect: 100-continue\r\n"));
    assert_eq!(client.answer().status, 100);
    client.send(REQUEST);
    assert_eq!(client.answer().status, 200);

    let mut client = server.connect();
    client.send(post_head(4097, "expect: 100-continue\r\n"));
    assert_eq!(client.answer().status, 413, "at once, and no 100 before it");

    let mut client = server.connect();
    client.send(post_head(2, "expect: 100-continue\r\n").replace(KEY, "wrong"));
    assert_eq!(client.answer().status, 401, "the key comes before the body");
}

#[test]
fn heads_have_a_size() {
    let server = serve(&["--max-head", "2048"]);
    let head = |pad: usize| {
        let start = format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\npad: ");
        let pad = pad - start.len() - 4;
        format!("{start}{}\r\n\r\n", "a".repeat(pad))
    };
    let mut client = server.connect();
    client.send(head(2048));
    assert_eq!(client.answer().status, 200);
    client.send(head(2049));
    assert_eq!(client.answer().status, 431);
    assert_eq!(client.rest(), b"");

    let server = serve(&[]);
    let mut client = server.connect();
    client.send(format!(
        "GET /{} HTTP/1.1\r\nhost: a\r\n\r\n",
        "a".repeat(5000)
    ));
    assert_eq!(client.answer().status, 414);
}

#[test]
fn slow_heads_and_bodies_are_answered_408_and_idle_connections_closed() {
    let server = serve(&[
        "--header-timeout",
        "300ms",
        "--body-timeout",
        "300ms",
        "--idle-timeout",
        "600ms",
    ]);
    let started = Instant::now();
    let mut head = server.connect();
    head.send("GET / HTTP/1.1\r\nhost: a\r\n");
    let mut body = server.connect();
    body.send(post_head(100, ""));
    body.send("{");
    let mut silent = server.connect();
    let mut idle = server.connect();
    assert_eq!(idle.get("/").status, 200);

    // A head that began together with the request before it.
    let mut second = server.connect();
    second.send(format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\nGET / HT"
    ));
    assert_eq!(second.answer().status, 200);

    assert_eq!(head.answer().status, 408);
    assert_eq!(head.rest(), b"");
    assert_eq!(second.answer().status, 408);
    let late = body.answer();
    assert_eq!(
        (late.status, late.headers["connection"].as_str()),
        (408, "close")
    );
    body.finish();
    assert_eq!(body.rest(), b"");
    assert_eq!(
        silent.rest(),
        b"",
        "one that says nothing is closed without a word"
    );
    assert_eq!(idle.rest(), b"");
    assert!(
        started.elapsed() >= Duration::from_millis(600),
        "not before its time"
    );
    assert_eq!(
        server.metric("http_server_timeouts_total{phase=\"body\"}"),
        1.0
    );
    assert_eq!(
        server.metric("http_server_timeouts_total{phase=\"idle\"}"),
        1.0
    );
    assert_eq!(
        server.metric("http_server_timeouts_total{phase=\"head\"}"),
        3.0
    );
}

#[test]
fn who_goes_on_sending_after_a_refusal_is_cut_off() {
    let server = serve(&["--workers", "1"]);
    let mut client = server.connect();
    client.send(post_head(1 << 30, ""));
    assert_eq!(client.answer().status, 413);
    // Not a byte more, but no end either.
    client.rest();
    within(10, || {
        server.metric("http_server_timeouts_total{phase=\"linger\"}") == 1.0
    });
}

#[test]
fn a_body_that_is_packed_is_refused_by_name() {
    let server = serve(&[]);
    let json = ("content-type", "application/json");
    let post = |coding| {
        let headers = [json, ("content-encoding", coding)];
        server.connect().request("POST", "/reg/", &headers, REQUEST)
    };
    assert_eq!(post("identity").status, 200);
    let refused = post("gzip");
    assert_eq!(
        (refused.status, refused.headers["accept-encoding"].as_str()),
        (415, "identity")
    );
    assert!(
        refused.text().contains("Content-Encoding"),
        "{}",
        refused.text()
    );
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let server = serve(&["--write-timeout", "300ms", "--workers", "1"]);
    let mut client = server.connect();
    // Answers to so many requests fill every buffer on the way.
    let request = format!("GET /nope HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n").repeat(2000);
    for _ in 0..100 {
        client.try_send(&request);
        if server.metric("http_server_timeouts_total{phase=\"write\"}") == 1.0 {
            return;
        }
    }
    panic!("it was never dropped");
}

#[test]
fn requests_beyond_the_cap_are_shed() {
    let server = serve(&["--max-in-flight", "2", "--workers", "1"]);
    let mut waiting: Vec<_> = (0..2)
        .map(|_| {
            let mut client = server.connect();
            client.send(post_head(REQUEST.len(), ""));
            client
        })
        .collect();
    while server.metric("http_server_active_requests") < 2.0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let shed = server.post(REQUEST);
    assert_eq!(
        (shed.status, shed.headers["retry-after"].as_str()),
        (503, "1")
    );
    assert_eq!(
        server.get("/").status,
        200,
        "what costs nothing is still answered"
    );
    for client in &mut waiting {
        client.send(REQUEST);
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(server.post(REQUEST).status, 200);
    assert_eq!(
        server.metric("http_server_shed_requests_total{reason=\"in_flight\"}"),
        1.0
    );
}

/// Settings that allow 200 KiB of long bodies in total.
const LITTLE_MEMORY: [&str; 8] = [
    "--workers",
    "1",
    "--max-body",
    "100KiB",
    "--max-line",
    "1KiB",
    "--max-body-memory",
    "200KiB",
];
const HELD: &str = "http_server_held_body_bytes";
/// Bytes held for clients that have shown no key.
const HELD_OPEN: &str = "http_server_held_open_bytes";
const SHED: &str = "http_server_shed_requests_total{reason=\"body_memory\"}";

#[test]
fn long_bodies_beyond_their_memory_are_shed_and_short_ones_are_not() {
    const LENGTH: usize = 100 * 1024;
    let server = serve(&LITTLE_MEMORY);
    let mut waiting: Vec<_> = (0..2)
        .map(|_| {
            let mut client = server.connect();
            client.send(post_head(LENGTH, ""));
            client
        })
        .collect();
    within(5, || server.metric(HELD) == 2.0 * LENGTH as f64);

    let long = padded(17 * 1024);
    let shed = server.post(&long);
    assert_eq!(
        (shed.status, shed.headers["retry-after"].as_str()),
        (503, "1")
    );
    assert_eq!(shed.headers["connection"], "close", "its body was not read");
    assert!(
        shed.text().contains("too many long bodies at once"),
        "{}",
        shed.text()
    );
    // Without a length, it is noticed on the way.
    let mut chunked = server.connect();
    chunked.send(post_head(0, "").replace("content-length: 0", "transfer-encoding: chunked"));
    chunked.send(format!("{:x}\r\n{long}\r\n", long.len()));
    assert_eq!(chunked.answer().status, 503);
    let ndjson = [("content-type", "application/x-ndjson")];
    let batch = server.connect().request("POST", "/reg/", &ndjson, REQUEST);
    assert_eq!(batch.status, 200, "one that is short holds next to nothing");
    assert_eq!(server.metric(SHED), 2.0);
    assert_eq!(
        server.post(&padded(16 * 1024)).status,
        200,
        "short ones do not count"
    );

    let mut first = waiting.remove(0);
    first.send(padded(LENGTH));
    assert_eq!(first.answer().status, 200);
    assert_eq!(server.post(&long).status, 200);
    assert_eq!(
        server
            .connect()
            .request("POST", "/reg/", &ndjson, REQUEST)
            .status,
        200
    );
    drop(waiting);
    within(5, || server.metric(HELD) == 0.0);
    assert_eq!(server.metric(SHED), 2.0);
}

#[test]
fn answers_that_nobody_reads_count_as_memory() {
    let server = serve(&[&LITTLE_MEMORY[..], &["--write-timeout", "2s"]].concat());
    let array = format!("[{}]", vec![REQUEST; 100].join(","));
    let request = format!("{}{array}", post_head(array.len(), ""));
    let mut client = server.connect();
    // Answers to so many fill every buffer on the way.
    let sending = std::thread::spawn(move || {
        for _ in 0..2000 {
            client.try_send(&request);
        }
    });
    // The body that is read meanwhile counts as well, and nothing else does.
    within(20, || {
        let held = server.metric(HELD);
        held != 0.0 && held != array.len() as f64
    });
    sending.join().unwrap();
    within(5, || server.metric(HELD) == 0.0);
    assert_eq!(
        server.metric("http_server_timeouts_total{phase=\"write\"}"),
        1.0
    );
}

#[test]
fn who_does_not_take_answers_gets_no_more_of_them() {
    // Answers with a body of 28 KiB, of which a piece is copied, and answers that are a head alone.
    for (line, most) in [
        ("GET /openapi.json", 20.0 * 1024.0),
        ("OPTIONS /", 512.0 * 1024.0),
    ] {
        let server = serve(&["--write-timeout", "2s", "--workers", "1"]);
        let requests = format!("{line} HTTP/1.1\r\nhost: a\r\n\r\n").repeat(1000);
        let mut client = server.connect();
        let sending = std::thread::spawn(move || {
            for _ in 0..1000 {
                client.try_send(&requests);
            }
        });
        let (mut held, mut highest) = (1.0, 0.0_f64);
        within(20, || server.metric(HELD_OPEN) > 0.0);
        while held > 0.0 {
            held = server.metric(HELD_OPEN);
            highest = highest.max(held);
        }
        sending.join().unwrap();
        assert!(highest < most, "{line}: {highest} bytes were held");
        assert_eq!(
            server.metric("http_server_timeouts_total{phase=\"write\"}"),
            1.0,
            "{line}"
        );
    }
}

#[test]
fn pipelined_answers_go_on_when_they_are_taken_after_all() {
    const COUNT: usize = 200;
    let server = serve(&["--workers", "1"]);
    let mut client = server.connect();
    client.send("GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(COUNT));
    within(20, || server.metric(HELD_OPEN) > 0.0);
    for _ in 0..COUNT {
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(server.metric(HELD_OPEN), 0.0);
}

#[test]
fn answers_that_strangers_do_not_read_shut_nobody_out() {
    let server = serve(&LITTLE_MEMORY);
    let requests = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100);
    let strangers: Vec<_> = (0..50)
        .map(|_| {
            let mut client = server.connect();
            client.try_send(&requests);
            client
        })
        .collect();
    within(20, || server.metric(HELD_OPEN) > 200.0 * 1024.0);
    assert_eq!(server.post(&padded(17 * 1024)).status, 200);
    let lines = format!("{REQUEST}\n").repeat(100);
    let ndjson = [("content-type", "application/x-ndjson")];
    let batch = server.connect().request("POST", "/reg/", &ndjson, &lines);
    assert_eq!(batch.status, 200);
    drop(strangers);
    within(20, || server.metric(HELD_OPEN) == 0.0);
}

#[test]
fn a_port_that_another_process_shares_among_its_workers_is_taken() {
    let server = serve(&["--workers", "2"]);
    let again = config(
        &["--listen", &server.addr.to_string(), "--workers", "2"],
        None,
    );
    let error = pick_regno::serve::Server::bind(again).err().unwrap();
    let expected = format!(
        "--listen {}: cannot listen: Address already in use",
        server.addr
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}
