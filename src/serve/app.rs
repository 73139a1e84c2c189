//! State that all workers share.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use crate::picker::Picker;
use crate::recorder::Recorder;
use crate::serve::api::docs::Docs;
use crate::serve::faults::Faults;
use crate::serve::settings::config::Config;
use crate::serve::telemetry::log::Log;
use crate::serve::telemetry::metrics::{Registry, Shard};
use crate::serve::telemetry::observe::Observations;
use crate::serve::telemetry::sentry::Sentry;

/// State that all workers share.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) docs: Docs,
    pub(crate) log: Log,
    pub(crate) sentry: Option<Sentry>,
    pub(crate) recorder: Option<Recorder>,
    /// Faults that tests inject.
    pub(crate) faults: Faults,
    /// Number of panics of its threads.
    pub(crate) panics: AtomicU64,
    pub(crate) registry: Registry,
    /// Counters of each worker.
    pub(crate) shards: Vec<Arc<Shard>>,
    pub(crate) observations: Vec<Arc<Observations>>,
    /// SHA-256 of each model that has answered.
    pub(crate) models: Mutex<BTreeSet<String>>,
    pub(crate) in_flight: Alone<AtomicUsize>,
    pub(crate) ready: AtomicBool,
}

/// Value in cache lines of its own (processors fetch them in pairs): all workers write it for each request, and would
/// invalidate each other's neighbors.
#[repr(align(128))]
pub(crate) struct Alone<T>(pub(crate) T);

impl<T> Deref for Alone<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl App {
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// The model that answers at present.
    pub(crate) fn picker(&self) -> Picker {
        let file = self.config.model.as_ref();
        file.map_or(Picker::Compiled, |file| file.value().clone())
    }

    /// Counts `more` bytes as held for connections of `shard`. Returns false, without counting them, if all connections
    /// together would exceed `most`.
    pub(crate) fn reserve(&self, shard: &Shard, more: i64, most: u64) -> bool {
        if more == 0 {
            return true;
        }
        shard.held_bytes.add(more);
        // Added before the comparison, so that two workers cannot both take the last memory.
        let all = || -> i64 {
            self.shards
                .iter()
                .map(|shard| shard.held_bytes.value())
                .sum()
        };
        if more > 0 && all() > most as i64 {
            shard.held_bytes.add(-more);
            return false;
        }
        true
    }
}
