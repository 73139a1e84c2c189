//! Bins → leaves → sums.

use super::{
    Answer, Line, Observer,
    shape::{Shape, WithLines, WithSizes},
};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// The trees of a compiled model.
///
/// A leaf index takes as many bits of a [`Line`]'s word as the deepest tree has levels. The first sixteen trees have the lowest
/// bits of the first line's words, the next sixteen the bits after these, and so on, until fewer bits are left than an index
/// takes; then the next line follows.
pub enum Trees<S: Storage = Static> {
    /// Oblivious trees, whose leaf indices are put together by OR-ing rows.
    Rows {
        /// The leaf indices of a row of data in which no token occurs and every bin is 0.
        initial: S::Slice<Line>,
        /// For each bin, the bits that it sets in the leaf indices of all the trees: as many lines as `initial` has.
        rows: S::Slice<Line>,
        /// Where each group's bin 0 is among the bins; its other bins follow.
        starts: S::Slice<u32>,
        /// The first leaf of each tree.
        offsets: S::Slice<u32>,
        /// As many values per leaf as a row has raw values.
        values: S::Slice<f64>,
    },
    /// Oblivious trees, level by level.
    Levels {
        /// The answers of each tree, as many as a leaf index has bits: bit `k` of its leaf index is answer `k`. A tree that asks
        /// less than others has answers that are always 0.
        splits: S::Slice<Answer>,
        /// The first leaf of each tree.
        offsets: S::Slice<u32>,
        /// As many values per leaf as a row has raw values.
        values: S::Slice<f64>,
    },
    /// Non-symmetric trees, node by node.
    Nodes {
        /// Where each tree begins: the index of a node, or, if negative, `!leaf`, counted over all trees.
        roots: S::Slice<i32>,
        /// The answer to each inner node of all trees.
        splits: S::Slice<Answer>,
        /// Where a node leads to, in the same way, if the answer is no, and if it is yes.
        children: S::Slice<[i32; 2]>,
        /// As many values per leaf as a row has raw values.
        values: S::Slice<f64>,
    },
}

/// How many lines are OR-ed at once, to stay in vector registers.
const LINES_AT_ONCE: usize = 4;
/// How many trees ahead of the sum their leaves are fetched. By then they have come from a cache that all cores share.
const AHEAD: usize = 32;

impl<S: Storage> Trees<S> {
    /// The values of all leaves.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        let (Self::Rows { values, .. } | Self::Levels { values, .. } | Self::Nodes { values, .. }) =
            self;
        values
    }

    /// Puts in `indices` the leaf indices that data without tokens starts from.
    #[inline(always)]
    pub(super) fn begin(&self, indices: &mut [Line]) {
        if let Self::Rows { initial, .. } = self {
            indices.copy_from_slice(initial);
        }
    }

    /// The trees' values, added up in order.
    #[inline(always)]
    pub(super) fn sum<O: Observer>(
        &self,
        shape: impl Shape,
        bins: &[u16],
        indices: &mut [Line],
        sums: &mut [f64],
        observer: &mut O,
    ) {
        if let Self::Rows { rows, starts, .. } = self {
            let starts_and_bins = starts.iter().zip(bins);
            shape.with_lines(Or {
                indices: &mut *indices,
                rows,
                numbers: starts_and_bins.map(|(&start, &bin)| start as usize + usize::from(bin)),
            });
        }
        shape.with_sizes(Add {
            trees: self,
            bins,
            indices,
            sums,
            observer,
        });
    }
}

/// ORs rows, once it is known of how many lines they are.
struct Or<'a, N> {
    indices: &'a mut [Line],
    rows: &'a [Line],
    numbers: N,
}

impl<N: Iterator<Item = usize> + Clone> WithLines for Or<'_, N> {
    #[inline(always)]
    fn run<const LINES: usize>(self) {
        if LINES == 0 {
            or(self.indices, self.rows, self.numbers);
        } else {
            or_rows::<LINES>(self.indices, self.rows.as_chunks().0, self.numbers);
        }
    }
}

/// Adds up the trees' values, once the sizes that matter are known.
struct Add<'a, S: Storage, O> {
    trees: &'a Trees<S>,
    bins: &'a [u16],
    indices: &'a [Line],
    sums: &'a mut [f64],
    observer: &'a mut O,
}

