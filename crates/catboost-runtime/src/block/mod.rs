//! Many rows at once.
//!
//! A single row goes through all steps on its own; a block goes from step to step as a whole:
//!
//! 1. **Bins.** Feature by feature: the bins of a feature are a *column*, a byte per row. A feature with more than 254 borders
//!    has several columns. The bins of categories, texts and embeddings are found row by row, as for a single row.
//! 2. **Leaf indices.** Tree by tree, a *tile* of 256 rows at a time: a split of an oblivious tree is one comparison of bytes
//!    for 64 rows. In non-symmetric trees every split is answered for all rows, as a bit each, and the bits of the leaf
//!    indices are chosen from the leaves to the root.
//! 3. **Sums.** With AVX-512, byte `k` of all leaves of a tree is a *plane*. A plane of 64 leaves fits a vector register, so
//!    that eight byte shuffles and three rounds of interleaving fetch the leaves of 64 rows. Elsewhere, and for trees of more
//!    than 256 leaves, the leaves are loaded row by row, and the sums of eight rows stay in registers. AVX2 and portable code
//!    add a leaf of four values or more as a vector.
//!
//! Trees are taken in order, and each row's sum is added up in f64 in that order: the bits are those of a single row.

#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod avx2;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod avx512;
mod evaluate;
mod kernel;
mod portable;
mod tables;

use alloc::vec::Vec;

use crate::{
    compiled::{Bin, Group, Line, Model, Observer, Row, Shape},
    storage::Storage,
};
use evaluate::Chunk;
use kernel::{Index, Kernel, STRIP, TILE, Words};
pub use tables::{AskedNumber, Blocks, Fill, Number, Occurrences, Paths, Run, Split};

/// With fewer rows than this, one after the other is faster: a block takes as long as 64 rows.
const LEAST_ROWS: usize = 24;

/// Number of rows whose leaves are added together if all else is done row by row: the additions of a single row wait for
/// each other.
const TOGETHER: usize = 8;

