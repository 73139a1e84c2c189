//! Feature importance: CatBoost's `PredictionValuesChange`.
//!
//! A pair of leaves, or of subtrees, that differ in one split has values `v1`, `v2` and training weights
//! `c1`, `c2`. With their weighted mean `m`, the split's source gets `(v1 - m)^2 * c1 + (v2 - m)^2 * c2`,
//! summed over dimensions, pairs and trees. CatBoost's functions are `CalcEffect` and
//! `CalcEffectForNonObliviousModel` (`catboost/libs/fstr/feature_str.h`), and `CalcRegularFeatureEffect`
//! distributes the sums among features.

use super::{ExplainError, check_weighted, classes::source_feature};
use crate::{
    eval::stored::stored,
    ir::{CtrIdx, EstimatedIdx, Model, NonSymmetricTree, ObliviousTree, Split, SplitIdx, Trees},
};

/// Returns the average change of the prediction when a feature's value changes, in percent of the sum over
/// all features: CatBoost's `get_feature_importance(type="PredictionValuesChange")`.
///
/// The list is by flat index and has the length [`Model::flat_features`]. Features that no tree uses have 0.
/// A CTR's share is divided equally among all features of its projection, those of its splits included. If no
/// split changes the prediction, the features that trees use have NaN.
///
/// # Errors
/// If the model has no leaf weights.
///
/// ```
/// let model = catboost_model::parse(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
/// )?;
/// assert_eq!(catboost_model::explain::importance(&model)?, [100.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn importance(model: &Model) -> Result<Vec<f64>, ExplainError> {
    check_weighted(model)?;
    let sources = Sources::new(model);
    let mut changes = vec![0.0; sources.all.len()];
    match &model.trees {
        Trees::Oblivious(trees) => {
            for tree in trees {
                oblivious(model, &sources, tree, &mut changes);
            }
        }
        Trees::NonSymmetric(trees) => {
            for tree in trees {
                non_symmetric(model, &sources, tree, &mut changes);
            }
        }
    }
    let total = changes.iter().fold(0.0, |sum, change| sum + change);
    for change in &mut changes {
        *change *= 100.0 / total;
    }
    // Adds the greatest first.
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by(|&a, &b| changes[b].total_cmp(&changes[a]).then(b.cmp(&a)));
    let mut importance = vec![0.0; model.flat_features()];
    for place in order {
        let features = features(model, sources.all[place]);
        for feature in &features {
            importance[*feature as usize] += changes[place] / features.len() as f64;
        }
    }
    Ok(importance)
}

/// Number or category that a split tests. All splits of a source share its sum.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Float(u32),
    Cat(u32),
    Ctr(CtrIdx),
    Estimated(EstimatedIdx),
}

/// Sources of the trees' splits, in the order of their first use.
struct Sources {
    all: Vec<Source>,
    /// Index into `all` of each split that a tree uses.
    of_split: Vec<usize>,
}

impl Sources {
    fn new(model: &Model) -> Self {
        let mut all = Vec::new();
        let mut of_split = vec![0; model.splits.len()];
        let mut ask = |split: SplitIdx| {
            let source = match model.splits[split.at()] {
                Split::Float { feature, .. } => Source::Float(feature.0),
                Split::OneHot { feature, .. } => Source::Cat(model.one_hots[feature.at()].cat.0),
                Split::Ctr { feature, .. } => Source::Ctr(feature),
                Split::Estimated { feature, .. } => Source::Estimated(feature),
            };
            let place = all.iter().position(|other| *other == source);
            of_split[split.at()] = place.unwrap_or_else(|| {
                all.push(source);
                all.len() - 1
            });
        };
        match &model.trees {
            Trees::Oblivious(trees) => trees
                .iter()
                .flat_map(|tree| &tree.splits)
                .for_each(|&split| ask(split)),
            Trees::NonSymmetric(trees) => {
                for tree in trees {
                    let nodes = stored(tree);
                    // In the list of splits, a leaf has split 0.
                    let asked = nodes.iter().map(|node| node.split.unwrap_or(SplitIdx(0)));
                    asked
                        .filter(|split| split.at() < model.splits.len())
                        .for_each(&mut ask);
                }
            }
        }
        Self { all, of_split }
    }
}

