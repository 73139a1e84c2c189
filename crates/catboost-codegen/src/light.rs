//! Light leaves: leaves that little of the training data reached, so that their predictions have little evidence.
//!
//! The generated constants `LIGHT_LEAVES` and `LIGHT_SHARE` let an observer compare rows with the training
//! data: of the leaves that training rows reached, `LIGHT_SHARE` were light; a greater share says that rows
//! differ from those.

use catboost_model::ir::{Model, Trees};

/// Training weight below which a leaf is light. (A row of the training data weighs 1, unless it was given another
/// weight.)
pub(crate) const LIGHT: f64 = 5.0;

/// Light leaves of a model.
pub(crate) struct Light {
    /// Bitmap of light leaves, indexed over all the trees: leaf `i` is bit `i % 64` of word `i / 64`. Empty
    /// if the file has no weights.
    pub(crate) bits: Vec<u64>,
    /// Share of light leaves in the training data's own leaves, by weight: 0 to 1, and 0 without weights.
    pub(crate) share: f64,
}

impl Light {
    /// Finds the leaves whose weight is less than [`LIGHT`].
    pub(crate) fn new(model: &Model) -> Self {
        let weights = weights(model);
        let mut bits = vec![0_u64; weights.len().div_ceil(64)];
        for (leaf, _) in (0..).zip(&weights).filter(|&(_, &weight)| weight < LIGHT) {
            let leaf: usize = leaf;
            bits[leaf / 64] |= 1 << (leaf % 64);
        }
        let light: f64 = weights.iter().filter(|&&weight| weight < LIGHT).sum();
        let all: f64 = weights.iter().sum();
        Self {
            bits,
            share: if all > 0.0 { light / all } else { 0.0 },
        }
    }
}

/// Weight of each leaf, indexed over all the trees; empty unless every tree has weights.
fn weights(model: &Model) -> Vec<f64> {
    let trees: Vec<(&[f64], &[f64])> = match &model.trees {
        Trees::Oblivious(trees) => trees
            .iter()
            .map(|tree| (&tree.weights[..], &tree.values[..]))
            .collect(),
        Trees::NonSymmetric(trees) => trees
            .iter()
            .map(|tree| (&tree.weights[..], &tree.values[..]))
            .collect(),
    };
    let whole =
        |&(weights, values): &(&[f64], &[f64])| weights.len() * model.dimension == values.len();
    if !trees.iter().all(whole) {
        return Vec::new();
    }
    trees
        .iter()
        .flat_map(|(weights, _)| *weights)
        .copied()
        .collect()
}
