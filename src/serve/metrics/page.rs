//! The page that Prometheus reads: all families but those that other files write.

use std::fmt::Write as _;

use super::{ALERTED_ON, BOUNDS_MICROS, SERIES, STATUSES, Shard, Shed};
use crate::serve::batch::Broken;
use crate::serve::head::Refusal;
use crate::serve::keys::Keys;
use crate::serve::phase::Phase;
use crate::serve::routes::{METHODS, Route};
use crate::serve::sentry::Sentry;
use crate::serve::tls::{self, Tls};
use crate::serve::{observe, process as system, reload};

/// Facts that do not change while the process runs, and counts that belong to no worker.
pub(in crate::serve) struct Process<'a> {
    pub(in crate::serve) max_connections: usize,
    pub(in crate::serve) in_flight: usize,
    pub(in crate::serve) keys: &'a Keys,
    pub(in crate::serve) tls: Option<&'a Tls>,
    pub(in crate::serve) sentry: Option<&'a Sentry>,
    pub(in crate::serve) log_lines_lost: u64,
    pub(in crate::serve) ready: bool,
}

/// Writes all metrics in Prometheus' text format, version 0.0.4.
pub(in crate::serve) fn render(shards: &[impl AsRef<Shard>], process: &Process<'_>) -> String {
    let mut page = Page {
        text: String::with_capacity(16 * 1024),
    };
    page.durations(shards);
    let sum = |count: &dyn Fn(&Shard) -> u64| -> u64 {
        shards.iter().map(|shard| count(shard.as_ref())).sum()
    };
    let level = |gauge: &dyn Fn(&Shard) -> i64| -> u64 {
        let sum: i64 = shards.iter().map(|shard| gauge(shard.as_ref())).sum();
        sum.max(0) as u64
    };
    page.gauge(
        "http_server_active_requests",
        "Requests being read or answered.",
        process.in_flight,
    );
    page.gauge(
        "http_server_held_body_bytes",
        "Memory that long bodies, and answers which wait for their client, have or have been promised.",
        level(&|shard| shard.held_bytes.value()),
    );
    page.gauge(
        "http_server_active_connections",
        "Open connections of the service's listener.",
        level(&|shard| shard.connections.value()),
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
            sum(&|shard| shard.accepted.value()),
        ),
        (
            "http_server_accept_errors_total",
            "Failures of accept, such as no file descriptor being left.",
            sum(&|shard| shard.accept_errors.value()),
        ),
        (
            "http_server_evicted_connections_total",
            "Connections without a request that were closed early, to make room for others.",
            sum(&|shard| shard.evicted.value()),
        ),
        (
            "http_server_received_bytes_total",
            "Bytes read from clients, TLS not counted.",
            sum(&|shard| shard.bytes_in.value()),
        ),
        (
            "http_server_sent_bytes_total",
            "Bytes written to clients, TLS not counted.",
            sum(&|shard| shard.bytes_out.value()),
        ),
        (
            "http_server_abandoned_requests_total",
            "Requests whose client went away before the answer was ready.",
            sum(&|shard| shard.abandoned.value()),
        ),
        (
            "http_server_panics_total",
            "Panics caught while a request was answered with 500.",
            sum(&|shard| shard.panics.value()),
        ),
        (
            "pick_regno_rows_total",
            "Requests answered with probabilities; each element of an array and each line of a batch counts.",
            sum(&|shard| shard.rows.value()),
        ),
        (
            "pick_regno_log_refusals_left_out_total",
            "Refusals without a log line, because there were too many in one second.",
            sum(&|shard| shard.refusals_unlogged.value()),
        ),
        (
            "pick_regno_log_lines_lost_total",
            "Log lines dropped because their reader was too slow.",
            process.log_lines_lost,
        ),
    ] {
        page.counter(name, help, value);
    }
    page.by_label(
        "http_server_shed_requests_total",
        "Requests answered 503 because too many were on their way, or too many bytes of bodies.",
        "reason",
        &Shed::ALL.map(|why| (why.label(), sum(&|shard| shard.shed[why as usize].value()))),
    );
    page.by_label(
        "http_server_cut_batches_total",
        "Batches that ended before all of their records were answered, after a status of 200, by reason.",
        "reason",
        &std::array::from_fn::<_, { Broken::REASONS.len() }, _>(|at| {
            (Broken::REASONS[at], sum(&|shard| shard.cut[at].value()))
        }),
    );
    page.by_label(
        "http_server_refused_requests_total",
        "Requests refused for their head or framing, by reason.",
        "reason",
        &Refusal::ALL.map(|refusal| {
            let total = sum(&|shard| shard.refused[refusal as usize].value());
            (refusal.reason(), total)
        }),
    );
    let phases = [
        Phase::Handshake,
        Phase::Head,
        Phase::Body,
        Phase::Working,
        Phase::Idle,
        Phase::Linger,
    ];
    page.by_label(
        "http_server_timeouts_total",
        "Waits for a client that were ended at their limit, by what was waited for.",
        "phase",
        &phases.map(|phase| {
            let total = sum(&|shard| shard.timeouts[phase as usize].value());
            (phase.label(), total)
        }),
    );
    page.by_label(
        "http_server_tls_failures_total",
        "TLS handshakes that failed: for the client's certificate, for what was spoken, or because the client ended it.",
        "reason",
        &tls::Failure::ALL.map(|failure| {
            let total = sum(&|shard| shard.tls_failures[failure as usize].value());
            (failure.label(), total)
        }),
    );
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
    observe::render(&mut page, shards);
    system::render(&mut page);
    page.text
}

/// The page that is being written.
pub(in crate::serve) struct Page {
    text: String,
}

// Called in a hundred places and seldom: not inlined, which would make the program 8 KB larger.
impl Page {
    /// Begins a family of samples.
    #[inline(never)]
    pub(in crate::serve) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes one sample; `labels` without braces.
    #[inline(never)]
    pub(in crate::serve) fn sample(
        &mut self,
        name: &str,
        labels: &str,
        value: impl std::fmt::Display,
    ) {
        let _ = if labels.is_empty() {
            writeln!(self.text, "{name} {value}")
        } else {
            writeln!(self.text, "{name}{{{labels}}} {value}")
        };
    }

    #[inline(never)]
    pub(in crate::serve) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl std::fmt::Display,
    ) {
        self.family(name, "gauge", help);
        self.sample(name, "", value);
    }

    #[inline(never)]
    pub(in crate::serve) fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl std::fmt::Display,
    ) {
        self.family(name, "counter", help);
        self.sample(name, "", value);
    }

    /// A counter with one sample for each value of `label`.
    fn by_label(&mut self, name: &str, help: &str, label: &str, counts: &[(&str, u64)]) {
        self.family(name, "counter", help);
        for (value, count) in counts {
            self.sample(name, &format!("{label}=\"{value}\""), count);
        }
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
                        *sum += bucket.value();
                    }
                    nanos += histogram.nanos.value();
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
    pub(in crate::serve) fn for_test() -> Page {
        Page {
            text: String::new(),
        }
    }

    #[cfg(test)]
    pub(in crate::serve) fn into_text(self) -> String {
        self.text
    }
}
