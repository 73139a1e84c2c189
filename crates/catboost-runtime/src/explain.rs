//! SHAP values of a compiled model.
//!
//! The explanation of a row depends on its leaves alone if trees are oblivious, and on its answers to all splits if they
//! are not: [`Leaves`] collects both. [`Explain`] holds what TreeSHAP needs beside the leaf values and, if wanted, the
//! contribution of every leaf of oblivious trees, so that a row is explained by additions alone. The values have the bits
//! of `catboost_model::explain`.

mod leaves;
mod path;
mod walk;

use alloc::{vec, vec::Vec};
use core::{iter, slice};

use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};
use leaves::Answers;
pub use leaves::Leaves;
pub use path::MOST_CLASSES;
pub use walk::Node;
use walk::{NonSymmetric, Oblivious, Walk};

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
    /// Class of each level of each oblivious tree, the last split's first, or of each node of each non-symmetric tree:
    /// index among the tree's classes.
    pub classes: S::Slice<u16>,
    /// Nodes of the non-symmetric trees, in file order; empty if the trees are oblivious.
    pub nodes: S::Slice<Node>,
    /// Number of inner nodes of the non-symmetric trees.
    pub splits: usize,
    /// Terms of each tree: which share of a class's contribution each feature gets.
    pub terms: S::Slice<Term>,
    /// Feature of each slot of each tree.
    pub slots: S::Slice<u16>,
    /// Bitmap of the leaves that have weight, indexed over all the trees; those of a non-symmetric tree in file order.
    pub weighty: S::Slice<u64>,
    /// For each leaf with weight, the index of its weight: seven bits a byte, the lowest first; each byte of an index but
    /// the last has the highest bit.
    pub weights: S::Slice<u8>,
    /// The distinct weights of leaves, the most frequent first.
    pub distinct: S::Slice<f64>,
    /// Contribution of each leaf of each oblivious tree to each slot of its tree, by dimension. Empty if contributions are
    /// computed per row.
    pub tables: S::Slice<f64>,
}

/// Tree of an explained model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tree {
    /// First leaf, counted over all the trees.
    pub first_leaf: u32,
    /// First byte in [`Explain::weights`].
    pub first_weight: u32,
    /// First level or node in [`Explain::classes`].
    pub first_class: u32,
    /// First term in [`Explain::terms`].
    pub first_term: u32,
    /// First slot in [`Explain::slots`].
    pub first_slot: u32,
    /// First number in [`Explain::tables`].
    pub first_entry: u32,
    /// Number of levels of an oblivious tree, else 0.
    pub depth: u8,
    /// Number of nodes of a non-symmetric tree, else 0.
    pub nodes: u32,
    /// Number of classes.
    pub classes: u16,
    /// Number of terms.
    pub terms: u32,
    /// Number of slots.
    pub slots: u16,
    /// Subtracted from every leaf value.
    pub average: f64,
}

/// Share of a class's contribution that goes to a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Class, indexed over the tree's classes. Terms are in ascending order of it.
    pub class: u16,
    /// Slot of the feature, among those of the tree.
    pub slot: u16,
    /// Number of features that share the contribution.
    pub among: u16,
}

