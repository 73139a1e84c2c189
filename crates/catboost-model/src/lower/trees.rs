//! Lowers trees.

use crate::{
    Error,
    ir::{Child, Node, NonSymmetricTree, ObliviousTree, SplitIdx, Trees},
    limits::{MAX_DEPTH, MAX_NON_SYMMETRIC_DEPTH},
    raw::{RawNode, RawObliviousTree, RawTrees},
};

/// Trees whose depths are checked.
pub(super) fn lower(raw: RawTrees, dimension: usize, splits: usize) -> Result<Trees, Error> {
    let context = Context { dimension, splits };
    match raw {
        RawTrees::Oblivious(trees) => {
            let trees = trees
                .into_iter()
                .enumerate()
                .map(|(index, tree)| context.oblivious(index, tree));
            trees.collect::<Result<_, _>>().map(Trees::Oblivious)
        }
        RawTrees::NonSymmetric(trees) => {
            // Not collected: the list would take twice its memory while it grows.
            let mut lowered = Vec::with_capacity(trees.len());
            for (index, tree) in trees.into_iter().enumerate() {
                lowered.push(context.non_symmetric(index, tree)?);
            }
            Ok(Trees::NonSymmetric(lowered))
        }
    }
}

/// Refuses oblivious trees that are too deep.
pub(super) fn check_depths(trees: &RawTrees) -> Result<(), Error> {
    let RawTrees::Oblivious(trees) = trees else {
        return Ok(());
    };
    let depths = trees.iter().map(|tree| tree.splits.len());
    match depths.max() {
        Some(depth) if depth > MAX_DEPTH => Err(Error::unsupported(format!(
            "trees of depth {depth}; at most {MAX_DEPTH} is, as in CatBoost"
        ))),
        _ => Ok(()),
    }
}

struct Context {
    dimension: usize,
    splits: usize,
}

impl Context {
    fn oblivious(&self, index: usize, raw: RawObliviousTree) -> Result<ObliviousTree, Error> {
        let wrong = |what: String| Error::model(format!("tree {index} {what}"));
        let leaves = 1 << raw.splits.len();
        if raw.values.len() != leaves * self.dimension
            || !(raw.weights.is_empty() || raw.weights.len() == leaves)
        {
            let (values, weights) = (raw.values.len(), raw.weights.len());
            return Err(wrong(format!(
                "has {leaves} leaves, but {values} leaf values and {weights} leaf weights; expected {} leaf values, {} a leaf",
                leaves * self.dimension,
                self.dimension
            )));
        }
        self.check_values(&raw.values)
            .map_err(|what| wrong(what.to_owned()))?;
        let splits = raw
            .splits
            .iter()
            .map(|&split| self.split(split).ok_or_else(|| wrong(self.no_split(split))));
        Ok(ObliviousTree {
            splits: splits.collect::<Result<_, _>>()?,
            values: raw.values,
            weights: raw.weights,
        })
    }

    fn non_symmetric(&self, index: usize, raw: RawNode) -> Result<NonSymmetricTree, Error> {
        let mut tree = NonSymmetricTree {
            nodes: Vec::new(),
            values: Vec::new(),
            weights: Vec::new(),
        };
        let mut leaves = 0;
        let wrong = |what| Error::model(format!("tree {index} {what}"));
        let added = self.add(raw, &mut tree, &mut leaves, MAX_NON_SYMMETRIC_DEPTH);
        added.map_err(|what| what.map_or_else(Error::too_deep, wrong))?;
        if !(tree.weights.is_empty() || tree.weights.len() == leaves as usize) {
            return Err(Error::model(format!(
                "tree {index} has weights for some of its leaves only"
            )));
        }
        Ok(tree)
    }

    /// Adds a subtree, numbered depth-first, left first. The error is the fault of the tree, or `None` if it is too
    /// deep.
    fn add(
        &self,
        raw: RawNode,
        tree: &mut NonSymmetricTree,
        leaves: &mut u32,
        depth: usize,
    ) -> Result<Child, Option<String>> {
        match raw {
            RawNode::Leaf { values, weight } => {
                if values.len() != self.dimension {
                    return Err(Some(format!(
                        "has a leaf of {} values for {} dimensions",
                        values.len(),
                        self.dimension
                    )));
                }
                self.check_values(&values)
                    .map_err(|what| Some(what.to_owned()))?;
                tree.values.extend(values);
                tree.weights.extend(weight);
                *leaves += 1;
                Ok(Child::Leaf(*leaves - 1))
            }
            RawNode::Split { split, no, yes } => {
                let below = depth.checked_sub(1).ok_or(None)?;
                let place = tree.nodes.len();
                let split = self
                    .split(split)
                    .ok_or_else(|| Some(self.no_split(split)))?;
                tree.nodes.push(Node {
                    split,
                    no: Child::Leaf(0),
                    yes: Child::Leaf(0),
                });
                tree.nodes[place].no = self.add(*no, tree, leaves, below)?;
                tree.nodes[place].yes = self.add(*yes, tree, leaves, below)?;
                Ok(Child::Node(place as u32))
            }
        }
    }

    fn split(&self, index: i64) -> Option<SplitIdx> {
        let split = u32::try_from(index)
            .ok()
            .filter(|&split| (split as usize) < self.splits);
        split.map(SplitIdx)
    }

    fn no_split(&self, index: i64) -> String {
        format!("asks for split {index} of {}", self.splits)
    }

    fn check_values(&self, values: &[f64]) -> Result<(), &'static str> {
        if values.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err("has a leaf value that is not finite")
        }
    }
}
