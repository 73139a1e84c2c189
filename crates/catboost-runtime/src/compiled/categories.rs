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

/// A combination of categorical features and splits, and the bins of all the CTRs that count by it.
#[derive(Debug)]
pub struct Projection {
    /// The categorical features, indices into [`super::Row::cats`], in the order of hashing.
    pub cats: &'static [u32],
    /// The splits, as words, in the order of hashing.
    pub conditions: &'static [u64],
    /// The keys of the training data → the row of `bins`, which is not 0.
    pub keys: Keys,
    /// A row a combination of bins that occurs; row 0 is that of a key that the training data did not have.
    pub bins: &'static [u16],
    /// How many CTRs: the length of a row of `bins`. Their groups follow each other.
    pub ctrs: u32,
    /// The group of the first.
    pub group: u32,
}

impl Projection {
    /// Looks the row's combination up.
    #[inline(always)]
    pub(super) fn quantize<O: Observer>(&self, cats: &[u32], bins: &mut [u16], observer: &mut O) {
        let mut key = 0;
        for &cat in self.cats {
            key = hash::ctr_key_cat(key, cats[cat as usize]);
        }
        for &condition in self.conditions {
            key = hash::ctr_key_split(key, Condition::from_word(condition).holds(bins));
        }
        let row = match self.keys.find(key) {
            Some(row) => row as usize,
            None => {
                if let ([cat], []) = (self.cats, self.conditions) {
                    observer.unseen(*cat as usize);
                }
                0
            }
        };
        let (ctrs, group) = (self.ctrs as usize, self.group as usize);
        bins[group..group + ctrs].copy_from_slice(&self.bins[row * ctrs..(row + 1) * ctrs]);
    }
}
