use std::vec::Vec;

use super::{AHEAD, Answer, Line, Observer, Trees, or, set};
use crate::compiled::{Const, Dynamic, Shape as _};

/// Collects leaves.
#[derive(Default)]
struct Leaves(Vec<usize>);

impl Observer for Leaves {
    fn leaf(&mut self, leaf: usize) {
        self.0.push(leaf);
    }
}

/// Returns the sums, after checking that they are the same if the sizes are not constants.
fn sum<const DIMENSION: usize, const SLOTS: usize, const LINES: usize, const BITS: usize>(
    trees: &Trees,
    slots: &[u16; SLOTS],
    told: &mut impl Observer,
) -> [f64; DIMENSION] {
    let mut indices = [Line([0; 16]); LINES];
    let (mut sums, mut same) = ([7.0; DIMENSION], [7.0; DIMENSION]);
    trees.begin(&mut indices);
    let shape = Const::<DIMENSION, SLOTS, LINES, BITS>;
    trees.sum::<_, true>(shape, slots, &mut indices, &mut sums, told);
    let shape = Dynamic {
        dimension: shape.dimension(),
        slots: shape.slots(),
        lines: shape.lines(),
        bits: BITS,
    };
    if BITS <= 16 {
        trees.begin(&mut indices);
        trees.sum::<_, true>(shape, slots, &mut indices, &mut same, &mut ());
        assert_eq!(sums.map(f64::to_bits), same.map(f64::to_bits));
        trees.begin(&mut indices);
        trees.sum::<_, false>(shape, slots, &mut indices, &mut same, &mut ());
        assert_eq!(sums.map(f64::to_bits), same.map(f64::to_bits));
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

/// Tests fewer trees than are prefetched, as many, and more.
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

/// Bits that no other row has, different in each word.
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

/// Leaves of trees with two leaves each, whose values make the sum of any other leaves or order differ.
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
    // 10 bits per index, three to a word: 48 trees per line. Some words of the last third are unused.
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
