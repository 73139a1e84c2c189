//! Categorical values → bins.

use super::{Condition, Keys, Observer};
use crate::hash;

/// A categorical feature that is compared with single values.
#[derive(Debug)]
pub struct OneHot {
    /// Index into [`super::Row::cats`].
    pub cat: u32,
    /// Its group. The bin is 0 for a value that is not listed, else the value's place + 1.
    pub group: u32,
    /// The hashes of the values, ascending.
    pub values: &'static [u32],
}

impl OneHot {
    #[inline(always)]
    pub(super) fn bin(&self, cats: &[u32]) -> u16 {
        let value = cats[self.cat as usize];
        self.values
            .binary_search(&value)
            .map_or(0, |place| place as u16 + 1)
    }
}

/// What combinations are found by without hashing them: *digits* among the bins. The digit of a categorical feature is the
/// number of its value, that of a split its answer.
#[derive(Debug)]
pub struct Digits {
    /// The categorical features of combinations.
    pub cats: &'static [Numbered],
    /// The splits of combinations, as words.
    pub conditions: &'static [u64],
    /// Where the answer to the first of them is among the bins; the others follow.
    pub group: u32,
}

/// The values of a categorical feature, numbered.
#[derive(Debug)]
pub struct Numbered {
    /// Index into [`super::Row::cats`].
    pub cat: u32,
    /// Where the number is among the bins.
    pub group: u32,
    /// The hashes of known values → their numbers, from 1 on. Other values have the number 0.
    pub numbers: Keys,
}

impl Digits {
    #[inline(always)]
    pub(super) fn find(&self, cats: &[u32], bins: &mut [u16]) {
        for Numbered {
            cat,
            group,
            numbers,
        } in self.cats
        {
            let number = numbers.find(cats[*cat as usize].into());
            bins[*group as usize] = number.unwrap_or(0) as u16;
        }
        for (group, &condition) in (self.group as usize..).zip(self.conditions) {
            bins[group] = u16::from(Condition::from_word(condition).holds(bins));
        }
    }
}

/// A combination of categorical features and splits, and the bins of all the CTRs that count by it.
///
/// Which row of `bins` a combination has, `cells` say by its digits where all the values are known; where they are not,
/// and where there would be too many cells, `keys` say by its hash.
#[derive(Debug)]
pub struct Projection {
    /// The categorical features, indices into [`super::Row::cats`], in the order of hashing.
    pub cats: &'static [u32],
    /// The splits, as words, in the order of hashing.
    pub conditions: &'static [u64],
    /// The keys of the training data → the row of `bins`, which is not 0.
    pub keys: Keys,
    /// The combination's digits: where each is among the bins, and how many cells one more of it is worth.
    pub digits: &'static [[u32; 2]],
    /// The row of `bins`, or [`Projection::BY_HASH`].
    pub cells: &'static [u16],
    /// A row a combination of bins that occurs; row 0 is that of a key that the training data did not have. After the last
    /// row there are [`Projection::AT_ONCE`] - 1 more.
    pub bins: &'static [u16],
    /// The length of a row of `bins`. The groups follow each other. As many bins after the last may be overwritten as there are
    /// more at the end of `bins`.
    pub len: u32,
    /// The first group.
    pub group: u32,
}

impl Projection {
    /// A cell that does not say it.
    pub const BY_HASH: u16 = u16::MAX;
    /// So many bins are copied at once.
    pub const AT_ONCE: usize = 4;

    /// Looks the row's combination up.
    #[inline(always)]
    pub(super) fn quantize<O: Observer>(&self, cats: &[u32], bins: &mut [u16], observer: &mut O) {
        let cell: usize = self
            .digits
            .iter()
            .map(|&[place, worth]| usize::from(bins[place as usize]) * worth as usize)
            .sum();
        let row = match self.cells.get(cell) {
            Some(&row) if row != Self::BY_HASH => row.into(),
            _ => self.row_by_hash(cats, bins, observer),
        };
        let (len, group) = (self.len as usize, self.group as usize);
        let (from, to) = (&self.bins[row * len..], &mut bins[group..]);
        for at in (0..len).step_by(Self::AT_ONCE) {
            to[at..at + Self::AT_ONCE].copy_from_slice(&from[at..at + Self::AT_ONCE]);
        }
    }

