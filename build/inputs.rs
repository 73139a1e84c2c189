//! Checks that a model takes the derived features, and reports differences in a sentence: the compiler's errors about
//! missing fields and lifetimes are long.

use std::fmt::Write as _;

use catboost_model::ir::{Feature, Model};

/// Derived features of `src/features.rs`, by kind. Each is a field of the struct there, so that the compiler checks the
/// two against each other.
const DERIVED: [(&str, &[&str]); 4] = [
    (
        "numeric",
        &[
            "afts_regno_ai_score",
            "direction",
            "recognition_accuracy",
            "max_sym_score",
            "min_sym_score",
            "max_len_score",
            "ai_len",
            "cam_len",
            "0",
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "7",
            "8",
            "9",
            "D",
            "А",
            "В",
            "Е",
            "К",
            "М",
            "Н",
            "О",
            "Р",
            "С",
            "Т",
            "У",
            "Х",
            "foreign_sym",
            "hour",
        ],
    ),
    (
        "categorical",
        &[
            "camera_type",
            "camera_class",
            "weekday",
            "month",
            "regno_template",
            "regno_template_ai",
        ],
    ),
    ("text", &["afts_regno_ai_text", "regno_recognize_text"]),
    ("embedding", &[]),
];

/// Maximum number of missing or surplus features that a sentence names.
const NAMED: usize = 10;

/// Describes the difference between the model's features and the derived ones, with the remedy; `None` if there is
/// none.
pub fn mismatch(model: &Model) -> Option<String> {
    let floats = model.float_features.iter().map(|float| &float.feature);
    let embeddings = model.embedding_features.iter();
    let taken: [Vec<String>; 4] = [
        floats.map(name).collect(),
        model.cat_features.iter().map(name).collect(),
        model.text_features.iter().map(name).collect(),
        embeddings
            .map(|embedding| name(&embedding.feature))
            .collect(),
    ];
    let (mut lacking, mut excess) = (Vec::new(), Vec::new());
    for ((kind, derived), taken) in DERIVED.into_iter().zip(taken) {
        let lacks = derived
            .iter()
            .filter(|name| !taken.iter().any(|taken| taken == *name));
        lacking.extend(lacks.map(|name| format!("{kind} `{name}`")));
        let more = taken
            .iter()
            .filter(|name| !derived.contains(&name.as_str()));
        excess.extend(more.map(|name| format!("{kind} `{name}`")));
    }
    let mut faults = Vec::new();
    if !lacking.is_empty() {
        faults.push(format!("it lacks {}", list(&lacking)));
    }
    if !excess.is_empty() {
        faults.push(format!("nothing derives its {}", list(&excess)));
    }
    (!faults.is_empty()).then(|| {
        format!(
            "the model's features are not those that src/features.rs derives: {}; train it with the features of \
             model/pick_regno.py, or derive others there, in src/features.rs and in build/inputs.rs (docs/new-model.md)",
            faults.join(", and ")
        )
    })
}

/// Name of the feature, or its column by CatBoost's count if it has none.
fn name(feature: &Feature) -> String {
    match &*feature.name {
        "" => format!("column {}", feature.flat_index),
        name => name.to_owned(),
    }
}

/// The first of `features`, and the number of others.
fn list(features: &[String]) -> String {
    let mut text = features[..features.len().min(NAMED)].join(", ");
    if let Some(more @ 1..) = features.len().checked_sub(NAMED) {
        let _ = write!(text, " and {more} more");
    }
    text
}
