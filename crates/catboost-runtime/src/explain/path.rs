//! Feature path of TreeSHAP, without allocation: the operations of `catboost_model::explain` in the same order, for
//! several classes at once.

use core::array;

/// Upper bound on the classes of a path: the depth of the deepest oblivious tree.
pub const MOST_CLASSES: usize = 16;

/// Capacity of a path: the root and its classes.
const STEPS: usize = MOST_CLASSES + 1;
/// Number of steps that are unwound at once, at most.
const LANES: usize = 4;
/// The root's class.
const ROOT: u16 = u16::MAX;

/// Path of feature classes. Steps from `len` on hold numbers that cannot overflow a division.
#[derive(Clone, Copy)]
pub(super) struct Path {
    pub(super) len: usize,
    class: [u16; STEPS],
    /// Share of the training rows that take this branch when the class is unknown.
    zero: [f64; STEPS],
    /// 1 if the row itself takes this branch, else 0.
    one: [f64; STEPS],
    weight: [f64; STEPS],
}

impl Path {
    pub(super) const START: Self = Self {
        len: 1,
        class: [ROOT; STEPS],
        zero: [1.0; STEPS],
        one: [1.0; STEPS],
        weight: {
            let mut weight = [0.0; STEPS];
            weight[0] = 1.0;
            weight
        },
    };

    /// Adds a class.
    #[inline(always)]
    pub(super) fn extend(&mut self, class: u16, zero: f64, one: f64) {
        let len = self.len;
        let count = (len + 1) as f64;
        (self.class[len], self.zero[len], self.one[len]) = (class, zero, one);
        self.weight[len] = 0.0;
        for place in (0..len).rev() {
            let weight = self.weight[place];
            self.weight[place + 1] += one * weight * (place + 1) as f64 / count;
            self.weight[place] = zero * weight * (len - place) as f64 / count;
        }
        self.len += 1;
    }

    /// Removes a class if the path has it. Returns its shares, both 1 if the path does not have it.
    #[inline(always)]
    pub(super) fn take_back(&mut self, class: u16) -> (f64, f64) {
        let met = self.class[..self.len].iter().position(|&met| met == class);
        let Some(place) = met else {
            return (1.0, 1.0);
        };
        let shares = (self.zero[place], self.one[place]);
        self.unwind(place);
        shares
    }

    /// Calls `add` with each class of a path that ends at a leaf, and with the factor of the leaf's value.
    #[inline(always)]
    pub(super) fn arrive(&self, mut add: impl FnMut(u16, f64)) {
        for first in (1..self.len).step_by(LANES) {
            let sums = self.unwound_sums(first);
            for (place, sum) in (first..self.len).zip(sums) {
                add(
                    self.class[place],
                    sum * (self.one[place] - self.zero[place]),
                );
            }
        }
    }

    /// Removes the class at index `place`.
    #[inline(always)]
    fn unwind(&mut self, place: usize) {
        let (zero, one) = (self.zero[place], self.one[place]);
        let len = self.len;
        let count = len as f64;
        let mut rest = self.weight[len - 1];
        for step in (0..len - 1).rev() {
            let old = self.weight[step];
            let after = (len - step - 1) as f64;
            if one == 0.0 {
                self.weight[step] = old * (count / (zero * after));
            } else {
                let weight = rest * count / (step + 1) as f64;
                rest = old - weight * zero * after / count;
                self.weight[step] = weight;
            }
        }
        self.class.copy_within(place + 1..len, place);
        self.zero.copy_within(place + 1..len, place);
        self.one.copy_within(place + 1..len, place);
        self.len -= 1;
    }

    /// Sums of the path's weights after removing each of `LANES` classes from `first` on.
    #[inline(always)]
    fn unwound_sums(&self, first: usize) -> [f64; LANES] {
        let lanes = |of: &[f64; STEPS]| -> [f64; LANES] {
            array::from_fn(|lane| of[(first + lane).min(STEPS - 1)])
        };
        let (zero, one) = (lanes(&self.zero), lanes(&self.one));
        let len = self.len;
        let count = len as f64;
        let mut weights = [[0.0; LANES]; STEPS];
        let mut rest = [self.weight[len - 1]; LANES];
        for step in (0..len - 1).rev() {
            let old = self.weight[step];
            let (before, after) = ((step + 1) as f64, (len - step - 1) as f64);
            let taken: [f64; LANES] = array::from_fn(|lane| rest[lane] * count / before);
            rest = array::from_fn(|lane| old - taken[lane] * zero[lane] * after / count);
            weights[step] = array::from_fn(|lane| {
                if one[lane] == 0.0 {
                    old * (count / (zero[lane] * after))
                } else {
                    taken[lane]
                }
            });
        }
        let mut sums = [0.0; LANES];
        for weights in &weights[..len - 1] {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        sums
    }
}

/// CatBoost's test for zero: 1 plus the value differs from 1 by at most 1e-13.
#[inline(always)]
pub(super) fn is_zero(value: f64) -> bool {
    let more = 1.0 + value;
    (more - 1.0).abs() <= 1e-13 * more.abs().min(1.0)
}
