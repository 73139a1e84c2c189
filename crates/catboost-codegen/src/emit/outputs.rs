//! Emits functions that turn raw values into predictions: probabilities, classes, exponents. The model's loss decides
//! which exist.
//!
//! | model | items |
//! | --- | --- |
//! | one class per row | `CLASSES`, `probability`, `class`, `class_index`; with one raw value `THRESHOLD` |
//! | any number of classes per row | `CLASSES`, `probability`, `THRESHOLD`, `class` |
//! | no classes, one raw value | `exponent` |
//! | `RMSEWithUncertainty` | `mean_and_variance` |
//!
//! A model whose training data lacked some of its classes has `by_class`, too.

use std::fmt::{self, Write as _};

use catboost_model::{
    ir::Model,
    output::{Label, Link, Output},
};
use catboost_runtime::emit::Emitter;

use super::Module;
use crate::Prediction;

/// Predictions of a model beside raw values, with the type and the values of its classes as Rust source.
pub(crate) struct Outputs {
    output: Output,
    /// `None` if the model does not classify.
    classes: Option<(&'static str, Vec<String>)>,
}

impl Outputs {
    /// Reads the model's metadata about its output.
    ///
    /// # Errors
    /// The reason why the model has raw values only.
    pub(crate) fn of(model: &Model) -> Result<Self, String> {
        let output = Output::of(model).and_then(Output::checked);
        let output = output.map_err(|error| error.to_string())?;
        let classes = match output.classes.len() {
            0 => None,
            _ => Some(labels(&output.classes)?),
        };
        Ok(Self { output, classes })
    }
}

/// Returns the type of the classes' names, and the names, as Rust source.
/// Whole numbers among other numbers become `f64`.
///
/// # Errors
/// If the names are of several types.
fn labels(classes: &[Label]) -> Result<(&'static str, Vec<String>), String> {
    let of_type = |name, write: fn(&Label) -> Option<String>| {
        let labels = classes.iter().map(write).collect::<Option<_>>();
        labels.map(|labels| (name, labels))
    };
    let bools = of_type("bool", |label| match label {
        Label::Bool(label) => Some(label.to_string()),
        _ => None,
    });
    let ints = of_type("i64", |label| match label {
        Label::Int(label) => Some(label.to_string()),
        _ => None,
    });
    let floats = of_type("f64", |label| match label {
        Label::Int(label) => Some(format!("{label}_f64")),
        Label::Float(label) => Some(format!("{label:?}")),
        _ => None,
    });
    let texts = of_type("&str", |label| match label {
        Label::Text(label) => Some(format!("{label:?}")),
        _ => None,
    });
    bools
        .or(ints)
        .or(floats)
        .or(texts)
        .ok_or_else(|| "the names of the model's classes are of several types".to_owned())
}

impl Module<'_> {
    /// Emits the functions, or a comment with the reason why there are none.
    pub(super) fn outputs(&self, f: &mut Emitter) -> fmt::Result {
        let outputs = match self.outputs {
            Ok(outputs) => outputs,
            Err(why) => {
                return writeln!(
                    f,
                    "// No `probability`, `class` or `exponent`: {}.\n",
                    why.escape_default()
                );
            }
        };
        let dimension = self.model.dimension;
        if let Some((label, names)) = &outputs.classes {
            return outputs.classifier(f, dimension, label, names);
        }
        match outputs.regression(dimension) {
            Some("mean_and_variance") => writeln!(
                f,
                "/// The predicted value and its variance, of a row's [`raw`] values: CatBoost's `RMSEWithUncertainty`.
#[must_use]
pub fn mean_and_variance(raw: &[f64; 2]) -> (f64, f64) {{
    output::mean_and_variance(*raw)
}}
"
            ),
            Some(_) => writeln!(
                f,
                "/// e to the power of a row's [`raw`] value: CatBoost's `Exponent`, what losses like Poisson and Tweedie predict.
#[must_use]
pub fn exponent(raw: &[f64; 1]) -> f64 {{
    output::exponent(raw[0])
}}
"
            ),
            None => Ok(()),
        }
    }
}

/// Number of classes that are predicted per row.
pub(super) enum Classes {
    /// The model does not classify.
    None,
    /// One class.
    One,
    /// Any number of classes.
    Many,
}

impl Outputs {
    /// Number of classes that `class` returns. `dimension` is the number of raw values.
    pub(super) fn classes(&self, dimension: usize) -> Classes {
        match &self.classes {
            None => Classes::None,
            // A single label is predicted or not; two names are of two classes.
            Some((_, names))
                if self.output.many_labels() && (dimension > 1 || names.len() == 1) =>
            {
                Classes::Many
            }
            Some(_) => Classes::One,
        }
    }

    /// Returns the functions of the module.
    pub(crate) fn predictions(&self) -> Vec<Prediction> {
        let Output {
            dimension, places, ..
        } = &self.output;
        if self.classes.is_some() {
            let by_class = !places.iter().copied().eq(0..*dimension);
            let by_class = by_class.then_some(Prediction::ByClass);
            let both = [Prediction::Probability, Prediction::Class];
            return by_class.into_iter().chain(both).collect();
        }
        match self.regression(places.len()) {
            Some("exponent") => vec![Prediction::Exponent],
            Some(_) => vec![Prediction::MeanAndVariance],
            None => Vec::new(),
        }
    }

