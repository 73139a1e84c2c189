//! SIGHUP, which closing a terminal or an ssh session sends to the programs in it.

use std::fs;
use std::future::pending;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Receiver of SIGHUP.
pub(crate) struct Hangup(Option<Signal>);

impl Hangup {
    /// Starts to listen, unless SIGHUP is ignored, as `nohup` requests.
    pub(crate) fn listen() -> io::Result<Hangup> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        match ignores_hangup(&status) {
            true => Ok(Hangup(None)),
            false => signal(SignalKind::hangup()).map(|signal| Hangup(Some(signal))),
        }
    }

    /// Waits for the next signal.
    pub(crate) async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => pending().await,
        }
    }
}

/// Returns true if SIGHUP is ignored according to `/proc/self/status`: signal 1 is the lowest bit of a hexadecimal
/// mask.
fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
