//! Descent of TreeSHAP through a tree.

use alloc::vec::Vec;

use super::{
    leaves::Answers,
    path::{Path, Weights, is_zero},
};

/// Tree with the answers of one row.
pub(super) trait Shape {
    /// Root of the tree.
    const ROOT: usize;
    /// True if the order in which classes are first met at a leaf depends on the row.
    const IS_MET_IN_ANY_ORDER: bool;

    /// Returns the leaf that a node is or holds.
    fn leaf(&self, node: usize) -> Option<usize>;

    /// Returns the class of a node's split, and its children: first the one that the row goes to.
    fn split(&self, node: usize) -> Option<(u16, [Option<usize>; 2])>;

    /// Returns the training weight of a node.
    fn weight(&self, node: usize) -> f64;
}

/// Oblivious tree. The root is node 1, the children of node `n` are `2n` and `2n + 1`.
pub(super) struct Oblivious<'a> {
    /// Class of each level, from the root down.
    pub(super) levels: &'a [u16],
    /// Weight of each node.
    pub(super) weights: &'a [f64],
    /// Leaf of the row.
    pub(super) leaf: usize,
}

impl Shape for Oblivious<'_> {
    const ROOT: usize = 1;
    const IS_MET_IN_ANY_ORDER: bool = false;

    #[inline(always)]
    fn leaf(&self, node: usize) -> Option<usize> {
        node.checked_sub(1 << self.levels.len())
    }

    #[inline(always)]
    fn split(&self, node: usize) -> Option<(u16, [Option<usize>; 2])> {
        let depth = node.ilog2() as usize;
        let class = *self.levels.get(depth)?;
        let side = self.leaf >> (self.levels.len() - depth - 1) & 1;
        Some((class, [side, side ^ 1].map(|side| Some(2 * node + side))))
    }

    #[inline(always)]
    fn weight(&self, node: usize) -> f64 {
        self.weights[node]
    }
}

/// Node of a non-symmetric tree. A node with one child that is a leaf holds that leaf itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Index of the split among the inner nodes of all trees; [`Node::NONE`] for a leaf.
    pub split: u32,
    /// Leaf that the node is or holds, indexed over all the trees; [`Node::NONE`] if there is none.
    pub leaf: u32,
    /// Children for the answers no and yes, indexed over the tree; 0, the root, if there is none.
    pub children: [u32; 2],
}

impl Node {
    /// No split, or no leaf.
    pub const NONE: u32 = u32::MAX;
}

/// Non-symmetric tree.
pub(super) struct NonSymmetric<'a> {
    /// Nodes in file order.
    pub(super) nodes: &'a [Node],
    /// Class of each node's split.
    pub(super) classes: &'a [u16],
    /// Weight of each node.
    pub(super) weights: &'a [f64],
    /// First leaf of the tree.
    pub(super) first_leaf: u32,
    /// Answers of the row.
    pub(super) answers: Answers<'a>,
}

impl Shape for NonSymmetric<'_> {
    const ROOT: usize = 0;
    const IS_MET_IN_ANY_ORDER: bool = true;

    #[inline(always)]
    fn leaf(&self, node: usize) -> Option<usize> {
        let leaf = self.nodes[node].leaf;
        (leaf != Node::NONE).then(|| (leaf - self.first_leaf) as usize)
    }

    #[inline(always)]
    fn split(&self, node: usize) -> Option<(u16, [Option<usize>; 2])> {
        let Node {
            split, children, ..
        } = self.nodes[node];
        (split != Node::NONE).then(|| {
            let yes = usize::from(self.answers.is_yes(split));
            let child = |side: usize| match children[side] {
                0 => None,
                child => Some(child as usize),
            };
            (self.classes[node], [child(yes), child(yes ^ 1)])
        })
    }

    #[inline(always)]
    fn weight(&self, node: usize) -> f64 {
        self.weights[node]
    }
}

/// Computes the contribution of a tree to each of its classes for a row.
pub(super) struct Walk<'a> {
    /// Leaf values of the tree.
    pub(super) values: &'a [f64],
    /// Values per leaf.
    pub(super) dimension: usize,
    /// Values per leaf that are explained.
    pub(super) explained: usize,
    /// Subtracted from every leaf value.
    pub(super) average: f64,
    /// Contribution of each class, one value per explained dimension.
    pub(super) contributions: &'a mut [f64],
    /// Classes in the order in which they are first met at a leaf, if that depends on the row.
    pub(super) met: &'a mut Vec<u16>,
}

impl Walk<'_> {
    pub(super) fn run<T: Shape>(mut self, tree: &T) {
        let mut path = Path::START;
        self.down(tree, T::ROOT, &mut path, &Weights::START);
    }

    /// Adds the leaf of a node, then goes down to each child with weight, the row's own first.
    fn down<T: Shape>(&mut self, tree: &T, node: usize, path: &mut Path, weights: &Weights) {
        self.arrive(tree, node, path, weights);
        let Some((class, [go, skip])) = tree.split(node) else {
            return;
        };
        let ones = path.ones();
        let entered = path.enter(class);
        let shorter;
        let (weights, ones) = if entered.is_new() {
            (weights, ones)
        } else {
            shorter = path.without(weights, &entered);
            (&shorter, ones - usize::from(entered.one))
        };
        for (child, one) in [(go, entered.one), (skip, false)] {
            let Some(child) = child else { continue };
            let weight = tree.weight(child);
            if !is_zero(weight) {
                let zero = entered.zero * (weight / tree.weight(node));
                path.set(entered.place, zero, one);
                let weights = path.with(weights, ones, zero, one);
                self.down(tree, child, path, &weights);
            }
        }
        path.leave(&entered);
    }

    /// Adds a leaf's share to every class on its path. The leaf that a node holds is added before the node's split, as in
    /// CatBoost, on whatever way the row goes.
    #[inline(always)]
    fn arrive<T: Shape>(&mut self, tree: &T, node: usize, path: &Path, weights: &Weights) {
        let Some(leaf) = tree.leaf(node) else {
            return;
        };
        let is_new = |class: &u16| !self.met.contains(class);
        if T::IS_MET_IN_ANY_ORDER && path.classes().iter().any(is_new) {
            for class in path.in_order() {
                if !self.met.contains(&class) {
                    self.met.push(class);
                }
            }
        }
        let values = &self.values[leaf * self.dimension..][..self.explained];
        path.arrive(weights, |class, factor| {
            let to = usize::from(class) * self.explained;
            let to = &mut self.contributions[to..][..self.explained];
            for (to, value) in to.iter_mut().zip(values) {
                *to += factor * (value - self.average);
            }
        });
    }
}

crate::emit::emit!(struct Node Node { split, leaf, children });