    /// Returns the function of a model that does not classify.
    pub(super) fn regression(&self, dimension: usize) -> Option<&'static str> {
        match (self.output.loss.as_str(), dimension) {
            ("RMSEWithUncertainty", 2) => Some("mean_and_variance"),
            (_, 1) => Some("exponent"),
            _ => None,
        }
    }

    /// Emits the functions of a model that classifies. `label` is the type of the names and `names` are their
    /// literals.
    fn classifier(
        &self,
        f: &mut Emitter,
        dimension: usize,
        label: &str,
        names: &[String],
    ) -> fmt::Result {
        let output = &self.output;
        let classes = names.len();
        writeln!(
            f,
            "/// The model's classes.\npub const CLASSES: [{label}; {classes}] = [{}];\n",
            names.join(", ")
        )?;
        let (values, array, slice) = if self.by_class(f, dimension)? {
            ("by_class(raw)", "by_class(raw)", "&by_class(raw)")
        } else {
            ("*raw", "raw", "raw")
        };
        let (probabilities, comment) = match (output.link, classes) {
            (Link::Sigmoid, 1) => (
                2,
                "Both probabilities of a model that names one class, `1 - p` and `p`",
            ),
            _ => (classes, "The probabilities of [`CLASSES`]"),
        };
        writeln!(
            f,
            "/// {comment}, of a row's [`raw`] values: CatBoost's `Probability`.
#[must_use]
pub fn probability(raw: &[f64; {dimension}]) -> [f64; {probabilities}] {{"
        )?;
        let many = matches!(self.classes(dimension), Classes::Many);
        let in_place = match output.link {
            Link::Sigmoid => "",
            Link::SigmoidEach => "probability_of_each",
            Link::Softmax => "softmax",
        };
        match in_place {
            "" => writeln!(f, "    output::probability_of_two(raw[0])\n}}\n")?,
            name => writeln!(
                f,
                "    let mut values = {values};\n    output::{name}(&mut values);\n    values\n}}\n"
            )?,
        }

        let one_value = output.link == Link::Sigmoid;
        if one_value || output.many_labels() {
            writeln!(
                f,
                "/// The raw value of the probability above which a class is predicted.\npub const THRESHOLD: f64 = f64::from_bits({:#018x}); // {:?}\n",
                output.threshold.to_bits(),
                output.threshold
            )?;
        }
        let index = if one_value && !many {
            match classes {
                // No other class can be named.
                1 => "let _ = raw;\n    0".to_owned(),
                _ => "usize::from(raw[0] > THRESHOLD)".to_owned(),
            }
        } else if output.many_labels() {
            return writeln!(
                f,
                "/// Which of [`CLASSES`] are predicted, of a row's [`raw`] values: CatBoost's `Class`.
#[must_use]
pub fn class(raw: &[f64; {dimension}]) -> [bool; {classes}] {{
    {array}.map(|value| value > THRESHOLD)
}}
"
            );
        } else {
            format!("output::class({slice})")
        };
        let label = label.replace('&', "&'static ");
        writeln!(
            f,
            "/// The predicted class, of a row's [`raw`] values: CatBoost's `Class`.
#[must_use]
pub fn class(raw: &[f64; {dimension}]) -> {label} {{
    CLASSES[class_index(raw)]
}}

/// The place of the predicted class among [`CLASSES`].
#[must_use]
pub fn class_index(raw: &[f64; {dimension}]) -> usize {{
    {index}
}}
"
        )
    }

    /// Emits the function that maps raw values to classes if the training data lacked some. Returns true if it did.
    fn by_class(&self, f: &mut Emitter, dimension: usize) -> Result<bool, fmt::Error> {
        let Output {
            places,
            dimension: classes,
            ..
        } = &self.output;
        if places.iter().copied().eq(0..*classes) {
            return Ok(false);
        }
        writeln!(
            f,
            "/// A row's [`raw`] values in the order of [`CLASSES`], minus infinity for those that the training data lacked:
/// CatBoost's `RawFormulaVal`.
#[must_use]
pub fn by_class(raw: &[f64; {dimension}]) -> [f64; {classes}] {{
    let mut values = [0.0; {classes}];
    output::by_class(raw, &{places:?}, &mut values);
    values
}}
"
        )?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_one_type() {
        let written =
            |classes: &[Label]| labels(classes).map(|(name, labels)| (name, labels.join(" ")));
        let text = |text: &str| Label::Text(text.to_owned());
        for (classes, name, expected) in [
            (
                vec![Label::Bool(false), Label::Bool(true)],
                "bool",
                "false true",
            ),
            (
                vec![Label::Int(i64::MIN), Label::Int(3)],
                "i64",
                "-9223372036854775808 3",
            ),
            (vec![Label::Int(0), Label::Float(1.5)], "f64", "0_f64 1.5"),
            (
                vec![Label::Float(0.0), Label::Float(1e300)],
                "f64",
                "0.0 1e300",
            ),
            (vec![text("a\"\n"), text("ж")], "&str", r#""a\"\n" "ж""#),
        ] {
            assert_eq!(written(&classes), Ok((name, expected.to_owned())));
        }
        assert_eq!(
            written(&[text("1"), Label::Int(1)]),
            Err("the names of the model's classes are of several types".to_owned())
        );
    }
}
