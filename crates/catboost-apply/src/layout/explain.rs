//! Tables of explanations: classes, weights, and optionally the contribution of every leaf.
//!
//! A *class* is what a split is attributed to: a feature, or the categorical features of a CTR, which share a
//! contribution equally. `catboost_model::explain` defines classes and weights; [`Explain`] documents the
//! tables, which give the same bits.

use std::{cmp::Reverse, collections::HashMap};

use catboost_model::{
    explain::{ExplainError, Explainer, StoredNode},
    ir::{Model, NonSymmetricTree, ObliviousTree, Trees},
};
use catboost_runtime::{
    explain::{Explain, MOST_CLASSES, Node, Term, Tree},
    storage::Owned,
};

/// Upper bound on the entries in the tables of all leaves: 1 GiB.
const MAX_ENTRIES: usize = (1 << 30) / size_of::<f64>();

/// Support for explanations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Explanations {
    /// No explanations.
    #[default]
    None,
    /// Contributions of a row's leaves are computed for each row.
    Computed,
    /// Contributions of all leaves are in tables: a row takes additions alone. The tables take 8 bytes per
    /// leaf, feature of its tree and explained dimension, at most 1 GiB. Non-symmetric trees have none, as
    /// the contributions of their leaves differ from row to row.
    Tables,
}

/// Lays out the tables that explain a model; `None` for [`Explanations::None`].
///
/// # Errors
/// If the model cannot be explained: see [`Explainer::new`]. If it has more than 65,535 columns, a
/// non-symmetric tree with more than 16 classes on the way to a leaf, or tables of more than 1 GiB.
pub fn lay_out(
    model: &Model,
    explanations: Explanations,
) -> Result<Option<Explain<Owned>>, ExplainError> {
    if explanations == Explanations::None {
        return Ok(None);
    }
    if model.flat_features() > usize::from(u16::MAX) {
        return Err(ExplainError::new(
            "rows of more than 65535 columns are not explained",
        ));
    }
    let explainer = Explainer::new(model)?;
    let mut tables = Tables::default();
    let mut averages = explainer.averages().iter();
    let mut next_average = || *averages.next().expect("every tree has one");
    match &model.trees {
        Trees::Oblivious(trees) => {
            for tree in trees {
                tables.add_oblivious(tree, next_average(), &explainer);
            }
        }
        Trees::NonSymmetric(trees) => {
            for tree in trees {
                tables.add_non_symmetric(tree, next_average(), &explainer)?;
            }
        }
    }
    tables.pack_weights();
    let mut explain = Explain {
        dimension: model.dimension,
        base: explainer.base().into(),
        features: model.flat_features(),
        trees: tables.trees.into(),
        classes: tables.classes.into(),
        nodes: tables.nodes.into(),
        splits: tables.splits,
        terms: tables.terms.into(),
        slots: tables.slots.into(),
        weighty: tables.weighty.into(),
        weights: tables.packed.into(),
        distinct: tables.distinct.into(),
        tables: [].into(),
    };
    if let (Explanations::Tables, Trees::Oblivious(trees)) = (explanations, &model.trees) {
        if tables.entries > MAX_ENTRIES {
            return Err(ExplainError::new(
                "the tables of all leaves would take more than 1 GiB: explain without them",
            ));
        }
        let values: Vec<f64> = trees
            .iter()
            .flat_map(|tree| tree.values.iter().copied())
            .collect();
        explain.tables = explain.compute_tables(&values).into();
    }
    Ok(Some(explain))
}

#[derive(Default)]
struct Tables {
    trees: Vec<Tree>,
    classes: Vec<u16>,
    nodes: Vec<Node>,
    splits: usize,
    terms: Vec<Term>,
    slots: Vec<u16>,
    weighty: Vec<u64>,
    /// Index of the weight of each leaf with weight.
    weights: Vec<u32>,
    packed: Vec<u8>,
    distinct: Vec<f64>,
    places: HashMap<u64, u32>,
    leaves: usize,
    entries: usize,
}

impl Tables {
    /// Adds an oblivious tree. Its levels are listed from the root of TreeSHAP, which is the last split.
    fn add_oblivious(&mut self, tree: &ObliviousTree, average: f64, explainer: &Explainer) {
        let of_levels = tree.splits.iter().rev();
        let of_levels: Vec<usize> = of_levels.map(|&split| explainer.class_of(split)).collect();
        let order = order(&of_levels);
        let laid = self.begin(&order, average, explainer);
        let width = usize::from(laid.slots) * explainer.base().len();
        self.trees.push(Tree {
            depth: of_levels.len() as u8,
            ..laid
        });
        let classes = of_levels.iter().map(|class| index(&order, *class));
        self.classes.extend(classes);
        self.add_weights(tree.weights.iter().copied());
        self.entries += tree.weights.len() * width;
    }

    fn add_non_symmetric(
        &mut self,
        tree: &NonSymmetricTree,
        average: f64,
        explainer: &Explainer,
    ) -> Result<(), ExplainError> {
        let nodes = Explainer::stored_nodes(tree);
        let class = |node: &StoredNode| node.split.map(|split| explainer.class_of(split));
        let mut order: Vec<usize> = nodes.iter().filter_map(class).collect();
        order.sort_unstable();
        order.dedup();
        if most_classes(&nodes, class) > MOST_CLASSES || order.len() >= usize::from(u16::MAX) {
            return Err(ExplainError::new(
                "trees that ask more than 16 features on the way to a leaf are explained by `catboost_model::explain` alone",
            ));
        }
        let laid = self.begin(&order, average, explainer);
        self.trees.push(Tree {
            nodes: nodes.len() as u32,
            ..laid
        });
        let first_leaf = self.leaves as u32;
        self.add_weights(
            nodes
                .iter()
                .filter_map(|node| node.leaf)
                .map(|leaf| tree.weights[leaf]),
        );
        for (place, node) in nodes.iter().enumerate() {
            let class = class(node);
            self.classes
                .push(class.map_or(0, |class| index(&order, class)));
            let child = |child: usize| if child == place { 0 } else { child as u32 };
            self.nodes.push(Node {
                split: node.split.map_or(Node::NONE, |_| {
                    // Inner nodes are stored in the order in which they are numbered.
                    self.splits += 1;
                    self.splits as u32 - 1
                }),
                leaf: node
                    .leaf
                    .map_or(Node::NONE, |leaf| first_leaf + leaf as u32),
                children: node.children.map(child),
            });
        }
        Ok(())
    }

