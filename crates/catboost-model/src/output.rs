//! From raw scores to what CatBoost's Python package predicts: probabilities, classes, exponents.
//!
//! Everything that decides it (the loss, the classes, the threshold) is text in [`Model::info`], which is read as CatBoost reads it,
//! faults and all: `fixtures/metadata` has its answers to hundreds of odd texts. The arithmetic is
//! [`catboost_runtime::output`]'s, for compiled models as well.

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

/// What a model's raw scores stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The loss that the model was trained for, by CatBoost's name without parameters; empty if the file does not say.
    pub loss: String,
    /// How raw scores become probabilities.
    pub link: Link,
    /// How many scores [`Output::raw`] gives.
    pub dimension: usize,
    /// The place of each of the model's raw scores among those of [`Output::raw`]: the classes that the training data
    /// lacked have places, but no scores.
    pub places: Vec<usize>,
    /// The names of the classes, by place; two for a model with one raw score; none if the model does not classify.
    pub classes: Vec<Label>,
    /// With one raw score, the second class is predicted above this. With [`Link::SigmoidEach`], so is each label.
    pub threshold: f64,
}

/// How raw scores become probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// One score, of the second of two classes: `1 / (1 + exp(-raw))`.
    Sigmoid,
    /// A score a class, each on its own: as above. (One against all, several labels.)
    SigmoidEach,
    /// A score a class: softmax.
    Softmax,
}

/// The name of a class.
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// `False` or `True`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(String),
}

/// Why a model's own description of its output cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputError(String);

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OutputError {}

/// The loss that a model was trained for, by CatBoost's name without parameters; empty if the file does not say.
///
/// # Errors
/// If CatBoost refuses the description of the loss in [`Model::info`].
pub fn loss(model: &Model) -> Result<String, OutputError> {
    let text = |key: &str| model.info.get(key).map(String::as_str);
    let params = Json::read(text("params").unwrap_or_default());
    loss::name(text("loss_function"), &params)
}

impl Output {
    /// Reads what a model says of its output, as CatBoost does when it predicts.
    ///
    /// # Errors
    /// If CatBoost refuses to predict with a model whose [`Model::info`] says that, or would write beyond its memory. The text names
    /// the key and what is wrong.
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
        // With several raw values, CatBoost looks at names where it is asked for classes alone.
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
        // `GetBinClassProbabilityThreshold` and `GetBinClassLogitThreshold` of `catboost/libs/model/model.cpp`: a text that is no number
        // by `TryFromString<double>` is passed over; a number of any size counts, and may make a threshold of NaN or infinity.
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
    /// If it names some, and another number of them.
    pub fn checked(self) -> Result<Self, OutputError> {
        let expected = if self.dimension == 1 {
            2
        } else {
            self.dimension
        };
        match self.classes.len() {
            named if named != 0 && named != expected => Err(OutputError(format!(
                "the model names {named} classes, expected {expected}"
            ))),
            _ => Ok(self),
        }
    }

    /// `RawFormulaVal`: the scores by place, minus infinity for classes that the training data lacked.
    #[must_use]
    pub fn raw(&self, raw: &[f64]) -> Vec<f64> {
        let mut scores = vec![0.0; self.dimension];
        output::by_class(raw, &self.places, &mut scores);
        scores
    }

    /// `Probability`: one a class; for a model with one raw score, of the first class and of the second.
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

    /// `LogProbability`: the logarithm of each [probability](Output::probability), computed without the detour.
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

    /// Whether every label is predicted on its own, so that of one row there can be several, or none.
    #[must_use]
    pub fn many_labels(&self) -> bool {
        matches!(self.loss.as_str(), "MultiLogloss" | "MultiCrossEntropy")
    }

    /// `Class`: the places of the predicted classes in [`Output::classes`]. One, unless there are
    /// [many labels](Output::many_labels), then all that are above the threshold.
    #[must_use]
    pub fn class(&self, raw: &[f64]) -> Vec<usize> {
        let scores = self.raw(raw);
        if self.many_labels() {
            let above = |&place: &usize| scores[place] > self.threshold;
            return (0..scores.len()).filter(above).collect();
        }
        match scores[..] {
            [score] => vec![usize::from(score > self.threshold)],
            _ => vec![output::class(&scores)],
        }
    }

    /// `Exponent`: e to the power of the (first) raw score, as CatBoost gives it for a single row.
    #[must_use]
    pub fn exponent(&self, raw: &[f64]) -> f64 {
        output::exponent(self.raw(raw)[0])
    }

    /// `RMSEWithUncertainty`: the predicted value and its variance, as CatBoost gives them for a single row; `None` if the
    /// model has not two raw scores.
    #[must_use]
    pub fn mean_and_variance(&self, raw: &[f64]) -> Option<(f64, f64)> {
        raw.try_into().ok().map(output::mean_and_variance)
    }
}

/// The probability above which the second class is predicted, unless the model says otherwise.
const DEFAULT_THRESHOLD: f64 = 0.5;

/// The classes of a model without `class_params`: those of the training's parameters, or as many as its loss has.
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

/// Checks that every name is a text, a number or a truth (`ClassLabelToString` in `catboost/private/libs/labels/helpers.cpp`).
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

/// The names of classes. The type of the first is that of all, and truths are always `False` and `True`, as in CatBoost's Python
/// package.
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

/// The names of classes that have none: their numbers.
fn numbered(count: usize) -> Vec<Label> {
    (0..).map(Label::Int).take(count).collect()
}

#[cfg(test)]
mod tests;
