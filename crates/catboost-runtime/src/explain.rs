//! SHAP values of oblivious trees of a compiled model.
//!
//! The explanation of a row depends on its leaves alone. [`Explain`] holds what TreeSHAP needs beside the leaf values
//! and, if wanted, the contribution of every leaf, so that a row is explained by additions alone. The values have the
//! bits of `catboost_model::explain`.

mod path;

use alloc::{vec, vec::Vec};

use crate::{
    compiled::Observer,
    emit::emit,
    storage::{Owned, Static, Storage},
};
use path::Walk;

/// Tables that explain the rows of a model.
pub struct Explain<S: Storage = Static> {
    /// Values per leaf.
    pub dimension: usize,
    /// Raw value of the mean training row, per explained dimension.
    pub base: S::Slice<f64>,
    /// Number of features that are explained.
    pub features: usize,
    /// The trees, in order.
    pub trees: S::Slice<Tree>,
    /// Class of each level of each tree, the last split's first: index among the tree's classes.
    pub levels: S::Slice<u8>,
    /// Terms of each tree: which share of a class's contribution each feature gets.
    pub terms: S::Slice<Term>,
    /// Feature of each slot of each tree.
    pub slots: S::Slice<u16>,
    /// Bitmap of the leaves that have weight, indexed over all the trees.
    pub weighty: S::Slice<u64>,
    /// For each leaf with weight, the index of its weight.
    pub weights: S::Slice<u32>,
    /// The distinct weights of leaves.
    pub distinct: S::Slice<f64>,
    /// Contribution of each leaf to each slot of its tree, by dimension. Empty if contributions are computed per row.
    pub tables: S::Slice<f64>,
}

/// An oblivious tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tree {
    /// First leaf, counted over all the trees.
    pub first_leaf: u32,
    /// Number of leaves with weight in the trees before.
    pub first_weight: u32,
    /// First level in [`Explain::levels`].
    pub first_level: u32,
    /// First term in [`Explain::terms`].
    pub first_term: u32,
    /// First slot in [`Explain::slots`].
    pub first_slot: u32,
    /// First number in [`Explain::tables`].
    pub first_entry: u32,
    /// Number of levels.
    pub depth: u8,
    /// Number of classes.
    pub classes: u8,
    /// Number of terms.
    pub terms: u16,
    /// Number of slots.
    pub slots: u16,
    /// Subtracted from every leaf value.
    pub average: f64,
}

/// Share of a class's contribution that goes to a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Class, among those of the tree.
    pub class: u8,
    /// Slot of the feature, among those of the tree.
    pub slot: u16,
    /// Number of features that share the contribution.
    pub among: u16,
}

/// Number of bits in a word of [`Explain::weighty`].
const BITS: usize = u64::BITS as usize;

impl<S: Storage> Explain<S> {
    /// Number of values in an explanation: one per feature and explained dimension, dimension by dimension.
    #[must_use]
    pub fn len(&self) -> usize {
        self.base.len() * self.features
    }

    /// Returns true if explanations have no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the contribution of each feature to `out`, dimension by dimension. `leaf_values` are the model's;
    /// `leaves` has the row's leaf in each tree, indexed over all the trees.
    ///
    /// # Panics
    /// If the length of `leaves` is not the number of trees, or that of `out` is not [`Explain::len`].
    pub fn explain(&self, leaf_values: &[f64], leaves: &[u32], out: &mut [f64]) {
        self.explain_block(leaf_values, leaves, out);
    }

    /// [`Explain::explain`] for several rows, whose `leaves` and `out` are concatenated.
    ///
    /// # Panics
    /// As [`Explain::explain`], for each row.
    pub fn explain_block(&self, leaf_values: &[f64], leaves: &[u32], out: &mut [f64]) {
        let (trees, len) = (self.trees.len(), self.len());
        assert!(
            leaves.len() * len == out.len() * trees,
            "a row has a leaf per tree, and a value per feature"
        );
        out.fill(0.0);
        if trees == 0 || len == 0 {
            return;
        }
        if self.tables.is_empty() {
            self.compute(leaf_values, leaves, out);
        } else {
            self.look_up(leaves, out);
        }
    }

    /// Adds the tables' entries tree by tree, so that a tree's table stays in the cache.
    fn look_up(&self, leaves: &[u32], out: &mut [f64]) {
        let (trees, len) = (self.trees.len(), self.len());
        let dimensions = self.base.len();
        for (place, tree) in self.trees.iter().enumerate() {
            let slots = self.slots_of(tree);
            let width = slots.len() * dimensions;
            let table = &self.tables[tree.first_entry as usize..];
            for (leaves, out) in leaves.chunks_exact(trees).zip(out.chunks_exact_mut(len)) {
                let leaf = (leaves[place] - tree.first_leaf) as usize;
                let entries = &table[leaf * width..][..width];
                for (entries, out) in entries
                    .chunks_exact(slots.len().max(1))
                    .zip(out.chunks_exact_mut(self.features))
                {
                    for (&slot, &entry) in slots.iter().zip(entries) {
                        out[usize::from(slot)] += entry;
                    }
                }
            }
        }
    }

