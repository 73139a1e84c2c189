//! Operations on a tile of rows, one implementation per instruction set.

use super::tables::{Borders, Split};

/// Rows in a strip: as many bytes as the largest vector registers have.
pub(super) const STRIP: usize = 64;
/// Rows in a tile: a split is broadcast once for all of them.
pub(super) const TILE: usize = 4 * STRIP;

/// Trees that are added one after the other, at most.
pub(super) const MOST_TREES: usize = 16;

/// A bit a row of a tile.
#[repr(align(32))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub(super) [u64; TILE / STRIP]);

/// The leaf index of each row of a tile, byte by byte.
#[repr(align(64))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Index {
    pub(super) low: [u8; TILE],
    pub(super) high: [u8; TILE],
}

/// The leaves of some trees of one depth.
#[derive(Clone, Copy)]
pub(super) struct Leaves<'a> {
    pub(super) depth: usize,
    /// The first leaf of each tree.
    pub(super) offsets: &'a [u32],
    /// From the first leaf of the model on.
    pub(super) values: &'a [f64],
    /// Number of values per leaf.
    pub(super) dimension: usize,
}

/// Positions that are the rows' own.
pub(super) const IN_ORDER: [u8; STRIP] = {
    let mut order = [0; STRIP];
    let mut row = 0;
    while row < STRIP {
        order[row] = row as u8;
        row += 1;
    }
    order
};

/// The loops over rows side by side. A value of the type is the proof that the processor can run them.
pub(super) trait Kernel: Copy {
    /// Which row of a strip each of its sums belongs to.
    const ORDER: [u8; STRIP] = IN_ORDER;
    /// Trees of so many leaves are added from planes; 0 if none are.
    const MOST_LEAVES_IN_PLANES: usize = 0;
    /// Leaves of so many values are added as vectors.
    const LEAST_VECTOR: usize;

    /// Numbers → bins.
    fn quantize(self, borders: Borders<'_>, values: &[f32; STRIP], bins: &mut [u8; STRIP]);

    /// Bins → leaf indices of oblivious trees of one depth, of the first strips of a tile.
    fn indices(
        self,
        columns: &[[u8; TILE]],
        depth: usize,
        splits: &[Split],
        strips: usize,
        indices: &mut [Index],
    );

    /// Bins → answers to splits.
    fn answers(self, columns: &[[u8; TILE]], splits: &[Split], answers: &mut [Words]);

    /// Chooses between words by words; the results stand from word `first` on.
    fn select(self, words: &mut [Words], first: usize, choices: &[[u32; 3]]);

    /// The bits of leaf indices → leaf indices.
    fn spread(self, bits: &[Words], index: &mut Index);

    /// Adds the leaves of trees to the sums of a strip of rows, in order. The trees have more leaves than
    /// [`Kernel::MOST_LEAVES_IN_PLANES`], each of one value.
    fn add_values(
        self,
        indices: &[Index],
        strip: usize,
        leaves: Leaves<'_>,
        sums: &mut [f64; STRIP],
    );

    /// Adds leaves of several values: `sums` has as many a row, row by row.
    fn add_vectors(self, indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64]);

    /// A tree's values → its planes: plane `k` has byte `k` of each value.
    fn planes(self, _values: &[f64], _planes: &mut [u8]) {
        unreachable!("MOST_LEAVES_IN_PLANES is 0");
    }

    /// Adds the leaves of trees to the sums of a strip of rows, in order, from planes.
    fn add_planes(
        self,
        _indices: &[Index],
        _strip: usize,
        _depth: usize,
        _planes: &[u8],
        _sums: &mut [f64; STRIP],
    ) {
        unreachable!("MOST_LEAVES_IN_PLANES is 0");
    }
}
