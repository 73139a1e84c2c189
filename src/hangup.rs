//! SIGHUP, which whoever closes a terminal or an ssh session sends to what runs in it.

use std::fs;
use std::future::pending;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What waits for SIGHUP.
pub(crate) struct Hangup(Option<Signal>);

impl Hangup {
    /// Begins to listen, unless SIGHUP is ignored: `nohup` asks for that.
    pub(crate) fn listen() -> io::Result<Hangup> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        match ignores_hangup(&status) {
            true => Ok(Hangup(None)),
            false => signal(SignalKind::hangup()).map(|signal| Hangup(Some(signal))),
        }
    }

    /// Waits for the next one.
    pub(crate) async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => pending().await,
        }
    }
}

/// What `/proc/self/status` says: signal 1 is the lowest bit of a mask in hexadecimal.
fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
