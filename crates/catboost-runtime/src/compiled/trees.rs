//! Bins → leaves → sums.

use super::{Line, Observer};

/// The trees of a compiled model.
///
/// A leaf index takes `BITS` bits of a [`Line`]'s word; `BITS` is the depth of the deepest tree. The first sixteen trees have the
/// lowest bits of the first line's words, the next sixteen the bits after these, and so on, until fewer than `BITS` are left;
/// then the next line follows.
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
            Self::Levels { .. } | Self::Nodes { .. } => Indices([Line([0; 16]); LINES]),
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
                values,
            } => {
                for &root in roots {
                    let mut at = root;
                    while at >= 0 {
                        let yes = bins[splits[at as usize] as usize] == 1;
                        at = children[at as usize][usize::from(yes)];
                    }
                    sums.add(values, !at as usize);
                }
            }
        }
        sums.sums
    }
}

impl<const LINES: usize> Indices<LINES> {
    /// Sets bits of a word.
    #[inline(always)]
    pub(super) fn set(&mut self, word: usize, mask: u32) {
        self.0[word / 16].0[word % 16] |= mask;
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
        let mut sum = [Line([0; 16]); N];
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
        let leaves = values.len().checked_div(DIMENSION).unwrap_or(0);
        // None is beyond it: to say so to the compiler costs less than a check of each.
        let last = leaves.saturating_sub(1) as u32;
        let leaf = |word: u32, nth: usize, offset: u32| {
            let leaf = word >> (nth * BITS) & const { u32::MAX >> (32 - BITS) };
            last.min(offset + leaf) as usize
        };
        for (Line(words), offsets) in indices.0.iter().zip(offsets.chunks(32 / BITS * 16)) {
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
            self.add(values, leaf as usize);
            added += 1;
        }
        for place in added..added + first {
            self.add(values, waiting[place % AHEAD] as usize);
        }
    }

    #[inline(always)]
    fn add(&mut self, values: &[f64], leaf: usize) {
        let first = leaf * DIMENSION;
        for (sum, value) in self.sums.iter_mut().zip(&values[first..first + DIMENSION]) {
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

    /// Bits that no other row has, and other ones in each word.
    fn word(row: usize, line: usize, word: usize) -> u32 {
        1 << (row * 8 + (line + word) % 8)
    }

    fn row<const LINES: usize>(row: usize) -> [Line; LINES] {
        core::array::from_fn(|line| Line(core::array::from_fn(|nth| word(row, line, nth))))
    }

    fn ors_rows<const LINES: usize>() {
        let rows = [row::<LINES>(0), row(1), row(2)];
        let mut indices = Indices(row::<LINES>(3));
        indices.or(&rows, [2, 0, 2].into_iter());
        for (line, found) in indices.0.iter().enumerate() {
            let expected: [u32; 16] = core::array::from_fn(|nth| {
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
        let mut indices = Indices([Line([1; 16]); 2]);
        indices.set(3, 6);
        indices.set(3, 8);
        indices.set(29, 5);
        assert_eq!(
            indices.0[0].0,
            [1, 1, 1, 15, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
        );
        assert_eq!(
            indices.0[1].0,
            [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 1, 1]
        );
    }

    /// The leaves of trees with two leaves each, the sum of whose values says which were added.
    fn leaves<const LINES: usize, const BITS: usize>(
        trees: usize,
        initial: [Line; LINES],
        rows: Vec<[Line; LINES]>,
        bins: [u16; 2],
    ) -> Vec<usize> {
        let offsets: Vec<u32> = (0..trees as u32).map(|tree| 2 * tree).collect();
        // The sum of other leaves in other order is another.
        let values: Vec<f64> = (0..2 * trees)
            .map(|leaf| (leaf as f64 + 0.5).sqrt())
            .collect();
        let values: &[f64] = values.leak();
        let trees: Trees<LINES, BITS> = Trees::Rows {
            initial,
            rows: rows.leak(),
            starts: &[0, 1],
            offsets: offsets.leak(),
            values,
        };
        let mut told = Leaves::default();
        let [sum] = trees.sum::<1, 2, _>(&bins, trees.initial(), &mut told);
        let expected = told.0.iter().fold(0.0, |sum, &leaf| sum + values[leaf]);
        assert_eq!(sum, expected);
        let answers = told
            .0
            .iter()
            .enumerate()
            .map(|(tree, leaf)| leaf - 2 * tree);
        answers.collect()
    }

    #[test]
    fn packed_indices_are_those_of_the_trees_in_order() {
        // 10 bits an index, three to a word: 48 trees in a line. Of the third bits a few words are left.
        for trees in [1, 15, 16, 17, 39, 48] {
            let mut nothing_but = [0; 16];
            nothing_but[4] = 1 << 10;
            let rows = [[1 << 10; 16], [1; 16], nothing_but, [1 << 20; 16]];
            let rows = rows.map(|words| [Line(words)]).to_vec();
            let leaves = |bins| leaves::<1, 10>(trees, [Line([0; 16])], rows.clone(), bins);
            let are = |is: fn(usize) -> bool| -> Vec<usize> {
                (0..trees).map(|tree| usize::from(is(tree))).collect()
            };
            assert_eq!(leaves([0, 0]), are(|tree| tree < 32), "{trees}");
            assert_eq!(
                leaves([1, 1]),
                are(|tree| tree < 16 || tree == 20),
                "{trees}"
            );
            assert_eq!(leaves([0, 2]), are(|tree| tree >= 16), "{trees}");
        }
    }

    #[test]
    fn a_line_follows_a_line() {
        // An index takes all of a word, or more than half.
        let mut second = [0; 16];
        (second[0], second[2]) = (1, 1);
        let initial = [Line([1; 16]), Line(second)];
        let rows = Vec::from([[Line([0; 16]); 2]; 3]);
        let mut expected = Vec::from([1; 16]);
        expected.extend([1, 0, 1]);
        assert_eq!(leaves::<2, 32>(19, initial, rows.clone(), [0, 0]), expected);
        assert_eq!(leaves::<2, 17>(19, initial, rows, [0, 0]), expected);
    }

    #[test]
    fn nodes_lead_to_nodes_or_leaves() {
        // The second tree is one leaf.
        let trees: Trees<0, 1> = Trees::Nodes {
            roots: &[0, !3, 2],
            splits: &[0, 1, 2],
            children: &[[!0, 1], [!1, !2], [!5, !4]],
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
