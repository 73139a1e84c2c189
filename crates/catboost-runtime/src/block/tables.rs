//! Tables that blocks of rows are evaluated with.

use crate::{
    compiled::{Group, Slot},
    emit::{self, emit},
    storage::{Owned, Static, Storage},
    tables,
};

/// A column of bins that is computed from a number: a byte a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Index into [`Row::floats`](crate::compiled::Row::floats).
    pub input: u32,
    /// Value that stands in for NaN; NaN itself is above no border.
    pub nan: f32,
    /// Index of the first border of its search tree.
    pub first: u32,
    /// Number of comparisons of the search: `2^levels - 1` borders, some of them +∞.
    pub levels: u32,
}

impl Number {
    /// Borders that a column can tell apart. A feature with more has several columns.
    pub const MOST_BORDERS: usize = 254;

    /// Returns the number of comparisons that a number of borders takes.
    #[must_use]
    pub const fn levels(borders: usize) -> u32 {
        (borders + 1).next_power_of_two().ilog2()
    }

    /// The length of the search tree of a column with so many levels.
    #[must_use]
    pub const fn nodes(levels: u32) -> usize {
        // No smaller than a vector register.
        if levels < 4 { 16 } else { 1 << levels }
    }

    /// Puts ascending borders in the order in which a search meets them: node `k` is followed by node `2k` or `2k + 1`, the root is 1.
    pub fn search_tree(borders: &[f32], mut put: impl FnMut(f32)) {
        let levels = Self::levels(borders.len());
        let border = |at: usize| borders.get(at).copied().unwrap_or(f32::INFINITY);
        put(f32::INFINITY);
        for level in 0..levels {
            let step = 1_usize << (levels - level);
            (0..1_usize << level).for_each(|nth| put(border(nth * step + step / 2 - 1)));
        }
        (1 << levels..Self::nodes(levels)).for_each(|_| put(f32::INFINITY));
    }
}

/// The search tree of a column.
#[derive(Clone, Copy)]
pub(super) struct Borders<'a> {
    pub(super) nodes: &'a [f32],
    pub(super) levels: u32,
    pub(super) nan: f32,
}

/// Question of a tree: is a row's bin in a column above a border? The column, shifted left by 8 bits, and the border.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Split(pub u32);

impl Split {
    /// A model has fewer columns.
    pub const MOST_COLUMNS: usize = 1 << 24;

    /// The split of a column at a border.
    #[must_use]
    pub const fn new(column: u32, border: u8) -> Self {
        Self(column << 8 | border as u32)
    }

    #[inline(always)]
    pub(super) fn column(self) -> usize {
        (self.0 >> 8) as usize
    }

    #[inline(always)]
    pub(super) fn border(self) -> u8 {
        self.0 as u8
    }
}

/// A column of bins that is made, row by row, of the slots of the row's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The first slot.
    pub slot: Slot,
    /// The bin is the sum of so many slots, which are answers. If 0, it is looked up by the only slot.
    pub answers: u32,
    /// Index among the maps of the bins of the slot's first value.
    pub map: u32,
}

/// Columns of tokens that have no slot: each sets a bit of a word of a row's leaf indices. Their bins are
/// [`Occurrences::ABSENT`] and [`Occurrences::PRESENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrences {
    /// Index of the word.
    pub word: u32,
    /// Bits of the tokens. Each has a column, in the order of the bits.
    pub mask: u32,
    /// Index of the first column among those of tokens.
    pub first: u32,
}

impl Occurrences {
    /// Bin of a text without the token: above border 0, which stands for all borders below 0.
    pub const ABSENT: u8 = 1;
    /// Bin of a text with the token: above border 1, too, which stands for the borders from 0 to 1.
    pub const PRESENT: u8 = 2;

    /// Returns the columns of the tokens that set their bits in `word`.
    #[inline(always)]
    pub(super) fn columns(self, word: u32) -> impl Iterator<Item = usize> {
        let mut found = word & self.mask;
        core::iter::from_fn(move || {
            let lowest = found & found.wrapping_neg();
            found ^= lowest;
            let below = self.mask & lowest.wrapping_sub(1);
            (lowest != 0).then(|| (self.first + below.count_ones()) as usize)
        })
    }
}

/// A column of a number that combinations of categories ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedNumber {
    /// Index into [`Blocks::numbers`].
    pub column: u32,
    /// Group of the number in the row's state. Its bin is the sum of the number's columns.
    pub group: Group,
}

/// Trees of one depth that follow each other. A non-symmetric tree's depth is the number of bits of its leaf indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The depth.
    pub depth: u32,
    /// Number of trees.
    pub trees: u32,
}

/// Way in which the leaf of a row is found.
pub enum Paths<S: Storage = Static> {
    /// Bit `k` of the leaf index is the answer to the tree's split `k`.
    Oblivious {
        /// The splits of all trees.
        splits: S::Slice<Split>,
    },
    /// The bits of leaf indices are chosen, from the leaves to the root.
    NonSymmetric {
        /// Questions of the trees. The answers are in words 2 and up; word 0 is all 0, word 1 all 1.
        splits: S::Slice<Split>,
        /// Choices, tree by tree: by the first word between the second, if it is 1, and the third. A tree's results are in
        /// the words after the answers.
        choices: S::Slice<[u32; 3]>,
        /// Number of choices of each tree.
        counts: S::Slice<u32>,
        /// The words that are the bits of each tree's leaf indices.
        bits: S::Slice<u32>,
    },
}

/// The tables that blocks of rows are evaluated with, beside the model's own.
pub struct Blocks<S: Storage = Static> {
    /// Columns that are made of numbers: the first ones.
    pub numbers: S::Slice<Number>,
    /// Their search trees.
    pub borders: S::Slice<f32>,
    /// Columns that are made of slots: those after the numbers'.
    pub fills: S::Slice<Fill>,
    /// The last columns.
    pub tokens: S::Slice<Occurrences>,
    /// Number of columns of tokens.
    pub token_count: usize,
    /// Bins by the value of a slot.
    pub maps: S::Slice<u8>,
    /// Columns of numbers that other columns depend on, too.
    pub asked: S::Slice<AskedNumber>,
    /// Number of the model's first [`Answers`](crate::compiled::Answers) that only say what splits ask of numbers.
    pub skipped_answers: usize,
    /// The trees in order.
    pub runs: S::Slice<Run>,
    /// Way in which their leaves are found.
    pub paths: Paths<S>,
    /// The first leaf of each tree, and the number of all leaves.
    pub offsets: S::Slice<u32>,
    /// The first value of all leaves, then the second, and so on; empty if leaves have one.
    pub values: S::Slice<f64>,
}

emit::pooled!(Split);
tables::plain!(Split "SPLITS" |split| [split.0]);
emit!(struct Number Number { input, nan, first, levels });
emit!(struct Fill Fill { slot, answers, map });
emit!(struct Occurrences Occurrences { word, mask, first });
emit!(struct AskedNumber AskedNumber { column, group });
emit!(struct Run Run { depth, trees });
emit!(enum Paths Paths<Owned> {
    Oblivious { splits },
    NonSymmetric { splits, choices, counts, bits },
});
emit!(struct Blocks Blocks<Owned> {
    numbers, borders, fills, tokens, token_count, maps, asked, skipped_answers, runs, paths, offsets, values,
});