/// Flat indices of the features of a source, with repetitions.
fn features(model: &Model, source: Source) -> Vec<u32> {
    let float = |place: usize| model.float_features[place].feature.flat_index;
    let cat = |place: usize| model.cat_features[place].flat_index;
    match source {
        Source::Float(place) => vec![float(place as usize)],
        Source::Cat(place) => vec![cat(place as usize)],
        Source::Ctr(ctr) => {
            let projection = &model.ctr_tables[model.ctrs[ctr.at()].table.at()].projection;
            let floats = projection.floats.iter().map(|(index, _)| float(index.at()));
            let cats = projection.cats.iter().map(|index| cat(index.at()));
            let one_hots = projection.one_hots.iter();
            let one_hots = one_hots.map(|(index, _)| cat(model.one_hots[index.at()].cat.at()));
            floats.chain(cats).chain(one_hots).collect()
        }
        Source::Estimated(estimated) => {
            vec![source_feature(
                model,
                model.estimated[estimated.at()].source,
            )]
        }
    }
}

fn squared(value: f64) -> f64 {
    value * value
}

/// Adds the changes of an oblivious tree. Leaves whose indices differ in bit `level` are a pair for split
/// `level`; pairs with a leaf of weight 0 are skipped.
fn oblivious(model: &Model, sources: &Sources, tree: &ObliviousTree, changes: &mut [f64]) {
    let dimension = model.dimension;
    for (level, split) in tree.splits.iter().enumerate() {
        let change = &mut changes[sources.of_split[split.at()]];
        for leaf in 0..tree.weights.len() {
            let other = leaf ^ (1 << level);
            let (count, other_count) = (tree.weights[leaf], tree.weights[other]);
            if other < leaf || count == 0.0 || other_count == 0.0 {
                continue;
            }
            for nth in 0..dimension {
                let value = tree.values[leaf * dimension + nth];
                let other_value = tree.values[other * dimension + nth];
                let mean = (value * count + other_value * other_count) / (count + other_count);
                *change +=
                    squared(value - mean) * count + squared(other_value - mean) * other_count;
            }
        }
    }
}

/// Adds the changes of a non-symmetric tree, from its last node in file order to its root. The children of a
/// node are a pair.
fn non_symmetric(model: &Model, sources: &Sources, tree: &NonSymmetricTree, changes: &mut [f64]) {
    let dimension = model.dimension;
    let nodes = stored(tree);
    // Mean values and weight of each node's subtree. Initially those of the leaf that the node holds.
    let mut known: Vec<(Vec<f64>, f64)> = nodes
        .iter()
        .map(|node| match node.leaf {
            Some(leaf) => {
                let values = &tree.values[leaf * dimension..][..dimension];
                (values.to_vec(), tree.weights[leaf])
            }
            None => (vec![0.0; dimension], 0.0),
        })
        .collect();
    for (place, node) in nodes.iter().enumerate().rev() {
        let Some(split) = node.split else { continue };
        let [(no, no_count), (yes, yes_count)] = node.children.map(|child| known[child].clone());
        let count = no_count + yes_count;
        let change = &mut changes[sources.of_split[split.at()]];
        let mut means = Vec::with_capacity(dimension);
        for (&no, &yes) in no.iter().zip(&yes) {
            let no = if no_count == 0.0 { 0.0 } else { no };
            let yes = if yes_count == 0.0 { 0.0 } else { yes };
            let divisor = if count == 0.0 { 1.0 } else { count };
            let mean = (no * no_count + yes * yes_count) / divisor;
            *change += squared(no - mean) * no_count + squared(yes - mean) * yes_count;
            means.push(mean);
        }
        known[place] = (means, count);
    }
}
