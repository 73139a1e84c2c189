//! Every kernel against the plain one, step by step.

use std::{vec, vec::Vec};

use super::{
    kernel::{IN_ORDER, Index, Kernel, Leaves, STRIP, TILE, Words},
    portable::Portable,
    tables::{Borders, Number, Split},
};

/// A generator of numbers that are random enough.
pub(super) struct Random(pub(super) u64);

/// Step through the cases of a test: Miri takes every fourth, as it is some thousand times slower.
const STEP: usize = if cfg!(miri) { 4 } else { 1 };

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    pub(super) fn float(&mut self) -> f32 {
        self.below(4001) as f32 / 1000.0 - 2.0
    }
}

const EMPTY: Index = Index {
    low: [0xa5; TILE],
    high: [0x5a; TILE],
};

fn bins_are_counts<K: Kernel>(kernel: K) {
    let mut random = Random(1);
    let counts = [
        0, 1, 2, 3, 7, 8, 14, 15, 16, 30, 31, 32, 63, 64, 100, 127, 128, 253, 254,
    ];
    for count in counts.into_iter().rev().step_by(STEP) {
        let mut borders: Vec<f32> = (0..count).map(|_| random.float()).collect();
        borders.sort_by(f32::total_cmp);
        let levels = Number::levels(count);
        let mut nodes = Vec::new();
        Number::search_tree(&borders, |node| nodes.push(node));
        assert_eq!(nodes.len(), Number::nodes(levels));
        for nan in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values: [f32; STRIP] = core::array::from_fn(|_| random.float());
            values[..5].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0]);
            for (value, &border) in values[5..].iter_mut().step_by(2).zip(&borders) {
                *value = border;
            }
            let mut bins = [0xff; STRIP];
            kernel.quantize(
                Borders {
                    nodes: &nodes,
                    levels,
                    nan,
                },
                &values,
                &mut bins,
            );
            let expected = values.map(|value| {
                let value = if value.is_nan() { nan } else { value };
                borders.iter().filter(|&&border| value > border).count() as u8
            });
            assert_eq!(bins, expected, "{count} borders");
        }
    }
}

fn columns(random: &mut Random, count: usize) -> Vec<[u8; TILE]> {
    (0..count)
        .map(|_| core::array::from_fn(|_| random.below(255) as u8))
        .collect()
}

fn splits(random: &mut Random, columns: usize, count: usize) -> Vec<Split> {
    let split = |_| Split::new(random.below(columns) as u32, random.below(254) as u8);
    (0..count).map(split).collect()
}

fn holds(columns: &[[u8; TILE]], split: Split, row: usize) -> bool {
    columns[split.column()][row] > split.border()
}

fn leaf(index: &Index, depth: usize, row: usize) -> usize {
    let high = if depth > 8 { index.high[row] } else { 0 };
    usize::from(index.low[row]) | usize::from(high) << 8
}

fn indices_are_answers<K: Kernel>(kernel: K) {
    let mut random = Random(2);
    let columns = columns(&mut random, 9);
    for depth in (0..=16).step_by(STEP) {
        for strips in (1..=4).rev().step_by(STEP) {
            let splits = splits(&mut random, columns.len(), 3 * depth);
            let mut indices = [EMPTY; 3];
            kernel.indices(&columns, depth, &splits, strips, &mut indices);
            for (tree, index) in indices.iter().enumerate() {
                for row in 0..strips * STRIP {
                    let splits = splits[tree * depth..][..depth].iter().enumerate();
                    let expected = splits.fold(0, |leaf, (bit, split)| {
                        leaf | usize::from(holds(&columns, *split, row)) << bit
                    });
                    assert_eq!(
                        leaf(index, depth, row),
                        expected,
                        "depth {depth}, row {row}"
                    );
                }
            }
        }
    }
}

fn bits_are_chosen<K: Kernel>(kernel: K) {
    let mut random = Random(3);
    let columns = columns(&mut random, 5);
    let splits = splits(&mut random, columns.len(), 11);
    let mut slots = vec![Words([0; TILE / STRIP]); 30];
    kernel.answers(&columns, &splits, &mut slots[..splits.len()]);
    let bit = |words: &Words, row: usize| words.0[row / STRIP] >> (row % STRIP) & 1;
    for (split, answers) in splits.iter().zip(&slots) {
        for row in 0..TILE {
            let expected = holds(&columns, *split, row);
            assert_eq!(bit(answers, row), u64::from(expected));
        }
    }
    let choices = (11..30).map(|place| [(); 3].map(|()| random.below(place) as u32));
    let choices: Vec<[u32; 3]> = choices.collect();
    kernel.select(&mut slots, 11, &choices);
    for (choice, place) in choices.iter().zip(11..) {
        for row in 0..TILE {
            let [when, yes, no] = choice.map(|slot| bit(&slots[slot as usize], row));
            assert_eq!(bit(&slots[place], row), if when == 1 { yes } else { no });
        }
    }
    for depth in (0..=16).step_by(STEP) {
        let mut index = EMPTY;
        kernel.spread(&slots[..depth], &mut index);
        for row in 0..TILE {
            let bits = slots[..depth].iter().rev();
            let expected = bits.fold(0, |leaf, slot| leaf << 1 | bit(slot, row) as usize);
            assert_eq!(
                leaf(&index, depth, row),
                expected,
                "depth {depth}, row {row}"
            );
        }
    }
}

