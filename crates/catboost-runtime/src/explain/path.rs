//! Feature path of TreeSHAP, without allocation: the operations of `catboost_model::explain` in the same order.
//!
//! The weight of the subsets of a size is zero if the size is greater than the number of classes whose branches the row
//! takes itself. Such weights are not computed: adding zero, or an operation on zero, leaves all other bits as they are.

/// Upper bound on the classes of a path: the depth of the deepest oblivious tree.
pub const MOST_CLASSES: usize = 16;

/// Number of sizes: from 0 to [`MOST_CLASSES`].
const SIZES: usize = MOST_CLASSES + 1;

/// Classes on the way from the root to a node.
pub(super) struct Path {
    /// Number of classes.
    len: usize,
    class: [u16; MOST_CLASSES],
    /// Share of the training rows that take a class's branches when the class is unknown.
    zero: [f64; MOST_CLASSES],
    /// Bitmap of the classes whose branches the row itself takes.
    ones: u32,
    /// Number of the last split of each class, counted from the root.
    last: [u32; MOST_CLASSES],
    /// Number of splits.
    splits: u32,
}

/// Weight of the subsets of each size. Those of sizes that cannot occur are zero.
pub(super) struct Weights([f64; SIZES]);

/// Changes that [`Path::enter`] made, for [`Path::leave`].
pub(super) struct Entered {
    pub(super) place: usize,
    /// Shares of the class above the split: both 1 if the path did not have it.
    pub(super) zero: f64,
    pub(super) one: bool,
    len: usize,
    last: u32,
}

impl Path {
    pub(super) const START: Self = Self {
        len: 0,
        class: [0; MOST_CLASSES],
        zero: [1.0; MOST_CLASSES],
        ones: 0,
        last: [0; MOST_CLASSES],
        splits: 0,
    };

    /// Adds a split's class, or finds it.
    #[inline(always)]
    pub(super) fn enter(&mut self, class: u16) -> Entered {
        let len = self.len;
        let met = self.classes().iter().position(|&met| met == class);
        let place = met.unwrap_or(len);
        let entered = Entered {
            place,
            zero: met.map_or(1.0, |place| self.zero[place]),
            one: met.is_none_or(|place| self.ones >> place & 1 == 1),
            len,
            last: self.last[place],
        };
        self.len = len.max(place + 1);
        self.class[place] = class;
        self.last[place] = self.splits;
        self.splits += 1;
        entered
    }

    /// Undoes [`Path::enter`].
    #[inline(always)]
    pub(super) fn leave(&mut self, entered: &Entered) {
        let &Entered {
            place,
            zero,
            one,
            len,
            last,
        } = entered;
        self.set(place, zero, one && !entered.is_new());
        (self.len, self.last[place]) = (len, last);
        self.splits -= 1;
    }

    /// Sets the shares of a class.
    #[inline(always)]
    pub(super) fn set(&mut self, place: usize, zero: f64, one: bool) {
        self.zero[place] = zero;
        self.ones = self.ones & !(1 << place) | u32::from(one) << place;
    }

    /// Returns the classes, in any order.
    #[inline(always)]
    pub(super) fn classes(&self) -> &[u16] {
        &self.class[..self.len]
    }

    /// Returns the classes in the order of their last splits.
    #[inline(always)]
    pub(super) fn in_order(&self) -> impl Iterator<Item = u16> {
        let mut left = (1_u32 << self.len) - 1;
        core::iter::from_fn(move || {
            let places = (0..self.len).filter(|place| left >> place & 1 == 1);
            let first = places.min_by_key(|&place| self.last[place])?;
            left &= !(1 << first);
            Some(self.class[first])
        })
    }

    /// Returns the weights without a class that the path has: as they would be if it had never been added.
    #[inline(always)]
    pub(super) fn without(&self, weights: &Weights, entered: &Entered) -> Weights {
        let &Entered { zero, one, len, .. } = entered;
        let ones = self.ones();
        let count = (len + 1) as f64;
        let mut out = Weights([0.0; SIZES]);
        if one {
            let mut rest = weights.0[ones];
            for size in (0..ones).rev() {
                let weight = rest * count / (size + 1) as f64;
                rest = weights.0[size] - weight * zero * (len - size) as f64 / count;
                out.0[size] = weight;
            }
        } else {
            let whole = weights.0[..=ones].iter().zip(&mut out.0).enumerate();
            for (size, (old, out)) in whole {
                *out = old * (count / (zero * (len - size) as f64));
            }
        }
        out
    }

