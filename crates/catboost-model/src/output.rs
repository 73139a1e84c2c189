//! From raw values to the predictions of CatBoost's Python package: probabilities, classes, exponents.
//!
//! Loss, classes and threshold are texts in [`Model::info`], which are read as CatBoost reads them, faults
//! included: `fixtures/metadata` has its answers to hundreds of odd texts. The arithmetic is in
//! [`catboost_runtime::output`], which compiled models use, too.
//!
//! | `prediction_type` of CatBoost | here |
//! | --- | --- |
//! | `RawFormulaVal` | [`Output::raw`] |
//! | `Probability`, `LogProbability` | [`Output::probability`], [`Output::log_probability`] |
//! | `Class` | [`Output::class`] |
//! | `Exponent` | [`Output::exponent`] |
//! | `RMSEWithUncertainty` | [`Output::mean_and_variance`] |
//! | `VirtEnsembles`, `TotalUncertainty` | [`Ensembles::predict`], [`Ensembles::uncertainty`] |
//!
//! Every method takes the raw values of one row, as [`crate::eval::raw`] returns them. It computes any type
//! for any loss; whether a type makes sense for the loss is the caller's decision.

mod classes;
mod ensembles;
mod loss;
mod metadata;

use std::fmt;

use catboost_runtime::{math::ln, output};
use classes::ClassParams;
use metadata::Json;

pub use ensembles::Ensembles;

use crate::{ir::Model, text_number};

/// Meaning of a model's raw values.
///
/// ```
/// use catboost_model::output::{Label, Link, Output};
///
/// let model = catboost_model::parse(
///     br#"{"features_info": {}, "scale_and_bias": [1, [0.0]], "oblivious_trees": [],
///     "model_info": {"params": {"loss_function": {"type": "Logloss"}}}}"#,
/// )?;
/// let output = Output::of(&model)?;
/// assert_eq!((output.loss.as_str(), output.link), ("Logloss", Link::Sigmoid));
/// assert_eq!(output.classes, [Label::Int(0), Label::Int(1)]);
/// assert_eq!(output.probability(&[0.0]), [0.5, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Loss of the training, by CatBoost's name without parameters; empty if the file does not say.
    pub loss: String,
    /// Link function.
    pub link: Link,
    /// Number of values that [`Output::raw`] returns: [`Model::dimension`], or the number of classes in the
    /// metadata.
    pub dimension: usize,
    /// Index of each of the model's raw values among those of [`Output::raw`], [`Model::dimension`] of them.
    /// Classes that the training data lacked have indices, but no raw values.
    pub places: Vec<usize>,
    /// Names of the classes, by index: two for a model with one raw value, or one (see [`Output::checked`]),
    /// none if the model does not classify. Unnamed classes have numbers as names.
    pub classes: Vec<Label>,
    /// Threshold of the raw value: with one raw value, above it the second class is predicted; with [many
    /// labels](Output::many_labels), each label whose value is above it. The logit of the metadata's
    /// `binclass_probability_threshold`, or of 0.5; it can be infinite or NaN.
    pub threshold: f64,
}

/// Link function: raw values → probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// `1 / (1 + exp(-raw))` of a single raw value, for the second of two classes. Every model with one raw
    /// value has it, whatever its loss.
    Sigmoid,
    /// `1 / (1 + exp(-raw))` for each class independently: `MultiClassOneVsAll`, `MultiLogloss`,
    /// `MultiCrossEntropy`.
    SigmoidEach,
    /// Softmax of one raw value per class. Models of several targets have it, too, where it means nothing.
    Softmax,
}

/// Name of a class. All classes of a model have the same variant: that of the first name in the metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// `False` or `True`.
    Bool(bool),
    /// A whole number, the kind of name that unnamed classes have, too.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(String),
}

/// Reason why a model's metadata about its output cannot be interpreted, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputError(String);

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OutputError {}

/// Returns the loss of the training, by CatBoost's name without parameters; empty if the file does not say.
///
/// # Errors
/// If CatBoost refuses the description of the loss in [`Model::info`].
///
/// ```
/// let model = catboost_model::parse(
///     br#"{"features_info": {}, "scale_and_bias": [1, [0.0]], "oblivious_trees": [],
///     "model_info": {"params": {"loss_function": {"type": "Quantile", "params": {"alpha": "0.9"}}}}}"#,
/// )?;
/// assert_eq!(catboost_model::output::loss(&model)?, "Quantile");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn loss(model: &Model) -> Result<String, OutputError> {
    let text = |key: &str| model.info.get(key).map(String::as_str);
    let params = Json::read(text("params").unwrap_or_default());
    loss::name(text("loss_function"), &params)
}

