//! Categorical values → bins.

use super::{Condition, Group, Keys, Observer, Slot};
use crate::{
    emit::emit,
    hash,
    storage::{Owned, Static, Storage},
};

/// Categorical feature that is compared with single values.
pub struct OneHot<S: Storage = Static> {
    /// Index into [`super::Row::cats`].
    pub cat: u32,
    /// Group of the feature. The bin is 0 for a value that is not listed, else its index in `values` + 1.
    pub group: Group,
    /// Hashes of the values, ascending.
    pub values: S::Slice<u32>,
}

impl<S: Storage> OneHot<S> {
    #[inline(always)]
    pub(super) fn bin(&self, cats: &[u32]) -> u16 {
        let value = cats[self.cat as usize];
        self.values
            .binary_search(&value)
            .map_or(0, |place| place as u16 + 1)
    }
}

/// Combination of categorical features and splits, with the bins of all the CTRs that count by it.
///
/// `keys` maps the combination's hash to a row of `bins`.
pub struct Projection<S: Storage = Static> {
    /// Categorical features, as indices into [`super::Row::cats`], in the order of hashing.
    pub cats: S::Slice<u32>,
    /// Splits, as words, in the order of hashing.
    pub conditions: S::Slice<u64>,
    /// Keys of the training data → row of `bins`, never 0.
    pub keys: Keys<S>,
    /// Distinct rows of bins; row 0 is for keys that the training data did not have. [`Projection::AT_ONCE`] - 1 more
    /// bins follow the last row. Empty if a row is one bin: the row's number is the bin then.
    pub bins: S::Slice<u16>,
    /// Length of a row of `bins`. Its groups are consecutive. Up to [`Projection::AT_ONCE`] - 1 slots after the last
    /// group may be overwritten.
    pub len: u32,
    /// First group, or first answer if the trees are walked.
    pub first: Slot,
}

impl Projection {
    /// Number of bins that are copied at once.
    pub const AT_ONCE: usize = 4;
}

impl<S: Storage> Projection<S> {
    /// Looks up the row's combination.
    #[inline(always)]
    pub(super) fn quantize<O: Observer>(&self, cats: &[u32], bins: &mut [u16], observer: &mut O) {
        let row = self.row(cats, bins, observer);
        let (len, first) = (self.len as usize, self.first.index());
        if self.bins.is_empty() {
            bins[first] = row as u16;
            return;
        }
        let (from, to) = (&self.bins[row * len..], &mut bins[first..]);
        for at in (0..len).step_by(Projection::AT_ONCE) {
            to[at..at + Projection::AT_ONCE].copy_from_slice(&from[at..at + Projection::AT_ONCE]);
        }
    }

    #[inline(always)]
    fn row<O: Observer>(&self, cats: &[u32], bins: &[u16], observer: &mut O) -> usize {
        let mut key = 0;
        for &cat in &*self.cats {
            key = hash::ctr_key_cat(key, cats[cat as usize]);
        }
        for &condition in &*self.conditions {
            key = hash::ctr_key_split(key, Condition::from_word(condition).holds(bins));
        }
        match self.keys.find(key) {
            Some(row) => row as usize,
            None => {
                if let ([cat], []) = (&*self.cats, &*self.conditions) {
                    observer.unseen(*cat as usize);
                }
                0
            }
        }
    }
}

emit!(struct OneHot OneHot<Owned> { cat, group, values });
emit!(struct Projection Projection<Owned> { cats, conditions, keys, bins, len, first });

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::{Group, Keys, Observer, OneHot, Projection, Slot};
    use crate::{compiled::Condition, hash::combine};

    #[test]
    fn a_one_hot_bin_is_the_place_of_the_value() {
        let one_hot: OneHot = OneHot {
            cat: 1,
            group: Group(0),
            values: &[3, 8, 0x8000_0000],
        };
        let bins = [3, 8, 0x8000_0000, 0, 5, u32::MAX].map(|value| one_hot.bin(&[8, value]));
        assert_eq!(bins, [1, 2, 3, 0, 0, 0]);
    }

    /// Collects unseen categories.
    #[derive(Default)]
    struct Unseen(Vec<usize>);

    impl Observer for Unseen {
        fn unseen(&mut self, cat: usize) {
            self.0.push(cat);
        }
    }

    /// Returns the bins 1 and 2 that a projection makes of the categories `[5, 6, 7]`, given groups 0 and 5 in the bins
    /// 4 and 9, and the categories that it reports. `key` has row 2 of its table.
    fn look_up(
        cats: &'static [u32],
        conditions: &'static [u64],
        key: u64,
    ) -> ([u16; 2], Vec<usize>) {
        let projection: Projection = Projection {
            cats,
            conditions,
            keys: Keys::of(&[(key, 2)]),
            bins: &[0, 90, 10, 91, 20, 92, 0, 0, 0],
            len: 2,
            first: Slot(1),
        };
        let (mut bins, mut unseen) = ([4, 0, 0, 0, 0, 9], Unseen::default());
        projection.quantize(&[5, 6, 7], &mut bins, &mut unseen);
        assert_eq!([bins[0], bins[5]], [4, 9], "the groups of others");
        ([bins[1], bins[2]], unseen.0)
    }

    #[test]
    fn a_row_without_bins_is_one_itself() {
        let projection: Projection = Projection {
            cats: &[0],
            conditions: &[],
            keys: Keys::of(&[(combine(0, 7), 3)]),
            bins: &[],
            len: 1,
            first: Slot(1),
        };
        for (value, bin) in [(7, 3), (8, 0)] {
            let mut bins = [99; 3];
            projection.quantize(&[value], &mut bins, &mut ());
            assert_eq!(bins, [99, bin, 99]);
        }
    }

    /// Copies more bins at once than a row has.
    #[test]
    fn a_long_row_is_copied_whole() {
        let bins: Vec<u16> = (0..2 * 9 + 3).collect();
        let projection: Projection = Projection {
            cats: &[0],
            conditions: &[],
            keys: Keys::of(&[(combine(0, 7), 1)]),
            bins: bins.leak(),
            len: 9,
            first: Slot(1),
        };
        for (value, first) in [(7, 9), (8, 0)] {
            let mut bins = [99; 14];
            projection.quantize(&[value], &mut bins, &mut ());
            assert!(bins[1..10].iter().copied().eq(first..first + 9), "{bins:?}");
            assert_eq!([bins[0], bins[13]], [99, 99]);
        }
    }

    #[test]
    fn the_bins_of_ctrs_are_looked_up_by_the_combination() {
        let known = [20, 92];
        let unknown = [0, 90];
        assert_eq!(look_up(&[2], &[], combine(0, 7)), (known, vec![]));
        assert_eq!(look_up(&[2], &[], combine(0, 5)), (unknown, vec![2]));

        let both = combine(combine(0, 7), 5);
        assert_eq!(look_up(&[2, 0], &[], both), (known, vec![]));
        assert_eq!(look_up(&[0, 2], &[], both), (unknown, vec![]));

        // The first of the conditions holds, the second does not.
        let with_conditions = combine(combine(combine(0, 6), 1), 0);
        let conditions = const { &[Condition::at_least(0, 4), Condition::at_least(5, 10)] };
        assert_eq!(look_up(&[1], conditions, with_conditions), (known, vec![]));
        let swapped = const { &[Condition::at_least(5, 10), Condition::at_least(0, 4)] };
        assert_eq!(look_up(&[1], swapped, with_conditions), (unknown, vec![]));
    }
}
