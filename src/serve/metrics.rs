//! What is counted; [`render`] writes it for Prometheus.
//!
//! The set of metrics is known when the service is compiled, so there is no registry: each worker owns a [`Shard`] of
//! atomics that only it writes (no shared cache line, no locked addition), and a scrape adds the shards up.
//! Histograms are buckets from the start, so memory does not grow between scrapes.

mod page;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub(super) use self::page::{Page, Process, render};
use super::batch::Broken;
use super::head::Refusal;
use super::observe::Observations;
use super::phase::Phase;
use super::routes::{METHODS, Route, method_index};
use super::tls;

/// Upper bounds of the duration buckets, in microseconds.
const BOUNDS_MICROS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// The statuses that the service answers with; any other is counted as the last.
const STATUSES: [u16; 17] = [
    200, 204, 304, 308, 400, 401, 404, 405, 406, 408, 411, 413, 414, 415, 431, 503, 500,
];

/// A count that only grows, and that only one thread adds to: so its addition need not be one step, which would take a
/// locked instruction.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.store(self.value() + count, Relaxed);
    }

    pub(super) fn inc(&self) {
        self.add(1);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number of things that exist at present.
#[derive(Default)]
pub(super) struct Gauge(AtomicI64);

impl Gauge {
    pub(super) fn add(&self, count: i64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(super) fn value(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Durations by bucket. In cache lines of their own, since another worker's may stand beside them.
#[derive(Default)]
#[repr(align(128))]
struct Histogram {
    buckets: [Counter; BOUNDS_MICROS.len() + 1],
    nanos: Counter,
}

impl Histogram {
    fn record(&self, duration: Duration) {
        let micros = duration.as_nanos().div_ceil(1_000) as u64;
        let bucket = BOUNDS_MICROS.partition_point(|&bound| bound < micros);
        self.buckets[bucket].inc();
        self.nanos.add(duration.as_nanos() as u64);
    }
}

const ROUTES: usize = Route::ALL.len();
const SERIES: usize = ROUTES * METHODS.len() * STATUSES.len();

/// Why requests are turned away before work is done on them.
#[derive(Clone, Copy)]
pub(super) enum Shed {
    /// As many requests as may be are on their way.
    InFlight,
    /// The bodies that are held leave no room for another long one.
    BodyMemory,
}

impl Shed {
    const ALL: [Shed; 2] = [Shed::InFlight, Shed::BodyMemory];

    /// The value of the `reason` label that counts it.
    fn label(self) -> &'static str {
        match self {
            Shed::InFlight => "in_flight",
            Shed::BodyMemory => "body_memory",
        }
    }
}

/// The statuses of the model's route that are written before they occur: the rate of a series that begins with its first
/// event leaves that event out.
const ALERTED_ON: [u16; 3] = [200, 500, 503];

/// One worker's counts, in cache lines of their own.
#[repr(align(128))]
pub(super) struct Shard {
    /// By route, method and status; most of them never occur, and are not allocated until they do.
    durations: Box<[OnceLock<Box<Histogram>>]>,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
    pub(super) accepted: Counter,
    pub(super) accept_errors: Counter,
    pub(super) evicted: Counter,
    pub(super) connections: Gauge,
    /// Bytes of long bodies, and of answers that wait for their client.
    pub(super) held_bytes: Gauge,
    /// Requests whose client went away before the answer was ready.
    pub(super) abandoned: Counter,
    pub(super) panics: Counter,
    pub(super) rows: Counter,
    tls_failures: [Counter; tls::Failure::ALL.len()],
    shed: [Counter; Shed::ALL.len()],
    cut: [Counter; Broken::REASONS.len()],
    /// Lines about refusals that were left out because there were too many.
    pub(super) refusals_unlogged: Counter,
    refused: [Counter; 16],
    timeouts: [Counter; 6],
    /// What the data scientist looks at.
    pub(super) observations: Observations,
}

impl Default for Shard {
    fn default() -> Self {
        Shard {
            durations: (0..SERIES).map(|_| OnceLock::new()).collect(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            accepted: Counter::default(),
            accept_errors: Counter::default(),
            evicted: Counter::default(),
            connections: Gauge::default(),
            held_bytes: Gauge::default(),
            abandoned: Counter::default(),
            panics: Counter::default(),
            rows: Counter::default(),
            tls_failures: Default::default(),
            shed: Default::default(),
            cut: Default::default(),
            refusals_unlogged: Counter::default(),
            refused: Default::default(),
            timeouts: Default::default(),
            observations: Observations::default(),
        }
    }
}

impl Shard {
    /// Counts an answer.
    pub(super) fn answered(
        &self,
        route: Route,
        method: &hyper::Method,
        status: u16,
        took: Duration,
    ) {
        let status = STATUSES
            .iter()
            .position(|&known| known == status)
            .unwrap_or(STATUSES.len() - 1);
        let series =
            (route as usize * METHODS.len() + method_index(method)) * STATUSES.len() + status;
        self.durations[series]
            .get_or_init(Box::default)
            .record(took);
    }

    pub(super) fn shed(&self, why: Shed) {
        self.shed[why as usize].inc();
    }

    pub(super) fn cut(&self, broken: Broken) {
        self.cut[broken.index()].inc();
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].inc();
    }

    pub(super) fn tls_failed(&self, failure: tls::Failure) {
        self.tls_failures[failure as usize].inc();
    }

    pub(super) fn timed_out(&self, phase: Phase) {
        self.timeouts[phase as usize].inc();
    }
}

#[cfg(test)]
mod tests;
