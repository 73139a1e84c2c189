//! No file descriptor left: the service stays up, waits without spinning, and recovers.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Client, KEY};

/// Ends the program also if the test fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn accept_errors(admin: &mut Client) -> f64 {
    let page = admin.get("/metrics").text();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("http_server_accept_errors_total "));
    line.unwrap().parse().unwrap()
}

#[test]
fn exhausted_file_descriptors_are_waited_out() {
    const LIMIT: usize = 64;
    let mut program = Command::new("sh")
        .args(["-c", &format!("ulimit -n {LIMIT}; exec \"$0\" \"$@\"")])
        .args([env!("CARGO_BIN_EXE_pick-regno"), "serve"])
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .args(["--workers", "1"])
        .env("PICK_REGNO_API_KEYS", KEY)
        .stderr(Stdio::piped())
        .spawn()
        .map(Killed)
        .unwrap();
    let mut log = BufReader::new(program.0.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let serving: serde_json::Value = serde_json::from_str(&line).unwrap();
    let addr = |field: &str| serving[field].as_str().unwrap().parse().unwrap();
    let (addr, admin) = (addr("address"), addr("admin"));

    // These two have theirs before there are none left.
    let mut admin = Client::connect(admin);
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
    assert!(program.0.try_wait().unwrap().is_none(), "it lives");
}