    /// Returns a tree with these classes, whose levels or nodes are added next.
    fn begin(&mut self, order: &[usize], average: f64, explainer: &Explainer) -> Tree {
        let (first_term, first_slot) = (self.terms.len(), self.slots.len());
        for (class, &of) in order.iter().enumerate() {
            let features = explainer.class_features(of);
            for &feature in features {
                let feature = feature as u16;
                let known = self.slots[first_slot..]
                    .iter()
                    .position(|&other| other == feature);
                let slot = known.unwrap_or_else(|| {
                    self.slots.push(feature);
                    self.slots.len() - 1 - first_slot
                });
                self.terms.push(Term {
                    class: class as u16,
                    slot: slot as u16,
                    among: features.len() as u16,
                });
            }
        }
        Tree {
            first_leaf: self.leaves as u32,
            first_weight: self.weights.len() as u32,
            first_class: self.classes.len() as u32,
            first_term: first_term as u32,
            first_slot: first_slot as u32,
            first_entry: u32::try_from(self.entries).unwrap_or(u32::MAX),
            depth: 0,
            nodes: 0,
            classes: order.len() as u16,
            terms: (self.terms.len() - first_term) as u32,
            slots: (self.slots.len() - first_slot) as u16,
            average,
        }
    }

    fn add_weights(&mut self, weights: impl Iterator<Item = f64>) {
        for weight in weights {
            if self.leaves.is_multiple_of(64) {
                self.weighty.push(0);
            }
            if weight != 0.0 {
                let next = self.distinct.len() as u32;
                let place = *self.places.entry(weight.to_bits()).or_insert(next);
                if place == next {
                    self.distinct.push(weight);
                }
                self.weights.push(place);
                self.weighty[self.leaves / 64] |= 1 << (self.leaves % 64);
            }
            self.leaves += 1;
        }
    }

    /// Sorts the distinct weights by frequency, so that most indices take one byte, and packs the indices.
    fn pack_weights(&mut self) {
        let mut counts = vec![0_u32; self.distinct.len()];
        for &weight in &self.weights {
            counts[weight as usize] += 1;
        }
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&weight| Reverse(counts[weight]));
        let mut ranks = vec![0; order.len()];
        for (rank, &weight) in order.iter().enumerate() {
            ranks[weight] = rank;
        }
        self.distinct = order.iter().map(|&weight| self.distinct[weight]).collect();
        let mut firsts = Vec::with_capacity(self.weights.len() + 1);
        for &weight in &self.weights {
            firsts.push(self.packed.len() as u32);
            let mut left = ranks[weight as usize];
            while left > 0x7f {
                self.packed.push(left as u8 | 0x80);
                left >>= 7;
            }
            self.packed.push(left as u8);
        }
        firsts.push(self.packed.len() as u32);
        for tree in &mut self.trees {
            tree.first_weight = firsts[tree.first_weight as usize];
        }
    }
}

/// Returns the classes of these levels, from the root down, in the order of a path to a leaf: a class that is met again
/// moves to the end.
fn order(of_levels: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    for &class in of_levels {
        order.retain(|&other| other != class);
        order.push(class);
    }
    order
}

fn index(order: &[usize], class: usize) -> u16 {
    let index = order.iter().position(|&other| other == class);
    index.expect("every class was put in order") as u16
}

/// Returns the greatest number of classes on a path to a leaf.
fn most_classes(nodes: &[StoredNode], class: impl Fn(&StoredNode) -> Option<usize>) -> usize {
    // The classes at and above each node: a parent comes before its children.
    let mut above: Vec<Vec<usize>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut classes = above.get(node.parent).cloned().unwrap_or_default();
        if let Some(class) = class(node).filter(|class| !classes.contains(class)) {
            classes.push(class);
        }
        above.push(classes);
    }
    above.iter().map(Vec::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use catboost_model::ir::SplitIdx;

    use super::*;

    #[test]
    fn classes_are_counted_along_each_way_once() {
        let node = |split: Option<u32>, parent| StoredNode {
            split: split.map(SplitIdx),
            children: [0; 2],
            parent,
            leaf: None,
        };
        // Splits 0 and 4 have one class, met again below; a way aside asks two more.
        let nodes = [
            node(Some(0), 0),
            node(Some(4), 0),
            node(None, 1),
            node(Some(1), 0),
            node(Some(2), 3),
            node(None, 4),
        ];
        let class = |node: &StoredNode| node.split.map(|split| split.at() % 4);
        assert_eq!(most_classes(&nodes[..3], class), 1);
        assert_eq!(most_classes(&nodes, class), 3);
    }

    #[test]
    fn a_class_that_is_met_again_goes_to_the_end() {
        assert_eq!(order(&[5, 7, 5, 9]), [7, 5, 9]);
        assert_eq!(index(&[7, 5, 9], 9), 2);
    }
}
