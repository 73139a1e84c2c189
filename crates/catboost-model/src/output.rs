//! From raw scores to what CatBoost's Python package predicts: probabilities, classes, exponents.
//!
//! Everything that decides it (the loss, the classes, the threshold) is text in [`Model::info`]; the arithmetic is
//! [`catboost_runtime::output`]'s, for compiled models as well.

mod ensembles;

use std::fmt;

use catboost_runtime::{math::ln, output};
use serde_json::Value;

pub use ensembles::Ensembles;

use crate::{ir::Model, limits::MAX_DIMENSION};

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
/// If the part of [`Model::info`] that says it is no JSON, or no loss.
pub fn loss(model: &Model) -> Result<String, OutputError> {
    Info::read(model)?.loss()
}

impl Output {
    /// Reads what a model says of its output.
    ///
    /// # Errors
    /// If a part of [`Model::info`] that it needs is no JSON, or does not fit the model's dimension. The text names the
    /// key and what is wrong.
    pub fn of(model: &Model) -> Result<Self, OutputError> {
        let info = Info::read(model)?;
        let loss = info.loss()?;
        info.check_count()?;
        let classes = info.classes(model.dimension, &loss)?;
        let places = info.places(model.dimension)?;
        let dimension = if model.dimension == 1 {
            1
        } else {
            info.specified_classes().unwrap_or(model.dimension)
        };
        if let Some(place) = places.iter().find(|&&place| place >= dimension) {
            return Err(info.class_error(&format!("there is no class number {place}")));
        }
        let link = match loss.as_str() {
            _ if model.dimension == 1 => Link::Sigmoid,
            "MultiClassOneVsAll" | "MultiLogloss" | "MultiCrossEntropy" => Link::SigmoidEach,
            _ => Link::Softmax,
        };
        let probability = info.threshold(model);
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

/// A row gets no more scores than this.
const MAX_CLASSES: usize = MAX_DIMENSION as usize;

/// The probability above which the second class is predicted, unless the model says otherwise.
const DEFAULT_THRESHOLD: f64 = 0.5;

/// Losses whose models classify even if they name no classes.
const CLASSIFYING_LOSSES: [&str; 7] = [
    "Logloss",
    "CrossEntropy",
    "MultiClass",
    "MultiClassOneVsAll",
    "MultiLogloss",
    "MultiCrossEntropy",
    "Focal",
];

/// The parts of [`Model::info`] that matter here, parsed.
struct Info {
    params: Option<Value>,
    loss_function: Option<Value>,
    /// Which key the classes come from, and what it holds. (`multiclass_params` is the name of old.)
    class_params: Option<(&'static str, Value)>,
}

impl Info {
    fn read(model: &Model) -> Result<Self, OutputError> {
        let parsed = |key: &str| -> Result<Option<Value>, OutputError> {
            let Some(text) = model.info.get(key) else {
                return Ok(None);
            };
            serde_json::from_str(text)
                .map(Some)
                .map_err(|e| OutputError(format!("model info, `{key}`: expected JSON: {e}")))
        };
        let mut class_params = None;
        for key in ["class_params", "multiclass_params"] {
            if class_params.is_none() {
                class_params = parsed(key)?.map(|value| (key, value));
            }
        }
        Ok(Self {
            params: parsed("params")?,
            loss_function: parsed("loss_function")?,
            class_params,
        })
    }

    /// What `params` say beats `loss_function`.
    fn loss(&self) -> Result<String, OutputError> {
        let from_params = self
            .params
            .as_ref()
            .and_then(|params| params.get("loss_function"));
        let Some(loss) = from_params.or(self.loss_function.as_ref()) else {
            return Ok(String::new());
        };
        // An object with the loss's type, or (in old files) its name with parameters after a colon.
        let name = loss.get("type").unwrap_or(loss).as_str().ok_or_else(|| {
            OutputError("model info: `loss_function` has no `type` that is a string".to_owned())
        })?;
        Ok(name.split(':').next().unwrap_or(name).to_owned())
    }

    fn class_error(&self, what: &str) -> OutputError {
        let key = self
            .class_params
            .as_ref()
            .map_or("class_params", |(key, _)| key);
        OutputError(format!("model info, `{key}`: {what}"))
    }

    fn check_count(&self) -> Result<(), OutputError> {
        let labels = self.class_param("class_to_label").and_then(Value::as_array);
        let labels = labels.map_or(0, Vec::len);
        match self.specified_classes().unwrap_or(0).max(labels) {
            0..=MAX_CLASSES => Ok(()),
            classes => Err(self.class_error(&format!(
                "{classes} classes; at most {MAX_CLASSES} are supported"
            ))),
        }
    }

    fn class_param(&self, name: &str) -> Option<&Value> {
        self.class_params
            .as_ref()
            .and_then(|(_, params)| params.get(name))
    }

    fn class_names(&self) -> &[Value] {
        self.class_param("class_names")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    fn class_count(&self) -> usize {
        let count = self.class_param("classes_count").and_then(Value::as_u64);
        count.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// How many classes the training was told of.
    fn specified_classes(&self) -> Option<usize> {
        let count = self.class_count().max(self.class_names().len());
        (count > 0).then_some(count)
    }

    /// The class of each raw score as a number: a label if the training was not told of classes, else a class's place.
    fn class_to_label(&self) -> Result<Vec<f64>, OutputError> {
        let list = self.class_param("class_to_label").and_then(Value::as_array);
        let list = list.ok_or_else(|| self.class_error("`class_to_label` is no list"))?;
        list.iter()
            .map(|label| label.as_f64())
            .collect::<Option<_>>()
            .ok_or_else(|| self.class_error("`class_to_label` is no list of numbers"))
    }

    fn places(&self, dimension: usize) -> Result<Vec<usize>, OutputError> {
        if dimension == 1 || self.class_params.is_none() || self.specified_classes().is_none() {
            return Ok((0..dimension).collect());
        }
        let labels = self.class_to_label()?;
        if labels.len() < dimension {
            return Err(self.class_error(&format!(
                "`class_to_label` names {} classes, expected {dimension}, one a raw score",
                labels.len()
            )));
        }
        let place = |&label: &f64| {
            let place = label as usize;
            let error = || self.class_error(&format!("there is no class number {label}"));
            (place as f64 == label).then_some(place).ok_or_else(error)
        };
        labels.iter().take(dimension).map(place).collect()
    }

    fn classes(&self, dimension: usize, loss: &str) -> Result<Vec<Label>, OutputError> {
        if self.class_params.is_some() {
            let kind = self.class_param("class_label_type").and_then(Value::as_str);
            let names = self.class_names();
            if !names.is_empty() {
                return self.labels(names, kind == Some("Float"));
            }
            if self.class_count() > 0 {
                return Ok(numbered(self.class_count()));
            }
            let labels = self.class_to_label()?;
            return Ok(labels
                .iter()
                .map(|&label| Label::Int(label as i64))
                .collect());
        }
        let names = self.params.as_ref().and_then(|params| {
            params
                .get("data_processing_options")?
                .get("class_names")?
                .as_array()
        });
        match names {
            Some(names) if !names.is_empty() => self.labels(names, false),
            _ if CLASSIFYING_LOSSES.contains(&loss) => Ok(numbered(dimension.max(2))),
            _ => Ok(Vec::new()),
        }
    }

    /// `floats`: whole numbers were meant as floats too; JSON cannot tell.
    fn labels(&self, names: &[Value], floats: bool) -> Result<Vec<Label>, OutputError> {
        let label = |name: &Value| match name {
            Value::Bool(value) => Some(Label::Bool(*value)),
            Value::String(text) => Some(Label::Text(text.clone())),
            Value::Number(number) => match number.as_i64() {
                Some(whole) if !floats => Some(Label::Int(whole)),
                _ => number.as_f64().map(Label::Float),
            },
            _ => None,
        };
        names
            .iter()
            .map(label)
            .collect::<Option<_>>()
            .ok_or_else(|| self.class_error("`class_names` holds something that is no label"))
    }

    /// A threshold that is no number is passed over, as CatBoost does.
    fn threshold(&self, model: &Model) -> f64 {
        let threshold = model.info.get("binclass_probability_threshold");
        threshold
            .and_then(|text| text.parse().ok())
            .unwrap_or(DEFAULT_THRESHOLD)
    }
}

/// The names of classes that have none: their numbers.
fn numbered(count: usize) -> Vec<Label> {
    (0..).map(Label::Int).take(count).collect()
}

#[cfg(test)]
mod tests;
