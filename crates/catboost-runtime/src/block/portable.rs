//! The kernel in plain Rust: for processors that have none of their own, and what the others are tested against.

use super::{
    kernel::{IN_ORDER, Index, Kernel, Leaves, MOST_TREES, STRIP, TILE, Words},
    tables::{Borders, Split},
};

/// Runs anywhere.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    const LEAST_VECTOR: usize = 4;

    fn quantize(self, borders: Borders<'_>, values: &[f32; STRIP], bins: &mut [u8; STRIP]) {
        quantize(borders, values, bins);
    }

    fn indices(
        self,
        columns: &[[u8; TILE]],
        depth: usize,
        splits: &[Split],
        strips: usize,
        indices: &mut [Index],
    ) {
        oblivious(columns, depth, splits, strips, indices);
    }

    fn answers(self, columns: &[[u8; TILE]], splits: &[Split], answers: &mut [Words]) {
        for (split, answers) in splits.iter().zip(answers) {
            *answers = answer(&columns[split.column()], split.border());
        }
    }

    fn select(self, words: &mut [Words], first: usize, choices: &[[u32; 3]]) {
        select(words, first, choices);
    }

    fn spread(self, bits: &[Words], index: &mut Index) {
        spread(bits, index);
    }

    fn add_vectors(self, indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64]) {
        add_vectors(indices, strip, leaves, sums);
    }

    fn add_values(
        self,
        indices: &[Index],
        strip: usize,
        leaves: Leaves<'_>,
        sums: &mut [f64; STRIP],
    ) {
        add_values(indices, strip, leaves, sums);
    }
}

#[inline(always)]
pub(super) fn quantize(borders: Borders<'_>, values: &[f32; STRIP], bins: &mut [u8; STRIP]) {
    let nodes = 1_usize << borders.levels;
    let mut node = [1_usize; STRIP];
    let value = values.map(|value| if value.is_nan() { borders.nan } else { value });
    for _ in 0..borders.levels {
        for (node, value) in node.iter_mut().zip(value) {
            // NaN is above nothing.
            *node = 2 * *node + usize::from(value > borders.nodes[*node & (nodes - 1)]);
        }
    }
    for (bin, node) in bins.iter_mut().zip(node) {
        *bin = (node - nodes) as u8;
    }
}

#[inline(always)]
pub(super) fn oblivious(
    columns: &[[u8; TILE]],
    depth: usize,
    splits: &[Split],
    strips: usize,
    indices: &mut [Index],
) {
    for (tree, index) in indices.iter_mut().enumerate() {
        let splits = &splits[tree * depth..][..depth];
        let (low, high) = splits.split_at(splits.len().min(8));
        for (splits, index) in [(low, &mut index.low), (high, &mut index.high)] {
            for strip in index.as_chunks_mut::<STRIP>().0[..strips].iter_mut() {
                *strip = [0; STRIP];
            }
            for split in splits.iter().rev() {
                let column = columns[split.column()].as_chunks::<STRIP>().0;
                let index = index.as_chunks_mut::<STRIP>().0;
                for (index, column) in index[..strips].iter_mut().zip(column) {
                    for (index, &bin) in index.iter_mut().zip(column) {
                        *index = *index << 1 | u8::from(bin > split.border());
                    }
                }
            }
        }
    }
}

#[inline(always)]
pub(super) fn answer(column: &[u8; TILE], border: u8) -> Words {
    let words = column.as_chunks::<STRIP>().0;
    let mut answers = Words([0; TILE / STRIP]);
    for (answers, word) in answers.0.iter_mut().zip(words) {
        for (place, bytes) in word.as_chunks::<8>().0.iter().enumerate() {
            let above = bytes.map(|bin| u8::from(bin > border));
            // Bit `k` of the topmost byte is byte `k`.
            let bits = u64::from_le_bytes(above).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            *answers |= bits << (8 * place);
        }
    }
    answers
}

#[inline(always)]
pub(super) fn select(words: &mut [Words], first: usize, choices: &[[u32; 3]]) {
    for (place, choice) in (first..).zip(choices) {
        let [when, yes, no] = choice.map(|word| words[word as usize].0);
        words[place].0 =
            core::array::from_fn(|word| when[word] & yes[word] | !when[word] & no[word]);
    }
}

