//! Faults: consequences of a panic for its request and for others, and reports to Sentry.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::{KEY, REQUEST, Running, config, faults, serve, start_with, within};

const WAIT: Duration = Duration::from_secs(10);

/// Request to Sentry's ingest: its head, and the three parts of its envelope.
struct Taken {
    head: String,
    body: String,
    event: Value,
}

/// Fake Sentry, which accepts envelopes as its ingest does and answers each with `answer`.
struct Ingest {
    addr: SocketAddr,
    taken: Receiver<Taken>,
}

impl Ingest {
    fn start(answer: &'static str) -> Ingest {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (send, taken) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let taken = take(stream.unwrap(), answer);
                if send.send(taken).is_err() {
                    break;
                }
            }
        });
        Ingest { addr, taken }
    }

    fn dsn(&self) -> String {
        format!("http://abc123@{}/42", self.addr)
    }

    fn next(&self) -> Taken {
        self.taken.recv_timeout(WAIT).unwrap()
    }
}

/// Reads one request according to the protocol, and fails if Sentry would refuse it.
fn take(mut stream: impl std::io::Read + std::io::Write, answer: &str) -> Taken {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    stream.flush().unwrap();

    let body = String::from_utf8(body).unwrap();
    let lines: Vec<_> = body.lines().collect();
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let (header, item, event) = (read(lines[0]), read(lines[1]), read(lines[2]));
    assert_eq!(lines.len(), 3);
    assert_eq!(item["type"], "event");
    assert_eq!(item["length"], lines[2].len());
    assert_eq!(header["event_id"], event["event_id"]);
    Taken { head, body, event }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// Panics for some bodies, with a message that says too much about them.
fn fault(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    assert!(!text.contains("Т000ТТ"), "what is {text}?");
}

fn bad_request() -> String {
    REQUEST.replace("А939НО190", "Т000ТТ190")
}

/// Starts a server that panics for [`bad_request`], and reports to `dsn`.
fn faulty(dsn: &str, flags: &[&str]) -> Running {
    let name = dsn.replace(['/', ':', '@'], "-");
    let file = std::env::temp_dir().join(format!("pick-regno-dsn-{}{name}", std::process::id()));
    std::fs::write(&file, format!("{dsn}\n")).unwrap();
    let flags = [&["--sentry-dsn-file", file.to_str().unwrap()], flags].concat();
    let config = config(&flags, Some(KEY));
    std::fs::remove_file(&file).unwrap();
    start_with(config, |server| server.with_faults(faults(fault)))
}

fn reports(server: &Running, result: &str) -> f64 {
    server.metric(&format!(
        "pick_regno_sentry_reports_total{{result=\"{result}\"}}"
    ))
}

#[test]
fn one_request_in_a_hundred_that_panics_is_500_and_no_other_is() {
    let server = start_with(config(&[], Some(KEY)), |server| {
        server.with_faults(faults(fault))
    });
    let right = serve(&[]).post(REQUEST).text();
    let bad = bad_request();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (server, right, bad) = (&server, &right, &bad);
            scope.spawn(move || {
                let mut connection = server.connect();
                for nth in 0..500 {
                    let panics = (nth + client * 7) % 100 == 0;
                    let answer = connection.post(if panics { bad } else { REQUEST });
                    if panics {
                        assert_eq!(answer.status, 500);
                        assert_eq!(
                            answer.text(),
                            "{\"body\":\"Internal server error: the fault is the service's, and has been noted\",\
                             \"status\":\"fail\"}\n"
                        );
                    } else {
                        assert_eq!((answer.status, &answer.text()), (200, right));
                    }
                }
            });
        }
    });
    assert_eq!(server.metric("http_server_panics_total"), 20.0);
    assert_eq!(server.metric("pick_regno_rows_total"), 1980.0);
    assert_eq!(server.metric("http_server_active_requests"), 0.0);
    let count = |status: u16| {
        server.metric(&format!(
            "http_server_request_duration_seconds_count{{route=\"/reg/\",method=\"POST\",status=\"{status}\"}}"
        ))
    };
    assert_eq!((count(200), count(500)), (1980.0, 20.0));
    println!(
        "of 2,000 requests 20 panicked: {} answered 500, {} right",
        count(500),
        count(200)
    );
}

