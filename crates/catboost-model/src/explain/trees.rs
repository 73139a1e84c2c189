//! TreeSHAP for one tree: the contribution of each feature class to the tree's value for a row.
//!
//! The recursion is that of `CalcObliviousInternalShapValuesForLeafRecursive` and its non-oblivious sibling
//! in `catboost/libs/fstr/shap_values.cpp`. From the root it goes down both sides of every split, the row's
//! own side first, and extends the path by the split's class. At a leaf, every class on the path gets its
//! share of the leaf's value.

use super::path::{Step, extended, is_zero, root, unwound};
use crate::{
    eval::stored::{StoredNode, stored},
    ir::{NonSymmetricTree, ObliviousTree, SplitIdx},
};

/// Contributions by feature class, in the order in which classes are first met; one value per dimension.
pub(super) type Contributions = Vec<(usize, Vec<f64>)>;

/// Tree with the training weights of its nodes.
#[derive(Clone, Debug)]
pub(super) enum Weighted<'a> {
    /// Oblivious tree. Node `i` of a level has the children `2 * i` (no) and `2 * i + 1` (yes) on the next.
    Oblivious {
        tree: &'a ObliviousTree,
        /// Weights of the nodes of each level, the root's first. The last split is the root's.
        weights: Vec<Vec<f64>>,
    },
    NonSymmetric {
        tree: &'a NonSymmetricTree,
        nodes: Vec<StoredNode>,
        /// Weight of each stored node.
        weights: Vec<f64>,
    },
}

impl<'a> Weighted<'a> {
    /// Adds up the weights of an oblivious tree from its leaves to its root, pair by pair. The tree must have
    /// leaf weights.
    pub(super) fn oblivious(tree: &'a ObliviousTree) -> Self {
        let mut weights = vec![tree.weights.clone()];
        for _ in &tree.splits {
            let below = &weights[weights.len() - 1];
            let level = below.chunks(2).map(|pair| pair[0] + pair[1]).collect();
            weights.push(level);
        }
        weights.reverse();
        Self::Oblivious { tree, weights }
    }

    /// Adds up the weights of a non-symmetric tree from its last node to its root. The tree must have leaf
    /// weights.
    pub(super) fn non_symmetric(tree: &'a NonSymmetricTree) -> Self {
        let nodes = stored(tree);
        let own = |node: &StoredNode| node.leaf.map(|leaf| tree.weights[leaf]);
        let mut weights = vec![0.0; nodes.len()];
        // Like CatBoost, this skips a leaf that the root itself holds.
        for (place, node) in nodes.iter().enumerate().skip(1).rev() {
            weights[place] += own(node).unwrap_or(0.0);
            weights[node.parent] += weights[place];
        }
        if let [node] = nodes[..] {
            weights[0] = own(&node).unwrap_or(0.0);
        }
        Self::NonSymmetric {
            tree,
            nodes,
            weights,
        }
    }

    /// Mean over the training rows, per dimension: `CalcMeanValueForTree` in CatBoost's
    /// `shap_prepared_trees.cpp`. NaN if all weights are 0.
    pub(super) fn mean(&self, dimension: usize) -> Vec<f64> {
        let mut mean = vec![0.0; dimension];
        let mut add = |values: &[f64], weight: f64| {
            for (mean, value) in mean.iter_mut().zip(values) {
                *mean += value * weight;
            }
        };
        let total = match self {
            Self::Oblivious { tree, weights } => {
                for (values, &weight) in tree.values.chunks(dimension).zip(&tree.weights) {
                    add(values, weight);
                }
                weights[0][0]
            }
            Self::NonSymmetric {
                tree,
                nodes,
                weights,
            } => {
                for leaf in nodes.iter().filter_map(|node| node.leaf) {
                    add(&tree.values[leaf * dimension..], tree.weights[leaf]);
                }
                weights[0]
            }
        };
        mean.iter().map(|sum| sum / total).collect()
    }

    /// Returns the contribution of each class for a row. `answer` is the row's answer to a split, and `class` a split's
    /// class; `average` is subtracted from every leaf value.
    pub(super) fn contributions(
        &self,
        dimension: usize,
        average: f64,
        class: impl Fn(SplitIdx) -> usize,
        answer: impl Fn(SplitIdx) -> bool,
    ) -> Contributions {
        let mut walk = Walk {
            tree: self,
            dimension,
            average,
            class,
            answer,
            found: Vec::new(),
        };
        walk.down(0, 0, &root());
        walk.found
    }
}