    fn compute(&self, leaf_values: &[f64], leaves: &[u32], out: &mut [f64]) {
        let (trees, len) = (self.trees.len(), self.len());
        let mut memory = Memory::default();
        for (place, tree) in self.trees.iter().enumerate() {
            let slots = self.slots_of(tree);
            self.weigh(tree, &mut memory.weights);
            for (leaves, out) in leaves.chunks_exact(trees).zip(out.chunks_exact_mut(len)) {
                let leaf = (leaves[place] - tree.first_leaf) as usize;
                self.entries(tree, leaf, leaf_values, &mut memory);
                let entries = memory.entries.chunks_exact(slots.len().max(1));
                for (entries, out) in entries.zip(out.chunks_exact_mut(self.features)) {
                    for (&slot, &entry) in slots.iter().zip(entries) {
                        out[usize::from(slot)] += entry;
                    }
                }
            }
        }
    }

    /// Computes [`Explain::tables`] for all leaves of all trees.
    #[must_use]
    pub fn compute_tables(&self, leaf_values: &[f64]) -> Vec<f64> {
        let mut tables = Vec::new();
        let mut memory = Memory::default();
        for tree in &*self.trees {
            self.weigh(tree, &mut memory.weights);
            for leaf in 0..1 << tree.depth {
                self.entries(tree, leaf, leaf_values, &mut memory);
                tables.extend_from_slice(&memory.entries);
            }
        }
        tables
    }

    /// Writes the contribution of a leaf to each slot, dimension by dimension, to `memory`. Call [`Explain::weigh`] for
    /// the tree first.
    fn entries(&self, tree: &Tree, leaf: usize, leaf_values: &[f64], memory: &mut Memory) {
        let Memory {
            weights,
            entries,
            contributions,
        } = memory;
        let dimensions = self.base.len();
        let classes = usize::from(tree.classes);
        contributions.clear();
        contributions.resize(classes * dimensions, 0.0);
        let first = tree.first_level as usize;
        Walk {
            levels: &self.levels[first..][..usize::from(tree.depth)],
            weights,
            leaf,
            values: &leaf_values[tree.first_leaf as usize * self.dimension..],
            dimension: self.dimension,
            explained: dimensions,
            average: tree.average,
            contributions,
        }
        .walk();
        let slots = usize::from(tree.slots);
        entries.clear();
        entries.resize(slots * dimensions, 0.0);
        let terms = &self.terms[tree.first_term as usize..][..usize::from(tree.terms)];
        for (nth, entries) in entries.chunks_exact_mut(slots.max(1)).enumerate() {
            for term in terms {
                let whole = contributions[usize::from(term.class) * dimensions + nth];
                entries[usize::from(term.slot)] += whole / f64::from(term.among);
            }
        }
    }

    /// Writes the weights of a tree's nodes to `weights`. The root is node 1; the children of node `n` are `2n` and `2n
    /// + 1`.
    fn weigh(&self, tree: &Tree, weights: &mut Vec<f64>) {
        let leaves = 1_usize << tree.depth;
        weights.clear();
        weights.resize(2 * leaves, 0.0);
        let mut found = self.weights[tree.first_weight as usize..].iter();
        for leaf in 0..leaves {
            let bit = tree.first_leaf as usize + leaf;
            if self.weighty[bit / BITS] >> (bit % BITS) & 1 == 1 {
                let weight = found.next().expect("a leaf with weight has one");
                weights[leaves + leaf] = self.distinct[*weight as usize];
            }
        }
        for node in (1..leaves).rev() {
            weights[node] = weights[2 * node] + weights[2 * node + 1];
        }
    }

    fn slots_of(&self, tree: &Tree) -> &[u16] {
        &self.slots[tree.first_slot as usize..][..usize::from(tree.slots)]
    }
}

/// Scratch memory, reused from tree to tree.
#[derive(Default)]
struct Memory {
    weights: Vec<f64>,
    contributions: Vec<f64>,
    entries: Vec<f64>,
}

/// Observer that collects a row's leaves, indexed over all the trees, as [`Explain::explain`] takes them.
#[derive(Clone, Debug, Default)]
pub struct Leaves(pub Vec<u32>);

impl Leaves {
    /// Creates an empty list with capacity for `trees` trees.
    #[must_use]
    pub fn with_capacity(trees: usize) -> Self {
        Self(Vec::with_capacity(trees))
    }
}

impl Observer for Leaves {
    #[inline(always)]
    fn leaf(&mut self, leaf: usize) {
        self.0.push(leaf as u32);
    }
}

impl Explain<Owned> {
    /// Creates tables without trees.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            dimension: 1,
            base: vec![0.0].into(),
            features: 0,
            trees: [].into(),
            levels: [].into(),
            terms: [].into(),
            slots: [].into(),
            weighty: [].into(),
            weights: [].into(),
            distinct: [].into(),
            tables: [].into(),
        }
    }
}

emit!(struct Tree Tree {
    first_leaf, first_weight, first_level, first_term, first_slot, first_entry, depth, classes, terms, slots, average,
});
emit!(struct Term Term { class, slot, among });
emit!(struct Explain Explain<Owned> {
    dimension, base, features, trees, levels, terms, slots, weighty, weights, distinct, tables,
});