#[test]
fn sentry_is_told_of_panics_and_of_5xx_and_of_no_request() {
    let ingest = Ingest::start(OK);
    let server = faulty(&ingest.dsn(), &["--workers", "1", "--max-in-flight", "1"]);
    for _ in 0..3 {
        assert_eq!(server.post(&bad_request()).status, 500);
    }
    let panic = ingest.next();
    assert!(
        panic
            .head
            .starts_with("POST /api/42/envelope/ HTTP/1.1\r\n"),
        "{}",
        panic.head
    );
    for line in [
        "content-type: application/x-sentry-envelope",
        "x-sentry-auth: Sentry sentry_version=7, sentry_client=pick-regno/0.1.0, sentry_key=abc123",
    ] {
        assert!(
            panic.head.lines().any(|found| found == line),
            "{}",
            panic.head
        );
    }
    assert_eq!(panic.event["level"], "fatal");
    assert_eq!(panic.event["release"], "pick-regno@0.1.0");
    let value = &panic.event["exception"]["values"][0]["value"];
    let value = value.as_str().unwrap();
    assert!(
        value.starts_with("the service panicked at tests/it/sentry.rs:"),
        "{value}"
    );

    // A request that waits for its body takes the only place; the next is shed.
    let mut waiting = server.connect();
    waiting.send(format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        REQUEST.len()
    ));
    within(20, || server.metric("http_server_active_requests") == 1.0);
    assert_eq!(server.post(REQUEST).status, 503);
    let shed = ingest.next();
    assert_eq!(shed.event["message"]["formatted"], "/reg/ answered 503");
    waiting.send(REQUEST);
    assert_eq!(waiting.answer().status, 200);

    for taken in [&panic, &shed] {
        let all = format!("{}{}", taken.head, taken.body);
        for secret in [
            "Т000",
            "А939",
            KEY,
            "Стационарная",
            "what is",
            "127.0.0.1:0",
        ] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
    }
    // The other two panics happened at the same place.
    within(20, || reports(&server, "sent") == 2.0);
    assert_eq!(
        (reports(&server, "merged"), reports(&server, "lost")),
        (2.0, 0.0)
    );
    server.stopper.stop();
    server.join().unwrap();
    assert!(ingest.taken.try_recv().is_err(), "and nothing else");
}

#[test]
fn a_sentry_that_fails_costs_reports_and_no_answers() {
    // One that asks for a pause, one that is silent, and one that is not there.
    let slow_down =
        Ingest::start("HTTP/1.1 429 Slow\r\nretry-after: 60\r\ncontent-length: 0\r\n\r\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for dsn in [
        slow_down.dsn(),
        format!("http://abc@{}/1", silent.local_addr().unwrap()),
        format!("http://abc@{gone}/1"),
    ] {
        let server = faulty(&dsn, &[]);
        assert_eq!(server.post(&bad_request()).status, 500);
        assert_eq!(server.post(REQUEST).status, 200, "nobody waits for Sentry");
        within(20, || reports(&server, "lost") == 1.0);
        assert_eq!(reports(&server, "sent"), 0.0);
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_sentry_with_a_certificate_is_spoken_to_over_tls() {
    use crate::certificates::{Ca, Folder};
    use std::sync::Arc;
    use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

    let (folder, ca) = (Folder::new("sentry-tls"), Ca::new("ca"));
    ca.write(&folder.0, "ca");
    Ca::new("other").write(&folder.0, "other");
    let identity = ca.server(2090);
    let config = ServerConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain(), identity.key())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!(
        "https://abc@localhost:{}/1",
        listener.local_addr().unwrap().port()
    );

    let server = faulty(&dsn, &["--sentry-ca", &folder.file("ca.pem")]);
    assert_eq!(server.post(&bad_request()).status, 500);
    let (stream, _) = listener.accept().unwrap();
    let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
    let taken = take(StreamOwned::new(connection, stream), OK);
    assert_eq!(taken.event["level"], "fatal");
    within(20, || reports(&server, "sent") == 1.0);

    // One whose certificate somebody else has signed is told nothing.
    let server = faulty(&dsn, &["--sentry-ca", &folder.file("other.pem")]);
    assert_eq!(server.post(&bad_request()).status, 500);
    let (mut stream, _) = listener.accept().unwrap();
    let mut connection = ServerConnection::new(config).unwrap();
    assert!(connection.complete_io(&mut stream).is_err());
    within(20, || reports(&server, "lost") == 1.0);
}
