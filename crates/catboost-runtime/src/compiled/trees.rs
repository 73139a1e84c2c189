//! Bins → leaves → sums.

use super::{Condition, Line, Observer};

/// The trees of a compiled model.
///
/// A leaf index takes `BITS` bits of a [`Line`]'s word, and does not run over into the next word; `BITS` is the depth of
/// the deepest tree.
#[derive(Debug)]
pub enum Trees<const LINES: usize, const BITS: usize> {
    /// Oblivious trees, whose leaf indices are put together by OR-ing rows.
    Rows {
        /// The leaf indices of a row of data in which no token occurs and every bin is 0.
        initial: [Line; LINES],
        /// For each bin, the bits that it sets in the leaf indices of all the trees.
        rows: &'static [[Line; LINES]],
        /// Where each group's bin 0 is among the bins; its other bins follow.
        starts: &'static [u32],
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

/// The leaf indices of all the trees, side by side.
pub(super) struct Indices<const LINES: usize>(pub(super) [Line; LINES]);

/// How many lines are OR-ed at once, to stay in vector registers.
const LINES_AT_ONCE: usize = 4;

impl<const LINES: usize, const BITS: usize> Trees<LINES, BITS> {
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
                offsets,
                values,
                ..
            } => {
                let starts_and_bins = starts.iter().zip(bins);
                indices.or(
                    rows,
                    starts_and_bins.map(|(&start, &bin)| start as usize + usize::from(bin)),
                );
                sums.add_packed::<LINES, BITS>(&indices, offsets, values);
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
    /// Sets bits of a word.
    #[inline(always)]
    pub(super) fn set(&mut self, word: usize, mask: u64) {
        self.0[word / 8].0[word % 8] |= mask;
    }

    /// ORs those of `rows` that have these numbers.
    #[inline(always)]
    pub(super) fn or(
        &mut self,
        rows: &[[Line; LINES]],
        numbers: impl Iterator<Item = usize> + Clone,
    ) {
        let mut line = 0;
        while line < LINES {
            match LINES - line {
                1 => self.or_lines::<1>(rows, numbers.clone(), line),
                2 => self.or_lines::<2>(rows, numbers.clone(), line),
                3 => self.or_lines::<3>(rows, numbers.clone(), line),
                _ => self.or_lines::<LINES_AT_ONCE>(rows, numbers.clone(), line),
            }
            line += LINES_AT_ONCE;
        }
    }

    /// ORs lines `line..line + N` of each row.
    #[inline(always)]
    fn or_lines<const N: usize>(
        &mut self,
        rows: &[[Line; LINES]],
        numbers: impl Iterator<Item = usize>,
        line: usize,
    ) {
        let mut sum = [Line([0; 8]); N];
        sum.copy_from_slice(&self.0[line..line + N]);
        for number in numbers {
            for (sum, row) in sum.iter_mut().zip(&rows[number][line..line + N]) {
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
    /// Adds the leaves whose indices take `BITS` bits each.
    #[inline(always)]
    fn add_packed<const LINES: usize, const BITS: usize>(
        &mut self,
        indices: &Indices<LINES>,
        offsets: &[u32],
        values: &[f64],
    ) {
        let per_word = const { 64 / BITS };
        for (line, offsets) in indices.0.iter().zip(offsets.chunks(8 * per_word)) {
            // Full words apart, so that the compiler knows how many trees they have.
            let words = offsets.chunks_exact(per_word);
            let rest = words.remainder();
            let last = line.0.get(words.len());
            for (&word, offsets) in line.0.iter().zip(words) {
                self.add_word::<BITS>(word, offsets, values);
            }
            if let Some(&word) = last {
                self.add_word::<BITS>(word, rest, values);
            }
        }
    }

    #[inline(always)]
    fn add_word<const BITS: usize>(&mut self, word: u64, offsets: &[u32], values: &[f64]) {
        for (place, &offset) in offsets.iter().enumerate() {
            let leaf = word >> (place * BITS) & ((1 << BITS) - 1);
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
        let trees: Trees<0, 2> = Trees::Levels {
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
