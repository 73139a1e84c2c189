//! Connections of one worker, the sweep that ends waits beyond their deadlines, and making room for new connections.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::phase::{ConnectionState, Deadlines};

/// Interval between sweeps.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// Connections of one worker.
#[derive(Default)]
pub(crate) struct Connections {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    states: Vec<Option<Arc<ConnectionState>>>,
    free: Vec<usize>,
}

impl Connections {
    /// Adds a connection, which is removed when the returned value is dropped.
    pub(crate) fn add(self: &Arc<Self>, state: Arc<ConnectionState>) -> Registered {
        let mut slots = self.lock();
        let slot = match slots.free.pop() {
            Some(slot) => {
                slots.states[slot] = Some(state);
                slot
            }
            None => {
                slots.states.push(Some(state));
                slots.states.len() - 1
            }
        };
        Registered {
            connections: Arc::clone(self),
            slot,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let slots = self.lock();
        slots.free.len() == slots.states.len()
    }

    /// Calls `act` on each connection, and wakes those for which it returns true.
    pub(crate) fn wake_where(&self, act: impl Fn(&ConnectionState) -> bool) {
        let slots = self.lock();
        for state in slots.states.iter().flatten() {
            if act(state) {
                state.wake();
            }
        }
    }

    /// Returns the connections for which `is_wanted` is true.
    pub(crate) fn filter(
        &self,
        is_wanted: impl Fn(&ConnectionState) -> bool,
    ) -> Vec<Arc<ConnectionState>> {
        let slots = self.lock();
        let states = slots.states.iter().flatten();
        states.filter(|state| is_wanted(state)).cloned().collect()
    }

    /// Finds overdue phases, and wakes their tasks. `last` is the time of the previous sweep: if that is long ago, the
    /// process did not run (SIGSTOP, a suspended machine), and bytes that arrived meanwhile could not be read.
    pub(crate) fn sweep(&self, deadlines: &Deadlines, last: Instant, now: Instant) {
        let pause = now.saturating_duration_since(last);
        let paused = pause > 2 * SWEEP_EVERY;
        self.wake_where(|state| {
            if paused {
                state.forgive(pause, now);
            }
            state.sweep(deadlines, now)
        });
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        // A panic elsewhere leaves the slots consistent: each change is one assignment.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the connections of all `tables` whose clients have shown no key and have an answer, or have kept them waiting
/// for half a second. They are closed together, since an attacker who holds the slots would take each that becomes
/// free. If there is none, closes the one that has waited longest for another request, for at least a second. Returns
/// the number of closed connections.
pub(crate) fn make_room(tables: &[Arc<Connections>]) -> u64 {
    let now = Instant::now();
    let mut longest: Option<(Duration, Arc<ConnectionState>)> = None;
    let mut strangers = 0;
    for table in tables {
        for state in table.lock().states.iter().flatten() {
            let Some(waited) = state.dispensable(now) else {
                continue;
            };
            if !state.trusted.load(Relaxed) {
                strangers += 1;
                state.hurry();
            } else if longest.as_ref().is_none_or(|&(found, _)| found < waited) {
                longest = Some((waited, Arc::clone(state)));
            }
        }
    }
    match longest {
        Some((_, state)) if strangers == 0 => {
            state.hurry();
            1
        }
        _ => strangers,
    }
}

/// Slot of a connection in [`Connections`].
pub(crate) struct Registered {
    connections: Arc<Connections>,
    slot: usize,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut slots = self.connections.lock();
        slots.states[self.slot] = None;
        slots.free.push(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http::phase::Phase;

    #[test]
    fn time_in_which_the_process_did_not_run_does_not_count() {
        let deadlines = Deadlines {
            handshake: Duration::from_secs(1),
            head: Duration::from_secs(2),
            body: Duration::from_secs(3),
            write: Duration::from_secs(4),
            idle: Duration::from_secs(5),
            linger: Duration::from_secs(6),
            age: None,
            expelled: Duration::from_secs(7),
        };
        let connections = Arc::new(Connections::default());
        let state = Arc::new(ConnectionState::new(Phase::Head));
        let _registered = connections.add(Arc::clone(&state));
        let at = |millis| state.started + Duration::from_millis(millis);
        connections.sweep(&deadlines, at(800), at(1_000));
        connections.sweep(&deadlines, at(1_000), at(100_000));
        assert_eq!(state.overdue(), None);
        for millis in (100_200..101_000).step_by(200) {
            connections.sweep(&deadlines, at(millis - 200), at(millis));
            assert_eq!(state.overdue(), None, "{millis}");
        }
        connections.sweep(&deadlines, at(100_800), at(101_000));
        assert_eq!(state.overdue(), Some(Phase::Head));
    }

    #[test]
    fn places_are_used_again() {
        let connections = Arc::new(Connections::default());
        let add = || connections.add(Arc::new(ConnectionState::new(Phase::Idle)));
        let (first, second) = (add(), add());
        drop(first);
        let third = add();
        assert_eq!(third.slot, 0);
        assert!(!connections.is_empty());
        drop((second, third));
        assert!(connections.is_empty());
    }
}
