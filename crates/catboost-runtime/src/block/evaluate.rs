//! The steps of a block.

use core::array;

use super::{
    AskedNumber, Blocks, NoLeaves, Number, Paths, Rows, Scratch,
    kernel::{Index, Kernel, Leaves, MOST_TREES, STRIP, TILE, Words},
    tables::{Borders, Occurrences},
};
use crate::{
    compiled::{Bin, Line, Model, Observer, Row, Shape},
    storage::Storage,
};

/// Bytes of bins and words that stay in the second cache.
const STATE: usize = 384 << 10;
/// Tiles that trees go over before the next trees follow.
const MOST_TILES: usize = 4;
/// Bytes of planes that stay in the first cache.
const PLANES: usize = 16 << 10;
/// Bytes of leaves that stay in the second cache.
const VALUES: usize = 64 << 10;
/// Strips in a tile.
const STRIPS: usize = TILE / STRIP;

/// Rows that are evaluated, and with what.
pub(super) struct Chunk<'a, 'o, S: Storage, P: Shape, R> {
    pub(super) model: &'a Model<S, P>,
    pub(super) blocks: &'a Blocks<S>,
    pub(super) rows: &'a R,
    pub(super) scratch: &'a mut Scratch,
    pub(super) observer: NoLeaves<'o>,
}

/// Trees of one depth that follow each other, and where what they ask begins.
#[derive(Clone, Copy, Default)]
struct Batch {
    depth: usize,
    trees: usize,
    /// The first tree.
    tree: usize,
    /// Its first split, or the first bit of its leaf index.
    split: usize,
    /// Its first choice.
    choice: usize,
}

impl<S: Storage, P: Shape, R: Rows> Chunk<'_, '_, S, P, R> {
    /// Puts in `raw` the raw values of all rows.
    pub(super) fn evaluate<K: Kernel>(&mut self, kernel: K, raw: &mut [f64]) {
        let dimension = self.model.shape.dimension();
        if dimension == 0 {
            return;
        }
        let tile = self.columns() * TILE + self.words().1 * size_of::<Words>();
        let tiles = (STATE / tile.max(1)).clamp(1, MOST_TILES);
        let mut first = 0;
        for raw in raw.chunks_mut(tiles * TILE * dimension) {
            let rows = raw.len() / dimension;
            self.find_bins(kernel, first, rows);
            self.answer(kernel, rows.div_ceil(TILE));
            self.add_trees(kernel, rows.div_ceil(STRIP));
            self.write(kernel, raw);
            first += rows;
        }
    }

    /// Number of columns.
    fn columns(&self) -> usize {
        self.blocks.numbers.len() + self.blocks.fills.len() + self.blocks.token_count
    }

    /// The first word that a tree's choices may take, and the number of words.
    fn words(&self) -> (usize, usize) {
        match &self.blocks.paths {
            Paths::Oblivious { .. } => (0, 0),
            Paths::NonSymmetric { splits, counts, .. } => {
                let most = counts.iter().max().map_or(0, |&count| count as usize);
                (splits.len() + 2, splits.len() + 2 + most)
            }
        }
    }

    /// Numbers, categories, texts and embeddings → bins.
    fn find_bins<K: Kernel>(&mut self, kernel: K, first: usize, rows: usize) {
        let count = self.columns();
        let mut columns = core::mem::take(&mut self.scratch.columns);
        columns.resize(rows.div_ceil(TILE) * count, [0; TILE]);
        for (tile, columns) in columns.chunks_exact_mut(count.max(1)).enumerate() {
            let rows = (rows - tile * TILE).min(TILE);
            let (numbers, others) = columns.split_at_mut(self.blocks.numbers.len());
            self.quantize(kernel, first + tile * TILE, rows, numbers);
            if !others.is_empty() {
                self.fill(first + tile * TILE, rows, numbers, others);
            }
        }
        self.scratch.columns = columns;
    }

    fn quantize<K: Kernel>(
        &mut self,
        kernel: K,
        first: usize,
        rows: usize,
        columns: &mut [[u8; TILE]],
    ) {
        let mut values = [0.0; TILE];
        // The numbers of a row; 0 until rows were read.
        let mut width = 0;
        let is_observed = self.observer.0.is_some();
        for (number, column) in self.blocks.numbers.iter().zip(columns) {
            let input = number.input as usize;
            if is_observed || !self.rows.read_column(input, first, &mut values[..rows]) {
                if width == 0 {
                    self.scratch.floats.clear();
                    for row in first..first + rows {
                        self.rows.push_floats(row, &mut self.scratch.floats);
                    }
                    width = self.scratch.floats.len() / rows;
                    for floats in self.scratch.floats.chunks_exact(width) {
                        self.observer.row(&Row {
                            floats,
                            cats: &[],
                            texts: &[],
                            embeddings: &[],
                        });
                    }
                }
                let rows = self.scratch.floats.chunks_exact(width);
                for (value, row) in values.iter_mut().zip(rows) {
                    *value = row[input];
                }
            }
            let borders = Borders {
                nodes: &self.blocks.borders[number.first as usize..]
                    [..Number::nodes(number.levels)],
                levels: number.levels,
                nan: number.nan,
            };
            let strips = values.as_chunks().0.iter().zip(column.as_chunks_mut().0);
            for (values, bins) in strips.take(rows.div_ceil(STRIP)) {
                kernel.quantize(borders, values, bins);
            }
        }
    }

