//! The descent of TreeSHAP through an oblivious tree, without allocation: the operations of `catboost_model::explain`
//! in the same order, for several classes at once.

use core::array;

#[cfg(all(feature = "std", target_arch = "x86_64"))]
use crate::compiled::has_avx2;

/// Depth of the deepest oblivious tree.
const MAX_DEPTH: usize = 16;

/// Capacity of a path: the root, and a class per level.
const STEPS: usize = MAX_DEPTH + 1;
/// Number of steps that are unwound at once, at most.
const LANES: usize = 4;
/// The root's class.
const ROOT: u8 = u8::MAX;

/// Path of feature classes. Steps from `len` on hold numbers that cannot overflow a division.
#[derive(Clone, Copy)]
struct Path {
    len: usize,
    class: [u8; STEPS],
    /// Share of the training rows that take this branch when the class is unknown.
    zero: [f64; STEPS],
    /// 1 if the row itself takes this branch, else 0.
    one: [f64; STEPS],
    weight: [f64; STEPS],
}

impl Path {
    const START: Self = Self {
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
    fn extend(&mut self, class: u8, zero: f64, one: f64) {
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
fn is_zero(value: f64) -> bool {
    let more = 1.0 + value;
    (more - 1.0).abs() <= 1e-13 * more.abs().min(1.0)
}

/// Computes the contribution of one leaf to each class of its tree.
pub(super) struct Walk<'a> {
    /// Class of each level, from the root down.
    pub(super) levels: &'a [u8],
    /// Weight of each node: the root's is number 1, the children of number `n` are `2n` and `2n + 1`.
    pub(super) weights: &'a [f64],
    /// Leaf of the row.
    pub(super) leaf: usize,
    /// Leaf values of the tree.
    pub(super) values: &'a [f64],
    /// Values per leaf.
    pub(super) dimension: usize,
    /// Values per leaf that are explained.
    pub(super) explained: usize,
    /// Subtracted from every leaf value.
    pub(super) average: f64,
    /// Contribution of each class, one value per explained dimension.
    pub(super) contributions: &'a mut [f64],
}

impl Walk<'_> {
    pub(super) fn walk(mut self) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has what the function is compiled for.
            return unsafe { self.walk_avx2() };
        }
        self.down(1, 0, &Path::START);
    }

    /// Compiled from the same source as the portable path: nothing is fused or reordered, so the bits are the same.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2")]
    fn walk_avx2(&mut self) {
        self.down_avx2(1, 0, &Path::START);
    }

    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2")]
    fn down_avx2(&mut self, node: usize, depth: usize, path: &Path) {
        if depth == self.levels.len() {
            return self.arrive(node, path);
        }
        for (child, path) in self.children(node, depth, path).into_iter().flatten() {
            self.down_avx2(child, depth + 1, &path);
        }
    }

    fn down(&mut self, node: usize, depth: usize, path: &Path) {
        if depth == self.levels.len() {
            return self.arrive(node, path);
        }
        for (child, path) in self.children(node, depth, path).into_iter().flatten() {
            self.down(child, depth + 1, &path);
        }
    }

    /// Children with weight, the row's own first, each with the path to it.
    #[inline(always)]
    fn children(&self, node: usize, depth: usize, path: &Path) -> [Option<(usize, Path)>; 2] {
        let class = self.levels[depth];
        let (mut zero, mut one) = (1.0, 1.0);
        let mut path = *path;
        if let Some(place) = path.class[..path.len].iter().position(|&met| met == class) {
            (zero, one) = (path.zero[place], path.one[place]);
            path.unwind(place);
        }
        let side = self.leaf >> (self.levels.len() - depth - 1) & 1;
        [(side, one), (side ^ 1, 0.0)].map(|(side, one)| {
            let child = 2 * node + side;
            let weight = self.weights[child];
            (!is_zero(weight)).then(|| {
                let mut path = path;
                path.extend(class, zero * (weight / self.weights[node]), one);
                (child, path)
            })
        })
    }

    /// Adds a leaf's share to every class on its path.
    #[inline(always)]
    fn arrive(&mut self, node: usize, path: &Path) {
        let leaf = node - (1 << self.levels.len());
        let values = &self.values[leaf * self.dimension..][..self.explained];
        for first in (1..path.len).step_by(LANES) {
            let sums = path.unwound_sums(first);
            for (place, sum) in (first..path.len).zip(sums) {
                let factor = sum * (path.one[place] - path.zero[place]);
                let class = usize::from(path.class[place]);
                let to = &mut self.contributions[class * self.explained..][..self.explained];
                for (to, value) in to.iter_mut().zip(values) {
                    *to += factor * (value - self.average);
                }
            }
        }
    }
}
