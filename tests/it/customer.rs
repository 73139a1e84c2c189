//! The service built around the customer's model: his 5,100 cases to the bit, and what his old service answered byte
//! for byte.
//!
//! His files are not in this repository. `CUSTOMER_DIR` (default `../shared/customer`) says where they are; without
//! them there is nothing to test, and it says so. A model is compiled in, so this builds another service, in a target
//! folder of its own: a minute the first time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::contract::replay;
use crate::program::Program;

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

#[test]
fn what_his_old_service_answered_is_answered_byte_for_byte() {
    let Some(folder) = folder() else { return };
    let service = Program::run(Command::new(binary(&folder)), &[]);
    replay(service.addr, true);
}
