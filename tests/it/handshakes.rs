//! Memory that TLS keeps for unauthenticated clients is bounded and counted; panics in a handshake.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use pick_regno::serve::Faults;
use tokio_rustls::rustls::version::TLS13;

use crate::certificates::{Ca, Folder};
use crate::support::{Client, KEY, Running, stream, within};
use crate::tls::{Peer, serve, serve_with};

/// Bytes held for clients that have shown no key.
const HELD: &str = "http_server_held_open_bytes";

/// ClientHello of `length` bytes in records of 4 KiB, without its last byte.
fn client_hello(length: usize) -> Vec<u8> {
    let mut message = vec![1, 0];
    message.extend(u16::try_from(length).unwrap().to_be_bytes());
    message.extend([3, 3]);
    message.resize(length + 3, 0);
    let mut records = Vec::new();
    for part in message.chunks(4096) {
        records.extend([0x16, 3, 1]);
        records.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        records.extend(part);
    }
    records
}

fn failures(server: &Running) -> f64 {
    server.metric("http_server_tls_failures_total{reason=\"protocol\"}")
}

#[test]
fn the_parts_of_a_handshake_are_counted_and_bounded() {
    let (folder, ca) = (Folder::new("hello"), Ca::new("ca"));
    let server = serve(&folder, &ca, &["--handshake-timeout", "1h"], Some(KEY));
    let strangers: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut socket = stream(server.addr);
            socket.write_all(&client_hello(20_000)).unwrap();
            socket
        })
        .collect();
    within(5, || server.metric(HELD) >= 200_000.0);
    drop(strangers);
    within(5, || server.metric(HELD) == 0.0);

    let before = failures(&server);
    let mut socket = stream(server.addr);
    // The service may end it before all is sent.
    let _ = socket.write_all(&client_hello(65_000));
    assert!(Client::on(socket).rest().len() < 100, "an alert at most");
    within(5, || failures(&server) == before + 1.0);
    let peer = Peer::new(&ca, &[&TLS13]);
    assert_eq!(peer.status(&server, KEY).unwrap(), 200);
}

#[test]
fn answers_that_wait_in_tls_are_counted() {
    let (folder, ca) = (Folder::new("unread"), Ca::new("ca"));
    let server = serve(&folder, &ca, &["--write-timeout", "1h"], Some(KEY));
    let peer = Peer::new(&ca, &[&TLS13]);
    let mut client = peer.connect(&server).unwrap();
    let request = "OPTIONS / HTTP/1.1\r\nhost: a\r\n\r\n";
    let patience = Duration::from_millis(300);
    client
        .stream()
        .sock
        .set_write_timeout(Some(patience))
        .unwrap();
    // Until nothing more is taken.
    let many = request.repeat(500);
    while client.stream().write_all(many.as_bytes()).is_ok() {}
    within(5, || server.metric(HELD) > 0.0);
    assert!(
        server.metric(HELD) < 32.0 * 1024.0,
        "who does not take answers gets no more of them"
    );
    drop(client);
    within(5, || server.metric(HELD) == 0.0);
}

#[test]
fn a_panic_in_a_handshake_is_counted_and_ends_that_connection_alone() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    let (folder, ca) = (Folder::new("handshake-panics"), Ca::new("ca"));
    let faults = Faults {
        at: Some(|place| assert!(place != "handshake" || !PANICS.load(Relaxed))),
        ..Faults::default()
    };
    let server = serve_with(&folder, &ca, faults);
    let peer = Peer::new(&ca, &[&TLS13]);
    assert!(peer.connect(&server).is_err());
    PANICS.store(false, Relaxed);
    assert_eq!(server.metric("http_server_panics_total"), 1.0);
    within(5, || server.metric("http_server_active_connections") == 0.0);
    assert_eq!(peer.status(&server, KEY).unwrap(), 200);
}
