//! Page of metrics: gathers the counts of all parts of the service.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, Weak};

use super::metrics::{self, NO_LABELS, Registry, Shard};
use super::observe;
use super::process;
use crate::picker::Picker;
use crate::recorder::{Lost, Recorder};
use crate::serve::api::broken::Broken;
use crate::serve::api::ledger::Shed;
use crate::serve::api::route::Route;
use crate::serve::app::App;
use crate::serve::http::head::Refusal;
use crate::serve::http::phase::Phase;
use crate::serve::settings::tls;

/// Creates the registry of a server.
pub(crate) fn registry() -> Registry {
    Registry::new(&observe::HISTOGRAMS)
}

/// Creates series that must be on the page before their first event.
pub(crate) fn expect_events(shard: &Shard) {
    shard.expect(&metrics::SHED, Shed::ALL.iter().copied());
    shard.expect(&metrics::CUT, Broken::ALL.iter().copied());
    shard.expect(&metrics::REFUSED, Refusal::ALL.iter().copied());
    shard.expect(&metrics::TIMEOUTS, Phase::ALL.iter().copied());
    shard.expect(&metrics::TLS_FAILURES, tls::Failure::ALL.iter().copied());
    // Series of alerts.
    shard.expect_answers(Route::Reg, "POST", &[200, 500, 503]);
}

/// Passes histograms on every [`metrics::HAND_OVER_EVERY`], while `app` is in use.
pub(crate) fn hand_over(app: &Weak<App>) {
    loop {
        std::thread::sleep(metrics::HAND_OVER_EVERY);
        let Some(app) = app.upgrade() else { return };
        app.registry.report(|| {
            metrics::hand_over(&app.shards);
            observe::hand_over(&app.observations, &app.picker());
        });
    }
}

/// Returns all metrics in Prometheus' text format.
pub(crate) fn page(app: &Arc<App>) -> String {
    let mut page = observe::with_named_bounds(app.registry.page(|| report(app)));
    page.push_str(&process::cpu_seconds());
    page
}

fn report(app: &App) {
    let gauge = |name, help, value| metrics::gauge(name, help, &NO_LABELS, value);
    metrics::report(&app.shards);
    let picker = app.picker();
    observe::report(&app.observations, &picker);
    gauge(
        "http_server_active_requests",
        "Requests being read or answered.",
        app.in_flight.load(Relaxed) as f64,
    );
    gauge(
        "http_server_connections_limit",
        "As many connections may be open at once.",
        app.config.max_connections as f64,
    );
    gauge(
        "pick_regno_ready",
        "1 if the service takes requests: the self-check has passed and it is not draining.",
        f64::from(u8::from(app.is_ready())),
    );
    metrics::gauge(
        "pick_regno_build_info",
        "Always 1; which service this is, and which model was compiled into it.",
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("model_sha256", crate::model::SHA256),
        ],
        1.0,
    );
    metrics::counter(
        "pick_regno_log_lines_lost_total",
        "Log lines dropped because their reader was too slow.",
        &NO_LABELS,
        app.log.lost(),
    );
    metrics::counter(
        "http_server_panics_total",
        "Panics of the service's threads, wherever they happened.",
        &NO_LABELS,
        app.panics.load(Relaxed),
    );
    report_model(app, &picker);
    if let Some(keys) = app.config.keys.file() {
        keys.report("keys");
    }
    if let Some(tls) = &app.config.tls {
        tls::report(tls);
    }
    if let Some(sentry) = &app.sentry {
        sentry.report_counts();
    }
    if let Some(recorder) = &app.recorder {
        report_records(recorder);
    }
    process::report();
}

/// Reports which model answers: 1, and 0 for those before it.
fn report_model(app: &App, picker: &Picker) {
    let mut models = app.models.lock().unwrap_or_else(PoisonError::into_inner);
    models.insert(picker.sha256().to_owned());
    for sha256 in models.iter() {
        metrics::gauge(
            "pick_regno_model_info",
            "1 for the model that answers, by its SHA-256; 0 for one that answered before it.",
            &[("model_sha256", sha256.clone())],
            f64::from(u8::from(sha256 == picker.sha256())),
        );
    }
    if let Some(model) = &app.config.model {
        model.report("model");
    }
}

fn report_records(recorder: &Recorder) {
    metrics::counter(
        "pick_regno_record_rows_total",
        "Answered rows that were chosen for the record; each is in a segment, lost, or on its way.",
        &NO_LABELS,
        recorder.given(),
    );
    metrics::counter(
        "pick_regno_record_rows_written_total",
        "Rows that were written to a segment.",
        &NO_LABELS,
        recorder.written(),
    );
    for why in Lost::ALL {
        metrics::counter(
            "pick_regno_record_rows_lost_total",
            "Rows that are in no segment, by reason.",
            &[("reason", why.label())],
            recorder.lost(why),
        );
    }
    for (name, help, bytes) in [
        (
            "pick_regno_record_bytes",
            "Bytes of the segments in the folder.",
            recorder.bytes(),
        ),
        (
            "pick_regno_record_limit_bytes",
            "As many bytes the folder's segments may have.",
            recorder.limit(),
        ),
    ] {
        metrics::gauge(name, help, &NO_LABELS, bytes as f64);
    }
}
