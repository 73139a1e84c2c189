//! Explanations: SHAP values, and feature importance.
//!
//! Plain and slow, like [`crate::eval`]. The values are those of CatBoost 1.2.10's `get_feature_importance`
//! with `type="ShapValues"`, to the bit, except for the differences that [`Explainer`] names.
//!
//! | entry point | CatBoost (Python) | result |
//! | --- | --- | --- |
//! | [`Explainer::explain`] | `get_feature_importance(data, type="ShapValues")` | per dimension and feature |
//! | [`importance()`] | `get_feature_importance(type="PredictionValuesChange")` | per feature |
//!
//! Both need leaf weights, which say how many training rows each leaf had. Features are numbered by flat
//! index, that is, as columns of the training data.

mod classes;
mod importance;
mod path;
mod trees;

use std::fmt;

#[doc(hidden)]
pub use crate::eval::stored::StoredNode;
pub use importance::importance;

use crate::{
    eval::{Numbers, Row, stored::stored},
    ir::{Model, NonSymmetricTree, SplitIdx, Trees},
    output,
};
use classes::Classes;
use trees::{Weighted, add_to};

/// Upper bound on the weight of a leaf: products and quotients of weights up to it do not overflow.
const MAX_WEIGHT: f64 = 1e100;

/// SHAP values of a row. Per dimension, base and values add up to the raw value, up to rounding and to the
/// exception for non-symmetric trees that [`Explainer`] names. CatBoost returns the same numbers as one list
/// per dimension, the base last.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Raw value of the mean training row, per dimension. A copy of [`Explainer::base()`].
    pub base: Vec<f64>,
    /// Contributions per dimension, as many lists as [`Explanation::base`] has numbers. Each list is by flat
    /// index of the feature and has the length [`Model::flat_features`]. Features that no tree uses have 0.
    pub values: Vec<Vec<f64>>,
}

/// Computes SHAP values of a model.
///
/// Differences from CatBoost 1.2.10:
/// - CatBoost numbers feature classes as if estimated features came last. For a model that has texts or embeddings as
///   well as CTRs or one-hot features, it attributes splits to the wrong features. Here a split is attributed to the
///   feature that it tests.
/// - CatBoost aborts on models whose trees have no splits, and refuses models without trees. Here the explanation is
///   the base.
/// - CatBoost explains models of several raw values that have a scale other than 1 as if it were 1, so that values do
///   not add up to raw values. Here they are refused, as CatBoost refuses those of one raw value.
///
/// As in CatBoost, the values of a non-symmetric tree do not add up to its value if one of its nodes has a leaf on one
/// side and a node on the other: such a leaf counts as if it were above that node's split.
///
/// ```
/// use catboost_model::{eval::Row, explain::Explainer};
///
/// let model = catboost_model::parse(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
/// )?;
/// let explainer = Explainer::new(&model)?;
/// // The mean of the training rows: three with the value 1, one with the value 2, and the bias.
/// assert_eq!(explainer.base(), [1.75]);
/// let row = Row { floats: &[41.0], ..Row::default() };
/// assert_eq!(explainer.explain(&row).values, [[0.75]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Explainer<'a> {
    model: &'a Model,
    classes: Classes,
    trees: Vec<Weighted<'a>>,
    /// Number per tree that is subtracted from each of its leaf values: with softmax, the mean over rows and
    /// classes, else 0.
    averages: Vec<f64>,
    base: Vec<f64>,
    /// Number of lists of values in an explanation: one per dimension, or 1 for `RMSEWithUncertainty`.
    lists: usize,
    /// Length of each list: [`Model::flat_features`].
    features: usize,
}

/// Reason why a model cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainError(String);

impl fmt::Display for ExplainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ExplainError {}