    #[inline(always)]
    fn row_by_hash<O: Observer>(&self, cats: &[u32], bins: &[u16], observer: &mut O) -> usize {
        let mut key = 0;
        for &cat in self.cats {
            key = hash::ctr_key_cat(key, cats[cat as usize]);
        }
        for &condition in self.conditions {
            key = hash::ctr_key_split(key, Condition::from_word(condition).holds(bins));
        }
        match self.keys.find(key) {
            Some(row) => row as usize,
            None => {
                if let ([cat], []) = (self.cats, self.conditions) {
                    observer.unseen(*cat as usize);
                }
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::{Digits, Keys, Numbered, Observer, OneHot, Projection};
    use crate::{compiled::Condition, hash::combine};

    #[test]
    fn a_one_hot_bin_is_the_place_of_the_value() {
        let one_hot = OneHot {
            cat: 1,
            group: 0,
            values: &[3, 8, 0x8000_0000],
        };
        let bins = [3, 8, 0x8000_0000, 0, 5, u32::MAX].map(|value| one_hot.bin(&[8, value]));
        assert_eq!(bins, [1, 2, 3, 0, 0, 0]);
    }

    /// Notes which categories were not seen.
    #[derive(Default)]
    struct Unseen(Vec<usize>);

    impl Observer for Unseen {
        fn unseen(&mut self, cat: usize) {
            self.0.push(cat);
        }
    }

    /// The bins 1 and 2 that a projection makes of the categories `[5, 6, 7]` where groups 0 and 5 are in the bins 4 and
    /// 9, and what it tells. `key` has row 2 of its table.
    fn look_up(
        cats: &'static [u32],
        conditions: &'static [u64],
        key: u64,
    ) -> ([u16; 2], Vec<usize>) {
        let projection = Projection {
            cats,
            conditions,
            keys: Keys::of(&[(key, 2)]),
            digits: &[],
            cells: &[],
            bins: &[0, 90, 10, 91, 20, 92, 0, 0, 0],
            len: 2,
            group: 1,
        };
        let (mut bins, mut unseen) = ([4, 0, 0, 0, 0, 9], Unseen::default());
        projection.quantize(&[5, 6, 7], &mut bins, &mut unseen);
        assert_eq!([bins[0], bins[5]], [4, 9], "the groups of others");
        ([bins[1], bins[2]], unseen.0)
    }

    /// The row of each cell is not that of its hash: so it shows what was looked into.
    #[test]
    fn known_values_are_found_by_digits() {
        let digits = Digits {
            cats: vec![
                Numbered {
                    cat: 0,
                    group: 2,
                    numbers: Keys::of(&[(5, 1)]),
                },
                Numbered {
                    cat: 1,
                    group: 3,
                    numbers: Keys::of(&[(6, 1), (7, 2)]),
                },
            ]
            .leak(),
            conditions: vec![Condition::at_least(0, 4), Condition::at_least(1, 1)].leak(),
            group: 4,
        };
        // What the first condition says is worth 1, the second feature 2: of it, 0 is not known.
        const BY_HASH: u16 = Projection::BY_HASH;
        let projection = Projection {
            cats: &[1],
            conditions: vec![Condition::at_least(0, 4)].leak(),
            keys: Keys::of(&[(combine(combine(0, 8), 1), 5)]),
            digits: &[[4, 1], [3, 2]],
            cells: &[BY_HASH, BY_HASH, 1, 2, 3, 4],
            bins: &[10, 11, 12, 13, 14, 15, 0, 0, 0],
            len: 1,
            group: 6,
        };
        for (cats, first, expected) in [
            ([5, 6], 0, [1, 1, 0, 1, 11]),
            ([5, 6], 4, [1, 1, 1, 1, 12]),
            ([9, 7], 0, [0, 2, 0, 1, 13]),
            ([9, 7], 4, [0, 2, 1, 1, 14]),
            ([5, 8], 4, [1, 0, 1, 1, 15]),
            ([5, 8], 0, [1, 0, 0, 1, 10]),
            ([5, 9], 4, [1, 0, 1, 1, 10]),
        ] {
            let mut bins = [0; 10];
            [bins[0], bins[1]] = [first, 1];
            digits.find(&cats, &mut bins);
            projection.quantize(&cats, &mut bins, &mut ());
            assert_eq!(bins[2..7], expected, "{cats:?}, {first}");
        }
    }

    /// More at once than a row has bins.
    #[test]
    fn a_long_row_is_copied_whole() {
        let bins: Vec<u16> = (0..2 * 9 + 3).collect();
        let projection = Projection {
            cats: &[0],
            conditions: &[],
            keys: Keys::of(&[(combine(0, 7), 1)]),
            digits: &[],
            cells: &[],
            bins: bins.leak(),
            len: 9,
            group: 1,
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
