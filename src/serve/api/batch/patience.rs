//! How long the client of a batch is waited for.

use std::time::{Duration, Instant};

/// Number of bytes of an incomplete record that count as progress.
const PROGRESS: u64 = 1024;

/// How long the client has been waited for since its last progress.
#[derive(Default)]
pub(super) struct Patience {
    waited: Duration,
    /// Bytes that had been received at its last progress.
    progress_at: u64,
    /// Start of the current wait, if any.
    since: Option<Instant>,
}

impl Patience {
    /// Counts from 0 again: a record was answered after `received` bytes.
    pub(super) fn renew(&mut self, received: u64) {
        (self.waited, self.progress_at) = (Duration::ZERO, received);
    }

    /// Begins to wait, unless it waits already; returns since when it counts as waiting. The time that it has worked since its last
    /// progress does not count.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Instant> {
        if self.since.is_some() {
            return None;
        }
        self.since = Some(now);
        Some(now.checked_sub(self.waited).unwrap_or(now))
    }

    /// Ends the wait.
    pub(super) fn end(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now - since;
        }
    }

    /// Takes note that `received` bytes have come in all.
    pub(super) fn receive(&mut self, received: u64) {
        if received - self.progress_at >= PROGRESS {
            self.renew(received);
        }
    }
}