impl ExplainError {
    /// Creates an error with a reason from another crate.
    #[doc(hidden)]
    #[must_use]
    pub fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl<'a> Explainer<'a> {
    /// Prepares a model's trees.
    ///
    /// # Errors
    /// If the model lacks leaf weights (CatBoost refuses it without data), has a scale other than 1 (CatBoost refuses it
    /// if there is one raw value, and else explains it as if the scale were 1), or has a leaf with a value but without
    /// weight (CatBoost mixes the data's weights in); if a weight is negative, greater than 1e100 or no number; if the
    /// mean of a tree's values is not finite; if the model's loss cannot be read.
    pub fn new(model: &'a Model) -> Result<Self, ExplainError> {
        if model.scale != 1.0 {
            return Err(ExplainError(format!(
                "the model's scale is {:?}: SHAP values are defined for a scale of 1 only",
                model.scale
            )));
        }
        check_weighted(model)?;
        check_values(model)?;
        let dimension = model.dimension;
        let loss = output::loss(model).map_err(|error| ExplainError(error.to_string()))?;
        let softmax = dimension > 1 && (loss.is_empty() || loss == "MultiClass");
        let trees: Vec<Weighted> = match &model.trees {
            Trees::Oblivious(trees) => trees.iter().map(Weighted::oblivious).collect(),
            Trees::NonSymmetric(trees) => trees.iter().map(Weighted::non_symmetric).collect(),
        };
        let mut base = vec![0.0; dimension];
        let mut averages = Vec::with_capacity(trees.len());
        for tree in &trees {
            let mean = tree.mean(dimension);
            for (base, mean) in base.iter_mut().zip(&mean) {
                *base += mean;
            }
            // With softmax, the mean over the classes is removed, since it says nothing about any of them.
            let sum = mean.iter().fold(0.0, |sum, mean| sum + mean);
            averages.push(if softmax { sum / dimension as f64 } else { 0.0 });
        }
        for (base, bias) in base.iter_mut().zip(&model.bias) {
            *base += bias;
        }
        if !base.iter().chain(&averages).all(|mean| mean.is_finite()) {
            return Err(ExplainError(
                "the mean of its values over the training rows is not finite".to_owned(),
            ));
        }
        let lists = if loss == "RMSEWithUncertainty" {
            1
        } else {
            dimension
        };
        base.truncate(lists);
        Ok(Self {
            model,
            classes: Classes::new(model),
            trees,
            averages,
            base,
            lists,
            features: model.flat_features(),
        })
    }

    /// Raw value of the mean training row, per dimension. `RMSEWithUncertainty` has one, since only its mean is
    /// explained.
    #[must_use]
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// Averages per tree, which are subtracted from every leaf value.
    #[doc(hidden)]
    #[must_use]
    pub fn averages(&self) -> &[f64] {
        &self.averages
    }

    /// Returns the feature class of a split.
    #[doc(hidden)]
    #[must_use]
    pub fn class_of(&self, split: SplitIdx) -> usize {
        self.classes.of_split[split.at()]
    }

    /// Returns the flat indices of the features of a class.
    #[doc(hidden)]
    #[must_use]
    pub fn class_features(&self, class: usize) -> &[u32] {
        &self.classes.features[class]
    }

    /// Returns the nodes of a non-symmetric tree in the order of CatBoost's files.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_nodes(tree: &NonSymmetricTree) -> Vec<StoredNode> {
        stored(tree)
    }

    /// Returns the contribution of each feature for a row.
    ///
    /// The time per leaf grows with the square of its depth, since the path to a leaf is unwound once per
    /// step.
    ///
    /// # Panics
    /// As [`crate::eval::raw`].
    #[must_use]
    pub fn explain(&self, row: &Row) -> Explanation {
        let numbers = Numbers::compute(self.model, row);
        self.explain_answers(|split| numbers.answer(self.model, row, split))
    }

    /// Returns the contribution of each feature for a row with these answers to the model's splits.
    pub(crate) fn explain_answers(&self, answer: impl Fn(SplitIdx) -> bool) -> Explanation {
        let mut values = vec![vec![0.0; self.features]; self.lists];
        for (tree, &average) in self.trees.iter().zip(&self.averages) {
            let class = |split: SplitIdx| self.classes.of_split[split.at()];
            let found = tree.contributions(self.model.dimension, average, class, &answer);
            for (feature, shares) in self.by_feature(&found) {
                for (values, share) in values.iter_mut().zip(shares) {
                    values[feature as usize] += share;
                }
            }
        }
        Explanation {
            base: self.base.clone(),
            values,
        }
    }

    /// Splits a class's contribution evenly among its features. A feature of several classes gets the sum.
    fn by_feature(&self, found: &trees::Contributions) -> Vec<(u32, Vec<f64>)> {
        let mut shares = Vec::new();
        for (class, values) in found {
            let features = &self.classes.features[*class];
            for &feature in features {
                let values = values.iter().map(|value| value / features.len() as f64);
                add_to(&mut shares, feature, values);
            }
        }
        shares
    }
}

/// Values and weights of each tree's leaves.
fn leaves(model: &Model) -> Vec<(&[f64], &[f64])> {
    match &model.trees {
        Trees::Oblivious(trees) => {
            let trees = trees.iter();
            trees
                .map(|tree| (&tree.values[..], &tree.weights[..]))
                .collect()
        }
        Trees::NonSymmetric(trees) => {
            let trees = trees.iter();
            trees
                .map(|tree| (&tree.values[..], &tree.weights[..]))
                .collect()
        }
    }
}

/// Refuses a model without leaf weights.
fn check_weighted(model: &Model) -> Result<(), ExplainError> {
    if leaves(model).iter().any(|(_, weights)| weights.is_empty()) {
        return Err(ExplainError(
            "the model has no leaf weights, which say how many training rows each leaf had: models that were edited, or trained \
             elsewhere, can lack them"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a weight that no number of training rows has, and a leaf with a value but without training rows: CatBoost
/// would take the weights of the rows to explain.
fn check_values(model: &Model) -> Result<(), ExplainError> {
    for (tree, (values, weights)) in leaves(model).into_iter().enumerate() {
        let wrong = |weight: &f64| !(0.0..=MAX_WEIGHT).contains(weight);
        if let Some(leaf) = weights.iter().position(wrong) {
            return Err(ExplainError(format!(
                "leaf {leaf} of tree {tree} has the weight {:?}: expected a number from 0 to {MAX_WEIGHT:e}",
                weights[leaf]
            )));
        }
        let sizes = values.chunks(model.dimension);
        let sizes = sizes.map(|values| values.iter().fold(0.0, |sum, value| sum + value.abs()));
        let mut leaves = sizes.zip(weights);
        if let Some(leaf) = leaves.position(|(size, &weight)| weight == 0.0 && size >= 1e-9) {
            return Err(ExplainError(format!(
                "leaf {leaf} of tree {tree} has a value, but the weight 0: such a model cannot be explained without data"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
