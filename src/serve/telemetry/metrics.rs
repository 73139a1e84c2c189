//! Registry of metrics, and the counters of each worker.
//!
//! The page is written by a Prometheus recorder behind the facade of the crate `metrics`. Workers do not call the
//! facade per request: the recorder's counters are shared by all threads, and its histograms keep every sample until
//! they are drained. Each worker counts in a [`Shard`] of its own, which only it writes (no shared cache line, no
//! locked addition). [`Registry::report`] passes the counts to the facade: totals of counters at each scrape, and
//! samples of histograms every [`HAND_OVER_EVERY`] as well, so that the recorder never holds many.

mod cells;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::IntoLabels;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use self::cells::Series;
pub(crate) use self::cells::{Counter, Gauge, Histogram};

/// Interval at which histograms are passed on. At 35,000 requests/s, the recorder holds the samples of 7,000.
pub(crate) const HAND_OVER_EVERY: Duration = Duration::from_millis(200);

/// Upper bounds of the duration buckets, in seconds.
const DURATION_BOUNDS: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0,
];
const DURATIONS: &str = "http_server_request_duration_seconds";

/// Metrics of one server.
pub(crate) struct Registry {
    /// Name and bucket bounds of each histogram.
    histograms: Vec<(&'static str, &'static [f64])>,
    /// Created at the first report: its clock calibrates against the processor's for up to 200 ms, and the start does
    /// not wait for that.
    recorder: Mutex<Option<PrometheusRecorder>>,
}

impl Registry {
    /// Creates a registry with the histograms of a [`Shard`], and with `others`: names and bucket bounds.
    pub(crate) fn new(others: &[(&'static str, &'static [f64])]) -> Registry {
        let mut histograms = others.to_vec();
        histograms.push((DURATIONS, &DURATION_BOUNDS));
        Registry {
            histograms,
            recorder: Mutex::new(None),
        }
    }

    /// Runs `report`, which passes counts to the facade. One report runs at a time.
    pub(crate) fn report(&self, report: impl FnOnce()) {
        self.with_recorder(|recorder| {
            metrics::with_local_recorder(recorder, report);
            recorder.handle().run_upkeep();
        });
    }

    /// Runs `report`, and returns all metrics in Prometheus' text format, version 0.0.4.
    pub(crate) fn page(&self, report: impl FnOnce()) -> String {
        self.with_recorder(|recorder| {
            metrics::with_local_recorder(recorder, report);
            recorder.handle().render()
        })
    }

    fn with_recorder<T>(&self, act: impl FnOnce(&PrometheusRecorder) -> T) -> T {
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        act(recorder.get_or_insert_with(|| {
            let mut builder = PrometheusBuilder::new();
            for (name, bounds) in &self.histograms {
                builder = builder
                    .set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)
                    .expect("no list of bounds is empty");
            }
            builder.build_recorder()
        }))
    }
}

/// Reports the total of a counter. This and the following functions are only called within [`Registry::report`] or
/// [`Registry::page`].
pub(crate) fn counter(name: &'static str, help: &'static str, labels: impl IntoLabels, total: u64) {
    metrics::describe_counter!(name, help);
    metrics::counter!(name, labels).absolute(total);
}

/// Reports the value of a gauge.
pub(crate) fn gauge(name: &'static str, help: &'static str, labels: impl IntoLabels, value: f64) {
    metrics::describe_gauge!(name, help);
    metrics::gauge!(name, labels).set(value);
}

/// Reports what `histograms`, one per worker, have recorded since the last call.
pub(crate) fn histogram<'a, const N: usize>(
    name: &'static str,
    help: &'static str,
    labels: impl IntoLabels,
    histograms: impl Iterator<Item = &'a Histogram<N>>,
) {
    metrics::describe_histogram!(name, help);
    let to = metrics::histogram!(name, labels);
    histograms.for_each(|histogram| histogram.hand_over(&to));
}

/// Labels of a metric without labels.
pub(crate) const NO_LABELS: [(&str, &str); 0] = [];

