//! What is counted, and how it is written for Prometheus.
//!
//! The set of metrics is known when the service is compiled, so there is no registry: each worker owns a [`Shard`] of
//! atomics that only it writes (one relaxed addition per event, no shared cache line), and a scrape adds the shards up.
//! Histograms are buckets from the start, so memory does not grow between scrapes.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::batch::Broken;
use super::head::Refusal;
use super::keys::Keys;
use super::observe::Observations;
use super::phase::Phase;
use super::reload;
use super::routes::{METHODS, Route, method_index};
use super::sentry::Sentry;
use super::tls::{self, Tls};

/// Upper bounds of the duration buckets, in microseconds.
const BOUNDS_MICROS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// The statuses that the service answers with; any other is counted as the last.
const STATUSES: [u16; 17] = [
    200, 204, 304, 308, 400, 401, 404, 405, 406, 408, 411, 413, 414, 415, 431, 503, 500,
];

/// A count that only grows.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
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

/// Durations by bucket.
#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    fn record(&self, duration: Duration) {
        let micros = duration.as_nanos().div_ceil(1_000) as u64;
        let bucket = BOUNDS_MICROS.partition_point(|&bound| bound < micros);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(duration.as_nanos() as u64, Relaxed);
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

/// One worker's counts.
pub(super) struct Shard {
    /// By route, method and status; most of them never occur, and are not allocated until they do.
    durations: Box<[OnceLock<Box<Histogram>>]>,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
    pub(super) accepted: Counter,
    pub(super) accept_errors: Counter,
    pub(super) evicted: Counter,
    pub(super) connections: Gauge,
    pub(super) in_flight: Gauge,
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
            in_flight: Gauge::default(),
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

/// Facts that do not change while the process runs, and counts that belong to no worker.
pub(super) struct Process<'a> {
    pub(super) max_connections: usize,
    pub(super) keys: &'a Keys,
    pub(super) tls: Option<&'a Tls>,
    pub(super) sentry: Option<&'a Sentry>,
    pub(super) log_lines_lost: u64,
    pub(super) ready: bool,
}

/// Writes all metrics in Prometheus' text format, version 0.0.4.
pub(super) fn render(shards: &[impl AsRef<Shard>], process: &Process<'_>) -> String {
    let mut page = Page {
        text: String::with_capacity(16 * 1024),
    };
    page.durations(shards);
    let sum = |field: fn(&Shard) -> u64| shards.iter().map(|shard| field(shard.as_ref())).sum();
    let level = |field: fn(&Shard) -> i64| -> u64 {
        shards
            .iter()
            .map(|shard| field(shard.as_ref()))
            .sum::<i64>()
            .max(0) as u64
    };
    page.gauge(
        "http_server_active_requests",
        "Requests being read or answered.",
        level(|shard| shard.in_flight.value()),
    );
    page.gauge(
        "http_server_held_body_bytes",
        "Memory that long bodies, and answers which wait for their client, have or have been promised.",
        level(|shard| shard.held_bytes.value()),
    );
    page.gauge(
        "http_server_active_connections",
        "Open connections of the service's listener.",
        level(|shard| shard.connections.value()),
    );
    page.gauge(
        "http_server_connections_limit",
        "As many connections may be open at once.",
        process.max_connections as u64,
    );
    for (name, help, value) in [
        (
            "http_server_connections_accepted_total",
            "Connections accepted.",
            sum(|shard| shard.accepted.value()),
        ),
        (
            "http_server_accept_errors_total",
            "Failures of accept, such as no file descriptor being left.",
            sum(|shard| shard.accept_errors.value()),
        ),
        (
            "http_server_evicted_connections_total",
            "Connections without a request that were closed early, to make room for others.",
            sum(|shard| shard.evicted.value()),
        ),
        (
            "http_server_received_bytes_total",
            "Bytes read from clients, TLS not counted.",
            sum(|shard| shard.bytes_in.value()),
        ),
        (
            "http_server_sent_bytes_total",
            "Bytes written to clients, TLS not counted.",
            sum(|shard| shard.bytes_out.value()),
        ),
        (
            "http_server_abandoned_requests_total",
            "Requests whose client went away before the answer was ready.",
            sum(|shard| shard.abandoned.value()),
        ),
        (
            "http_server_panics_total",
            "Panics caught while a request was answered with 500.",
            sum(|shard| shard.panics.value()),
        ),
        (
            "pick_regno_rows_total",
            "Requests answered with probabilities; each element of an array and each line of a batch counts.",
            sum(|shard| shard.rows.value()),
        ),
        (
            "pick_regno_log_refusals_left_out_total",
            "Refusals without a log line, because there were too many in one second.",
            sum(|shard| shard.refusals_unlogged.value()),
        ),
        (
            "pick_regno_log_lines_lost_total",
            "Log lines dropped because their reader was too slow.",
            process.log_lines_lost,
        ),
    ] {
        page.counter(name, help, value);
    }
    page.family(
        "http_server_shed_requests_total",
        "counter",
        "Requests answered 503 because too many were on their way, or too many bytes of bodies.",
    );
    for why in Shed::ALL {
        let total: u64 = shards
            .iter()
            .map(|shard| shard.as_ref().shed[why as usize].value())
            .sum();
        page.sample(
            "http_server_shed_requests_total",
            &format!("reason=\"{}\"", why.label()),
            total,
        );
    }
    page.family(
        "http_server_cut_batches_total",
        "counter",
        "Batches that ended before all of their records were answered, after a status of 200, by reason.",
    );
    for (at, reason) in Broken::REASONS.iter().enumerate() {
        let total: u64 = shards
            .iter()
            .map(|shard| shard.as_ref().cut[at].value())
            .sum();
        page.sample(
            "http_server_cut_batches_total",
            &format!("reason=\"{reason}\""),
            total,
        );
    }
    page.family(
        "http_server_refused_requests_total",
        "counter",
        "Requests refused for their head or framing, by reason.",
    );
    for refusal in Refusal::ALL {
        let total: u64 = shards
            .iter()
            .map(|shard| shard.as_ref().refused[refusal as usize].value())
            .sum();
        page.sample(
            "http_server_refused_requests_total",
            &format!("reason=\"{}\"", refusal.reason()),
            total,
        );
    }
    page.family(
        "http_server_timeouts_total",
        "counter",
        "Waits for a client that were ended at their limit, by what was waited for.",
    );
    for phase in [
        Phase::Handshake,
        Phase::Head,
        Phase::Body,
        Phase::Working,
        Phase::Idle,
        Phase::Linger,
    ] {
        let total: u64 = shards
            .iter()
            .map(|shard| shard.as_ref().timeouts[phase as usize].value())
            .sum();
        page.sample(
            "http_server_timeouts_total",
            &format!("phase=\"{}\"", phase.label()),
            total,
        );
    }
    page.family(
        "http_server_tls_failures_total",
        "counter",
        "TLS handshakes that failed: for the client's certificate, for what was spoken, or because the client ended it.",
    );
    for failure in tls::Failure::ALL {
        let total: u64 = shards
            .iter()
            .map(|shard| shard.as_ref().tls_failures[failure as usize].value())
            .sum();
        page.sample(
            "http_server_tls_failures_total",
            &format!("reason=\"{}\"", failure.label()),
            total,
        );
    }
    if process.keys.file().is_some() || process.tls.is_some() {
        reload::render_family(&mut page);
    }
    if let Some(file) = process.keys.file() {
        file.render(&mut page, "keys");
    }
    if let Some(tls) = process.tls {
        tls.files().render(&mut page, "tls");
        tls::render(&mut page, tls);
    }
    if let Some(sentry) = process.sentry {
        sentry.render(&mut page);
    }
    page.gauge(
        "pick_regno_ready",
        "1 if the service takes requests: the self-check has passed and it is not draining.",
        u64::from(process.ready),
    );
    page.family(
        "pick_regno_build_info",
        "gauge",
        "Always 1; which service this is, and which model was compiled into it.",
    );
    page.sample(
        "pick_regno_build_info",
        &format!(
            "version=\"{}\",model_sha256=\"{}\"",
            env!("CARGO_PKG_VERSION"),
            crate::model::SHA256
        ),
        1,
    );
    super::observe::render(&mut page, shards);
    super::process::render(&mut page);
    page.text
}

