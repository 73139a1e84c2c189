//! Hash tables.

use catboost_runtime::{compiled::Keys, storage::Owned};

/// Lays out a hash table that is at most half full.
pub(super) fn lay_out(entries: &[(u64, u32)]) -> Keys<Owned> {
    let capacity = (entries.len() * 2 + 1).next_power_of_two();
    let mut slots = vec![Keys::EMPTY; capacity];
    let mut numbers = vec![0; capacity];
    for &(key, number) in entries {
        let mut slot = key as usize & (capacity - 1);
        while slots[slot] != Keys::EMPTY {
            slot = (slot + 1) & (capacity - 1);
        }
        (slots[slot], numbers[slot]) = (key, number);
    }
    Keys {
        slots: slots.into(),
        numbers: numbers.into(),
    }
}
