//! Shutdown of the service.

use std::time::Duration;

use crate::program::Program;
use crate::support::{Client, KEY, REQUEST, serve, within};

#[test]
fn requests_on_their_way_are_answered_and_idle_connections_closed() {
    let server = serve(&[]);
    let mut idle = server.connect();
    assert_eq!(idle.get("/").status, 200);
    let mut busy = server.connect();
    busy.send(format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        REQUEST.len()
    ));
    while server.metric("http_server_active_requests") < 1.0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    server.stopper.stop();
    assert_eq!(idle.rest(), b"");
    assert_eq!(
        Client::connect(server.admin).get("/readyz").status,
        503,
        "operators see how the drain goes"
    );
    busy.send(REQUEST);
    let answer = busy.answer();
    assert_eq!(
        (answer.status, answer.headers["connection"].as_str()),
        (200, "close")
    );
    assert_eq!(busy.rest(), b"");
    server.join().unwrap();
}

/// A socket that is closed with unread bytes resets the connection: the client can no longer send, and the answer under
/// way can be lost.
#[test]
fn requests_sent_after_the_last_that_is_answered_do_not_reset_it() {
    let server = serve(&["--workers", "1"]);
    let head = format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        REQUEST.len()
    );
    let mut client = server.connect();
    client.send(&head);
    while server.metric("http_server_active_requests") < 1.0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    server.stopper.stop();
    while Client::connect(server.admin).get("/readyz").status == 200 {
        std::thread::sleep(Duration::from_millis(5));
    }
    client.send(format!(
        "{REQUEST}{}",
        format!("{head}{REQUEST}").repeat(9000)
    ));
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.headers["connection"].as_str()),
        (200, "close")
    );
    assert!(client.is_ended(), "and no reset");
    drop(client);
    server.join().unwrap();
}

#[test]
fn readiness_goes_before_the_listener_does() {
    let server = serve(&["--drain-delay", "1s"]);
    let mut kept = server.connect();
    assert_eq!(kept.get("/").status, 200);
    server.stopper.stop();
    while Client::connect(server.admin).get("/readyz").status == 200 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Client::connect(server.admin).get("/healthz").status, 200);
    assert_eq!(
        server.get("/").status,
        200,
        "new connections are still served"
    );
    let answer = kept.get("/");
    assert_eq!(
        (answer.status, answer.headers["connection"].as_str()),
        (200, "close")
    );
    let addr = server.addr;
    server.join().unwrap();
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[test]
fn the_drain_has_a_deadline_and_a_second_stop_ends_it() {
    for (flags, stops) in [
        (["--drain-timeout", "200ms"], 1),
        (["--drain-timeout", "1h"], 2),
    ] {
        let server = serve(&flags);
        let mut stuck = server.connect();
        stuck.send(format!(
            "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
        ));
        while server.metric("http_server_active_requests") < 1.0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        for _ in 0..stops {
            server.stopper.stop();
        }
        server.join().unwrap();
        assert_eq!(stuck.rest(), b"");
    }
}

#[test]
fn whoever_has_just_connected_is_answered() {
    let server = serve(&["--workers", "1"]);
    let mut fresh = server.connect();
    while server.metric("http_server_active_connections") < 1.0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    server.stopper.stop();
    while std::net::TcpStream::connect_timeout(&server.addr, Duration::from_millis(50)).is_ok() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let answer = fresh.get("/");
    assert_eq!(
        (answer.status, answer.headers["connection"].as_str()),
        (200, "close")
    );
    server.join().unwrap();
}

/// Each connection during a stop is answered or refused. None waits for the kernel's retransmission, which takes a
/// second. A single wait can be the machine's doing: a port that is used again while its last connection is in TIME_WAIT.
#[test]
fn whoever_connects_during_a_stop_is_answered_or_refused() {
    let slowest = [(); 3].map(|()| slowest_connect_during_a_stop());
    assert!(
        slowest
            .iter()
            .any(|slowest| *slowest < Duration::from_millis(900)),
        "{slowest:?}"
    );
}

/// Longest time that one of three clients, who connect again and again, took to connect while a server stops.
fn slowest_connect_during_a_stop() -> Duration {
    let server = serve(&[]);
    let addr = server.addr;
    let clients = [(); 3].map(|()| {
        std::thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            loop {
                let started = std::time::Instant::now();
                let connected = std::net::TcpStream::connect(addr);
                slowest = slowest.max(started.elapsed());
                match connected {
                    Ok(stream) => {
                        stream
                            .set_read_timeout(Some(Duration::from_secs(20)))
                            .unwrap();
                        assert_eq!(Client::on(stream).get("/").status, 200);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
                        return slowest;
                    }
                }
            }
        })
    });
    std::thread::sleep(Duration::from_millis(200));
    server.stopper.stop();
    let slowest = clients.map(|client| client.join().unwrap());
    server.join().unwrap();
    slowest.into_iter().max().expect("three clients")
}