    /// Row by row: the states of a strip, with the bins of tokens; then, column by column, the other bins.
    fn fill(
        &mut self,
        first: usize,
        rows: usize,
        numbers: &[[u8; TILE]],
        columns: &mut [[u8; TILE]],
    ) {
        let Self {
            model,
            blocks,
            scratch,
            observer,
            ..
        } = self;
        let Scratch {
            slots,
            lines,
            asked,
            ..
        } = &mut **scratch;
        let count = model.shape.slots();
        slots.resize(STRIP * count, 0);
        lines.resize(model.shape.lines(), Line([0; 16]));
        let skipped = blocks.skipped_answers;
        let (columns, token_columns) = columns.split_at_mut(blocks.fills.len());
        token_columns.as_flattened_mut().fill(Occurrences::ABSENT);
        for strip in (0..rows).step_by(STRIP) {
            let strip_rows = (rows - strip).min(STRIP);
            let slots = &mut slots[..strip_rows * count];
            for (row, slots) in (strip..).zip(slots.chunks_exact_mut(count)) {
                let bins = blocks.asked.iter().map(|&AskedNumber { column, group }| {
                    (group, Bin(numbers[column as usize][row].into()))
                });
                asked.clear();
                asked.extend(bins);
                self.rows.with_other_features(first + row, |row| {
                    model.state(row, Some(asked), skipped, slots, lines, observer);
                });
                for tokens in &*blocks.tokens {
                    let word = tokens.word as usize;
                    for column in tokens.columns(lines[word / 16].0[word % 16]) {
                        token_columns[column][row] = Occurrences::PRESENT;
                    }
                }
            }
            for (fill, column) in blocks.fills.iter().zip(&mut *columns) {
                let slots = slots
                    .chunks_exact(count)
                    .map(|slots| &slots[fill.slot.index()..]);
                let bins = column[strip..].iter_mut().zip(slots);
                match fill.answers {
                    0 => {
                        let map = &blocks.maps[fill.map as usize..];
                        bins.for_each(|(bin, slots)| *bin = map[usize::from(slots[0])]);
                    }
                    // Most columns are a single answer.
                    1 => bins.for_each(|(bin, slots)| *bin = slots[0] as u8),
                    answers => bins.for_each(|(bin, slots)| {
                        *bin = slots[..answers as usize].iter().sum::<u16>() as u8;
                    }),
                }
            }
        }
    }

    /// Answers all splits of non-symmetric trees.
    fn answer<K: Kernel>(&mut self, kernel: K, tiles: usize) {
        let Paths::NonSymmetric { splits, .. } = &self.blocks.paths else {
            return;
        };
        let (free, count) = self.words();
        let columns = self.columns();
        let Scratch {
            columns: bins,
            words,
            ..
        } = &mut *self.scratch;
        words.resize(tiles * count, Words([0; STRIPS]));
        for (words, tile) in words.chunks_exact_mut(count).zip(0..) {
            words[0] = Words([0; STRIPS]);
            words[1] = Words([u64::MAX; STRIPS]);
            kernel.answers(
                &bins[tile * columns..][..columns],
                splits,
                &mut words[2..free],
            );
        }
    }

    /// Adds up the leaves of all trees.
    fn add_trees<K: Kernel>(&mut self, kernel: K, strips: usize) {
        let dimension = self.model.shape.dimension();
        self.scratch.sums.clear();
        self.scratch.sums.resize(strips * dimension, [0.0; STRIP]);
        let indices = strips.div_ceil(STRIPS) * MOST_TREES;
        self.scratch.indices.resize(
            indices,
            Index {
                low: [0; TILE],
                high: [0; TILE],
            },
        );
        let mut batch = Batch::default();
        for run in &*self.blocks.runs {
            batch.depth = run.depth as usize;
            let most = if has_planes::<K>(batch.depth) {
                PLANES / plane_bytes(batch.depth)
            } else {
                (VALUES / (8 * dimension)) >> batch.depth
            };
            let end = batch.tree + run.trees as usize;
            while batch.tree < end {
                batch.trees = most.clamp(1, MOST_TREES).min(end - batch.tree);
                self.find_leaves(kernel, batch, strips);
                self.add_leaves(kernel, batch, strips);
                if let Paths::NonSymmetric { counts, .. } = &self.blocks.paths {
                    let counts = &counts[batch.tree..][..batch.trees];
                    batch.choice += counts.iter().map(|&count| count as usize).sum::<usize>();
                }
                batch.split += batch.trees * batch.depth;
                batch.tree += batch.trees;
            }
        }
    }