#[inline(always)]
pub(super) fn spread(bits: &[Words], index: &mut Index) {
    let (low, high) = bits.split_at(bits.len().min(8));
    for (bits, index) in [(low, &mut index.low), (high, &mut index.high)] {
        *index = [0; TILE];
        for (bit, words) in bits.iter().enumerate() {
            for (bytes, place) in index.as_chunks_mut::<8>().0.iter_mut().zip(0..) {
                let eight = words.0[place / 8] >> (place % 8 * 8) & 0xff;
                // Byte `k` is bit `k`, then 0 or 1, then 0 or the index's bit.
                let each = eight.wrapping_mul(0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
                let each = (each + 0x7f7f_7f7f_7f7f_7f7f) >> 7 & 0x0101_0101_0101_0101;
                *bytes = (u64::from_le_bytes(*bytes) | each << bit).to_le_bytes();
            }
        }
    }
}

/// Rows whose sums stay in registers.
const AT_ONCE: usize = 8;

/// Adds the leaves of trees to the sums of a strip of rows, which are in the order of the rows.
#[inline(always)]
pub(super) fn add_values(
    indices: &[Index],
    strip: usize,
    leaves: Leaves<'_>,
    sums: &mut [f64; STRIP],
) {
    if leaves.depth <= 8 {
        add_shallow(indices, strip, leaves, sums);
    } else {
        add_deep(indices, strip, leaves, &IN_ORDER, sums);
    }
}

/// [`add_values`] of trees whose leaf indices are bytes.
#[inline(always)]
fn add_shallow(indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64; STRIP]) {
    // Each array is the 256 values from a tree's first leaf on, so that no index is checked. Near the model's end there
    // are fewer; those trees are added below.
    let mut trees = [&[0.0; 256]; MOST_TREES];
    let mut count = 0;
    for (tree, &first) in trees.iter_mut().zip(leaves.offsets) {
        let Some(values) = leaves.values[first as usize..].first_chunk() else {
            break;
        };
        *tree = values;
        count += 1;
    }
    let eights = sums.as_chunks_mut::<AT_ONCE>().0;
    for (eight, at) in eights.iter_mut().zip(strip * STRIP / AT_ONCE..) {
        let mut own = *eight;
        for (index, tree) in indices.iter().zip(&trees[..count]) {
            let places = &index.low.as_chunks::<AT_ONCE>().0[at];
            for (sum, &place) in own.iter_mut().zip(places) {
                *sum += tree[usize::from(place)];
            }
        }
        *eight = own;
    }
    for (index, &first) in indices.iter().zip(leaves.offsets).skip(count) {
        let values = &leaves.values[first as usize..];
        for (sum, &place) in sums.iter_mut().zip(&index.low[strip * STRIP..]) {
            *sum += values[usize::from(place)];
        }
    }
}

/// Adds the leaves of trees whose leaf indices have two bytes. Sum `k` is that of row `order[k]`.
#[inline(always)]
pub(super) fn add_deep(
    indices: &[Index],
    strip: usize,
    leaves: Leaves<'_>,
    order: &[u8; STRIP],
    sums: &mut [f64; STRIP],
) {
    let mut places = [[0_u16; STRIP]; MOST_TREES];
    for (places, index) in places.iter_mut().zip(indices) {
        let rows = strip * STRIP..(strip + 1) * STRIP;
        let (low, high) = (&index.low[rows.clone()], &index.high[rows]);
        for ((place, &low), &high) in places.iter_mut().zip(low).zip(high) {
            *place = u16::from_le_bytes([low, high]);
        }
    }
    let places = &places[..indices.len()];
    let (order, sums) = (
        order.as_chunks::<AT_ONCE>().0,
        sums.as_chunks_mut::<AT_ONCE>().0,
    );
    for (order, sums) in order.iter().zip(sums) {
        let rows = order.map(|row| usize::from(row) % STRIP);
        let mut eight = *sums;
        for (places, &first) in places.iter().zip(leaves.offsets) {
            let values = &leaves.values[first as usize..];
            for (&row, sum) in rows.iter().zip(&mut eight) {
                *sum += values[usize::from(places[row])];
            }
        }
        *sums = eight;
    }
}

/// Rows whose vectors of sums stay in registers.
const VECTORS_AT_ONCE: usize = 1;

/// Adds leaves of several values: `sums` has as many a row, row by row.
#[inline(always)]
pub(super) fn add_vectors(indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64]) {
    let mut first = 0;
    while first < leaves.dimension {
        let rest = leaves.dimension - first;
        first += match rest {
            8.. => add_lanes::<8>(indices, strip, leaves, first, sums),
            4.. => add_lanes::<4>(indices, strip, leaves, first, sums),
            2.. => add_lanes::<2>(indices, strip, leaves, first, sums),
            _ => add_lanes::<1>(indices, strip, leaves, first, sums),
        };
    }
}

/// Adds the `LANES` values from the `first` on of each leaf.
#[inline(always)]
fn add_lanes<const LANES: usize>(
    indices: &[Index],
    strip: usize,
    leaves: Leaves<'_>,
    first: usize,
    sums: &mut [f64],
) -> usize {
    let Leaves {
        depth,
        offsets,
        values,
        dimension,
    } = leaves;
    let rows = sums.chunks_exact_mut(VECTORS_AT_ONCE * dimension);
    for (rows, at) in rows.zip((strip * STRIP..).step_by(VECTORS_AT_ONCE)) {
        let mut vectors = [[0.0; LANES]; VECTORS_AT_ONCE];
        for (vector, sums) in vectors.iter_mut().zip(rows.chunks_exact(dimension)) {
            vector.copy_from_slice(&sums[first..first + LANES]);
        }
        for (index, &offset) in indices.iter().zip(offsets) {
            for (nth, vector) in vectors.iter_mut().enumerate() {
                let row = (at + nth) % TILE;
                let mut leaf = usize::from(index.low[row]);
                if depth > 8 {
                    leaf |= usize::from(index.high[row]) << 8;
                }
                let values = &values[(offset as usize + leaf) * dimension + first..][..LANES];
                for (sum, value) in vector.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        for (vector, sums) in vectors.iter().zip(rows.chunks_exact_mut(dimension)) {
            sums[first..first + LANES].copy_from_slice(vector);
        }
    }
    LANES
}
