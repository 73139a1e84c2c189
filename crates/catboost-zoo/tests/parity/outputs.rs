//! Compares predictions from raw values: probabilities, classes, exponents.

use catboost_apply::{Label, Predict};
use catboost_model::output::{self, Output};
use serde_json::Value;

use crate::inputs::numbers;

/// Returns true if all numbers are equal to the bit.
pub(crate) fn same(found: &[f64], expected: &[f64]) -> bool {
    let bits = |values: &[f64]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    bits(found) == bits(expected)
}

/// Describes the first of CatBoost's answers in a case that the interpreter does not reproduce, if there is one.
pub(crate) fn differs(output: &Output, raw: &[f64], case: &Value) -> Option<String> {
    let answers = Answers {
        probability: Some(output.probability(raw)),
        class: (!output.classes.is_empty()).then(|| labels(output, &output.class(raw))),
        exponent: Some(output.exponent(raw)),
        mean_and_variance: output.mean_and_variance(raw),
    };
    answers.differ(output, case)
}

/// Describes the first of CatBoost's answers in a case that a compiled or loaded model does not reproduce or lacks;
/// otherwise the first difference from the interpreter.
pub(crate) fn predicted_differs(
    model: &dyn Predict,
    output: &Output,
    raw: &[f64],
    case: &Value,
) -> Option<String> {
    let answers = Answers {
        probability: model.probability(raw),
        class: model.class(raw).map(|places| labels(output, &places)),
        exponent: model.exponent(raw),
        mean_and_variance: model.mean_and_variance(raw),
    };
    if let Some(what) = answers.differ(output, case) {
        return Some(what);
    }
    let classes: Vec<Label> = output.classes.iter().map(label).collect();
    let classifies = !classes.is_empty();
    let regression = !classifies && raw.len() == 1;
    let uncertain = output.loss == "RMSEWithUncertainty";
    let expected = Answers {
        probability: classifies.then(|| output.probability(raw)),
        class: classifies.then(|| labels(output, &output.class(raw))),
        exponent: regression.then(|| output.exponent(raw)),
        mean_and_variance: output.mean_and_variance(raw).filter(|_| uncertain),
    };
    if model.classes() != classes {
        return Some(format!("classes, interpreter {classes:?}"));
    }
    (answers != expected).then(|| format!("{answers:?}, interpreter {expected:?}"))
}

/// Predictions from the raw values of a row. None of them is NaN, which would not be equal to itself.
#[derive(Debug, PartialEq)]
struct Answers<'a> {
    probability: Option<Vec<f64>>,
    /// One label, or for each of many labels if it is predicted.
    class: Option<Vec<Label<'a>>>,
    exponent: Option<f64>,
    mean_and_variance: Option<(f64, f64)>,
}

impl Answers<'_> {
    fn differ(&self, output: &Output, case: &Value) -> Option<String> {
        let uncertainty = self
            .mean_and_variance
            .map(|(mean, variance)| vec![mean, variance]);
        for (name, found) in [
            ("probability", &self.probability),
            ("exponent", &self.exponent.map(|exponent| vec![exponent])),
            ("rmsewithuncertainty", &uncertainty),
        ] {
            let Some(expected) = case.get(name).map(numbers) else {
                continue;
            };
            // CatBoost's vectorized exp gives other bits for a pair of rows than for one.
            if !found.as_ref().is_some_and(|found| same(found, &expected)) {
                return Some(format!("{name} {found:?}, CatBoost {expected:?}"));
            }
        }
        let expected = case.get("class")?.as_array()?;
        let found = self.class.as_deref().unwrap_or_default();
        let right = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, value)| match *found {
                    Label::Bool(label) if output.many_labels() => {
                        value.as_f64() == Some(f64::from(label))
                    }
                    Label::Bool(label) => value == label,
                    Label::Int(whole) => value.as_f64() == Some(whole as f64),
                    Label::Float(number) => value.as_f64() == Some(number),
                    Label::Text(text) => value == text,
                    _ => false,
                });
        (!right).then(|| format!("class {found:?}, CatBoost {expected:?}"))
    }
}

/// Labels of the predicted classes, or for each label if it is predicted, if there can be many.
fn labels<'a>(output: &'a Output, places: &[usize]) -> Vec<Label<'a>> {
    if output.many_labels() {
        let all = 0..output.dimension;
        return all
            .map(|place| Label::Bool(places.contains(&place)))
            .collect();
    }
    places
        .iter()
        .map(|&place| label(&output.classes[place]))
        .collect()
}

fn label(label: &output::Label) -> Label<'_> {
    match label {
        output::Label::Bool(label) => Label::Bool(*label),
        output::Label::Int(label) => Label::Int(*label),
        output::Label::Float(label) => Label::Float(*label),
        output::Label::Text(label) => Label::Text(label),
    }
}
