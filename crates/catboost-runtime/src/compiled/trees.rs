//! Bins → leaves → sums.

use super::{
    Answer, Line, Observer,
    shape::{Shape, WithLines, WithSizes},
};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// Trees of a compiled model.
///
/// A leaf index takes as many bits of a [`Line`]'s word as the deepest tree has levels. The first sixteen trees take
/// the lowest bits of the first line's words, the next sixteen the bits above these, and so on, until fewer bits are
/// left than an index takes; then the next line starts.
pub enum Trees<S: Storage = Static> {
    /// Oblivious trees whose leaf indices are composed by OR-ing rows.
    Rows {
        /// Leaf indices of a row without tokens whose bins are all 0.
        initial: S::Slice<Line>,
        /// For each bin, the bits that it sets in the leaf indices of all trees. Each row has as many lines as
        /// `initial`.
        rows: S::Slice<Line>,
        /// Row of each group's bin 0; the rows of its other bins follow.
        starts: S::Slice<u32>,
        /// First leaf of each tree.
        offsets: S::Slice<u32>,
        /// Leaf values, as many per leaf as a row has raw values.
        values: S::Slice<f64>,
    },
    /// Oblivious trees, walked level by level.
    Levels {
        /// Answers of each tree, as many as a leaf index has bits: bit `k` of the leaf index is answer `k`. A shallower
        /// tree is padded with answers that are always 0.
        splits: S::Slice<Answer>,
        /// First leaf of each tree.
        offsets: S::Slice<u32>,
        /// Leaf values, as many per leaf as a row has raw values.
        values: S::Slice<f64>,
    },
    /// Non-symmetric trees, walked node by node.
    Nodes {
        /// Root of each tree: the index of a node, or, if negative, `!leaf`, indexed over all trees.
        roots: S::Slice<i32>,
        /// Answer of each inner node of all trees.
        splits: S::Slice<Answer>,
        /// Children of each node for the answers no and yes, encoded as in `roots`.
        children: S::Slice<[i32; 2]>,
        /// Leaf values, as many per leaf as a row has raw values.
        values: S::Slice<f64>,
    },
}

/// Number of lines that are OR-ed at once, so that they stay in vector registers.
const LINES_AT_ONCE: usize = 4;
/// Number of trees between prefetching a leaf and adding it: enough for a load from a cache that all cores share.
const AHEAD: usize = 32;

impl<S: Storage> Trees<S> {
    /// Returns the values of all leaves.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        let (Self::Rows { values, .. } | Self::Levels { values, .. } | Self::Nodes { values, .. }) =
            self;
        values
    }

    /// Initializes `indices` to the leaf indices of a row without tokens.
    #[inline(always)]
    pub(super) fn begin(&self, indices: &mut [Line]) {
        if let Self::Rows { initial, .. } = self {
            indices.copy_from_slice(initial);
        }
    }

    /// Returns the number of lines of a row's leaf indices, if these are computed by OR-ing rows.
    pub(crate) fn lines_of_rows(&self) -> Option<usize> {
        match self {
            Self::Rows { initial, .. } => Some(initial.len()),
            Self::Levels { .. } | Self::Nodes { .. } => None,
        }
    }

    /// ORs the rows of bits of all bins to the leaf indices of a row.
    #[inline(always)]
    pub(super) fn put_together(&self, shape: impl Shape, bins: &[u16], indices: &mut [Line]) {
        if let Self::Rows { rows, starts, .. } = self {
            let starts_and_bins = starts.iter().zip(bins);
            shape.with_lines(Or {
                indices,
                rows,
                numbers: starts_and_bins.map(|(&start, &bin)| start as usize + usize::from(bin)),
            });
        }
    }

    /// Adds up the trees' values for several rows at once, whose leaf indices follow each other, as the additions of a
    /// single row wait for each other. For models with one value per leaf.
    #[inline(always)]
    pub(super) fn sum_together<const ROWS: usize>(
        &self,
        shape: impl Shape,
        indices: &[Line],
        sums: &mut [f64; ROWS],
    ) {
        if let Self::Rows {
            offsets, values, ..
        } = self
        {
            shape.with_sizes::<true>(AddTogether {
                bits: shape.bits(),
                indices,
                offsets,
                values,
                sums,
            });
        }
    }

    /// Adds up the trees' values in order.
    #[inline(always)]
    pub(super) fn sum<O: Observer, const AVX2: bool>(
        &self,
        shape: impl Shape,
        bins: &[u16],
        indices: &mut [Line],
        sums: &mut [f64],
        observer: &mut O,
    ) {
        self.put_together(shape, bins, indices);
        shape.with_sizes::<AVX2>(Add {
            bits: shape.bits(),
            trees: self,
            bins,
            indices,
            sums,
            observer,
        });
    }
}

/// OR of rows, once their number of lines is known.
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

/// Sum of the trees' values, once the relevant sizes are known.
struct Add<'a, S: Storage, O> {
    bits: usize,
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
            bits,
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
            sums.add_trees::<S, BITS>(bits, trees, bins, indices);
        } else {
            // A local array, so that the compiler can keep it in registers.
            let mut own = [0.0; DIMENSION];
            let mut sums = Sums {
                sums: &mut own,
                observer,
            };
            sums.add_trees::<S, BITS>(bits, trees, bins, indices);
            all.copy_from_slice(&own);
        }
    }
}

/// Returns the number of bits per leaf index, as a constant if it is one.
#[inline(always)]
fn known<const BITS: usize>(bits: usize) -> usize {
    if BITS == 0 { bits } else { BITS }
}

