//! Exhausted file descriptors: the service stays up, waits without spinning, and recovers.

use std::time::{Duration, Instant};

use crate::program::Program;
use crate::support::Client;

fn accept_errors(admin: &mut Client) -> f64 {
    let page = admin.get("/metrics").text();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("http_server_accept_errors_total "));
    line.unwrap().parse().unwrap()
}

#[test]
fn connections_leave_descriptors_for_the_rest() {
    let mut program = Program::start_with_descriptors(200, &[]);
    let silent: Vec<_> = (0..250).map(|_| Client::connect(program.addr)).collect();
    // Operators are answered, and so is whoever sends a request: the silent make room.
    assert_eq!(Client::connect(program.admin).get("/healthz").status, 200);
    assert_eq!(Client::connect(program.addr).get("/").status, 200);
    let page = Client::connect(program.admin).get("/metrics").text();
    assert!(page.contains("\nhttp_server_connections_limit 96\n"));
    assert!(page.contains("\nhttp_server_accept_errors_total 0\n"));
    drop(silent);
    assert!(program.lives());
}

#[test]
fn too_few_descriptors_are_told_before_a_connection_is_lost() {
    let started = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64; exec \"$0\" serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --workers 1",
        ])
        .arg(env!("CARGO_BIN_EXE_pick-regno"))
        .output()
        .unwrap();
    assert_eq!(started.status.code(), Some(71));
    assert_eq!(
        String::from_utf8(started.stderr).unwrap(),
        "pick-regno serve: the limit of open files is 64: at least 120 are needed; raise it (ulimit -n)\n"
    );
}

#[test]
fn exhausted_file_descriptors_are_waited_out() {
    const LIMIT: usize = 64;
    let mut program = Program::start(&[]);
    program.limit_descriptors(LIMIT as u64);
    let addr = program.addr;

    // These two have theirs before there are none left.
    let mut admin = Client::connect(program.admin);
    assert_eq!(accept_errors(&mut admin), 0.0);
    let mut early = Client::connect(addr);
    assert_eq!(early.get("/").status, 200);

    let mut many: Vec<_> = (0..2 * LIMIT).map(|_| Client::connect(addr)).collect();
    while accept_errors(&mut admin) == 0.0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = accept_errors(&mut admin);
    std::thread::sleep(Duration::from_secs(1));
    let failures = accept_errors(&mut admin) - before;
    // Ten a second are what it should try; a loop that spins fails some hundred thousand times.
    assert!((1.0..100.0).contains(&failures), "{failures} in a second");
    assert_eq!(early.get("/").status, 200, "who was there is served");

    // The last of them is still in the kernel's queue. As the others go, it is answered.
    let mut last = many.pop().unwrap();
    let started = Instant::now();
    drop(many);
    assert_eq!(last.get("/").status, 200);
    assert_eq!(Client::connect(addr).get("/").status, 200);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?} to recover");
    println!("{failures} attempts in the second without descriptors; {took:.1?} to recover");
    assert!(program.lives());
}
