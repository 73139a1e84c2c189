//! Leaves and answers of rows that are explained later.

use alloc::vec::Vec;

use crate::compiled::Observer;

/// Observer that collects the leaves of rows, one row after the other, for [`Explain::explain`](super::Explain::explain)
/// and [`Model::stages`](crate::compiled::Model::stages).
#[derive(Clone, Debug, Default)]
pub struct Leaves {
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

    /// Returns the answers of the row that begins with number `first`.
    pub(super) fn answers(&self, first: usize) -> Answers<'_> {
        Answers {
            words: &self.answers,
            first,
        }
    }
}

impl Observer for Leaves {
    const HEARS_ANSWERS: bool = true;

    #[inline(always)]
    fn inner_node(&mut self, yes: bool) {
        let bit = self.count % BITS;
        if bit == 0 {
            self.answers.push(0);
        }
        if let Some(last) = self.answers.last_mut() {
            *last |= u64::from(yes) << bit;
        }
        self.count += 1;
    }

    #[inline(always)]
    fn leaf(&mut self, leaf: usize) {
        self.leaves.push(leaf as u32);
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
