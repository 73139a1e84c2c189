//! Bins → leaves → sums.

use super::{Condition, Line, Observer};

/// The trees of a compiled model.
#[derive(Debug)]
pub enum Trees<const LINES: usize> {
    /// Oblivious trees, whose leaf indices are put together by OR-ing rows.
    Rows {
        /// The leaf indices of a row of data in which no token occurs and every bin is 0.
        initial: [Line; LINES],
        /// `LINES` lines a bin: the bits that it sets in the leaf indices of all the trees.
        rows: &'static [Line],
        /// Where each group's bin 0 is among the bins; its other bins follow.
        starts: &'static [u32],
        /// How wide a leaf index is.
        width: Width,
        /// The first leaf of each tree.
        offsets: &'static [u32],
        /// `DIMENSION` values a leaf.
        values: &'static [f64],
    },
    /// Oblivious trees, level by level.
    Levels {
        /// The splits of all trees, as words: bit `k` of a tree's leaf index is its split `k`.
        splits: &'static [u64],
        /// How many splits each tree has.
        depths: &'static [u8],
        /// `DIMENSION` values a leaf.
        values: &'static [f64],
    },
    /// Non-symmetric trees, node by node.
    Nodes {
        /// Where each tree begins: the index of a node, or, if negative, `!leaf`, counted over all trees.
        roots: &'static [i32],
        /// The splits of the inner nodes of all trees, as words.
        splits: &'static [u64],
        /// Where a node leads to, in the same way, if the answer is no, and if it is yes.
        children: &'static [[i32; 2]],
        /// The first leaf of each tree.
        offsets: &'static [u32],
        /// `DIMENSION` values a leaf.
        values: &'static [f64],
    },
}

/// How wide a leaf index is in a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 8 bits: trees of depth 8 at most.
    Byte,
    /// 16 bits.
    Half,
}

/// The leaf indices of all the trees, side by side.
pub(super) struct Indices<const LINES: usize>(pub(super) [Line; LINES]);

/// How many lines are OR-ed at once, to stay in vector registers.
const LINES_AT_ONCE: usize = 4;

impl<const LINES: usize> Trees<LINES> {
    /// The leaf indices that data without tokens starts from.
    #[inline(always)]
    pub(super) fn initial(&self) -> Indices<LINES> {
        match self {
            Self::Rows { initial, .. } => Indices(*initial),
            Self::Levels { .. } | Self::Nodes { .. } => Indices([Line([0; 8]); LINES]),
        }
    }

    /// The trees' values, added up in order.
    #[inline(always)]
    pub(super) fn sum<const DIMENSION: usize, const GROUPS: usize, O: Observer>(
        &self,
        bins: &[u16; GROUPS],
        mut indices: Indices<LINES>,
        observer: &mut O,
    ) -> [f64; DIMENSION] {
        let mut sums = Sums {
            sums: [0.0; DIMENSION],
            observer,
        };
        match *self {
            Self::Rows {
                rows,
                starts,
                width,
                offsets,
                values,
                ..
            } => {
                indices.or_rows(rows, starts, bins);
                match width {
                    Width::Byte => sums.add_packed::<LINES, 8>(&indices, offsets, values),
                    Width::Half => sums.add_packed::<LINES, 4>(&indices, offsets, values),
                }
            }
            Self::Levels {
                splits,
                depths,
                values,
            } => {
                let (mut splits, mut offset) = (splits, 0);
                for &depth in depths {
                    let (tree, rest) = splits.split_at(depth as usize);
                    splits = rest;
                    let bit = |level: usize| {
                        usize::from(Condition::from_word(tree[level]).holds(bins)) << level
                    };
                    let leaf = (0..tree.len()).map(bit).sum();
                    sums.add(values, offset, leaf);
                    offset += 1 << depth;
                }
            }
            Self::Nodes {
                roots,
                splits,
                children,
                offsets,
                values,
            } => {
                for (&root, &offset) in roots.iter().zip(offsets) {
                    let mut at = root;
                    while at >= 0 {
                        let yes = Condition::from_word(splits[at as usize]).holds(bins);
                        at = children[at as usize][usize::from(yes)];
                    }
                    sums.add(values, offset as usize, !at as usize - offset as usize);
                }
            }
        }
        sums.sums
    }
}

