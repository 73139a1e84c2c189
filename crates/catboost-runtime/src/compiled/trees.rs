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
mod tests {
    use std::vec::Vec;

    use super::{AHEAD, Answer, Line, Observer, Trees, or, set};
    use crate::compiled::{Const, Dynamic, Shape as _};

    /// Notes leaves.
    #[derive(Default)]
    struct Leaves(Vec<usize>);

    impl Observer for Leaves {
        fn leaf(&mut self, leaf: usize) {
            self.0.push(leaf);
        }
    }

    /// The sums, which are the same if the sizes are no constants.
    fn sum<const DIMENSION: usize, const SLOTS: usize, const LINES: usize, const BITS: usize>(
        trees: &Trees,
        slots: &[u16; SLOTS],
        told: &mut impl Observer,
    ) -> [f64; DIMENSION] {
        let mut indices = [Line([0; 16]); LINES];
        let (mut sums, mut same) = ([7.0; DIMENSION], [7.0; DIMENSION]);
        trees.begin(&mut indices);
        let shape = Const::<DIMENSION, SLOTS, LINES, BITS>;
        trees.sum(shape, slots, &mut indices, &mut sums, told);
        let shape = Dynamic {
            dimension: shape.dimension(),
            slots: shape.slots(),
            lines: shape.lines(),
            bits: BITS,
        };
        if BITS <= 16 {
            trees.begin(&mut indices);
            trees.sum(shape, slots, &mut indices, &mut same, &mut ());
            assert_eq!(sums, same);
        }
        sums
    }

    fn answers(places: &[u32]) -> &'static [Answer] {
        let answers: Vec<Answer> = places.iter().copied().map(Answer).collect();
        answers.leak()
    }

    #[test]
    fn answers_are_bits_of_the_leaf_index() {
        // Of depth 2, of depth 0, of depth 1; the first answer is always 0.
        let trees: Trees = Trees::Levels {
            splits: answers(&[1, 3, 0, 0, 2, 0]),
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
            let sum = sum::<1, 4, 0, 2>(&trees, &answers, &mut ());
            assert_eq!(sum, [expected], "{answers:?}");
        }
    }

    /// Fewer trees than leaves are fetched ahead, as many, and more.
    #[test]
    fn walked_trees_are_added_up_in_order() {
        const MOST: usize = 3 * AHEAD + 1;
        let splits: [Answer; MOST] = core::array::from_fn(|tree| Answer(tree as u32 % 3));
        let offsets: [u32; MOST] = core::array::from_fn(|tree| 2 * tree as u32);
        let values: [f64; 4 * MOST] = core::array::from_fn(|at| f64::from(at as u32).sqrt());
        let (splits, offsets) = (Vec::leak(splits.to_vec()), Vec::leak(offsets.to_vec()));
        let values: &[f64] = Vec::leak(values.to_vec());
        let answers = [0, 1, 0];
        for count in [0, 1, AHEAD - 1, AHEAD, AHEAD + 1, 2 * AHEAD, MOST] {
            let trees: Trees = Trees::Levels {
                splits: &splits[..count],
                offsets: &offsets[..count],
                values,
            };
            let mut told = Leaves::default();
            let sums = sum::<2, 3, 0, 1>(&trees, &answers, &mut told);
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
        let trees: Trees = Trees::Levels {
            splits: answers(&[0, 0, 1, 3, 0, 2]),
            offsets: &[0, 4, 8],
            values: &[0.0; 12],
        };
        sum::<1, 3, 0, 2>(&trees, &[0; 3], &mut ());
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
        let mut indices = row::<LINES>(3);
        or(&mut indices, rows.as_flattened(), [2, 0, 2].into_iter());
        for (line, found) in indices.iter().enumerate() {
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
        let mut indices = [Line([1; 16]); 2];
        set(&mut indices, 3, 6);
        set(&mut indices, 3, 8);
        set(&mut indices, 29, 5);
        assert_eq!(
            indices[0].0,
            [1, 1, 1, 15, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
        );
        assert_eq!(
            indices[1].0,
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
        let trees: Trees = Trees::Rows {
            initial: Vec::from(initial).leak(),
            rows: rows.concat().leak(),
            starts: &[0, 1],
            offsets: offsets.leak(),
            values,
        };
        let mut told = Leaves::default();
        let [sum] = sum::<1, 2, LINES, BITS>(&trees, &bins, &mut told);
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
        let trees: Trees = Trees::Nodes {
            roots: &[0, !3, 2],
            splits: answers(&[0, 1, 2]),
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
            let sums = sum::<2, 3, 0, 1>(&trees, &answers, &mut told);
            assert_eq!(sums, expected, "{answers:?}");
            assert_eq!(told.0, leaves, "{answers:?}");
        }
    }
}