struct Walk<'a, C, A> {
    tree: &'a Weighted<'a>,
    dimension: usize,
    average: f64,
    class: C,
    answer: A,
    found: Contributions,
}

/// Split of a node with its weight, the child that the row goes to, and the other child, each with its weight.
struct Below {
    split: SplitIdx,
    weight: f64,
    go: (usize, f64),
    skip: (usize, f64),
}

impl<C: Fn(SplitIdx) -> usize, A: Fn(SplitIdx) -> bool> Walk<'_, C, A> {
    /// Adds the contributions of a subtree that is reached by `path`. Oblivious trees number the nodes per level,
    /// `depth`.
    fn down(&mut self, depth: usize, node: usize, path: &[Step]) {
        let tree = self.tree;
        let (leaf, below) = match tree {
            Weighted::Oblivious { tree, weights } => {
                let Some(last) = tree.splits.len().checked_sub(depth + 1) else {
                    self.leaf(path, &tree.values[node * self.dimension..]);
                    return;
                };
                let split = tree.splits[last];
                let child = |side: bool| {
                    let child = node * 2 + usize::from(side);
                    (child, weights[depth + 1][child])
                };
                let yes = (self.answer)(split);
                let below = Below {
                    split,
                    weight: weights[depth][node],
                    go: child(yes),
                    skip: child(!yes),
                };
                (None, Some(below))
            }
            Weighted::NonSymmetric {
                tree,
                nodes,
                weights,
            } => {
                let StoredNode {
                    split,
                    children,
                    leaf,
                    ..
                } = nodes[node];
                let below = split.map(|split| {
                    let yes = (self.answer)(split);
                    let child = |side: bool| {
                        let child = children[usize::from(side)];
                        (child, weights[child])
                    };
                    Below {
                        split,
                        weight: weights[node],
                        go: child(yes),
                        skip: child(!yes),
                    }
                });
                (
                    leaf.map(|leaf| &tree.values[leaf * self.dimension..]),
                    below,
                )
            }
        };
        // Like CatBoost, this adds the leaf that a node holds before the node's split, on whichever side it is.
        if let Some(values) = leaf {
            self.leaf(path, values);
        }
        if let Some(below) = below {
            self.split(depth, node, path, &below);
        }
    }

    /// Goes down both sides of a split. A class that the path has already is unwound first, and its shares
    /// are multiplied with those of the new step. Sides of weight 0 are skipped, and so is a side whose leaf
    /// the node itself holds.
    fn split(&mut self, depth: usize, node: usize, path: &[Step], below: &Below) {
        let class = Some((self.class)(below.split));
        let (mut zero, mut one) = (1.0, 1.0);
        let met = path.iter().position(|step| step.class == class);
        let shorter = met.map(|place| {
            (zero, one) = (path[place].zero, path[place].one);
            unwound(path, place)
        });
        let path = shorter.as_deref().unwrap_or(path);
        // A node without a child on this side holds the leaf itself. (Oblivious trees number the nodes of each level
        // anew.)
        let oblivious = matches!(self.tree, Weighted::Oblivious { .. });
        for ((child, weight), one) in [(below.go, one), (below.skip, 0.0)] {
            if (oblivious || child != node) && !is_zero(weight) {
                let zero = zero * (weight / below.weight);
                self.down(depth + 1, child, &extended(path, class, zero, one));
            }
        }
    }

    /// Adds a leaf's share to every class on its path: for each dimension, the value minus the average, times
    /// `one - zero` of the class, times the sum of the weights of the path without the class.
    fn leaf(&mut self, path: &[Step], values: &[f64]) {
        for (place, step) in path.iter().enumerate() {
            let Some(class) = step.class else { continue };
            let mut weight = 0.0;
            for step in unwound(path, place) {
                weight += step.weight;
            }
            let factor = weight * (step.one - step.zero);
            let shares = values[..self.dimension]
                .iter()
                .map(|value| factor * (value - self.average));
            add_to(&mut self.found, class, shares);
        }
    }
}

/// Adds to the values of a key. A new key starts with the values themselves: adding to 0 would lose the sign of -0.
pub(super) fn add_to<K: PartialEq>(
    found: &mut Vec<(K, Vec<f64>)>,
    key: K,
    shares: impl Iterator<Item = f64>,
) {
    match found.iter_mut().find(|(other, _)| *other == key) {
        Some((_, values)) => {
            for (value, share) in values.iter_mut().zip(shares) {
                *value += share;
            }
        }
        None => found.push((key, shares.collect())),
    }
}
