//! File descriptors: raises the limit as far as possible, so that connections never take the last ones.

use std::io;

use crate::serve::api::admin;
use crate::serve::settings::config::Config;
use crate::serve::start_error::StartError;
use crate::serve::telemetry::log::{Level, Log, Value};

/// Descriptors of the process itself: standard streams, control runtime, files that are read again, Sentry.
const OWN: usize = 32;
/// Descriptors of a worker: its socket, its runtime, a connection that waits for a slot.
const WORKER: usize = 8;
/// Minimum number of connections that makes starting worthwhile.
const FEWEST: usize = 16;

/// Raises this process's limit as far as it may, and lowers `--max-connections` to what it allows, beside the
/// operators' connections and the process's own needs: without a free descriptor, no probe would be answered, and no
/// key file read again.
pub(crate) fn suffice_for(config: &mut Config, log: &Log) -> Result<(), StartError> {
    let limit = rlimit::increase_nofile_limit(u64::MAX).map_err(|why| StartError {
        what: "cannot raise the limit of open files".to_owned(),
        why,
    })?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let reserved = OWN + WORKER * config.workers + admin::MAX_CONNECTIONS;
    let room = limit.saturating_sub(reserved);
    if room < FEWEST {
        return Err(StartError {
            what: format!("the limit of open files is {limit}"),
            why: io::Error::other(format!(
                "at least {} are needed; raise it (ulimit -n)",
                reserved + FEWEST
            )),
        });
    }
    if room < config.max_connections {
        log.line(
            Level::Warn,
            "the limit of open files has room for fewer connections than --max-connections",
            &[
                ("limit", Value::Number(limit as u64)),
                ("connections", Value::Number(room as u64)),
            ],
        );
        config.max_connections = room;
    }
    Ok(())
}