    /// Returns the weights with a class of these shares. `weights` are those of the path's other classes, and `ones` is
    /// the number of those whose branches the row itself takes.
    #[inline(always)]
    pub(super) fn with(&self, weights: &Weights, ones: usize, zero: f64, one: bool) -> Weights {
        let len = self.len;
        let count = (len + 1) as f64;
        let mut out = Weights([0.0; SIZES]);
        for size in 0..=ones {
            out.0[size] = zero * weights.0[size] * (len - size) as f64 / count;
        }
        if one {
            for size in 0..=ones {
                out.0[size + 1] += weights.0[size] * (size + 1) as f64 / count;
            }
        }
        out
    }

    /// Number of classes whose branches the row itself takes.
    #[inline(always)]
    pub(super) fn ones(&self) -> usize {
        self.ones.count_ones() as usize
    }

    /// Calls `add` with the classes of a path that ends at a leaf, and with the factor of the leaf's value. A class that
    /// makes no difference, as all training rows and the row itself take its branches, is left out.
    #[inline(always)]
    pub(super) fn arrive(&self, weights: &Weights, mut add: impl FnMut(u16, f64)) {
        for place in 0..self.len {
            let zero = self.zero[place];
            if self.ones >> place & 1 == 0 {
                add(
                    self.class[place],
                    self.sum_without_zero(weights, zero) * (0.0 - zero),
                );
            } else if zero != 1.0 {
                add(
                    self.class[place],
                    self.sum_without_one(weights, zero) * (1.0 - zero),
                );
            }
        }
    }

    /// Sum of the weights without a class whose branches the row itself takes.
    #[inline(always)]
    fn sum_without_one(&self, weights: &Weights, zero: f64) -> f64 {
        let ones = self.ones();
        let count = (self.len + 1) as f64;
        let mut without = [0.0; MOST_CLASSES];
        let mut rest = weights.0[ones];
        for size in (0..ones).rev() {
            let weight = rest * count / (size + 1) as f64;
            rest = weights.0[size] - weight * zero * (self.len - size) as f64 / count;
            without[size] = weight;
        }
        let mut sum = 0.0;
        for weight in &without[..ones] {
            sum += weight;
        }
        sum
    }

    /// Sum of the weights without a class whose branches the row itself does not take.
    #[inline(always)]
    fn sum_without_zero(&self, weights: &Weights, zero: f64) -> f64 {
        let count = (self.len + 1) as f64;
        let mut sum = 0.0;
        for size in 0..=self.ones() {
            sum += weights.0[size] * (count / (zero * (self.len - size) as f64));
        }
        sum
    }
}

impl Entered {
    /// Returns true if the path did not have the class.
    #[inline(always)]
    pub(super) fn is_new(&self) -> bool {
        self.place == self.len
    }
}

impl Weights {
    pub(super) const START: Self = {
        let mut weights = [0.0; SIZES];
        weights[0] = 1.0;
        Self(weights)
    };
}

/// CatBoost's test for zero: 1 plus the value differs from 1 by at most 1e-13.
#[inline(always)]
pub(super) fn is_zero(value: f64) -> bool {
    let more = 1.0 + value;
    (more - 1.0).abs() <= 1e-13 * more.abs().min(1.0)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn in_order(path: &Path) -> Vec<u16> {
        path.in_order().collect()
    }

    #[test]
    fn a_class_that_is_met_again_is_last_until_the_path_leaves_it() {
        let mut path = Path::START;
        let first = path.enter(5);
        path.set(first.place, 0.5, true);
        let second = path.enter(7);
        path.set(second.place, 0.25, false);
        assert_eq!((in_order(&path), path.ones()), (Vec::from([5, 7]), 1));

        let again = path.enter(5);
        assert!(second.is_new() && !again.is_new());
        assert_eq!((again.zero, again.one), (0.5, true));
        path.set(again.place, 0.125, false);
        assert_eq!((in_order(&path), path.ones()), (Vec::from([7, 5]), 0));

        path.leave(&again);
        assert_eq!((in_order(&path), path.ones()), (Vec::from([5, 7]), 1));
        path.leave(&second);
        path.leave(&first);
        assert_eq!((path.classes(), path.ones()), (&[][..], 0));
    }

    #[test]
    fn a_weight_next_to_nothing_is_nothing() {
        assert!(is_zero(0.0) && is_zero(1e-14) && is_zero(-1e-14));
        assert!(!is_zero(1e-12) && !is_zero(1.0));
    }
}
