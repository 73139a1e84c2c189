//! Due times of requests.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Due times of a run's requests. Connections take turns from it.
pub(super) struct Schedule {
    /// Rate in requests per second; `None` for as many as possible.
    pub(super) rate: Option<f64>,
    pub(super) duration: Duration,
    next: AtomicU64,
    started: OnceLock<Instant>,
}

/// Request that is to be sent.
pub(super) struct Turn {
    /// Number of the request, from 0.
    pub(super) number: u64,
    /// Due time. Latency counts from here.
    pub(super) due: Instant,
}

impl Schedule {
    pub(super) fn new(rate: Option<f64>, duration: Duration) -> Schedule {
        Schedule {
            rate,
            duration,
            next: AtomicU64::new(0),
            started: OnceLock::new(),
        }
    }

    /// Starts the clock, which the connections wait for.
    pub(super) fn start(&self) {
        self.started();
    }

    /// Time at which the clock was started.
    pub(super) fn started(&self) -> Instant {
        *self.started.get_or_init(Instant::now)
    }

    /// Returns true if requests have due times.
    pub(super) fn is_open(&self) -> bool {
        self.rate.is_some()
    }

    /// Number of requests that have due times; `None` if they have none.
    pub(super) fn planned(&self) -> Option<u64> {
        self.rate
            .map(|rate| (rate * self.duration.as_secs_f64()).ceil() as u64)
    }

    /// Waits for the next request's due time, unless it is past; `None` at the end of the run. The first request is
    /// always sent, however late a busy machine starts.
    pub(super) fn next(&self) -> Option<Turn> {
        let started = self.started.wait();
        let end = *started + self.duration;
        let number = self.next.fetch_add(1, Relaxed);
        let now = Instant::now();
        let due = match self.rate {
            None => now,
            Some(rate) => *started + Duration::from_secs_f64(number as f64 / rate),
        };
        if number > 0 && (now >= end || due >= end) {
            return None;
        }
        thread::sleep(due.saturating_duration_since(now));
        Some(Turn { number, due })
    }
}

/// Asks the kernel to wake this thread, and threads that it starts, precisely. By default, it may be up to 50 µs late.
pub(super) fn sleep_precisely() {
    // Without this, requests are sent a little late, which shows in their latencies.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_have_their_times_and_an_end() {
        let schedule = Schedule::new(Some(1_000.0), Duration::from_millis(5));
        schedule.start();
        let started = schedule.started();
        let turns: Vec<Turn> = std::iter::from_fn(|| schedule.next()).collect();
        // A machine that stalls may miss the last turns, but the others have their times.
        assert!(turns.len() <= 5);
        assert_eq!(schedule.planned(), Some(5));
        for (number, turn) in turns.iter().enumerate() {
            assert_eq!(turn.number, number as u64);
            assert_eq!(turn.due - started, Duration::from_millis(number as u64));
            assert!(turn.due <= Instant::now());
        }
    }

    #[test]
    fn without_a_rate_turns_are_now() {
        let schedule = Schedule::new(None, Duration::from_secs(3600));
        schedule.start();
        let before = Instant::now();
        let turn = schedule.next().unwrap();
        assert!(turn.due >= before && turn.due <= Instant::now());
        assert!(schedule.planned().is_none() && !schedule.is_open());
        let over = Schedule::new(None, Duration::ZERO);
        over.start();
        assert!(over.next().is_some_and(|turn| turn.number == 0));
        assert!(over.next().is_none());
    }
}
