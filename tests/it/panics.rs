//! Panics at every stage of a connection: counted, logged, and never mistaken for an answer.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;

use pick_regno::serve::Faults;

use crate::support::{Client, KEY, REQUEST, Running, config, start_with, stream, within};

fn serve_with(at: fn(&str)) -> Running {
    let faults = Faults {
        at: Some(at),
        ..Faults::default()
    };
    start_with(config(&["--workers", "1"], Some(KEY)), |server| {
        server.with_faults(faults)
    })
}

fn panics(server: &Running) -> f64 {
    server.metric("http_server_panics_total")
}

/// Sends `bytes` on a new connection until it ends. Returns what was received, and true if the connection was reset.
fn sent(addr: SocketAddr, bytes: &str) -> (Vec<u8>, bool) {
    let mut stream = stream(addr);
    stream.write_all(bytes.as_bytes()).unwrap();
    let (mut came, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return (came, false),
            Ok(len) => came.extend_from_slice(&part[..len]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (came, true),
            Err(error) => panic!("{error}"),
        }
    }
}

fn post(content_type: &str, body: &str) -> String {
    format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn one_at_a_requests_head_resets_its_connection() {
    let server = serve_with(|place| assert_ne!(place, "head"));
    for nth in 1..=3 {
        assert_eq!(
            sent(server.addr, &post("application/json", REQUEST)),
            (Vec::new(), true)
        );
        within(5, || panics(&server) == f64::from(nth));
    }
    within(5, || server.metric("http_server_active_connections") == 0.0);
}

#[test]
fn one_within_a_batch_resets_its_connection_and_is_counted_as_500() {
    let server = serve_with(|place| assert_ne!(place, "batch"));
    let (_, was_reset) = sent(server.addr, &post("application/x-ndjson", REQUEST));
    assert!(was_reset, "a clean end would be taken for all answers");
    within(5, || panics(&server) == 1.0);
    let failed = "http_server_request_duration_seconds_count{route=\"/reg/ batch\",method=\"POST\",status=\"500\"}";
    within(5, || server.metric(failed) == 1.0);
    within(5, || server.metric("http_server_active_requests") == 0.0);
    assert_eq!(server.metric("http_server_abandoned_requests_total"), 0.0);
    assert_eq!(server.metric("http_server_held_body_bytes"), 0.0);
    assert_eq!(server.post(REQUEST).status, 200, "others are answered");
}

#[test]
fn one_on_the_operators_port_is_counted_too() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    static PANICS: AtomicBool = AtomicBool::new(true);
    let server = serve_with(|place| assert!(place != "admin" || !PANICS.load(Relaxed)));
    let asked = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(sent(server.admin, asked), (Vec::new(), true));
    PANICS.store(false, Relaxed);
    within(5, || panics(&server) == 1.0);
    assert_eq!(Client::connect(server.admin).get("/healthz").status, 200);
}

#[test]
fn one_of_the_sweep_does_not_end_it() {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static SWEEPS: AtomicU32 = AtomicU32::new(0);
    let faults = Faults {
        at: Some(|place| assert!(place != "sweep" || SWEEPS.fetch_add(1, Relaxed) != 1)),
        ..Faults::default()
    };
    let config = config(&["--workers", "1", "--header-timeout", "1s"], Some(KEY));
    let server = start_with(config, |server| server.with_faults(faults));
    within(5, || panics(&server) == 1.0);
    let mut slow = server.connect();
    slow.send("GET");
    assert!(
        slow.rest().starts_with(b"HTTP/1.1 408 "),
        "deadlines are kept"
    );
}
