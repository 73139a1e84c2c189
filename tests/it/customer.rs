//! The service built around the customer's model: his 5,100 cases to the bit, and what his old service answered byte
//! for byte.
//!
//! His files are not in this repository. `CUSTOMER_DIR` (default `../shared/customer`) says where they are, and the
//! recorded exchanges are in `contract` beside that folder; without them there is nothing to test, and it says so. A
//! model is compiled in, so this builds another service, in a target folder of its own: a minute the first time.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{Client, KEY};

/// His folder, if it is there.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CUSTOMER_DIR")
        .map_or_else(|| PathBuf::from("../shared/customer"), PathBuf::from);
    match folder.canonicalize() {
        Ok(folder) if folder.join("micromodel.cbm").is_file() => Some(folder),
        _ => {
            eprintln!("skipped: no customer's model in {}", folder.display());
            None
        }
    }
}

/// The service around his model, built once.
fn binary(folder: &Path) -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("customer");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--bin", "pick-regno"])
            .env("PICK_REGNO_MODEL", folder.join("micromodel.cbm"))
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .status()
            .unwrap();
        assert!(built.success(), "the build around the customer's model");
        target.join("debug/pick-regno")
    })
}

#[test]
fn his_cases_come_out_as_python_answered_them() {
    let Some(folder) = folder() else { return };
    let checked = Command::new(binary(&folder))
        .arg("check")
        .args([
            folder.join("cases.ndjson"),
            folder.join("test_data.expected.ndjson"),
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(
        text.lines().last(),
        Some("5100 cases, 0 differ"),
        "{text}{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    assert!(checked.status.success());
}

/// Values of `time_check` that the old service guessed a meaning for.
const GUESSED: [&str; 4] = [
    "time_check = '01.08.2021 09:02'",
    "time_check = 1627808579",
    "time_check = 'now'",
    "time_check = 'Aug 1 2021'",
];

#[test]
fn what_his_old_service_answered_is_answered_byte_for_byte() {
    let Some(folder) = folder() else { return };
    let recorded = folder.join("../contract/replaced_service.ndjson");
    let Ok(recorded) = fs::read_to_string(&recorded) else {
        eprintln!("skipped: no recorded exchanges in {}", recorded.display());
        return;
    };
    let service = Service::start(binary(&folder));
    let mut compared = 0;
    for line in recorded.lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| exchange[key].as_str().unwrap_or_default();
        if exchange["status"] != 200 || GUESSED.contains(&text("case")) {
            continue;
        }
        let answer = Client::connect(service.addr).request(
            text("method"),
            text("path"),
            &[("content-type", "application/json")],
            text("body"),
        );
        assert_eq!(answer.text(), text("response"), "{}", text("case"));
        compared += 1;
    }
    assert_eq!(compared, 159);
}

/// The service as a process, with [`KEY`].
struct Service {
    child: Child,
    addr: std::net::SocketAddr,
}

impl Service {
    fn start(binary: &Path) -> Service {
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .env("PICK_REGNO_API_KEYS", KEY)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        log.read_line(&mut line).unwrap();
        let serving: Value = serde_json::from_str(&line).unwrap();
        // Nobody reads what it says after that.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Service {
            child,
            addr: serving["address"].as_str().unwrap().parse().unwrap(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
