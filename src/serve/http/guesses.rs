//! Wrong keys, which delay the connection that sends them, so that keys cannot be found by trial and error.
//!
//! The answer to a wrong key is delayed: 100 ms the first time and twice as long each further time, up to a second.
//! With the tenth the connection ends. Only this connection is delayed: requests with a right key, or without a key,
//! are answered at once. A delayed connection makes room for others like an idle one.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Delay of the answer to a connection's first wrong key.
const FIRST: Duration = Duration::from_millis(100);
/// Maximum delay.
const LONGEST: Duration = Duration::from_secs(1);
/// Number of wrong keys after which a connection ends.
const MOST: u32 = 10;

/// Number of wrong keys on a connection.
#[derive(Default)]
pub(crate) struct Guesses(AtomicU32);

impl Guesses {
    /// Counts a wrong key.
    pub(crate) fn add(&self) {
        // A connection's requests are answered one after the other.
        self.0.store(self.0.load(Relaxed) + 1, Relaxed);
    }

    /// Returns true if the connection is to end.
    pub(crate) fn are_too_many(&self) -> bool {
        self.0.load(Relaxed) >= MOST
    }

    /// Wait for the answer to the last of them.
    pub(crate) fn delay(&self) -> Duration {
        let doublings = self.0.load(Relaxed).saturating_sub(1).min(MOST);
        (FIRST * 2_u32.pow(doublings)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_key_waits_longer_up_to_a_limit() {
        let guesses = Guesses::default();
        let mut delays = Vec::new();
        while !guesses.are_too_many() {
            guesses.add();
            delays.push(guesses.delay().as_millis());
        }
        assert_eq!(
            delays,
            [100, 200, 400, 800, 1000, 1000, 1000, 1000, 1000, 1000]
        );
    }
}
