//! Leaves and answers of rows that are explained later.

use alloc::vec::Vec;

use crate::{
    compiled::{Model, Observer, Row, Scratch, Shape, Trees},
    storage::Storage,
};

/// Leaves of rows, one row after the other, for [`Explain::explain`](super::Explain::explain) and [`Model::stages`].
#[derive(Clone, Debug, Default)]
pub struct Leaves {
    scratch: Scratch,
    /// Leaf of each tree, indexed over all the trees.
    pub(crate) leaves: Vec<u32>,
    /// Bitmap of the answers at the inner nodes of non-symmetric trees.
    answers: Vec<u64>,
    /// Number of answers.
    count: usize,
}

/// Number of answers in a word.
const BITS: usize = u64::BITS as usize;

/// The leaf of each tree, indexed over all the trees.
impl AsRef<[u32]> for Leaves {
    fn as_ref(&self) -> &[u32] {
        &self.leaves
    }
}

impl Leaves {
    /// Creates an empty list with capacity for `trees` trees.
    #[must_use]
    pub fn with_capacity(trees: usize) -> Self {
        Self {
            leaves: Vec::with_capacity(trees),
            ..Self::default()
        }
    }

    /// Returns the leaf of each tree, indexed over all the trees.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.leaves
    }

    /// Appends the leaves of a row, and writes its raw values to `raw`.
    ///
    /// # Panics
    /// If the length of `raw` is not the model's dimension.
    pub fn push<S: Storage, P: Shape>(
        &mut self,
        model: &Model<S, P>,
        row: Row<'_>,
        raw: &mut [f64],
    ) {
        assert_eq!(
            raw.len(),
            model.shape.dimension(),
            "a row has as many raw values as the model has dimensions"
        );
        let leaves = &mut Collector(&mut self.leaves);
        model.raw_and_leaves(row, &mut self.scratch, raw, leaves);
        if let Trees::Nodes { splits, .. } = &model.trees {
            for answer in &**splits {
                let bit = self.count % BITS;
                if bit == 0 {
                    self.answers.push(0);
                }
                if let Some(last) = self.answers.last_mut() {
                    *last |= u64::from(self.scratch.is_yes(*answer)) << bit;
                }
                self.count += 1;
            }
        }
    }

    /// Returns the answers of the row that begins with number `first`.
    pub(super) fn answers(&self, first: usize) -> Answers<'_> {
        Answers {
            words: &self.answers,
            first,
        }
    }
}

/// Observer that appends leaves to a list.
struct Collector<'a>(&'a mut Vec<u32>);

impl Observer for Collector<'_> {
    #[inline(always)]
    fn leaf(&mut self, leaf: usize) {
        self.0.push(leaf as u32);
    }
}

/// Answers of a row at the inner nodes of all non-symmetric trees.
#[derive(Clone, Copy)]
pub(super) struct Answers<'a> {
    words: &'a [u64],
    first: usize,
}

impl Answers<'_> {
    /// Returns the answer at an inner node, indexed over all the trees.
    #[inline(always)]
    pub(super) fn is_yes(self, split: u32) -> bool {
        let bit = self.first + split as usize;
        self.words[bit / BITS] >> (bit % BITS) & 1 == 1
    }
}
