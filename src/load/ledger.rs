//! Counts outcomes of requests, and their latencies.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::connection::Failure;
use super::schedule::Schedule;

/// Significant digits of latencies.
const DIGITS: u8 = 3;
/// Delay after which a request counts as late: all connections were busy, or the machine was.
const LATE: Duration = Duration::from_millis(1);
/// Quantiles of latencies in reports: names for people and in JSON, and values.
const QUANTILES: [(&str, &str, f64); 6] = [
    ("p50", "p50", 0.5),
    ("p90", "p90", 0.9),
    ("p99", "p99", 0.99),
    ("p99.9", "p999", 0.999),
    ("p99.99", "p9999", 0.9999),
    ("max", "max", 1.0),
];

/// Outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Status 200, and the right bytes.
    Right,
    /// Status 200, and other bytes.
    Wrong,
    /// Another status.
    Refused(u16),
    /// No complete answer.
    Failed(Failure),
}

/// Counters of a run, which connections write to.
pub(super) struct Ledger {
    entries: Mutex<Entries>,
}

struct Entries {
    right: u64,
    wrong: u64,
    refused: BTreeMap<u16, u64>,
    failed: BTreeMap<Failure, u64>,
    late: u64,
    /// Latencies of the answers with status 200, in nanoseconds.
    latencies: Histogram<u64>,
}

impl Ledger {
    pub(super) fn new() -> Ledger {
        Ledger {
            entries: Mutex::new(Entries {
                right: 0,
                wrong: 0,
                refused: BTreeMap::new(),
                failed: BTreeMap::new(),
                late: 0,
                latencies: Histogram::new(DIGITS).expect("a histogram can have this many digits"),
            }),
        }
    }

    /// Records a request with the times at which it was due, was sent, and ended.
    pub(super) fn note(&self, outcome: Outcome, due: Instant, sent: Instant, ended: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.late += u64::from(sent - due > LATE);
        if matches!(outcome, Outcome::Right | Outcome::Wrong) {
            let nanoseconds = (ended - due).as_nanos() as u64;
            let recorded = entries.latencies.record(nanoseconds);
            recorded.expect("the histogram grows to whatever it is given");
        }
        match outcome {
            Outcome::Right => entries.right += 1,
            Outcome::Wrong => entries.wrong += 1,
            Outcome::Refused(status) => *entries.refused.entry(status).or_default() += 1,
            Outcome::Failed(failure) => *entries.failed.entry(failure).or_default() += 1,
        }
    }

    /// Computes the report.
    pub(super) fn report(&self, schedule: &Schedule, connections: u16, ended: Instant) -> Report {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = entries.refused.clone();
        let failed = entries.failed.clone();
        let sent = entries.right
            + entries.wrong
            + refused.values().sum::<u64>()
            + failed.values().sum::<u64>();
        let quantile = |at| entries.latencies.value_at_quantile(at) as f64 / 1e3;
        Report {
            rate: schedule.rate,
            connections,
            seconds: (ended - schedule.started()).as_secs_f64(),
            sent,
            right: entries.right,
            wrong: entries.wrong,
            refused,
            failed,
            late: entries.late,
            unsent: schedule
                .planned()
                .map_or(0, |planned| planned.saturating_sub(sent)),
            latencies: (!entries.latencies.is_empty())
                .then(|| QUANTILES.map(|(_, _, at)| quantile(at))),
        }
    }
}

/// Figures of a run.
#[derive(Debug)]
pub(super) struct Report {
    rate: Option<f64>,
    connections: u16,
    /// Time from the first request's due time to the last answer.
    seconds: f64,
    sent: u64,
    right: u64,
    wrong: u64,
    refused: BTreeMap<u16, u64>,
    failed: BTreeMap<Failure, u64>,
    /// Number of requests that were sent more than [`LATE`] after their time.
    late: u64,
    /// Number of requests that were due before the end of the run, but had no free connection.
    unsent: u64,
    /// Latencies of the answers with status 200 in microseconds, for each of [`QUANTILES`].
    latencies: Option<[f64; QUANTILES.len()]>,
}

impl Report {
    /// Returns true if there were right answers, and otherwise only refusals.
    pub(super) fn is_good(&self) -> bool {
        self.right > 0 && self.wrong == 0 && self.failed.is_empty()
    }

    /// Formats the report as one JSON object, keys sorted.
    pub(super) fn to_json(&self) -> String {
        let counts = |counts: Vec<(String, u64)>| {
            let counts = counts.into_iter().map(|(name, count)| (name, count.into()));
            Value::Object(counts.collect::<Map<_, _>>())
        };
        let refused = self.refused.iter();
        let refused = refused.map(|(status, &count)| (status.to_string(), count));
        let failed = self.failed.iter();
        let failed = failed.map(|(failure, &count)| (failure.name().to_owned(), count));
        let latencies = self.latencies.iter().flatten();
        let latencies: Map<String, Value> = QUANTILES
            .iter()
            .zip(latencies)
            .map(|((_, name, _), &value)| ((*name).to_owned(), value.into()))
            .collect();
        json!({
            "connections": self.connections,
            "failed": counts(failed.collect()),
            "late": self.late,
            "latency_us": latencies,
            "rate": self.rate,
            "refused": counts(refused.collect()),
            "right": self.right,
            "right_per_second": self.right_per_second(),
            "seconds": self.seconds,
            "sent": self.sent,
            "unsent": self.unsent,
            "wrong": self.wrong,
        })
        .to_string()
    }

