//! From a row's answers to leaves and sums, for all trees or a range of them.

use std::ops::Range;

use super::{Numbers, Row, stored::leaf_numbers};
use crate::ir::{Child, Model, NonSymmetricTree, ObliviousTree, SplitIdx, Trees};

/// Returns the raw values of a row, [`Model::dimension`] of them: `sum * scale + bias`, where the sum of leaf
/// values runs in the order of the trees, in f64 from 0. CatBoost's `RawFormulaVal`, to the last bit.
///
/// # Panics
/// If the row has fewer values than the model has features, or an embedding is shorter than its dimension.
///
/// ```
/// use catboost_model::eval::{Row, raw};
///
/// let model = catboost_model::parse(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
/// )?;
/// let answer = |age: f32| raw(&model, &Row { floats: &[age], ..Row::default() });
/// assert_eq!(answer(41.0), [2.5]);
/// assert_eq!(answer(18.0), [1.5]);
/// # Ok::<(), catboost_model::Error>(())
/// ```
#[must_use]
pub fn raw(model: &Model, row: &Row) -> Vec<f64> {
    raw_of_trees(model, row, 0..model.tree_count())
}

/// Returns the raw values of a range of trees: CatBoost's `predict` with `ntree_start` and `ntree_end`. The
/// scale applies to any range, the bias only to one that begins with the first tree.
///
/// # Panics
/// If the range exceeds the model's trees; otherwise as [`raw`].
///
/// ```
/// use catboost_model::eval::{Row, raw_of_trees};
///
/// // Two trees with the same split, and a bias of 0.5.
/// let model = catboost_model::parse(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
///     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]},
///     "scale_and_bias": [1, [0.5]], "oblivious_trees": [
///     {"splits": [{"split_index": 0}], "leaf_values": [1, 2]},
///     {"splits": [{"split_index": 0}], "leaf_values": [10, 20]}]}"#,
/// )?;
/// let row = Row { floats: &[41.0], ..Row::default() };
/// assert_eq!(raw_of_trees(&model, &row, 0..1), [2.5]);
/// assert_eq!(raw_of_trees(&model, &row, 1..2), [20.0]);
/// # Ok::<(), catboost_model::Error>(())
/// ```
#[must_use]
pub fn raw_of_trees(model: &Model, row: &Row, trees: Range<usize>) -> Vec<f64> {
    sum(model, &Numbers::compute(model, row), row, trees)
}

/// Returns the raw values after every `period` trees: CatBoost's `staged_predict`. There is a stage per
/// `period` trees of the range, rounded up. Every stage adds the scaled sum of its own trees to the previous
/// stage, so the last one can differ from [`raw_of_trees`] in the last bits.
///
/// # Panics
/// If `period` is 0; otherwise as [`raw_of_trees`].
///
/// ```
/// use catboost_model::eval::{Row, stages};
///
/// // Two trees with the same split, and a bias of 0.5.
/// let model = catboost_model::parse(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
///     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]},
///     "scale_and_bias": [1, [0.5]], "oblivious_trees": [
///     {"splits": [{"split_index": 0}], "leaf_values": [1, 2]},
///     {"splits": [{"split_index": 0}], "leaf_values": [10, 20]}]}"#,
/// )?;
/// let row = Row { floats: &[41.0], ..Row::default() };
/// assert_eq!(stages(&model, &row, 0..2, 1), [[2.5], [22.5]]);
/// # Ok::<(), catboost_model::Error>(())
/// ```
#[must_use]
pub fn stages(model: &Model, row: &Row, trees: Range<usize>, period: usize) -> Vec<Vec<f64>> {
    let numbers = Numbers::compute(model, row);
    let mut stages: Vec<Vec<f64>> = Vec::new();
    for start in trees.clone().step_by(period) {
        let end = start.saturating_add(period).min(trees.end);
        let mut scores = sum(model, &numbers, row, start..end);
        if let Some(before) = stages.last() {
            for (score, before) in scores.iter_mut().zip(before) {
                *score += before;
            }
        }
        stages.push(scores);
    }
    stages
}