impl<S: Storage, O: Observer> WithSizes for Add<'_, S, O> {
    #[inline(always)]
    fn run<const DIMENSION: usize, const BITS: usize>(self) {
        let Self {
            trees,
            bins,
            indices,
            sums: all,
            observer,
        } = self;
        if DIMENSION == 0 {
            all.fill(0.0);
            let mut sums = Sums {
                sums: all,
                observer,
            };
            sums.add_trees::<S, BITS>(trees, bins, indices);
        } else {
            // Of their own, so that the compiler can keep them in registers.
            let mut own = [0.0; DIMENSION];
            let mut sums = Sums {
                sums: &mut own,
                observer,
            };
            sums.add_trees::<S, BITS>(trees, bins, indices);
            all.copy_from_slice(&own);
        }
    }
}

/// Sets bits of a word of leaf indices.
#[inline(always)]
pub(super) fn set(indices: &mut [Line], word: usize, mask: u32) {
    indices[word / 16].0[word % 16] |= mask;
}

/// ORs those of `rows` that have these numbers. A row is as many lines as `indices`.
#[inline(always)]
pub(super) fn or(
    indices: &mut [Line],
    rows: &[Line],
    numbers: impl Iterator<Item = usize> + Clone,
) {
    match indices.len() {
        0 => {}
        1 => or_rows::<1>(indices, rows.as_chunks().0, numbers),
        2 => or_rows::<2>(indices, rows.as_chunks().0, numbers),
        3 => or_rows::<3>(indices, rows.as_chunks().0, numbers),
        4 => or_rows::<4>(indices, rows.as_chunks().0, numbers),
        lines => {
            let row = |number| &rows[number * lines..][..lines];
            or_parts(indices, row, numbers);
        }
    }
}

/// [`or`] of rows whose length is known.
#[inline(always)]
fn or_rows<const LINES: usize>(
    indices: &mut [Line],
    rows: &[[Line; LINES]],
    numbers: impl Iterator<Item = usize> + Clone,
) {
    or_parts(&mut indices[..LINES], |number| &rows[number], numbers);
}

/// ORs rows, a few lines at a time. A row has as many lines as `indices`.
#[inline(always)]
fn or_parts<'a, R: AsRef<[Line]> + ?Sized + 'a>(
    indices: &mut [Line],
    row: impl Fn(usize) -> &'a R + Copy,
    numbers: impl Iterator<Item = usize> + Clone,
) {
    let (mut line, lines) = (0, indices.len());
    while line < lines {
        match lines - line {
            1 => or_part::<1, R>(indices, row, numbers.clone(), line),
            2 => or_part::<2, R>(indices, row, numbers.clone(), line),
            3 => or_part::<3, R>(indices, row, numbers.clone(), line),
            _ => or_part::<LINES_AT_ONCE, R>(indices, row, numbers.clone(), line),
        }
        line += LINES_AT_ONCE;
    }
}

/// ORs lines `line..line + N` of each row.
#[inline(always)]
fn or_part<'a, const N: usize, R: AsRef<[Line]> + ?Sized + 'a>(
    indices: &mut [Line],
    row: impl Fn(usize) -> &'a R,
    numbers: impl Iterator<Item = usize>,
    line: usize,
) {
    let mut sum = [Line([0; 16]); N];
    sum.copy_from_slice(&indices[line..line + N]);
    for number in numbers {
        for (sum, row) in sum.iter_mut().zip(&row(number).as_ref()[line..line + N]) {
            for (sum, row) in sum.0.iter_mut().zip(row.0) {
                *sum |= row;
            }
        }
    }
    indices[line..line + N].copy_from_slice(&sum);
}

/// Running sums over trees, as many as a row has raw values.
struct Sums<'a, O> {
    sums: &'a mut [f64],
    observer: &'a mut O,
}