/// Value of a label. Implemented by enums, so that the values of a label are a fixed set.
pub(crate) trait Label: Copy {
    fn label(self) -> &'static str;
}

/// Counter of rare events, with one label.
pub(crate) struct Family {
    name: &'static str,
    label: &'static str,
    help: &'static str,
}

pub(crate) const SHED: Family = Family {
    name: "http_server_shed_requests_total",
    label: "reason",
    help: "Requests answered 503 because too many were on their way, or too many bytes of bodies.",
};
pub(crate) const CUT: Family = Family {
    name: "http_server_cut_batches_total",
    label: "reason",
    help: "Batches that ended before all of their records were answered, after a status of 200, by reason.",
};
pub(crate) const REFUSED: Family = Family {
    name: "http_server_refused_requests_total",
    label: "reason",
    help: "Requests refused for their head or framing, by reason.",
};
pub(crate) const TIMEOUTS: Family = Family {
    name: "http_server_timeouts_total",
    label: "phase",
    help: "Waits for a client that were ended at their limit, by what was waited for.",
};
pub(crate) const TLS_FAILURES: Family = Family {
    name: "http_server_tls_failures_total",
    label: "reason",
    help: "TLS handshakes that failed: for the client's certificate, for what was spoken, or because the client ended it.",
};
const FAMILIES: [&Family; 5] = [&SHED, &CUT, &REFUSED, &TIMEOUTS, &TLS_FAILURES];

/// Labels of a request's duration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Answered {
    status: u16,
    route: &'static str,
    method: &'static str,
}

/// Counters of one worker, in cache lines of their own.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Shard {
    durations: Series<Answered, Histogram<{ DURATION_BOUNDS.len() }>>,
    /// Events, by the name of the family and the value of its label.
    events: Series<(&'static str, &'static str), Counter>,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) accepted: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) evicted: Counter,
    pub(crate) connections: Gauge,
    /// Bytes of long bodies, and of answers that wait for their client.
    pub(crate) held_bytes: Gauge,
    /// Bytes of answers that wait for clients without a key.
    pub(crate) held_open_bytes: Gauge,
    /// Requests whose client went away before the answer was ready.
    pub(crate) abandoned: Counter,
    pub(crate) rows: Counter,
    /// Rows that were explained.
    pub(crate) explained: Counter,
    /// Log lines about refusals that were left out because there were too many.
    pub(crate) refusals_unlogged: Counter,
}

impl Shard {
    /// Counts an answer.
    pub(crate) fn answered(
        &self,
        route: impl Label,
        method: &'static str,
        status: u16,
        took: Duration,
    ) {
        let durations = self.durations_of(route, method, status);
        durations.record(took.as_nanos() as f64 / 1e9);
    }

    /// Creates the series of answers that must be on the page before there is one: the rate of a series that begins
    /// with its first event misses that event.
    pub(crate) fn expect_answers(&self, route: impl Label, method: &'static str, statuses: &[u16]) {
        for &status in statuses {
            self.durations_of(route, method, status);
        }
    }

    /// Creates the series of a family, so that they are on the page before an event.
    pub(crate) fn expect(&self, family: &Family, labels: impl IntoIterator<Item = impl Label>) {
        for label in labels {
            self.event(family, label);
        }
    }

    pub(crate) fn shed(&self, why: impl Label) {
        self.event(&SHED, why).inc();
    }

    pub(crate) fn cut(&self, why: impl Label) {
        self.event(&CUT, why).inc();
    }

    pub(crate) fn refused(&self, refusal: impl Label) {
        self.event(&REFUSED, refusal).inc();
    }

    pub(crate) fn tls_failed(&self, failure: impl Label) {
        self.event(&TLS_FAILURES, failure).inc();
    }

    pub(crate) fn timed_out(&self, phase: impl Label) {
        self.event(&TIMEOUTS, phase).inc();
    }

    fn event(&self, family: &Family, label: impl Label) -> &Counter {
        let key = (family.name, label.label());
        self.events.entry(key, Counter::default)
    }