impl<const LINES: usize> Indices<LINES> {
    /// Sets the bits of a word.
    #[inline(always)]
    pub(super) fn set(&mut self, word: usize, mask: u64) {
        self.0[word / 8].0[word % 8] |= mask;
    }

    #[inline(always)]
    fn or_rows<const GROUPS: usize>(
        &mut self,
        rows: &[Line],
        starts: &[u32],
        bins: &[u16; GROUPS],
    ) {
        let mut first = [0_usize; GROUPS];
        for ((first, &start), &bin) in first.iter_mut().zip(starts).zip(bins) {
            *first = (start as usize + bin as usize) * LINES;
        }
        let first = &first[..starts.len()];
        let mut line = 0;
        while line < LINES {
            match LINES - line {
                1 => self.or_lines::<1>(rows, first, line),
                2 => self.or_lines::<2>(rows, first, line),
                3 => self.or_lines::<3>(rows, first, line),
                _ => self.or_lines::<LINES_AT_ONCE>(rows, first, line),
            }
            line += LINES_AT_ONCE;
        }
    }

    /// ORs lines `line..line + N` of each row, which begins at `first`.
    #[inline(always)]
    fn or_lines<const N: usize>(&mut self, rows: &[Line], first: &[usize], line: usize) {
        let mut sum = [Line([0; 8]); N];
        sum.copy_from_slice(&self.0[line..line + N]);
        for &first in first {
            let row = &rows[first + line..][..N];
            for (sum, row) in sum.iter_mut().zip(row) {
                for (sum, row) in sum.0.iter_mut().zip(row.0) {
                    *sum |= row;
                }
            }
        }
        self.0[line..line + N].copy_from_slice(&sum);
    }
}

/// A running sum over trees.
struct Sums<'a, const DIMENSION: usize, O> {
    sums: [f64; DIMENSION],
    observer: &'a mut O,
}

impl<const DIMENSION: usize, O: Observer> Sums<'_, DIMENSION, O> {
    /// Adds the leaves whose indices are packed `PER_WORD` to a word.
    #[inline(always)]
    fn add_packed<const LINES: usize, const PER_WORD: usize>(
        &mut self,
        indices: &Indices<LINES>,
        offsets: &[u32],
        values: &[f64],
    ) {
        let words = indices.0.iter().flat_map(|line| line.0);
        for (word, offsets) in words.zip(offsets.chunks(PER_WORD)) {
            self.add_word::<PER_WORD>(word, offsets, values);
        }
    }

    #[inline(always)]
    fn add_word<const PER_WORD: usize>(&mut self, word: u64, offsets: &[u32], values: &[f64]) {
        let bits = 64 / PER_WORD;
        for (place, &offset) in offsets.iter().enumerate() {
            let leaf = word >> (place * bits) & ((1 << bits) - 1);
            self.add(values, offset as usize, leaf as usize);
        }
    }

    #[inline(always)]
    fn add(&mut self, values: &[f64], offset: usize, leaf: usize) {
        let first = (offset + leaf) * DIMENSION;
        for (sum, value) in self.sums.iter_mut().zip(&values[first..first + DIMENSION]) {
            *sum += value;
        }
        self.observer.leaf(offset + leaf);
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Trees};

    /// Whether a group's bin is at least `from`.
    const fn at_least(group: u32, from: u16) -> u64 {
        let count = from.wrapping_neg();
        Condition { group, from, count }.to_word()
    }

    /// Such trees are only compiled where a table of leaf-index bits would be too large: larger than a model of the zoo.
    #[test]
    fn levels_are_bits_of_the_leaf_index() {
        static SPLITS: [u64; 3] = [at_least(0, 1), at_least(1, 2), at_least(1, 1)];
        // Of depth 2, of depth 0, of depth 1.
        let trees: Trees<0> = Trees::Levels {
            splits: &SPLITS,
            depths: &[2, 0, 1],
            values: &[1.0, 2.0, 4.0, 8.0, 100.0, 0.0, 1000.0],
        };
        for (bins, expected) in [
            ([0, 0], 101.0),
            ([1, 0], 102.0),
            ([0, 1], 1101.0),
            ([0, 2], 1104.0),
            ([3, 2], 1108.0),
        ] {
            let sum: [f64; 1] = trees.sum(&bins, trees.initial(), &mut ());
            assert_eq!(sum, [expected], "{bins:?}");
        }
    }
}