impl Output {
    /// Reads a model's metadata about its output, as CatBoost does when it predicts.
    ///
    /// # Errors
    /// If CatBoost refuses to predict with this [`Model::info`], or would write outside its memory. The text names the
    /// key and the fault.
    pub fn of(model: &Model) -> Result<Self, OutputError> {
        let text = |key: &str| model.info.get(key).map(String::as_str);
        let params = Json::read(text("params").unwrap_or_default());
        let loss = loss::name(text("loss_function"), &params)?;
        let class_params = ["class_params", "multiclass_params"]
            .into_iter()
            .find_map(|key| text(key).map(|text| ClassParams::read(key, text)))
            .transpose()?;
        let own = (model.dimension, (0..model.dimension).collect());
        let (dimension, places) = match &class_params {
            Some(class_params) => class_params.places(model.dimension)?,
            None => own,
        };
        let classes = match class_params {
            Some(class_params) => class_params.labels(),
            None => unspecified(model.dimension, &loss, &params),
        };
        // With several raw values, CatBoost reads the names only if it predicts classes.
        let classes = match classes {
            Err(error) if model.dimension == 1 => return Err(error),
            classes => classes.unwrap_or_default(),
        };
        if model.dimension == 1 && classes.len() > 2 {
            return Err(OutputError(format!(
                "model info: {} classes for one raw value, expected 2",
                classes.len()
            )));
        }
        let link = match loss.as_str() {
            _ if model.dimension == 1 => Link::Sigmoid,
            "MultiClassOneVsAll" | "MultiLogloss" | "MultiCrossEntropy" => Link::SigmoidEach,
            _ => Link::Softmax,
        };
        // `GetBinClassProbabilityThreshold` and `GetBinClassLogitThreshold` of `catboost/libs/model/model.cpp`: a text
        // that is not a number by `TryFromString<double>` is ignored; a number of any size counts, and may result in a
        // threshold of NaN or infinity.
        let probability = text("binclass_probability_threshold").and_then(text_number);
        let probability = probability.unwrap_or(DEFAULT_THRESHOLD);
        Ok(Self {
            loss,
            link,
            dimension,
            places,
            classes,
            threshold: -ln(1.0 / probability - 1.0),
        })
    }

    /// Checks that the model names as many classes as it predicts.
    ///
    /// # Errors
    /// If it names another number of classes (other than none). With one raw value it may name one: a single label of
    /// `MultiLogloss`, or the only class of the training data.
    pub fn checked(self) -> Result<Self, OutputError> {
        let expected = if self.dimension == 1 {
            2
        } else {
            self.dimension
        };
        match self.classes.len() {
            0 => Ok(self),
            1 if self.dimension == 1 => Ok(self),
            named if named == expected => Ok(self),
            named => Err(OutputError(format!(
                "the model names {named} classes, expected {expected}"
            ))),
        }
    }

    /// `RawFormulaVal`: raw values by class, minus infinity for classes that the training data lacked.
    ///
    /// The result has [`Output::dimension`] values. `raw` has [`Model::dimension`]; missing ones count as
    /// minus infinity, further ones are ignored.
    #[must_use]
    pub fn raw(&self, raw: &[f64]) -> Vec<f64> {
        let mut scores = vec![0.0; self.dimension];
        output::by_class(raw, &self.places, &mut scores);
        scores
    }

    /// `Probability`: one value per class. A model with one raw value has two: that of the first class and of
    /// the second.
    #[must_use]
    pub fn probability(&self, raw: &[f64]) -> Vec<f64> {
        let mut values = self.raw(raw);
        match self.link {
            Link::Sigmoid => return output::probability_of_two(values[0]).into(),
            Link::SigmoidEach => output::probability_of_each(&mut values),
            Link::Softmax => output::softmax(&mut values),
        }
        values
    }

    /// `LogProbability`: the logarithm of each [probability](Output::probability), computed directly.
    #[must_use]
    pub fn log_probability(&self, raw: &[f64]) -> Vec<f64> {
        let mut values = self.raw(raw);
        match self.link {
            Link::Sigmoid => return output::log_probability_of_two(values[0]).into(),
            Link::SigmoidEach => output::log_probability_of_each(&mut values),
            Link::Softmax => output::log_softmax(&mut values),
        }
        values
    }