    fn durations_of(
        &self,
        route: impl Label,
        method: &'static str,
        status: u16,
    ) -> &Histogram<{ DURATION_BOUNDS.len() }> {
        let key = Answered {
            status,
            route: route.label(),
            method,
        };
        self.durations
            .entry(key, || Histogram::new(&DURATION_BOUNDS))
    }
}

/// Reports the durations that `shards` recorded since the last call.
pub(crate) fn hand_over(shards: &[impl AsRef<Shard>]) {
    for shard in shards {
        for (key, durations) in shard.as_ref().durations.iter() {
            let labels = vec![
                metrics::Label::from_static_parts("route", key.route),
                metrics::Label::from_static_parts("method", key.method),
                metrics::Label::new("status", key.status.to_string()),
            ];
            histogram(
                DURATIONS,
                "Time from the end of a request's head to its answer, by route, method and status.",
                labels,
                std::iter::once(durations),
            );
        }
    }
}

/// Reports all counts of `shards`.
pub(crate) fn report(shards: &[impl AsRef<Shard>]) {
    hand_over(shards);
    let sum = |count: &dyn Fn(&Shard) -> &Counter| -> u64 {
        let counts = shards.iter().map(|shard| count(shard.as_ref()).value());
        counts.sum()
    };
    for (name, help, total) in [
        (
            "http_server_connections_accepted_total",
            "Connections accepted.",
            sum(&|shard| &shard.accepted),
        ),
        (
            "http_server_accept_errors_total",
            "Failures of accept, such as no file descriptor being left.",
            sum(&|shard| &shard.accept_errors),
        ),
        (
            "http_server_evicted_connections_total",
            "Connections without a request that were closed early, to make room for others.",
            sum(&|shard| &shard.evicted),
        ),
        (
            "http_server_received_bytes_total",
            "Bytes read from clients, TLS not counted.",
            sum(&|shard| &shard.bytes_in),
        ),
        (
            "http_server_sent_bytes_total",
            "Bytes written to clients, TLS not counted.",
            sum(&|shard| &shard.bytes_out),
        ),
        (
            "http_server_abandoned_requests_total",
            "Requests whose client went away before the answer was ready.",
            sum(&|shard| &shard.abandoned),
        ),
        (
            "pick_regno_rows_total",
            "Requests answered with probabilities; each element of an array and each line of a batch counts.",
            sum(&|shard| &shard.rows),
        ),
        (
            "pick_regno_explained_rows_total",
            "Rows of pick_regno_rows_total whose answer was explained, because the request asked for it.",
            sum(&|shard| &shard.explained),
        ),
        (
            "pick_regno_log_refusals_left_out_total",
            "Refusals without a log line, because there were too many in one second.",
            sum(&|shard| &shard.refusals_unlogged),
        ),
    ] {
        counter(name, help, &NO_LABELS, total);
    }
    let level = |gauge: &dyn Fn(&Shard) -> &Gauge| -> f64 {
        let sum: i64 = shards
            .iter()
            .map(|shard| gauge(shard.as_ref()).value())
            .sum();
        sum.max(0) as f64
    };
    gauge(
        "http_server_held_body_bytes",
        "Memory that long bodies, and answers which wait for their client, have or have been promised.",
        &NO_LABELS,
        level(&|shard| &shard.held_bytes),
    );
    gauge(
        "http_server_held_open_bytes",
        "Answers that wait for clients which have shown no key.",
        &NO_LABELS,
        level(&|shard| &shard.held_open_bytes),
    );
    gauge(
        "http_server_active_connections",
        "Open connections of the service's listener.",
        &NO_LABELS,
        level(&|shard| &shard.connections),
    );
    let mut events = BTreeMap::<_, u64>::new();
    for shard in shards {
        for (key, count) in shard.as_ref().events.iter() {
            *events.entry(key).or_default() += count.value();
        }
    }
    for family in FAMILIES {
        let of_family = events.iter().filter(|((name, _), _)| *name == family.name);
        for (&(name, value), &total) in of_family {
            counter(name, family.help, &[(family.label, value)], total);
        }
    }
}

#[cfg(test)]
mod tests;
