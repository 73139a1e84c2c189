//! A hash table laid out at build time.

/// Maps 64-bit keys, which are hashes already, to numbers: open addressing from the key's low bits.
#[derive(Debug)]
pub struct Keys {
    /// A power of two of them, at least one [`Keys::EMPTY`].
    pub slots: &'static [u64],
    /// The number of the key in each slot.
    pub numbers: &'static [u32],
}

impl Keys {
    /// Marks a free slot. CatBoost's own tables do the same, so no key of a model has this value.
    pub const EMPTY: u64 = u64::MAX;

    /// The number of a key, or `None` if the table does not have it.
    #[inline(always)]
    pub fn find(&self, key: u64) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut slot = key as usize & mask;
        loop {
            let found = self.slots[slot];
            if found == Self::EMPTY {
                return None;
            }
            if found == key {
                return Some(self.numbers[slot]);
            }
            slot = (slot + 1) & mask;
        }
    }
}