    /// Returns true if labels are predicted independently, so that a row can have several, or none.
    #[must_use]
    pub fn many_labels(&self) -> bool {
        matches!(self.loss.as_str(), "MultiLogloss" | "MultiCrossEntropy")
    }

    /// `Class`: indices of the predicted classes in [`Output::classes`]. One, or with [many
    /// labels](Output::many_labels) all above the threshold. The first of several classes with the greatest
    /// raw value is predicted.
    ///
    /// ```
    /// use catboost_model::output::{Label, Output};
    ///
    /// let model = catboost_model::parse(
    ///     br#"{"features_info": {}, "scale_and_bias": [1, [0.0]], "oblivious_trees": [],
    ///     "model_info": {"params": {"loss_function": {"type": "Logloss"}}}}"#,
    /// )?;
    /// let output = Output::of(&model)?;
    /// let class = output.class(&[1.5])[0];
    /// assert_eq!(output.classes[class], Label::Int(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn class(&self, raw: &[f64]) -> Vec<usize> {
        let scores = self.raw(raw);
        if self.many_labels() {
            let above = |&place: &usize| scores[place] > self.threshold;
            return (0..scores.len()).filter(above).collect();
        }
        match scores[..] {
            // CatBoost fails above the threshold: no name is left.
            [_] if self.classes.len() == 1 => vec![0],
            [score] => vec![usize::from(score > self.threshold)],
            _ => vec![output::class(&scores)],
        }
    }

    /// `Exponent`: exponential of the (first) raw value, with the bits that CatBoost has for a single row.
    /// For losses such as `Poisson`, which are trained on logarithms.
    #[must_use]
    pub fn exponent(&self, raw: &[f64]) -> f64 {
        output::exponent(self.raw(raw)[0])
    }

    /// `RMSEWithUncertainty`: mean and variance, with the bits that CatBoost has for a single row; `None`
    /// unless `raw` has two values. The second raw value is the logarithm of the standard deviation.
    #[must_use]
    pub fn mean_and_variance(&self, raw: &[f64]) -> Option<(f64, f64)> {
        raw.try_into().ok().map(output::mean_and_variance)
    }
}

/// Probability above which the second class is predicted, unless the model says otherwise.
const DEFAULT_THRESHOLD: f64 = 0.5;

/// Classes of a model without `class_params`: those of the training parameters, or as many as its loss has.
fn unspecified(dimension: usize, loss: &str, params: &Json) -> Result<Vec<Label>, OutputError> {
    let names = params
        .get("data_processing_options")
        .and_then(|options| options.get("class_names"));
    match names {
        Some(Json::List(names)) if !names.is_empty() => {
            check_names(names)
                .map_err(|what| OutputError(format!("model info, `params`: {what}")))?;
            Ok(labels(names))
        }
        None | Some(Json::List(_)) if loss::classifies(loss) => Ok(numbered(dimension.max(2))),
        None | Some(Json::List(_)) => Ok(Vec::new()),
        Some(_) => Err(OutputError(
            "model info, `params`: `data_processing_options.class_names` is no list".to_owned(),
        )),
    }
}

/// Checks that every name is a text, a number or a boolean (`ClassLabelToString` in
/// `catboost/private/libs/labels/helpers.cpp`).
fn check_names(names: &[Json]) -> Result<(), &'static str> {
    let is_name = |name: &Json| {
        matches!(
            name,
            Json::Bool(_) | Json::Int(_) | Json::Double(_) | Json::Text(_)
        )
    };
    let all = names.iter().all(is_name);
    all.then_some(())
        .ok_or("`class_names` holds something that is no label")
}

/// Converts the names of classes. The first name's type applies to all, and booleans are `False` and `True`, as in
/// CatBoost's Python package.
fn labels(names: &[Json]) -> Vec<Label> {
    if let [Json::Bool(_), ..] = names {
        return vec![Label::Bool(false), Label::Bool(true)];
    }
    let label = |name: &Json| match (&names[0], name) {
        (Json::Int(_), name) => Label::Int(name.integer().unwrap_or_default()),
        (Json::Double(_), name) => Label::Float(name.double().unwrap_or_default()),
        (_, name) => Label::Text(name.text().unwrap_or_default().to_owned()),
    };
    names.iter().map(label).collect()
}

/// Returns numbers as the names of unnamed classes.
fn numbered(count: usize) -> Vec<Label> {
    (0..).map(Label::Int).take(count).collect()
}

#[cfg(test)]
mod tests;