/// The page that is being written.
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Begins a family of samples.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes one sample; `labels` without braces.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = if labels.is_empty() {
            writeln!(self.text, "{name} {value}")
        } else {
            writeln!(self.text, "{name}{{{labels}}} {value}")
        };
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, "", value);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "counter", help);
        self.sample(name, "", value);
    }

    fn durations(&mut self, shards: &[impl AsRef<Shard>]) {
        const NAME: &str = "http_server_request_duration_seconds";
        self.family(
            NAME,
            "histogram",
            "Time from the end of a request's head to its answer, by route, method and status.",
        );
        for series in 0..SERIES {
            let mut buckets = [0; BOUNDS_MICROS.len() + 1];
            let mut nanos = 0;
            for shard in shards {
                if let Some(histogram) = shard.as_ref().durations[series].get() {
                    for (sum, bucket) in buckets.iter_mut().zip(&histogram.buckets) {
                        *sum += bucket.load(Relaxed);
                    }
                    nanos += histogram.nanos.load(Relaxed);
                }
            }
            let status = STATUSES[series % STATUSES.len()];
            let method = METHODS[series / STATUSES.len() % METHODS.len()];
            let route = Route::ALL[series / STATUSES.len() / METHODS.len()];
            let is_alerted_on =
                route == Route::Reg && method == "POST" && ALERTED_ON.contains(&status);
            if !is_alerted_on && buckets.iter().all(|&count| count == 0) {
                continue;
            }
            let route = route.label();
            let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
            let mut sum = 0;
            for (at, count) in buckets.iter().enumerate() {
                sum += count;
                let bound = match BOUNDS_MICROS.get(at) {
                    Some(&micros) => (micros as f64 / 1e6).to_string(),
                    None => "+Inf".to_owned(),
                };
                self.sample(
                    &format!("{NAME}_bucket"),
                    &format!("{labels},le=\"{bound}\""),
                    sum,
                );
            }
            self.sample(&format!("{NAME}_sum"), &labels, nanos as f64 / 1e9);
            self.sample(&format!("{NAME}_count"), &labels, sum);
        }
    }

    #[cfg(test)]
    pub(super) fn for_test() -> Page {
        Page {
            text: String::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests;
