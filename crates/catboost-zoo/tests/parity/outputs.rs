//! What is made of raw scores: probabilities, classes, exponents.

use catboost_model::output::{Label, Output};
use serde_json::Value;

use crate::inputs::numbers;

/// Whether all are the same, to the bit.
pub(crate) fn same(found: &[f64], expected: &[f64]) -> bool {
    let bits = |values: &[f64]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    bits(found) == bits(expected)
}

/// The first of CatBoost's answers in a case that another is given to, if any.
pub(crate) fn differs(output: &Output, raw: &[f64], case: &Value) -> Option<String> {
    let number_answers = [
        ("probability", output.probability(raw)),
        ("exponent", vec![output.exponent(raw)]),
        (
            "rmsewithuncertainty",
            output
                .mean_and_variance(raw)
                .map_or(Vec::new(), |(mean, variance)| vec![mean, variance]),
        ),
    ];
    for (name, found) in number_answers {
        let Some(expected) = case.get(name).map(numbers) else {
            continue;
        };
        // CatBoost's vector exp does not compute both of a pair of rows as it computes one.
        if !same(&found, &expected) {
            return Some(format!("{name} {found:?}, CatBoost {expected:?}"));
        }
    }
    let expected = case.get("class")?.as_array()?;
    let found = output.class(raw);
    let right = if matches!(output.loss.as_str(), "MultiLogloss" | "MultiCrossEntropy") {
        let of_place = |(place, value): (usize, &Value)| {
            value.as_f64() == Some(f64::from(found.contains(&place)))
        };
        expected.iter().enumerate().all(of_place)
    } else {
        let labels = found.iter().map(|&place| &output.classes[place]);
        labels.len() == expected.len() && labels.zip(expected).all(is_label)
    };
    (!right).then(|| {
        format!(
            "class {found:?} of {:?}, CatBoost {expected:?}",
            output.classes
        )
    })
}

fn is_label((label, value): (&Label, &Value)) -> bool {
    match label {
        Label::Bool(label) => value == label,
        Label::Int(whole) => value.as_f64() == Some(*whole as f64),
        Label::Float(number) => value.as_f64() == Some(*number),
        Label::Text(text) => value == text,
    }
}