/// Returns the row's leaf in each of a range of trees: CatBoost's `calc_leaf_indexes`. Bit `k` of an
/// oblivious tree's leaf index is the answer to split `k`; leaves of a non-symmetric tree are numbered in
/// file order, in which a node that holds a leaf comes before the nodes below it.
///
/// # Panics
/// As [`raw_of_trees`].
///
/// ```
/// use catboost_model::eval::{Row, leaves};
///
/// // Two trees with the same split, and a bias of 0.5.
/// let model = catboost_model::parse(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
///     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]},
///     "scale_and_bias": [1, [0.5]], "oblivious_trees": [
///     {"splits": [{"split_index": 0}], "leaf_values": [1, 2]},
///     {"splits": [{"split_index": 0}], "leaf_values": [10, 20]}]}"#,
/// )?;
/// let row = Row { floats: &[41.0], ..Row::default() };
/// assert_eq!(leaves(&model, &row, 0..2), [1, 1]);
/// # Ok::<(), catboost_model::Error>(())
/// ```
#[must_use]
pub fn leaves(model: &Model, row: &Row, trees: Range<usize>) -> Vec<u32> {
    let numbers = Numbers::compute(model, row);
    let answer = |split: SplitIdx| numbers.answer(model, row, split);
    match &model.trees {
        Trees::Oblivious(all) => {
            let trees = all[trees].iter();
            trees
                .map(|tree| oblivious_leaf(tree, answer) as u32)
                .collect()
        }
        Trees::NonSymmetric(all) => {
            let trees = all[trees].iter();
            trees
                .map(|tree| leaf_numbers(tree)[walk(tree, answer)])
                .collect()
        }
    }
}

fn sum(model: &Model, numbers: &Numbers, row: &Row, range: Range<usize>) -> Vec<f64> {
    let answer = |split: SplitIdx| numbers.answer(model, row, split);
    let mut sums = vec![0.0; model.dimension];
    let mut add = |values: &[f64], leaf: usize| {
        for (sum, value) in sums.iter_mut().zip(&values[leaf * model.dimension..]) {
            *sum += value;
        }
    };
    let first = range.start == 0;
    match &model.trees {
        Trees::Oblivious(trees) => {
            for tree in &trees[range] {
                add(&tree.values, oblivious_leaf(tree, answer));
            }
        }
        Trees::NonSymmetric(trees) => {
            for tree in &trees[range] {
                add(&tree.values, walk(tree, answer));
            }
        }
    }
    scale_and_bias(model, first, &mut sums);
    sums
}

fn oblivious_leaf(tree: &ObliviousTree, answer: impl Fn(SplitIdx) -> bool) -> usize {
    let bits = tree.splits.iter().enumerate();
    bits.fold(0, |leaf, (bit, &split)| {
        leaf | usize::from(answer(split)) << bit
    })
}

fn walk(tree: &NonSymmetricTree, answer: impl Fn(SplitIdx) -> bool) -> usize {
    if tree.nodes.is_empty() {
        return 0;
    }
    let mut at = 0;
    loop {
        let node = tree.nodes[at];
        let next = if answer(node.split) {
            node.yes
        } else {
            node.no
        };
        match next {
            Child::Node(next) => at = next as usize,
            Child::Leaf(leaf) => return leaf as usize,
        }
    }
}

/// Computes `sum * scale + bias` in CatBoost's steps: a scale of 1 and biases that are all 0 are skipped, so that they
/// do not even change the sign of a zero.
fn scale_and_bias(model: &Model, first: bool, sums: &mut [f64]) {
    if model.scale != 1.0 {
        for sum in sums.iter_mut() {
            *sum *= model.scale;
        }
    }
    if first && model.bias.iter().any(|&bias| bias != 0.0) {
        for (sum, bias) in sums.iter_mut().zip(&model.bias) {
            *sum += bias;
        }
    }
}
