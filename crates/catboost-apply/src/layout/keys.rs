//! Hash tables.
//!
//! The keys are hashes already (of CTR keys, tokens or categorical values), so that their low bits select a
//! slot. The next free slot is taken on a collision, as [`Keys::find`] expects.

use catboost_runtime::{compiled::Keys, storage::Owned};

/// Lays out a hash table that is at most half full and, unless it is empty, at least a quarter full. Keys
/// must be distinct, and none may be [`Keys::EMPTY`]. A slot takes 12 bytes.
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