    fn right_per_second(&self) -> f64 {
        self.right as f64 / self.seconds.max(1e-9)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.1} s", self.seconds)?;
        match self.rate {
            Some(rate) => write!(formatter, " at {rate} requests a second")?,
            None => write!(formatter, " as fast as it goes")?,
        }
        writeln!(formatter, ", {} connections", self.connections)?;
        let refused: u64 = self.refused.values().sum();
        let failed: u64 = self.failed.values().sum();
        writeln!(
            formatter,
            "sent {} = right {} + refused {refused} + wrong {} + failed {failed}",
            self.sent, self.right, self.wrong
        )?;
        for (status, count) in &self.refused {
            let hint = match status {
                308 | 404 | 405 => "; does --url end with /reg/?",
                401 => "; its key: --api-keys-file, or PICK_REGNO_API_KEYS",
                _ => "",
            };
            writeln!(formatter, "  refused with {status}: {count}{hint}")?;
        }
        for (failure, count) in &self.failed {
            let hint = match failure {
                Failure::Connect => "; does the service listen there?",
                _ => "",
            };
            writeln!(formatter, "  failed ({}): {count}{hint}", failure.name())?;
        }
        if self.rate.is_some() {
            writeln!(
                formatter,
                "late by more than 1 ms: {}; not sent, as no connection was free: {}",
                self.late, self.unsent
            )?;
        }
        write!(
            formatter,
            "right answers: {:.0} a second",
            self.right_per_second()
        )?;
        if let Some(latencies) = &self.latencies {
            write!(formatter, "; latency in µs:")?;
            for (at, ((name, _, _), value)) in QUANTILES.iter().zip(latencies).enumerate() {
                let comma = if at > 0 { "," } else { "" };
                write!(formatter, "{comma} {name} {value:.0}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Report of a run of a hundred requests in a second: most took 1 ms, some 9 ms more because they were sent late.
    fn report() -> Report {
        let schedule = Schedule::new(Some(104.0), Duration::from_secs(1));
        schedule.start();
        let ledger = Ledger::new();
        let started = schedule.started();
        let ms = Duration::from_millis;
        let note = |outcome, late| {
            ledger.note(outcome, started, started + late, started + late + ms(1));
        };
        for number in 0..96 {
            note(Outcome::Right, ms(if number < 90 { 0 } else { 9 }));
        }
        note(Outcome::Wrong, ms(1));
        note(Outcome::Refused(503), ms(2));
        note(Outcome::Refused(503), ms(0));
        note(Outcome::Failed(Failure::Timeout), ms(0));
        ledger.report(&schedule, 3, started + ms(1000))
    }

    #[test]
    fn every_request_is_in_the_books_once() {
        let text = report().to_string();
        assert_eq!(
            text,
            "1.0 s at 104 requests a second, 3 connections\n\
             sent 100 = right 96 + refused 2 + wrong 1 + failed 1\n\
             \x20 refused with 503: 2\n\
             \x20 failed (timeout): 1\n\
             late by more than 1 ms: 7; not sent, as no connection was free: 4\n\
             right answers: 96 a second; latency in µs: p50 1000, p90 1000, p99 10002, p99.9 10002, p99.99 10002, max 10002"
        );
    }

    #[test]
    fn the_json_says_the_same() {
        let json: Value = serde_json::from_str(&report().to_json()).unwrap();
        assert_eq!(json["sent"], 100);
        assert_eq!(json["refused"]["503"], 2);
        assert_eq!(json["failed"]["timeout"], 1);
        assert_eq!(json["unsent"], 4);
        assert_eq!(json["right_per_second"], 96.0);
        let p999 = json["latency_us"]["p999"].as_f64().unwrap();
        assert!((9990.0..10010.0).contains(&p999), "{p999}");
    }

    #[test]
    fn only_right_answers_are_good() {
        assert!(!report().is_good());
        let schedule = Schedule::new(None, Duration::from_secs(1));
        schedule.start();
        let ledger = Ledger::new();
        let now = schedule.started();
        let good = |ledger: &Ledger| ledger.report(&schedule, 1, now).is_good();
        assert!(!good(&ledger), "nothing was answered");
        ledger.note(Outcome::Refused(503), now, now, now);
        assert!(!good(&ledger), "nothing was answered rightly");
        ledger.note(Outcome::Right, now, now, now);
        assert!(good(&ledger));
        ledger.note(Outcome::Wrong, now, now, now);
        assert!(!good(&ledger));
    }
}