/// Number of rows whose values stay in the L2 cache beside a tree's table.
const ROWS_AT_ONCE: usize = 128;

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

    /// Writes the contribution of each feature to `out`, row by row and dimension by dimension, for the rows whose `leaves`
    /// were collected. `leaf_values` are the model's.
    ///
    /// # Panics
    /// If the length of `out` is not [`Explain::len`] for each row, or `leaves` are of another model.
    pub fn explain(&self, leaf_values: &[f64], leaves: &Leaves, out: &mut [f64]) {
        let (trees, len) = (self.trees.len(), self.len());
        assert!(
            leaves.leaves.len() * len == out.len() * trees,
            "a row has a leaf per tree, and a value per feature"
        );
        out.fill(0.0);
        if trees == 0 || len == 0 {
            return;
        }
        if self.tables.is_empty() {
            self.compute(leaf_values, leaves, out);
        } else {
            self.look_up(&leaves.leaves, out);
        }
    }

    /// Adds the tables' entries some rows at a time, so that their values stay in the cache, and tree by tree, so that a
    /// tree's table does.
    fn look_up(&self, leaves: &[u32], out: &mut [f64]) {
        let (trees, len) = (self.trees.len(), self.len());
        let blocks = leaves.chunks(ROWS_AT_ONCE * trees);
        for (leaves, out) in blocks.zip(out.chunks_mut(ROWS_AT_ONCE * len)) {
            for (place, tree) in self.trees.iter().enumerate() {
                let slots = self.slots_of(tree);
                let width = slots.len() * self.base.len();
                let table = &self.tables[tree.first_entry as usize..];
                for (leaves, out) in leaves.chunks_exact(trees).zip(out.chunks_exact_mut(len)) {
                    let leaf = (leaves[place] - tree.first_leaf) as usize;
                    self.add(slots, &table[leaf * width..][..width], out);
                }
            }
        }
    }

    /// Adds the entries of a tree's slots, dimension by dimension, to a row's values.
    #[inline(always)]
    fn add(&self, slots: &[u16], entries: &[f64], out: &mut [f64]) {
        let entries = entries.chunks_exact(slots.len().max(1));
        for (entries, out) in entries.zip(out.chunks_exact_mut(self.features)) {
            for (&slot, &entry) in slots.iter().zip(entries) {
                out[usize::from(slot)] += entry;
            }
        }
    }

    fn compute(&self, leaf_values: &[f64], leaves: &Leaves, out: &mut [f64]) {
        let (trees, len) = (self.trees.len(), self.len());
        let mut memory = Memory::default();
        for (place, tree) in self.trees.iter().enumerate() {
            let slots = self.slots_of(tree);
            self.weigh(tree, &mut memory.weights);
            let rows = leaves.leaves.chunks_exact(trees).enumerate();
            for ((row, leaves_of_row), out) in rows.zip(out.chunks_exact_mut(len)) {
                let leaf = (leaves_of_row[place] - tree.first_leaf) as usize;
                let answers = leaves.answers(row * self.splits);
                self.entries(tree, leaf, answers, leaf_values, &mut memory);
                self.add(slots, &memory.entries, out);
            }
        }
    }

    /// Computes [`Explain::tables`] for all leaves of all trees, which are oblivious.
    #[must_use]
    pub fn compute_tables(&self, leaf_values: &[f64]) -> Vec<f64> {
        let mut tables = Vec::new();
        let mut memory = Memory::default();
        let none = Leaves::default();
        for tree in &*self.trees {
            self.weigh(tree, &mut memory.weights);
            for leaf in 0..1 << tree.depth {
                self.entries(tree, leaf, none.answers(0), leaf_values, &mut memory);
                tables.extend_from_slice(&memory.entries);
            }
        }
        tables
    }

    /// Writes the contribution of a tree to each slot, dimension by dimension, to `memory`. Call [`Explain::weigh`] for
    /// the tree first.
    fn entries(
        &self,
        tree: &Tree,
        leaf: usize,
        answers: Answers<'_>,
        leaf_values: &[f64],
        memory: &mut Memory,
    ) {
        let Memory {
            weights,
            entries,
            contributions,
            met,
        } = memory;
        let dimensions = self.base.len();
        contributions.clear();
        contributions.resize(usize::from(tree.classes) * dimensions, 0.0);
        met.clear();
        let walk = Walk {
            values: &leaf_values[tree.first_leaf as usize * self.dimension..],
            dimension: self.dimension,
            explained: dimensions,
            average: tree.average,
            contributions,
            met,
        };
        let classes = &self.classes[tree.first_class as usize..];
        if tree.nodes == 0 {
            let levels = &classes[..usize::from(tree.depth)];
            walk.run(&Oblivious {
                levels,
                weights,
                leaf,
            });
            met.extend(0..tree.classes);
        } else {
            walk.run(&NonSymmetric {
                nodes: self.nodes_of(tree),
                classes,
                weights,
                first_leaf: tree.first_leaf,
                answers,
            });
        }
        let slots = usize::from(tree.slots);
        entries.clear();
        entries.resize(slots * dimensions, 0.0);
        let terms = &self.terms[tree.first_term as usize..][..tree.terms as usize];
        for (nth, entries) in entries.chunks_exact_mut(slots.max(1)).enumerate() {
            for &class in &*met {
                let whole = contributions[usize::from(class) * dimensions + nth];
                let first = terms.partition_point(|term| term.class < class);
                for term in terms[first..].iter().take_while(|term| term.class == class) {
                    entries[usize::from(term.slot)] += whole / f64::from(term.among);
                }
            }
        }
    }

    /// Writes the weights of a tree's nodes to `weights`.
    fn weigh(&self, tree: &Tree, weights: &mut Vec<f64>) {
        let mut leaves = self.leaves_with_weight(tree).peekable();
        weights.clear();
        if tree.nodes == 0 {
            let count = 1_usize << tree.depth;
            weights.resize(2 * count, 0.0);
            for (leaf, weight) in leaves.take_while(|&(leaf, _)| leaf < count) {
                weights[count + leaf] = weight;
            }
            for node in (1..count).rev() {
                weights[node] = weights[2 * node] + weights[2 * node + 1];
            }
            return;
        }
        let nodes = self.nodes_of(tree);
        let mut order = 0..;
        let own = nodes.iter().map(|node| {
            let leaf = (node.leaf != Node::NONE).then(|| order.next()).flatten();
            let weight = leaves.next_if(|&(next, _)| Some(next) == leaf);
            weight.map_or(0.0, |(_, weight)| weight)
        });
        weights.extend(own);
        if let [root, _, ..] = &mut weights[..] {
            // The leaf that the root itself holds is left out, as CatBoost does.
            *root = 0.0;
        }
        for (place, node) in nodes.iter().enumerate().rev() {
            for child in node.children.into_iter().rev().filter(|&child| child != 0) {
                weights[place] += weights[child as usize];
            }
        }
    }

    /// Returns the leaves with weight from a tree's first on, counted from it, with their weights. Those of later trees
    /// follow.
    fn leaves_with_weight(&self, tree: &Tree) -> impl Iterator<Item = (usize, f64)> {
        let first = tree.first_leaf as usize;
        let words = self.weighty[first / BITS..].iter().enumerate();
        let leaves = words.flat_map(move |(nth, &word)| {
            let mut left = match nth {
                0 => word & u64::MAX << (first % BITS),
                _ => word,
            };
            let base = nth * BITS;
            iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                (bit < BITS).then_some(base + bit)
            })
        });
        let mut bytes = self.weights[tree.first_weight as usize..].iter();
        leaves.map_while(move |leaf| {
            let index = index(&mut bytes)?;
            Some((leaf - first % BITS, self.distinct[index]))
        })
    }

    /// Returns the nodes of a non-symmetric tree.
    fn nodes_of(&self, tree: &Tree) -> &[Node] {
        &self.nodes[tree.first_class as usize..][..tree.nodes as usize]
    }

    fn slots_of(&self, tree: &Tree) -> &[u16] {
        &self.slots[tree.first_slot as usize..][..usize::from(tree.slots)]
    }
}

/// Reads an index of [`Explain::weights`].
fn index(bytes: &mut slice::Iter<'_, u8>) -> Option<usize> {
    let (mut index, mut shift) = (0, 0);
    for byte in bytes {
        index |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(index);
        }
        shift += 7;
    }
    None
}

/// Scratch memory, reused from tree to tree.
#[derive(Default)]
struct Memory {
    weights: Vec<f64>,
    contributions: Vec<f64>,
    met: Vec<u16>,
    entries: Vec<f64>,
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
            classes: [].into(),
            nodes: [].into(),
            splits: 0,
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
    first_leaf, first_weight, first_class, first_term, first_slot, first_entry, depth, nodes, classes, terms, slots, average,
});
emit!(struct Term Term { class, slot, among });
emit!(struct Explain Explain<Owned> {
    dimension, base, features, trees, classes, nodes, splits, terms, slots, weighty, weights, distinct, tables,
});
