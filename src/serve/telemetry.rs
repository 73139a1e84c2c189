//! Telemetry of the service: metrics, logs, traces, reports of faults.

pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod observe;
pub(crate) mod panics;
pub(crate) mod process;
pub(crate) mod request_log;
pub(crate) mod scrape;
pub(crate) mod sentry;
pub(crate) mod trace;
