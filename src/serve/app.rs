//! What all workers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::config::Config;
use super::docs::Docs;
use super::faults::Faults;
use super::log::Log;
use super::metrics::{Registry, Shard};
use super::observe::Observations;
use super::sentry::Sentry;
use crate::recorder::Recorder;

/// What all workers share.
pub(super) struct App {
    pub(super) config: Config,
    pub(super) docs: Docs,
    pub(super) log: Log,
    pub(super) sentry: Option<Sentry>,
    pub(super) recorder: Option<Recorder>,
    /// Where tests make it panic.
    pub(super) faults: Faults,
    /// Number of panics of its threads.
    pub(super) panics: AtomicU64,
    pub(super) registry: Registry,
    /// Each worker's counts.
    pub(super) shards: Vec<Arc<Shard>>,
    pub(super) observations: Vec<Arc<Observations>>,
    pub(super) in_flight: Alone<AtomicUsize>,
    pub(super) ready: AtomicBool,
}

/// In cache lines of its own (processors fetch them in pairs): all workers write it for each request, and would take from each
/// other whatever stood beside it.
#[repr(align(128))]
pub(super) struct Alone<T>(pub(super) T);

impl<T> Deref for Alone<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl App {
    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// Counts `more` bytes as held for connections of `shard`; `false`, and they are not counted, if those of all would be more
    /// than `most` then.
    pub(super) fn reserve(&self, shard: &Shard, more: i64, most: u64) -> bool {
        if more == 0 {
            return true;
        }
        shard.held_bytes.add(more);
        // Added before it is compared, so that two workers cannot both take the last room.
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
