//! Numbers of calcers → bins.

use smallvec::SmallVec;

use super::{Group, bins::count_above};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// Number of a calcer that the model compares with borders.
pub struct Estimate<S: Storage = Static> {
    /// Class whose number it is.
    pub class: u32,
    /// Ascending.
    pub borders: S::Slice<f32>,
    /// Group of the estimate.
    pub group: Group,
}

/// Numbers by class, on the stack unless there are many.
pub(super) type ByClass = SmallVec<[f64; 16]>;

/// Sets the bins of a calcer's estimates.
#[inline(always)]
pub(super) fn set_bins<S: Storage>(estimates: &[Estimate<S>], numbers: &[f64], bins: &mut [u16]) {
    for estimate in estimates {
        let number = numbers[estimate.class as usize] as f32;
        bins[estimate.group.index()] = count_above(number, &estimate.borders);
    }
}

emit!(struct Estimate Estimate<Owned> { class, borders, group });