/// Bytes that arrive while the process is suspended are in time.
#[test]
fn a_pause_costs_nobody_an_answer() {
    let program = Program::start(&[
        "--header-timeout",
        "1s",
        "--body-timeout",
        "1s",
        "--idle-timeout",
        "1s",
    ]);
    let head = |kind: &str| {
        format!(
            "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/{kind}\r\ncontent-length: {}\r\n\r\n",
            REQUEST.len()
        )
    };
    let (request, batch) = (head("json") + REQUEST, head("x-ndjson") + REQUEST);
    let idle = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    // Bytes that are sent before the pause and during it.
    let mut clients: Vec<(Client, &str)> = [
        request.split_at(40),
        request.split_at(request.len() - 100),
        batch.split_at(batch.len() - 100),
        request.split_at(0),
    ]
    .into_iter()
    .map(|(before, during)| {
        let mut client = Client::connect(program.addr);
        client.send(before);
        (client, during)
    })
    .collect();
    let mut used = Client::connect(program.addr);
    used.send(idle);
    used.answer();
    clients.push((used, &request));
    program.signal("STOP");
    std::thread::sleep(Duration::from_millis(300));
    for (client, during) in &mut clients {
        client.send(during);
    }
    std::thread::sleep(Duration::from_millis(2500));
    program.signal("CONT");
    for (nth, (client, _)) in clients.iter_mut().enumerate() {
        assert_eq!(client.answer().status, 200, "client {nth}");
    }
}

#[test]
fn each_signal_that_asks_for_an_end_drains_and_is_named() {
    for signal in ["TERM", "INT"] {
        let program = Program::start(&[]);
        program.signal(signal);
        let log = program.ended_with_log();
        let named = format!("\"message\":\"asked to stop\",\"signal\":\"SIG{signal}\"");
        assert_eq!(log.matches(&named).count(), 1, "{log}");
    }
    // The second ends it, and is named too.
    let program = Program::start(&["--drain-timeout", "1h"]);
    let mut stuck = Client::connect(program.addr);
    stuck.send(format!(
        "POST /reg/ HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
    ));
    program.signal("INT");
    while Client::connect(program.admin).get("/readyz").status == 200 {
        std::thread::sleep(Duration::from_millis(5));
    }
    program.signal("TERM");
    let log = program.ended_with_log();
    let first = log.find("\"signal\":\"SIGINT\"").unwrap();
    assert!(log[first..].contains("\"signal\":\"SIGTERM\""), "{log}");
}

#[test]
fn a_hangup_reads_files_again_and_ends_nothing() {
    let file = std::env::temp_dir().join(format!("pick-regno-hangup-{}", std::process::id()));
    std::fs::write(&file, "old-key-of-16-characters\n").unwrap();
    let flags = ["--api-keys-file", file.to_str().unwrap()];
    // As `nohup` starts it, too.
    for program in [
        Program::start(&flags),
        Program::start_after("trap '' HUP", &flags),
    ] {
        let mut open = Client::connect(program.addr);
        let status =
            |client: &mut Client, key: &str| client.request_with("GET", "/", key, &[], "").status;
        for key in ["one", "other"] {
            let key = format!("{key}-key-of-16-characters");
            std::fs::write(&file, format!("{key}\n")).unwrap();
            // Sooner than two looks would see it, one a second.
            program.signal("HUP");
            within(1, || {
                status(&mut Client::connect(program.addr), &key) == 200
            });
            assert_eq!(status(&mut open, &key), 200, "the connection goes on");
        }
        // What is broken changes nothing, and is told each time it is asked for.
        std::fs::write(&file, "").unwrap();
        for _ in 0..2 {
            program.signal("HUP");
            std::thread::sleep(Duration::from_millis(1500));
        }
        assert_eq!(status(&mut open, "other-key-of-16-characters"), 200);
        let log = program.stop();
        let asked = "\"message\":\"reading files again\",\"signal\":\"SIGHUP\"";
        assert_eq!(log.matches(asked).count(), 4, "{log}");
        assert!(log.matches("no key in it").count() >= 2, "{log}");
    }
    std::fs::remove_file(&file).unwrap();
}