    /// Finds the leaf indices of some trees.
    fn find_leaves<K: Kernel>(&mut self, kernel: K, batch: Batch, strips: usize) {
        let (columns, (free, count)) = (self.columns(), self.words());
        let Scratch {
            columns: bins,
            words,
            bits: chosen,
            indices,
            ..
        } = &mut *self.scratch;
        for (tile, indices) in indices.chunks_exact_mut(MOST_TREES).enumerate() {
            let indices = &mut indices[..batch.trees];
            match &self.blocks.paths {
                Paths::Oblivious { splits } => {
                    let strips = (strips - tile * STRIPS).min(STRIPS);
                    let splits = &splits[batch.split..][..batch.trees * batch.depth];
                    let bins = &bins[tile * columns..][..columns];
                    kernel.indices(bins, batch.depth, splits, strips, indices);
                }
                Paths::NonSymmetric {
                    choices,
                    counts,
                    bits,
                    ..
                } => {
                    let words = &mut words[tile * count..][..count];
                    let mut choices = &choices[batch.choice..];
                    let mut bits = &bits[batch.split..];
                    for (&count, index) in counts[batch.tree..].iter().zip(indices) {
                        let (own, others) = choices.split_at(count as usize);
                        kernel.select(words, free, own);
                        choices = others;
                        let (own, others) = bits.split_at(batch.depth);
                        chosen.clear();
                        chosen.extend(own.iter().map(|&word| words[word as usize]));
                        bits = others;
                        kernel.spread(chosen, index);
                    }
                }
            }
        }
    }

    /// Adds the leaves of some trees.
    fn add_leaves<K: Kernel>(&mut self, kernel: K, batch: Batch, strips: usize) {
        let dimension = self.model.shape.dimension();
        let Batch {
            depth, trees, tree, ..
        } = batch;
        let offsets = &self.blocks.offsets[tree..=tree + trees];
        let values = self.model.trees.values();
        let leaves = Leaves {
            depth,
            offsets: &offsets[..trees],
            values,
            dimension,
        };
        let Scratch {
            indices,
            planes,
            sums,
            ..
        } = &mut *self.scratch;
        let indices = |strip: usize| {
            (
                &indices[strip / STRIPS * MOST_TREES..][..trees],
                strip % STRIPS,
            )
        };
        if dimension >= K::LEAST_VECTOR {
            let sums = sums.as_flattened_mut().chunks_exact_mut(STRIP * dimension);
            for (sums, strip) in sums.zip(0..strips) {
                let (indices, strip) = indices(strip);
                kernel.add_vectors(indices, strip, leaves, sums);
            }
            return;
        }
        let all = match dimension {
            1 => values,
            _ => &*self.blocks.values,
        };
        for (value, values) in all.chunks_exact(all.len() / dimension).enumerate() {
            let has_planes = has_planes::<K>(depth);
            if has_planes {
                let length = plane_bytes(depth);
                planes.resize(trees * length, 0);
                for (planes, tree) in planes.chunks_exact_mut(length).zip(offsets.windows(2)) {
                    let [first, end] = array::from_fn(|at| tree[at] as usize);
                    kernel.planes(&values[first..end], planes);
                }
            }
            let leaves = Leaves { values, ..leaves };
            for strip in 0..strips {
                let sums = &mut sums[strip * dimension + value];
                let (indices, strip) = indices(strip);
                if has_planes {
                    kernel.add_planes(indices, strip, depth, planes, sums);
                } else {
                    kernel.add_values(indices, strip, leaves, sums);
                }
            }
        }
    }

    /// Sums → raw values.
    fn write<K: Kernel>(&self, _kernel: K, raw: &mut [f64]) {
        let dimension = self.model.shape.dimension();
        let sums = &self.scratch.sums;
        if dimension >= K::LEAST_VECTOR {
            raw.copy_from_slice(&sums.as_flattened()[..raw.len()]);
        } else {
            let strips = raw
                .chunks_mut(STRIP * dimension)
                .zip(sums.chunks_exact(dimension));
            for (raw, sums) in strips {
                for (position, row) in K::ORDER.iter().map(|&row| usize::from(row)).enumerate() {
                    let raw = raw.chunks_exact_mut(dimension).nth(row);
                    for (raw, sums) in raw.into_iter().flatten().zip(sums) {
                        *raw = sums[position];
                    }
                }
            }
        }
        for raw in raw.chunks_exact_mut(dimension) {
            self.model.scale(raw);
        }
    }
}

/// Returns true if trees of this depth are added from planes.
fn has_planes<K: Kernel>(depth: usize) -> bool {
    1 << depth <= K::MOST_LEAVES_IN_PLANES
}

/// Bytes of the planes of a tree. A plane fills a vector register at least.
fn plane_bytes(depth: usize) -> usize {
    8 << depth.max(6)
}
