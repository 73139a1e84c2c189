//! Delays between attempts.

use std::time::Duration;

/// Longest delay after the first failure.
const FIRST: Duration = Duration::from_millis(100);
/// Longest delay after any failure.
const LONGEST: Duration = Duration::from_secs(10);

/// Exponential back-off with jitter: each delay is drawn between half of a limit and the limit, so that
/// clients that lost one server do not all come back at once. The limit starts at 100 ms and doubles with
/// each failure, up to 10 s.
#[derive(Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts another failure, and returns the delay before the next attempt: 50 to 100 ms after the first, 5
    /// to 10 s from the eighth on.
    pub fn next(&mut self) -> Duration {
        let most = FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST);
        self.failures += 1;
        most.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// Returns true if nothing has failed since the last reset.
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
