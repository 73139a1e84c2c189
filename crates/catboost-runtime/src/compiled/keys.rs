//! Immutable hash table.

use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// Maps 64-bit keys, which are hashes already, to numbers: open addressing, starting at the key's low bits.
pub struct Keys<S: Storage = Static> {
    /// Keys. The length is a power of two; at least one slot is [`Keys::EMPTY`].
    pub slots: S::Slice<u64>,
    /// Number of the key in each slot.
    pub numbers: S::Slice<u32>,
}

impl Keys {
    /// Marker of a free slot. CatBoost's own tables use the same, so no key of a model has this value.
    pub const EMPTY: u64 = u64::MAX;
}

impl<S: Storage> Keys<S> {
    /// Returns the number of a key, or `None` if the table lacks it.
    #[inline(always)]
    pub fn find(&self, key: u64) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut slot = key as usize & mask;
        loop {
            let found = self.slots[slot];
            if found == Keys::EMPTY {
                return None;
            }
            if found == key {
                return Some(self.numbers[slot]);
            }
            slot = (slot + 1) & mask;
        }
    }
}

emit!(struct Keys Keys<Owned> { slots, numbers });

#[cfg(test)]
impl Keys {
    /// Builds a table of these keys and their numbers.
    pub(super) fn of(entries: &[(u64, u32)]) -> Self {
        let size = (entries.len() + 1).next_power_of_two();
        let mut slots = std::vec![Self::EMPTY; size];
        let mut numbers = std::vec![0; size];
        for &(key, number) in entries {
            let mut slot = key as usize % size;
            while slots[slot] != Self::EMPTY {
                slot = (slot + 1) % size;
            }
            slots[slot] = key;
            numbers[slot] = number;
        }
        Self {
            slots: slots.leak(),
            numbers: numbers.leak(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, Static};

    #[test]
    fn keys_are_found_where_others_have_pushed_them() {
        // Inserted as 2, 6, 7: 6 finds slot 2 taken, and 7 slot 3, after which slot 0 follows.
        let keys = Keys::<Static> {
            slots: &[7, Keys::EMPTY, 2, 6],
            numbers: &[30, 0, 10, 20],
        };
        assert_eq!(
            [2, 6, 7].map(|key| keys.find(key)),
            [Some(10), Some(20), Some(30)]
        );
        // Their search starts at slots 2, 3, 0 and 1.
        assert_eq!([10, 11, 4, 5].map(|key| keys.find(key)), [None; 4]);
    }
}
