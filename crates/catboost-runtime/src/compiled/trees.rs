//! Bins → leaves → sums.

use super::{Line, Observer};

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
        /// Where each tree's answers are among the bins: bit `k` of its leaf index is answer `k`. A tree that asks less than
        /// others has answers that are always 0.
        splits: &'static [[u32; BITS]],
        /// The first leaf of each tree.
        offsets: &'static [u32],
        /// `DIMENSION` values a leaf.
        values: &'static [f64],
    },
    /// Non-symmetric trees, node by node.
    Nodes {
        /// Where each tree begins: the index of a node, or, if negative, `!leaf`, counted over all trees.
        roots: &'static [i32],
        /// Where the answer to each inner node of all trees is among the bins.
        splits: &'static [u32],
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
/// How many trees ahead of the sum their leaves are fetched. By then they have come from a cache that all cores share.
const AHEAD: usize = 32;

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
                offsets,
                values,
            } => {
                sums.add_walked(bins, splits, offsets, values);
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
                        let yes = bins[splits[at as usize] as usize] == 1;
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

    /// Adds the leaves of trees that are walked level by level, which are fetched a while before.
    #[inline(always)]
    fn add_walked<const BITS: usize, const GROUPS: usize>(
        &mut self,
        bins: &[u16; GROUPS],
        splits: &[[u32; BITS]],
        offsets: &[u32],
        values: &[f64],
    ) {
        // All at once, many to an instruction.
        let last = splits
            .as_flattened()
            .iter()
            .fold(0, |last, &split| last.max(split));
        assert!(
            splits.is_empty() || (last as usize) < GROUPS,
            "answers stand among the bins"
        );
        // SAFETY: no split is after `last`, and that is one of the bins.
        let answer = |split: u32| u32::from(unsafe { *bins.get_unchecked(split as usize) });
        let mut leaves = splits.iter().zip(offsets).map(|(splits, offset)| {
            let levels = splits.iter().rev();
            let leaf = offset + levels.fold(0, |leaf, &split| 2 * leaf + answer(split));
            fetch(values, leaf as usize * DIMENSION);
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
            self.add(values, leaf as usize, 0);
            added += 1;
        }
        for place in added..added + first {
            self.add(values, waiting[place % AHEAD] as usize, 0);
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

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{AHEAD, Indices, Line, Observer, Trees};

    /// Notes leaves.
    #[derive(Default)]
    struct Leaves(Vec<usize>);

    impl Observer for Leaves {
        fn leaf(&mut self, leaf: usize) {
            self.0.push(leaf);
        }
    }

    #[test]
    fn answers_are_bits_of_the_leaf_index() {
        // Of depth 2, of depth 0, of depth 1; the first answer is always 0.
        let trees: Trees<0, 2> = Trees::Levels {
            splits: &[[1, 3], [0, 0], [2, 0]],
            offsets: &[0, 4, 5],
            values: &[1.0, 2.0, 4.0, 8.0, 100.0, 0.0, 1000.0],
        };
        for (answers, expected) in [
            ([0, 0, 0, 0], 101.0),
            ([0, 1, 0, 0], 102.0),
            ([0, 0, 1, 0], 1101.0),
            ([0, 0, 0, 1], 104.0),
            ([0, 1, 1, 1], 1108.0),
        ] {
            let sum: [f64; 1] = trees.sum(&answers, trees.initial(), &mut ());
            assert_eq!(sum, [expected], "{answers:?}");
        }
    }

    /// Fewer trees than leaves are fetched ahead, as many, and more.
    #[test]
    fn walked_trees_are_added_up_in_order() {
        const MOST: usize = 3 * AHEAD + 1;
        let splits: [[u32; 1]; MOST] = core::array::from_fn(|tree| [tree as u32 % 3]);
        let offsets: [u32; MOST] = core::array::from_fn(|tree| 2 * tree as u32);
        let values: [f64; 4 * MOST] = core::array::from_fn(|at| f64::from(at as u32).sqrt());
        let (splits, offsets) = (Vec::leak(splits.to_vec()), Vec::leak(offsets.to_vec()));
        let values: &[f64] = Vec::leak(values.to_vec());
        let answers = [0, 1, 0];
        for count in [0, 1, AHEAD - 1, AHEAD, AHEAD + 1, 2 * AHEAD, MOST] {
            let trees: Trees<0, 1> = Trees::Levels {
                splits: &splits[..count],
                offsets: &offsets[..count],
                values,
            };
            let mut told = Leaves::default();
            let sums: [f64; 2] = trees.sum(&answers, trees.initial(), &mut told);
            let leaves: Vec<usize> = (0..count)
                .map(|tree| 2 * tree + usize::from(tree % 3 == 1))
                .collect();
            assert_eq!(told.0, leaves, "{count} trees");
            let expected = leaves.iter().fold([0.0; 2], |[first, second], leaf| {
                [first + values[2 * leaf], second + values[2 * leaf + 1]]
            });
            assert_eq!(sums, expected, "{count} trees");
        }
    }

    #[test]
    #[should_panic(expected = "answers stand among the bins")]
    fn an_answer_that_is_no_bin_is_not_looked_up() {
        let trees: Trees<0, 2> = Trees::Levels {
            splits: &[[0, 0], [1, 3], [0, 2]],
            offsets: &[0, 4, 8],
            values: &[0.0; 12],
        };
        let _: [f64; 1] = trees.sum(&[0; 3], trees.initial(), &mut ());
    }

    /// A word that no other line and no other word of it has.
    fn word(row: usize, line: usize, word: usize) -> u64 {
        1 << (row * 7 + line + 8 * word / 2)
    }

    fn row<const LINES: usize>(row: usize) -> [Line; LINES] {
        core::array::from_fn(|line| Line(core::array::from_fn(|nth| word(row, line, nth))))
    }

    fn ors_rows<const LINES: usize>() {
        let rows = [row::<LINES>(0), row(1), row(2)];
        let mut indices = Indices(row::<LINES>(3));
        indices.or(&rows, [2, 0, 2].into_iter());
        for (line, found) in indices.0.iter().enumerate() {
            let expected: [u64; 8] = core::array::from_fn(|nth| {
                [0, 2, 3]
                    .iter()
                    .fold(0, |bits, &row| bits | word(row, line, nth))
            });
            assert_eq!(found.0, expected, "line {line} of {LINES}");
        }
    }

    #[test]
    fn rows_are_ored_whatever_their_length() {
        ors_rows::<1>();
        ors_rows::<2>();
        ors_rows::<3>();
        ors_rows::<4>();
        ors_rows::<5>();
        ors_rows::<7>();
        ors_rows::<8>();
        ors_rows::<10>();
    }

    #[test]
    fn bits_are_set_in_words_of_all_lines() {
        let mut indices = Indices([Line([1; 8]); 2]);
        indices.set(3, 6);
        indices.set(3, 8);
        indices.set(13, 5);
        assert_eq!(indices.0[0].0, [1, 1, 1, 15, 1, 1, 1, 1]);
        assert_eq!(indices.0[1].0, [1, 1, 1, 1, 1, 5, 1, 1]);
    }

    /// Trees of depth 1, of which leaf `n` of all is worth `2^n`: the sum says which were added.
    #[test]
    fn packed_indices_are_those_of_the_trees_in_order() {
        const TREES: usize = 19;
        // 21 bits an index, 3 to a word, 24 to a line: six full words and one of a single index.
        let trees: Trees<1, 21> = Trees::Rows {
            initial: [Line([0; 8])],
            rows: &[
                [Line([1 << 21; 8])],
                [Line([1; 8])],
                [Line([0, 0, 0, 0, 1 << 42, 0, 0, 0])],
                [Line([0; 8])],
            ],
            starts: &[0, 1],
            offsets: &[
                0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36,
            ],
            values: &const {
                let mut values = [0.0; 2 * TREES];
                let mut leaf = 0;
                while leaf < values.len() {
                    values[leaf] = (1_u64 << leaf) as f64;
                    leaf += 1;
                }
                values
            },
        };
        let leaves = |bins: [u16; 2]| {
            let mut told = Leaves::default();
            let [sum] = trees.sum::<1, 2, _>(&bins, trees.initial(), &mut told);
            let expected: u64 = told.0.iter().map(|leaf| 1 << leaf).sum();
            assert_eq!(sum, expected as f64);
            let answers = told
                .0
                .iter()
                .enumerate()
                .map(|(tree, leaf)| leaf - 2 * tree);
            answers.collect::<Vec<_>>()
        };
        let every_third = |of: usize| {
            let trees = 0..TREES;
            trees
                .map(|tree| usize::from(tree % 3 == of))
                .collect::<Vec<_>>()
        };
        assert_eq!(leaves([1, 2]), every_third(0));
        assert_eq!(leaves([0, 2]), every_third(1));
        let mut one = every_third(1);
        one[4 * 3 + 2] = 1;
        assert_eq!(leaves([0, 1]), one);
    }

    #[test]
    fn a_line_follows_a_line() {
        // An index of 32 bits, two to a word, 16 to a line.
        let trees: Trees<2, 32> = Trees::Rows {
            initial: [Line([1; 8]), Line([1 << 32, 1, 0, 0, 0, 0, 0, 0])],
            rows: &[],
            starts: &[],
            offsets: &[
                0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36,
            ],
            values: &[0.0; 38],
        };
        let mut told = Leaves::default();
        let [_] = trees.sum::<1, 0, _>(&[], trees.initial(), &mut told);
        let expected = [
            1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22, 25, 26, 29, 30, 32, 35, 37,
        ];
        assert_eq!(told.0, expected);
    }

    #[test]
    fn nodes_lead_to_nodes_or_leaves() {
        // The second tree is one leaf.
        let trees: Trees<0, 1> = Trees::Nodes {
            roots: &[0, !3, 2],
            splits: &[0, 1, 2],
            children: &[[!0, 1], [!1, !2], [!5, !4]],
            offsets: &[0, 3, 4],
            // Two values a leaf.
            values: &[1.0, 0.0, 2.0, 0.0, 4.0, 0.0, 0.0, 7.0, 0.0, 10.0, 0.0, 20.0],
        };
        for (answers, expected, leaves) in [
            ([0, 0, 0], [1.0, 27.0], [0, 3, 5]),
            ([1, 0, 0], [2.0, 27.0], [1, 3, 5]),
            ([1, 1, 0], [4.0, 27.0], [2, 3, 5]),
            ([1, 1, 1], [4.0, 17.0], [2, 3, 4]),
        ] {
            let mut told = Leaves::default();
            let sums: [f64; 2] = trees.sum(&answers, trees.initial(), &mut told);
            assert_eq!(sums, expected, "{answers:?}");
            assert_eq!(told.0, leaves, "{answers:?}");
        }
    }
}