impl<O: Observer> Sums<'_, O> {
    #[inline(always)]
    fn add_trees<S: Storage, const BITS: usize>(
        &mut self,
        trees: &Trees<S>,
        bins: &[u16],
        indices: &[Line],
    ) {
        match trees {
            Trees::Rows {
                offsets, values, ..
            } => self.add_packed::<BITS>(indices, offsets, values),
            Trees::Levels {
                splits,
                offsets,
                values,
            } => self.add_walked(bins, splits.as_chunks::<BITS>().0, offsets, values),
            Trees::Nodes {
                roots,
                splits,
                children,
                values,
            } => {
                for &root in &**roots {
                    let mut at = root;
                    while at >= 0 {
                        let yes = bins[splits[at as usize].index()] == 1;
                        at = children[at as usize][usize::from(yes)];
                    }
                    self.add(values, !at as usize);
                }
            }
        }
    }

    /// Adds the leaves whose indices take `BITS` bits each.
    #[inline(always)]
    fn add_packed<const BITS: usize>(&mut self, indices: &[Line], offsets: &[u32], values: &[f64]) {
        let leaves = values.len().checked_div(self.sums.len()).unwrap_or(0);
        // None is beyond it: to say so to the compiler costs less than a check of each.
        let last = leaves.saturating_sub(1) as u32;
        let leaf = |word: u32, nth: usize, offset: u32| {
            let leaf = word >> (nth * BITS) & const { u32::MAX >> (32 - BITS) };
            last.min(offset + leaf) as usize
        };
        for (Line(words), offsets) in indices.iter().zip(offsets.chunks(32 / BITS * 16)) {
            // Sixteen trees apart, so that the compiler knows how many they are.
            let (sixteens, rest) = offsets.as_chunks::<16>();
            for (nth, offsets) in sixteens.iter().enumerate() {
                let leaves: [usize; 16] =
                    core::array::from_fn(|tree| leaf(words[tree], nth, offsets[tree]));
                for leaf in leaves {
                    self.add(values, leaf);
                }
            }
            for (&word, &offset) in words.iter().zip(rest) {
                self.add(values, leaf(word, sixteens.len(), offset));
            }
        }
    }

    /// Adds the leaves of trees that are walked level by level, which are fetched a while before.
    #[inline(always)]
    fn add_walked<const BITS: usize>(
        &mut self,
        bins: &[u16],
        splits: &[[Answer; BITS]],
        offsets: &[u32],
        values: &[f64],
    ) {
        // All at once, many to an instruction.
        let last = splits
            .as_flattened()
            .iter()
            .fold(0, |last, split| last.max(split.0));
        assert!(
            splits.is_empty() || (last as usize) < bins.len(),
            "answers stand among the bins"
        );
        // SAFETY: no split is after `last`, and that is one of the bins.
        let answer = |split: Answer| u32::from(unsafe { *bins.get_unchecked(split.index()) });
        let dimension = self.sums.len();
        let mut leaves = splits.iter().zip(offsets).map(|(splits, offset)| {
            let levels = splits.iter().rev();
            let leaf = offset + levels.fold(0, |leaf, &split| 2 * leaf + answer(split));
            fetch(values, leaf as usize * dimension);
            leaf
        });
        // Those that are not added yet, in a ring. Additions wait for each other: so other work stands between them.
        let (mut waiting, mut first) = ([0; AHEAD], 0);
        for (place, leaf) in waiting.iter_mut().zip(&mut leaves) {
            *place = leaf;
            first += 1;
        }
        let mut added = 0;
        for leaf in leaves {
            let leaf = core::mem::replace(&mut waiting[added % AHEAD], leaf);
            self.add(values, leaf as usize);
            added += 1;
        }
        for place in added..added + first {
            self.add(values, waiting[place % AHEAD] as usize);
        }
    }

    #[inline(always)]
    fn add(&mut self, values: &[f64], leaf: usize) {
        let dimension = self.sums.len();
        let first = leaf * dimension;
        for (sum, value) in self.sums.iter_mut().zip(&values[first..first + dimension]) {
            *sum += value;
        }
        self.observer.leaf(leaf);
    }
}

/// Asks the processor for what will be read.
#[inline(always)]
fn fetch(values: &[f64], at: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it is a hint. It reads nothing, and no address is wrong.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(values.as_ptr().wrapping_add(at).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, at);
}

emit!(enum Trees Trees<Owned> {
    Rows { initial, rows, starts, offsets, values },
    Levels { splits, offsets, values },
    Nodes { roots, splits, children, values },
});

#[cfg(test)]
mod tests;
