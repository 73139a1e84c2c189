//! Explanations: contribution of each field of a request to the answer.
//!
//! The model's SHAP values are the contributions of its 41 inputs to the raw value, beside that of the mean training
//! row. An input counts towards the field of the request that it is derived from: a character's score towards the list
//! of scores, a template towards its plate. Base and contributions add up to [`Answer::raw`], up to rounding.

use std::sync::LazyLock;

use crate::features::{Texts, features};
use crate::model;
use crate::pick_regno::{Answer, Watcher, answer};
use crate::request::{Field, Request};

/// Contributions of a request's fields, beside the model's mean answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// Raw value of the mean training row.
    pub base: f64,
    /// Contribution of each field, the greatest in absolute value first.
    pub contributions: [(Field, f64); Field::ALL.len()],
}

/// Reason why answers cannot be explained; `None` if they can.
#[must_use]
pub fn unexplained() -> Option<&'static str> {
    model::UNEXPLAINED
}

/// Returns true if explanations take additions alone, since the program has tables for them.
#[must_use]
#[allow(
    clippy::absurd_extreme_comparisons,
    reason = "the constant is 0 in a build without tables"
)]
pub fn is_fast() -> bool {
    model::EXPLANATION_BYTES > 0
}

/// Field that each of the model's columns is derived from.
static FIELDS: LazyLock<[Field; model::COLUMNS.len()]> =
    LazyLock::new(|| model::COLUMNS.map(field));

/// The field that a column is derived from.
pub(crate) fn field(column: &str) -> Field {
    match column {
        "max_len_score" => Field::AftsRegnoAiLengthScores,
        "cam_len" | "regno_template" | "regno_recognize_text" => Field::RegnoRecognize,
        "ai_len" | "foreign_sym" | "regno_template_ai" | "afts_regno_ai_text" => Field::AftsRegnoAi,
        "hour" | "weekday" | "month" => Field::TimeCheck,
        // Scores of characters, and their extremes.
        name => Field::named(name).unwrap_or(Field::AftsRegnoAiCharScores),
    }
}

/// Answers one request and explains the answer. Reports to `watcher` what the evaluation meets.
///
/// # Panics
/// If answers cannot be [explained](unexplained).
pub fn pick_regno_explained(
    request: &Request<'_>,
    watcher: &mut impl Watcher,
) -> (Answer, Explanation) {
    let mut texts = Texts::default();
    let features = features(request, &mut texts);
    let answer = answer(&features, watcher);
    // Evaluated again: an evaluation that reports to both would be compiled for every watcher.
    let mut values = [[0.0; model::COLUMNS.len()]; model::BASE.len()];
    model::explain(&features, &mut values);
    let base = model::BASE.first().copied().unwrap_or_default();
    let columns = FIELDS.iter().copied().zip(values.into_iter().flatten());
    (answer, Explanation::new(base, columns))
}

impl Explanation {
    /// The sums by field of what columns add.
    pub(crate) fn new(base: f64, columns: impl Iterator<Item = (Field, f64)>) -> Explanation {
        let mut contributions = Field::ALL.map(|field| (field, 0.0));
        for (field, value) in columns {
            contributions[field as usize].1 += value;
        }
        contributions.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
        Explanation {
            base,
            contributions,
        }
    }

    /// Contribution of a field.
    #[must_use]
    pub fn of(&self, field: Field) -> f64 {
        let found = self.contributions.iter().find(|(other, _)| *other == field);
        found.map_or(0.0, |(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::parse_object;

    #[test]
    fn every_column_has_the_field_that_it_is_derived_from() {
        let fields = FIELDS.iter().zip(model::COLUMNS);
        let of = |field: Field| -> Vec<&str> {
            let columns = fields.clone().filter(|(other, _)| **other == field);
            columns.map(|(_, column)| column).collect()
        };
        let sorted = |field: Field| {
            let mut columns = of(field);
            columns.sort_unstable();
            columns
        };
        assert_eq!(
            sorted(Field::RegnoRecognize),
            ["cam_len", "regno_recognize_text", "regno_template"]
        );
        assert_eq!(
            sorted(Field::AftsRegnoAi),
            [
                "afts_regno_ai_text",
                "ai_len",
                "foreign_sym",
                "regno_template_ai"
            ]
        );
        assert_eq!(of(Field::AftsRegnoAiLengthScores), ["max_len_score"]);
        assert_eq!(sorted(Field::TimeCheck), ["hour", "month", "weekday"]);
        for field in [
            Field::RecognitionAccuracy,
            Field::AftsRegnoAiScore,
            Field::CameraType,
            Field::CameraClass,
            Field::Direction,
        ] {
            assert_eq!(of(field), [field.name()]);
        }
        // Two extremes, ten digits, D, and twelve letters.
        assert_eq!(of(Field::AftsRegnoAiCharScores).len(), 25);
    }

    #[test]
    fn contributions_are_ordered_and_add_up() {
        let request = include_str!("../fixtures/cases.ndjson").lines().next();
        let case: serde_json::Value = serde_json::from_str(request.unwrap()).unwrap();
        let text = case["request"].to_string();
        let request = parse_object(text.as_bytes()).unwrap();
        let (answer, explanation) = pick_regno_explained(&request, &mut ());
        let sizes = explanation.contributions.map(|(_, value)| value.abs());
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        let sum = explanation
            .contributions
            .iter()
            .fold(explanation.base, |sum, (_, value)| sum + value);
        // The order of additions differs, and so do the last bits.
        assert_eq!(sum as f32, answer.raw as f32);
        let largest = explanation.contributions[0];
        assert_eq!(explanation.of(largest.0), largest.1);
    }
}