fn planes_hold_leaves<K: Kernel>(kernel: K) {
    let mut random = Random(4);
    let mut order = K::ORDER;
    order.sort_unstable();
    assert_eq!(order, IN_ORDER);
    for (depth, leaves) in [
        (6, 64),
        (6, 1),
        (3, 8),
        (6, 33),
        (7, 128),
        (8, 256),
        (8, 130),
    ] {
        if 1 << depth > K::MOST_LEAVES_IN_PLANES {
            continue;
        }
        let length = 8 << depth.max(6);
        let mut planes = vec![0; 2 * length];
        let values: Vec<f64> = (0..2 * leaves)
            .map(|_| f64::from(random.float()) / 3.0)
            .collect();
        let trees = values.chunks_exact(leaves);
        for (values, planes) in trees.clone().zip(planes.chunks_exact_mut(length)) {
            kernel.planes(values, planes);
        }
        let indices = [(); 2].map(|()| Index {
            low: core::array::from_fn(|_| random.below(leaves) as u8),
            high: [0; TILE],
        });
        for strip in 0..TILE / STRIP {
            let mut sums: [f64; STRIP] = core::array::from_fn(|at| at as f64 / 7.0);
            kernel.add_planes(&indices, strip, depth, &planes, &mut sums);
            for (at, &row) in K::ORDER.iter().enumerate() {
                let row = strip * STRIP + usize::from(row);
                let added = trees.clone().zip(&indices);
                let expected = added.fold(at as f64 / 7.0, |sum, (values, index)| {
                    sum + values[leaf(index, depth, row)]
                });
                assert_eq!(sums[at].to_bits(), expected.to_bits(), "{leaves} leaves");
            }
        }
    }
}

fn values_are_added<K: Kernel>(kernel: K) {
    let mut random = Random(5);
    for (depth, is_in_order) in [
        (0, true),
        (3, false),
        (7, true),
        (7, false),
        (8, false),
        (9, true),
        (11, false),
    ] {
        let leaves = 1 << depth;
        if leaves <= K::MOST_LEAVES_IN_PLANES {
            continue;
        }
        let values: Vec<f64> = (0..2 * leaves).map(|_| f64::from(random.float())).collect();
        let mut offsets = [0, leaves as u32];
        if !is_in_order {
            offsets.reverse();
        }
        let indices = [(); 2].map(|()| {
            let mut index = EMPTY;
            for row in 0..TILE {
                let leaf = random.below(leaves);
                index.low[row] = leaf as u8;
                if depth > 8 {
                    index.high[row] = (leaf >> 8) as u8;
                }
            }
            index
        });
        let all = Leaves {
            depth,
            offsets: &offsets,
            values: &values,
            dimension: 1,
        };
        for strip in 0..TILE / STRIP {
            let mut sums: [f64; STRIP] = core::array::from_fn(|at| at as f64 / 7.0);
            kernel.add_values(&indices, strip, all, &mut sums);
            for (at, &row) in K::ORDER.iter().enumerate() {
                let row = strip * STRIP + usize::from(row);
                let added = indices.iter().zip(offsets);
                let expected = added.fold(at as f64 / 7.0, |sum, (index, first)| {
                    sum + values[first as usize + leaf(index, depth, row)]
                });
                assert_eq!(sums[at].to_bits(), expected.to_bits(), "depth {depth}");
            }
        }
    }
}

fn is_like_the_plain_one<K: Kernel>(kernel: K) {
    bins_are_counts(kernel);
    indices_are_answers(kernel);
    bits_are_chosen(kernel);
    values_are_added(kernel);
    planes_hold_leaves(kernel);
}

#[test]
fn portable_kernel() {
    is_like_the_plain_one(Portable);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx512_kernel() {
    if let Some(kernel) = super::avx512::Avx512::detect() {
        if cfg!(miri) {
            // Miri lacks `_mm512_cmp_ps_mask` and `_mm512_permutexvar_epi8`, which the other steps use.
            indices_are_answers(kernel);
            bits_are_chosen(kernel);
            values_are_added(kernel);
        } else {
            is_like_the_plain_one(kernel);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx2_kernel() {
    if let Some(kernel) = super::avx2::Avx2::detect() {
        is_like_the_plain_one(kernel);
    }
}
