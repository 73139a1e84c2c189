//! Delays between attempts.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Exponential back-off with full jitter: clients that lost one server do not all come back at once.
#[derive(Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the delay after another failure: up to 100 ms, then up to twice as long each time, at most 10 s.
    pub fn next(&mut self) -> Duration {
        let most = FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST);
        self.failures += 1;
        most.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// Returns true if nothing has failed yet.
    pub fn is_first(&self) -> bool {
        self.failures == 0
    }

    /// Resets the failures after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_again() {
        let mut backoff = Backoff::default();
        assert!(backoff.next() <= FIRST);
        let later: Vec<_> = (0..50).map(|_| backoff.next()).collect();
        assert!(later.iter().all(|wait| *wait <= LONGEST));
        assert!(later[40] >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
