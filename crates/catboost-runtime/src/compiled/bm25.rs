//! BM25.

use super::{Estimate, estimates};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// BM25 with precomputed scores per token and class.
pub struct Bm25<S: Storage = Static> {
    /// Token id of the first row of `shares`.
    pub first: u32,
    /// Number of classes.
    pub classes: u32,
    /// Score of each token per class: a row for each token id from `first` on. The last row is for every id that no
    /// class has.
    pub shares: S::Slice<f64>,
    /// The numbers that the model compares with borders.
    pub estimates: S::Slice<Estimate<S>>,
}

impl<S: Storage> Bm25<S> {
    #[inline(always)]
    pub(super) fn compute(&self, counts: &[(u32, u32)], bins: &mut [u16]) {
        let classes = self.classes as usize;
        let mut scores = estimates::ByClass::from_elem(0.0, classes);
        for &(id, _) in counts {
            let row = (id.wrapping_sub(self.first) as usize)
                .saturating_mul(classes)
                .min(self.shares.len() - classes);
            for (score, share) in scores.iter_mut().zip(&self.shares[row..row + classes]) {
                *score += share;
            }
        }
        estimates::set_bins(&self.estimates, &scores, bins);
    }
}

emit!(struct Bm25 Bm25<Owned> { first, classes, shares, estimates });
