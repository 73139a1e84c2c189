//! Virtual ensembles: uncertainty of a model that was trained with `posterior_sampling`, from subsets of its
//! trees. CatBoost's functions are `ApplyVirtualEnsembles` (`catboost/private/libs/algo/apply.cpp`) and
//! `TFullModel::GetActualShrinkCoef`.
//!
//! ```text
//! trees      |<-------- shared -------->|<- period ->|<- period ->|<- period ->|
//! ensemble 0 |============ shared and one period ====|
//! ensemble 1 |============ shared and two periods ================|
//! ensemble 2 |============ all trees ==========================================|
//! ```

use std::ops::Range;

use catboost_runtime::{
    math::{ln, sigmoid},
    output::{mean_and_variance, softmax},
};

use super::{Json, OutputError, loss};
use crate::{
    eval::{self, Row},
    ir::Model,
};

/// Virtual ensembles of a model. All share the first half of the trees; each adds more of the second half.
///
/// ```
/// use catboost_model::{eval::Row, output::Ensembles};
///
/// // Four trees, each a single leaf with the value 1.
/// let model = catboost_model::parse(
///     br#"{"features_info": {}, "scale_and_bias": [1, [0]],
///     "model_info": {"params": {"loss_function": {"type": "RMSE"},
///     "boosting_options": {"learning_rate": 0.1, "model_shrink_rate": 0}}},
///     "oblivious_trees": [{"leaf_values": [1]}, {"leaf_values": [1]}, {"leaf_values": [1]},
///     {"leaf_values": [1]}]}"#,
/// )?;
/// let ensembles = Ensembles::new(&model, model.tree_count(), 2)?;
/// let row = Row::default();
/// assert_eq!(ensembles.predict(&row), [[3.0], [4.0]]);
/// // The mean and the variance of 3 and 4.
/// assert_eq!(ensembles.uncertainty(&row), [3.5, 0.25]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensembles<'a> {
    model: &'a Model,
    kind: Kind,
    /// Number of trees that all ensembles share: all but `period * count`, at least half.
    shared: usize,
    /// Number of trees that each ensemble adds to the previous one's.
    period: usize,
    count: usize,
    /// Relative shrinkage of the model per iteration of the training: learning rate times shrink rate.
    shrink: f32,
}

/// Kind of uncertainty for a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Spread of the raw values.
    Regression,
    /// Spread of the means, and the mean of the variances: `RMSEWithUncertainty`.
    MeanAndVariance,
    /// Entropies of the probabilities.
    Classification,
}

const REGRESSION: [&str; 14] = [
    "RMSE",
    "MAE",
    "Quantile",
    "MultiQuantile",
    "LogLinQuantile",
    "Expectile",
    "MAPE",
    "Poisson",
    "Lq",
    "Huber",
    "Tweedie",
    "LogCosh",
    "Cox",
    "GroupQuantile",
];

const CLASSIFICATION: [&str; 14] = [
    "Logloss",
    "CrossEntropy",
    "Focal",
    "MultiClass",
    "MultiClassOneVsAll",
    "MultiLogloss",
    "MultiCrossEntropy",
    "PairLogit",
    "PairLogitPairwise",
    "YetiRank",
    "YetiRankPairwise",
    "QuerySoftMax",
    "QueryCrossEntropy",
    "StochasticFilter",
];

impl<'a> Ensembles<'a> {
    /// Divides the first `trees` trees of a model among `count` ensembles. Each adds `trees / (2 * count)`
    /// trees, rounded down, to the previous one. CatBoost's defaults are all trees and 10 ensembles.
    ///
    /// # Errors
    /// If there are too few trees (an ensemble would add none) or the model has fewer, the metadata lacks
    /// `learning_rate` or `model_shrink_rate` of `boosting_options`, their product is negative or not less
    /// than 1, or CatBoost has no ensembles for the loss.
    pub fn new(model: &'a Model, trees: usize, count: usize) -> Result<Self, OutputError> {
        let loss = loss(model)?;
        let kind = match loss.as_str() {
            "RMSEWithUncertainty" if model.dimension == 2 => Kind::MeanAndVariance,
            loss if REGRESSION.contains(&loss) => Kind::Regression,
            loss if CLASSIFICATION.contains(&loss) => Kind::Classification,
            loss => {
                return Err(OutputError(format!(
                    "virtual ensembles are not defined for the loss `{}`",
                    loss.escape_debug()
                )));
            }
        };
        let period = count
            .checked_mul(2)
            .and_then(|parts| trees.checked_div(parts));
        let period = period.filter(|&period| period > 0 && trees <= model.tree_count());
        let Some(period) = period.filter(|period| period * count < trees) else {
            return Err(OutputError(format!(
                "{trees} trees are not enough for {count} virtual ensembles"
            )));
        };
        Ok(Self {
            model,
            kind,
            shared: trees - period * count,
            period,
            count,
            shrink: shrink(&Json::read(
                model.info.get("params").map_or("", String::as_str),
            ))?,
        })
    }

