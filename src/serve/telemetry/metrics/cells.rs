//! Counters of a worker: cells that one thread writes and others read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Monotonic counter that only one thread increments, so that an increment need not be atomic, which would take a
/// locked instruction.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.value() + count, Relaxed);
    }

    pub(crate) fn inc(&self) {
        self.add(1);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Number of things that exist at present.
#[derive(Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    pub(crate) fn add(&self, count: i64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn value(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// Sum of numbers that only one thread adds to.
#[derive(Default)]
struct Sum(AtomicU64);

impl Sum {
    fn add(&self, number: f64) {
        self.0.store((self.value() + number).to_bits(), Relaxed);
    }

    fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

/// Numbers by bucket. Aligned to cache lines of its own, since another worker's may be adjacent.
#[repr(align(128))]
pub(crate) struct Histogram<const N: usize> {
    bounds: &'static [f64; N],
    buckets: [Bucket; N],
    /// Numbers above all bounds.
    above: Bucket,
}

#[derive(Default)]
struct Bucket {
    count: Counter,
    sum: Sum,
    handed_over: Counter,
    sum_handed_over: Sum,
}

impl<const N: usize> Histogram<N> {
    /// Creates a histogram. `bounds` are the upper bounds of the buckets, ascending.
    pub(crate) fn new(bounds: &'static [f64; N]) -> Histogram<N> {
        Histogram {
            bounds,
            buckets: std::array::from_fn(|_| Bucket::default()),
            above: Bucket::default(),
        }
    }

    /// Counts `number`; NaN counts as 0.
    pub(crate) fn record(&self, number: f64) {
        let number = number.max(0.0);
        let index = self.bounds.partition_point(|&bound| bound < number);
        let bucket = self.buckets.get(index).unwrap_or(&self.above);
        bucket.count.inc();
        bucket.sum.add(number);
    }

    /// Passes on what was recorded since the last call. Only one thread at a time may call this.
    pub(super) fn hand_over(&self, to: &metrics::Histogram) {
        let mut above = f64::NEG_INFINITY;
        for (bucket, &bound) in self.buckets.iter().zip(self.bounds) {
            bucket.hand_over(above, bound, to);
            above = bound;
        }
        self.above.hand_over(above, f64::INFINITY, to);
    }
}

impl Bucket {
    /// Passes on the numbers that were counted since the last call: their mean, as many times as there are numbers. The
    /// mean lies within the bucket as they do, so the recorder's buckets and sum are right.
    fn hand_over(&self, above: f64, bound: f64, to: &metrics::Histogram) {
        let count = self.count.value() - self.handed_over.value();
        if count == 0 {
            return;
        }
        let mean = (self.sum.value() - self.sum_handed_over.value()) / count as f64;
        // Rounding, or a sum that the worker is just updating, must not move the mean to another bucket. The difference
        // is made up in the next call.
        let mean = mean.clamp(above.next_up(), bound);
        to.record_many(mean, count as usize);
        self.handed_over.add(count);
        self.sum_handed_over.add(mean * count as f64);
    }
}

/// Values by key, in the order in which the keys first occurred. May be read while one thread adds. Keys are never
/// removed.
pub(super) struct Series<K, V>(OnceLock<Box<Entry<K, V>>>);

struct Entry<K, V> {
    key: K,
    value: V,
    rest: Series<K, V>,
}

impl<K, V> Default for Series<K, V> {
    fn default() -> Self {
        Series(OnceLock::new())
    }
}

impl<K: Copy + PartialEq, V> Series<K, V> {
    /// Returns the value of `key`, which is created if missing. The first keys are found fastest.
    pub(super) fn entry(&self, key: K, make: impl Fn() -> V) -> &V {
        let mut series = self;
        loop {
            let entry = series.0.get_or_init(|| {
                Box::new(Entry {
                    key,
                    value: make(),
                    rest: Series::default(),
                })
            });
            if entry.key == key {
                return &entry.value;
            }
            series = &entry.rest;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        let entries = std::iter::successors(self.0.get(), |entry| entry.rest.0.get());
        entries.map(|entry| (entry.key, &entry.value))
    }
}