/// Adds up the trees' values for several rows, once the number of bits of a leaf index is known.
struct AddTogether<'a, const ROWS: usize> {
    bits: usize,
    indices: &'a [Line],
    offsets: &'a [u32],
    values: &'a [f64],
    sums: &'a mut [f64; ROWS],
}

impl<const ROWS: usize> WithSizes for AddTogether<'_, ROWS> {
    #[inline(always)]
    fn run<const DIMENSION: usize, const BITS: usize>(self) {
        let Self {
            bits,
            indices,
            offsets,
            values,
            sums: all,
        } = self;
        let bits = known::<BITS>(bits);
        let lines = indices.len() / ROWS;
        let last = values.len().saturating_sub(1) as u32;
        let mut sums = [0.0; ROWS];
        for (line, offsets) in offsets.chunks(32 / bits * 16).enumerate() {
            let words: [&Line; ROWS] = core::array::from_fn(|row| &indices[row * lines + line]);
            for (nth, offsets) in offsets.chunks(16).enumerate() {
                for (tree, offset) in offsets.iter().enumerate() {
                    for (sum, words) in sums.iter_mut().zip(words) {
                        let leaf = words.0[tree] >> (nth * bits) & u32::MAX >> (32 - bits);
                        // None is beyond it: to say so to the compiler costs less than a check of each.
                        *sum += values[last.min(offset + leaf) as usize];
                    }
                }
            }
        }
        *all = sums;
    }
}

/// Sets bits in a word of the leaf indices.
#[inline(always)]
pub(super) fn set(indices: &mut [Line], word: usize, mask: u32) {
    indices[word / 16].0[word % 16] |= mask;
}

/// ORs the rows with these numbers into `indices`. A row has as many lines as `indices`.
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

/// [`or`] for rows of a constant length.
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

/// Running sums over trees, one per raw value.
struct Sums<'a, O> {
    sums: &'a mut [f64],
    observer: &'a mut O,
}

impl<O: Observer> Sums<'_, O> {
    #[inline(always)]
    fn add_trees<S: Storage, const BITS: usize>(
        &mut self,
        bits: usize,
        trees: &Trees<S>,
        bins: &[u16],
        indices: &[Line],
    ) {
        match trees {
            Trees::Rows {
                offsets, values, ..
            } => self.add_packed::<BITS>(bits, indices, offsets, values),
            Trees::Levels {
                splits,
                offsets,
                values,
            } => {
                if BITS == 0 {
                    self.add_walked(bins, splits, splits.chunks(bits), offsets, values);
                } else {
                    let trees = splits.as_chunks::<BITS>().0.iter();
                    self.add_walked(bins, splits, trees, offsets, values);
                }
            }
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

    /// Adds the leaves of packed indices of `bits` bits each.
    #[inline(always)]
    fn add_packed<const BITS: usize>(
        &mut self,
        bits: usize,
        indices: &[Line],
        offsets: &[u32],
        values: &[f64],
    ) {
        let bits = known::<BITS>(bits);
        let leaves = values.len().checked_div(self.sums.len()).unwrap_or(0);
        // No leaf is beyond `last`. Telling the compiler so costs less than checking each.
        let last = leaves.saturating_sub(1) as u32;
        let leaf = move |word: u32, nth: usize, offset: u32| {
            let leaf = word >> (nth * bits) & u32::MAX >> (32 - bits);
            last.min(offset + leaf) as usize
        };
        for (Line(words), offsets) in indices.iter().zip(offsets.chunks(32 / bits * 16)) {
            // In chunks of sixteen trees, so that the compiler knows their number.
            let (sixteens, rest) = offsets.as_chunks::<16>();
            for (nth, offsets) in sixteens.iter().enumerate() {
                let mut leaves = [0; 16];
                for ((found, &word), &offset) in leaves.iter_mut().zip(words).zip(offsets) {
                    *found = leaf(word, nth, offset);
                }
                for leaf in leaves {
                    self.add(values, leaf);
                }
            }
            for (&word, &offset) in words.iter().zip(rest) {
                self.add(values, leaf(word, sixteens.len(), offset));
            }
        }
    }

    /// Adds the leaves of trees that are walked level by level. Leaves are prefetched.
    #[inline(always)]
    fn add_walked<'t, T: AsRef<[Answer]> + ?Sized + 't>(
        &mut self,
        bins: &[u16],
        splits: &[Answer],
        trees: impl Iterator<Item = &'t T>,
        offsets: &[u32],
        values: &[f64],
    ) {
        // Finds the maximum in one pass, which is vectorized.
        let last = splits.iter().fold(0, |last, split| last.max(split.0));
        assert!(
            splits.is_empty() || (last as usize) < bins.len(),
            "answers stand among the bins"
        );
        // SAFETY: no split exceeds `last`, which is within the bins.
        let answer = |split: Answer| u32::from(unsafe { *bins.get_unchecked(split.index()) });
        let dimension = self.sums.len();
        let mut leaves = trees.zip(offsets).map(|(splits, offset)| {
            let levels = splits.as_ref().iter().rev();
            let leaf = offset + levels.fold(0, |leaf, &split| 2 * leaf + answer(split));
            fetch(values, leaf as usize * dimension);
            leaf
        });
        // Ring of leaves that are not added yet. Additions wait for each other, so that other work fits between them.
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

/// Prefetches values that will be read.
#[inline(always)]
fn fetch(values: &[f64], at: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint. It reads nothing, and no address is invalid.
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
