//! Connection slots: waiting for one, making room, and clients that may not hold them all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::{Client, KEY, serve, within};

#[test]
fn connections_beyond_the_cap_wait() {
    let server = serve(&["--max-connections", "2", "--workers", "1"]);
    let mut first = server.connect();
    let mut second = server.connect();
    assert_eq!(first.get("/").status, 200);
    assert_eq!(second.get("/").status, 200);
    let mut third = server.connect();
    third.send(format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n"
    ));
    assert_eq!(server.metric("http_server_active_connections"), 2.0);
    drop(first);
    assert_eq!(third.answer().status, 200, "as soon as there is a place");
}

#[test]
fn the_connection_that_is_silent_the_longest_makes_room() {
    let server = serve(&["--max-connections", "3", "--workers", "2"]);
    let mut idle = server.connect();
    assert_eq!(idle.get("/").status, 200);
    let mut mute = server.connect();
    let mut used = server.connect();
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(used.get("/").status, 200);
    let mut kept = Vec::new();
    // Whoever has shown no key comes first.
    for (nth, silent) in [&mut mute, &mut idle].into_iter().enumerate() {
        assert_eq!(server.get("/").status, 200, "room is made in a second");
        assert_eq!(silent.rest(), b"");
        let evicted = server.metric("http_server_evicted_connections_total");
        assert_eq!(evicted, nth as f64 + 1.0);
        // The one that asked is gone, and leaves its place to this.
        let mut next = server.connect();
        assert_eq!(next.get("/").status, 200);
        kept.push(next);
    }
    assert_eq!(used.get("/").status, 200);
}

/// Opens connections that begin with `sent`, have it answered and do not read, and keeps `count` open until it is dropped. If they
/// are busy, they read, and send it again and again.
struct Crowd {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    fn around(addr: SocketAddr, count: usize, sent: &str) -> Crowd {
        Crowd::with(addr, count, sent, false)
    }

    fn with(addr: SocketAddr, count: usize, sent: &str, busy: bool) -> Crowd {
        let sent = sent.to_owned();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut held: Vec<TcpStream> = Vec::new();
            while !stopped.load(Relaxed) {
                // Those that the server has ended are replaced; of those with answers only a reset tells.
                held.retain(|stream| match stream.peek(&mut [0]) {
                    Ok(read) => read > 0 && stream.take_error().is_ok_and(|error| error.is_none()),
                    Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
                });
                while held.len() < count {
                    let patience = Duration::from_millis(300);
                    let Ok(mut stream) = TcpStream::connect_timeout(&addr, patience) else {
                        break;
                    };
                    let _ = stream.write_all(sent.as_bytes());
                    stream.set_nonblocking(true).unwrap();
                    held.push(stream);
                }
                if busy {
                    for stream in &mut held {
                        let _ = stream.read(&mut [0; 4096]);
                        let _ = stream.write_all(sent.as_bytes());
                    }
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Crowd {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

/// Answers to so many requests fill every buffer on the way.
const UNREAD: &str = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn clients_without_a_key_cannot_hold_all_places() {
    let unread = UNREAD.repeat(40);
    for sent in ["", "GET / HTTP/1.1\r\nhost: a\r\n", &unread] {
        // No deadline ends a wait.
        let server = serve(&[
            "--max-connections",
            "40",
            "--header-timeout",
            "1h",
            "--write-timeout",
            "1h",
        ]);
        let _crowd = Crowd::around(server.addr, 60, sent);
        within(20, || {
            server.metric("http_server_active_connections") >= 40.0
        });
        std::thread::sleep(Duration::from_millis(700));
        for _ in 0..4 {
            assert_eq!(server.get("/").status, 200);
        }
    }
}

#[test]
fn clients_without_a_key_that_ask_all_the_time_make_room() {
    let server = serve(&["--max-connections", "40"]);
    let asked = "GET /nope HTTP/1.1\r\nhost: a\r\n\r\n";
    let _crowd = Crowd::with(server.addr, 60, asked, true);
    within(20, || {
        server.metric("http_server_active_connections") >= 40.0
    });
    for _ in 0..4 {
        assert_eq!(server.get("/").status, 200);
    }
}

#[test]
fn one_address_has_no_more_connections_than_it_may() {
    let server = serve(&["--max-connections-per-address", "3", "--workers", "2"]);
    let mut held: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut held {
        assert_eq!(client.get("/").status, 200);
    }
    assert!(server.connect().is_ended(), "one more");
    assert_eq!(server.metric("http_server_evicted_connections_total"), 1.0);
    held.pop();
    within(20, || {
        server.metric("http_server_active_connections") == 2.0
    });
    assert_eq!(server.get("/").status, 200);
    for client in &mut held {
        assert_eq!(client.get("/").status, 200);
    }
}

/// The liveness probe, while others ask for the metrics and do not read them.
#[test]
fn operators_who_do_not_read_make_room_for_a_probe() {
    let unread = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".repeat(60);
    let server = serve(&["--write-timeout", "1h", "--header-timeout", "1h"]);
    let crowd = Crowd::around(server.admin, 84, &unread);
    std::thread::sleep(Duration::from_millis(1500));
    for _ in 0..4 {
        assert_eq!(Client::connect(server.admin).get("/healthz").status, 200);
        std::thread::sleep(Duration::from_millis(300));
    }
    drop(crowd);
}

#[test]
fn silent_operators_make_room_for_others() {
    let server = serve(&[]);
    let silent: Vec<_> = (0..200).map(|_| Client::connect(server.admin)).collect();
    assert_eq!(Client::connect(server.admin).get("/readyz").status, 200);
    drop(silent);
}