    /// `VirtEnsembles`: prediction of each ensemble for a row, [`Model::dimension`] values per ensemble. Raw
    /// values, except for `RMSEWithUncertainty`, which has mean and variance.
    ///
    /// # Panics
    /// As [`eval::raw`].
    #[must_use]
    pub fn predict(&self, row: &Row) -> Vec<Vec<f64>> {
        let mut ensembles = self.raw(row);
        if self.kind == Kind::MeanAndVariance {
            for values in &mut ensembles {
                values[1] = mean_and_variance([values[0], values[1]]).1;
            }
        }
        ensembles
    }

    /// `TotalUncertainty` of a row.
    ///
    /// | loss | values |
    /// | --- | --- |
    /// | regression | mean and variance of the ensembles' predictions |
    /// | `RMSEWithUncertainty` | mean and variance of their means, mean of their variances |
    /// | classification | mean entropy of their probabilities, entropy of the mean probabilities |
    ///
    /// Regression with several raw values treats each of them as a prediction of its own, as in CatBoost.
    ///
    /// # Panics
    /// As [`eval::raw`].
    #[must_use]
    pub fn uncertainty(&self, row: &Row) -> Vec<f64> {
        let ensembles = self.raw(row);
        match self.kind {
            // CatBoost treats the raw values of all dimensions as one prediction each.
            Kind::Regression => spread(&ensembles.concat()).into(),
            Kind::MeanAndVariance => {
                let means: Vec<f64> = ensembles.iter().map(|values| values[0]).collect();
                let variances = ensembles
                    .iter()
                    .map(|values| mean_and_variance([values[0], values[1]]).1);
                let [mean, variance] = spread(&means);
                vec![mean, variance, average(variances, self.count)]
            }
            Kind::Classification if self.model.dimension == 1 => {
                let probabilities = ensembles.iter().map(|values| sigmoid(values[0]));
                let entropies = probabilities.clone().map(entropy_of_two);
                vec![
                    average(entropies, self.count),
                    entropy_of_two(average(probabilities, self.count)),
                ]
            }
            Kind::Classification => self.class_uncertainty(ensembles),
        }
    }

    fn class_uncertainty(&self, mut ensembles: Vec<Vec<f64>>) -> Vec<f64> {
        for values in &mut ensembles {
            softmax(values);
        }
        let entropies = ensembles.iter().map(|values| entropy(values));
        let means: Vec<f64> = (0..self.model.dimension)
            .map(|class| average(ensembles.iter().map(|values| values[class]), self.count))
            .collect();
        vec![average(entropies, self.count), entropy(&means)]
    }

    /// Raw values of each ensemble. All except the last are scaled up to undo the shrinking by later iterations.
    fn raw(&self, row: &Row) -> Vec<Vec<f64>> {
        let trees = |range: Range<usize>| eval::raw_of_trees(self.model, row, range);
        let mut sums = trees(0..self.shared);
        let end = self.shared + self.period * self.count;
        let ensemble = |nth: usize| {
            let start = self.shared + self.period * nth;
            for (sum, value) in sums.iter_mut().zip(trees(start..start + self.period)) {
                *sum += value;
            }
            let factor = if nth + 1 == self.count {
                1.0
            } else {
                let missing = (start + self.period) as f32 - end as f32;
                f64::from((1.0 - f64::from(self.shrink)).powf(f64::from(missing)) as f32)
            };
            sums.iter().map(|sum| sum * factor).collect()
        };
        (0..self.count).map(ensemble).collect()
    }
}

/// Returns learning rate times shrink rate.
fn shrink(params: &Json) -> Result<f32, OutputError> {
    let options = params.get("boosting_options");
    let rate = |name: &str| {
        let rate = options
            .and_then(|options| options.get(name))
            .and_then(Json::double);
        rate.ok_or_else(|| {
            OutputError(format!(
                "model info, `params`: virtual ensembles need `boosting_options`.`{name}`"
            ))
        })
    };
    let shrink = (rate("learning_rate")? * rate("model_shrink_rate")?) as f32;
    if (0.0..1.0).contains(&shrink) {
        return Ok(shrink);
    }
    Err(OutputError(format!(
        "model info, `params`: learning rate times shrink rate is {shrink:?}, expected 0 or more and less than 1"
    )))
}

fn average(values: impl Iterator<Item = f64>, count: usize) -> f64 {
    values.fold(0.0, |sum, value| sum + value) / count as f64
}

/// Returns mean and variance.
fn spread(values: &[f64]) -> [f64; 2] {
    let mean = average(values.iter().copied(), values.len());
    let squares = values.iter().map(|value| (value - mean) * (value - mean));
    [mean, average(squares, values.len())]
}

fn entropy_of_two(probability: f64) -> f64 {
    let other = 1.0 - probability;
    -probability * ln(probability) - other * ln(other)
}

fn entropy(probabilities: &[f64]) -> f64 {
    let parts = probabilities
        .iter()
        .map(|&probability| probability * ln(probability));
    parts.fold(0.0, |entropy, part| entropy - part)
}
