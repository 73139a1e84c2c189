//! Access: secrets that did not arrive, keys that can be guessed, and the log messages about both.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::program::Program;
use crate::support::{Client, KEY, serve, start};

/// Runs `pick-regno COMMAND` with one variable set. Returns the exit code and stderr.
fn run(command: &[&str], variable: &str, value: &[u8]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pick-regno"))
        .args(command)
        .env_clear()
        .env(variable, OsStr::from_bytes(value))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn a_secret_that_did_not_arrive_opens_nothing() {
    let check = ["serve", "--check-config"];
    for value in [
        &b""[..],
        b" ",
        b",",
        b" \n",
        b" , ,\t",
        b"secret\xff",
        b"\xff",
        "\u{feff}".as_bytes(),
    ] {
        // Without the check, nothing is served either.
        for command in [
            &check[..],
            &["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        ] {
            for variable in ["PICK_REGNO_API_KEYS", "PICK_REGNO_SENTRY_DSN"] {
                let (code, said) = run(command, variable, value);
                assert_eq!(code, Some(78), "{variable}={value:?}: {said}");
                assert!(
                    said.starts_with(&format!("pick-regno serve: {variable}: "))
                        && !said.contains("secret"),
                    "{variable}={value:?}: {said}"
                );
            }
        }
    }
    for variable in [
        "PICK_REGNO_API_KEYS_FILE",
        "PICK_REGNO_SENTRY_DSN_FILE",
        "PICK_REGNO_CLIENT_CA",
        "PICK_REGNO_CLIENT_CRL",
        "PICK_REGNO_TLS_CERT",
        "PICK_REGNO_TLS_KEY",
        "PICK_REGNO_LISTEN",
    ] {
        for value in [&b""[..], b" ", b"\xff"] {
            let (code, said) = run(&check, variable, value);
            assert!(
                matches!(code, Some(64 | 78)),
                "{variable}={value:?}: {said}"
            );
        }
    }
}

#[test]
fn a_file_that_holds_no_key_opens_nothing() {
    let file = std::env::temp_dir().join(format!("pick-regno-no-keys-{}", std::process::id()));
    let path = file.to_str().unwrap();
    for (text, part) in [
        (&b""[..], "no key in it"),
        (b"\n \n", "no key in it"),
        (b"# a,b\n", "no key in it"),
        (b",\n", "line 1: a key has no comma"),
        (b"first,second\n", "line 1: a key has no comma"),
        (b"good\n secret\xff\n", "not a text file"),
        (
            b"two words\n",
            "line 1: a key is printable ASCII without blanks",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let (code, said) = run(
            &["serve", "--check-config"],
            "PICK_REGNO_API_KEYS_FILE",
            path.as_bytes(),
        );
        assert_eq!(code, Some(78), "{text:?}: {said}");
        assert!(said.contains(part), "{text:?}: {said}");
        let (code, said) = run(
            &["serve", "--check-config"],
            "PICK_REGNO_SENTRY_DSN_FILE",
            path.as_bytes(),
        );
        assert_eq!(code, Some(78), "{text:?}: {said}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn short_keys_work_and_are_told_of() {
    let warned = "pick-regno serve: warning: PICK_REGNO_API_KEYS: 1 of 2 key(s) have fewer than 16 characters";
    let check = ["serve", "--check-config"];
    let (code, said) = run(&check, "PICK_REGNO_API_KEYS", b"123321,0123456789abcdef");
    assert_eq!(code, Some(0));
    assert!(
        said.starts_with(warned) && !said.contains("123321"),
        "{said}"
    );
    let good = run(&check, "PICK_REGNO_API_KEYS", b"0123456789abcdef");
    assert_eq!(good, (Some(0), String::new()));

    let program = Program::start(&[]);
    assert_eq!(Client::connect(program.addr).get("/").status, 200);
    assert_eq!(program.serving["asks_for"], "API key");
    let weak: Vec<_> = program
        .before
        .iter()
        .filter(|line| line["message"] == "a setting is weak")
        .collect();
    assert_eq!(weak.len(), 1, "{:?}", program.before);
    assert_eq!(weak[0]["level"], "warn");
    assert!(!weak[0].to_string().contains(KEY), "{}", weak[0]);
}

#[test]
fn wrong_keys_slow_their_own_connection_down() {
    let server = serve(&["--workers", "1"]);
    let mut client = server.connect();
    let started = Instant::now();
    let wrong = "GET / HTTP/1.1\r\nhost: a\r\nx-api-key: wrong\r\n\r\n";
    client.send(wrong.repeat(12));
    for nth in 1..=10 {
        let answer = client.answer();
        assert_eq!(answer.status, 401);
        let last = answer
            .headers
            .get("connection")
            .is_some_and(|value| value == "close");
        assert_eq!(last, nth == 10, "{nth}");
        if nth == 3 {
            // Others do not wait, with a key or without.
            let mut others = server.connect();
            for _ in 0..200 {
                assert_eq!(others.get("/").status, 200);
                others.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
                assert_eq!(others.answer().status, 401);
            }
        }
    }
    assert!(
        started.elapsed() >= Duration::from_millis(7500),
        "{:?}",
        started.elapsed()
    );
    assert!(client.is_ended(), "and it ends");

    // A wrong key costs a delay and nothing else.
    let mut client = server.connect();
    let started = Instant::now();
    client.send(wrong);
    assert_eq!(client.answer().status, 401);
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!(client.get("/").status, 200);
    // The delay does not count as time of the service.
    assert_eq!(
        server.metric("http_server_request_duration_seconds_bucket{route=\"/\",method=\"GET\",status=\"401\",le=\"0.05\"}"),
        211.0
    );
}

#[test]
fn without_keys_none_is_wrong() {
    let server = start(crate::support::config(&[], None));
    let mut client = server.connect();
    for _ in 0..100 {
        assert_eq!(
            client.request_with("GET", "/", "wrong", &[], "").status,
            200
        );
    }
}

/// Two processes that share a port would each get some of the other's requests.
#[test]
fn of_two_that_start_at_once_one_gets_the_port() {
    use pick_regno::serve::Server;
    for _ in 0..50 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = free.local_addr().unwrap().to_string();
        drop(free);
        let barrier = std::sync::Barrier::new(4);
        let started: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let config = crate::support::config(
                            &["--listen", &addr, "--workers", "3"],
                            Some(KEY),
                        );
                        barrier.wait();
                        let server = Server::bind(config);
                        // Nobody releases it before all have tried.
                        barrier.wait();
                        server.is_ok()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let count = started.iter().filter(|started| **started).count();
        assert!(count <= 1, "{count} share {addr}");
    }
}

#[test]
fn no_memory_gets_into_a_core_dump() {
    let program = Program::start(&[]);
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", program.id())).unwrap();
    let limits = read("limits");
    let limit = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(
        limit.split_ascii_whitespace().collect::<Vec<_>>()[4..6],
        ["0", "0"],
        "{limit}"
    );
    assert_eq!(read("coredump_filter").trim(), "00000000");
}