/// The rows of a block.
pub trait Rows {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Returns true if there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over a row.
    fn with_row<R>(&self, row: usize, then: impl FnOnce(Row<'_>) -> R) -> R;

    /// [`Rows::with_row`] where the row's numbers are not needed: [`Row::floats`] may be empty.
    fn with_other_features<R>(&self, row: usize, then: impl FnOnce(Row<'_>) -> R) -> R {
        self.with_row(row, then)
    }

    /// Appends a row's [`Row::floats`].
    fn push_floats(&self, row: usize, floats: &mut Vec<f32>) {
        self.with_row(row, |row| floats.extend_from_slice(row.floats));
    }

    /// Reads number `input` of [`Row::floats`] of the rows from `first` on, as many as there is room for. Returns false, which is
    /// what it does unless it is written anew, if numbers are read row by row.
    fn read_column(&self, _input: usize, _first: usize, _values: &mut [f32]) -> bool {
        false
    }
}

/// Vector instructions that blocks may be evaluated with, where the processor has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Instructions {
    /// Instructions that the compiler may use everywhere.
    Portable,
    /// AVX2 as well.
    Avx2,
    /// All that the processor has.
    #[default]
    All,
}

/// Memory that blocks are evaluated in, of any models. It is allocated when it is first used, and reused from then on.
#[derive(Debug, Default)]
pub struct Scratch {
    instructions: Instructions,
    /// The numbers of a tile, row by row.
    floats: Vec<f32>,
    /// The states of a strip of rows.
    slots: Vec<u16>,
    lines: Vec<Line>,
    /// Bins of a row that its combinations of categories ask for.
    asked: Vec<(Group, Bin)>,
    /// Bins, tile by tile, column by column.
    columns: Vec<[u8; TILE]>,
    /// Masks and leaves of non-symmetric trees, tile by tile.
    words: Vec<Words>,
    /// The bits of the leaf indices of a tree.
    bits: Vec<Words>,
    /// Leaf indices, tile by tile, tree by tree.
    indices: Vec<Index>,
    /// The planes of some trees.
    planes: Vec<u8>,
    /// Strip by strip: value by value, or, where leaves are added as vectors, row by row.
    sums: Vec<[f64; STRIP]>,
}

impl Scratch {
    /// A scratch whose blocks are evaluated with no more than these instructions: to compare them. The answers are the same.
    #[must_use]
    pub fn with_instructions(instructions: Instructions) -> Self {
        Self {
            instructions,
            ..Self::default()
        }
    }
}

impl<S: Storage, P: Shape> Model<S, P> {
    /// Puts in `raw` the raw values of each row, row by row. `blocks` is `None` for a model whose rows are evaluated one by one.
    ///
    /// # Panics
    /// If `raw` has not room for as many values.
    pub fn raw_block(
        &self,
        blocks: Option<&Blocks<S>>,
        rows: &impl Rows,
        scratch: &mut Scratch,
        raw: &mut [f64],
    ) {
        self.evaluate_block(blocks, rows, scratch, raw, NoLeaves(None));
    }

    /// [`Self::raw_block`], which also reports to `observer` what the evaluation meets, except for leaves. Of the rows,
    /// the numbers alone are reported for certain.
    ///
    /// # Panics
    /// As [`Self::raw_block`].
    pub fn raw_block_observed(
        &self,
        blocks: Option<&Blocks<S>>,
        rows: &impl Rows,
        scratch: &mut Scratch,
        raw: &mut [f64],
        observer: &mut dyn Observer,
    ) {
        self.evaluate_block(blocks, rows, scratch, raw, NoLeaves(Some(observer)));
    }

    fn evaluate_block(
        &self,
        blocks: Option<&Blocks<S>>,
        rows: &impl Rows,
        scratch: &mut Scratch,
        raw: &mut [f64],
        observer: NoLeaves<'_>,
    ) {
        let expected = rows.len() * self.shape.dimension();
        assert_eq!(
            raw.len(),
            expected,
            "there is room for each row's raw values"
        );
        match blocks {
            Some(blocks) if rows.len() >= LEAST_ROWS => {
                let chunk = Chunk {
                    model: self,
                    blocks,
                    rows,
                    scratch,
                    observer,
                };
                let instructions = chunk.scratch.instructions;
                with_kernel(instructions, Evaluate { chunk, raw });
            }
            _ => self.raw_one_by_one(rows, scratch, raw, observer),
        }
    }

    fn raw_one_by_one(
        &self,
        rows: &impl Rows,
        scratch: &mut Scratch,
        raw: &mut [f64],
        mut observer: NoLeaves<'_>,
    ) {
        let Scratch { slots, lines, .. } = scratch;
        slots.resize(self.shape.slots(), 0);
        let (mut first, mut raw) = (0, raw);
        if let (Some(count @ 1..), 1) = (self.trees.lines_of_rows(), self.shape.dimension()) {
            lines.resize(TOGETHER * count, Line([0; 16]));
            let (groups, rest) = raw.as_chunks_mut::<TOGETHER>();
            for raw in groups {
                for (row, lines) in (first..).zip(lines.chunks_exact_mut(count)) {
                    rows.with_row(row, |row| self.indices(row, slots, lines, &mut observer));
                }
                self.sum_together(lines, raw);
                first += TOGETHER;
            }
            raw = rest;
        }
        lines.resize(self.shape.lines(), Line([0; 16]));
        for (row, raw) in (first..).zip(raw.chunks_exact_mut(self.shape.dimension().max(1))) {
            rows.with_row(row, |row| {
                self.raw_into(row, slots, lines, raw, &mut observer)
            });
        }
    }
}

/// An observer, if there is one, that is told of all but leaves. One type for all observers, so that a model is compiled
/// once for blocks.
struct NoLeaves<'a>(Option<&'a mut dyn Observer>);

impl Observer for NoLeaves<'_> {
    fn row(&mut self, row: &Row<'_>) {
        if let Some(observer) = &mut self.0 {
            observer.row(row);
        }
    }

    fn unseen(&mut self, cat: usize) {
        if let Some(observer) = &mut self.0 {
            observer.unseen(cat);
        }
    }

    fn unknown_token(&mut self, text: usize) {
        if let Some(observer) = &mut self.0 {
            observer.unknown_token(text);
        }
    }
}

/// Something that a kernel does.
trait WithKernel {
    fn run<K: Kernel>(self, kernel: K);
}

struct Evaluate<'a, 'o, S: Storage, P: Shape, R> {
    chunk: Chunk<'a, 'o, S, P, R>,
    raw: &'a mut [f64],
}

impl<S: Storage, P: Shape, R: Rows> WithKernel for Evaluate<'_, '_, S, P, R> {
    fn run<K: Kernel>(mut self, kernel: K) {
        self.chunk.evaluate(kernel, self.raw);
    }
}

/// Does it with the best kernel that the processor can run.
fn with_kernel(instructions: Instructions, what: impl WithKernel) {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    {
        if instructions >= Instructions::All
            && let Some(kernel) = avx512::Avx512::detect()
        {
            return what.run(kernel);
        }
        if instructions >= Instructions::Avx2
            && let Some(kernel) = avx2::Avx2::detect()
        {
            return what.run(kernel);
        }
    }
    let _ = instructions;
    what.run(portable::Portable);
}

#[cfg(test)]
mod tests;
