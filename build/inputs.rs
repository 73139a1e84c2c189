//! Check that a model takes the inputs that are derived for it: one list and one sentence, for the build and for models that are loaded.

use std::fmt::Write as _;

/// Inputs that `src/features.rs` derives, by kind. Each is a field of the struct there, so that the compiler holds the two against
/// each other.
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

/// Describes what is wrong with the features that a model takes, each by kind and name, and what to do about it; `None` if they are those
/// that are derived.
pub fn mismatch(taken: &[(&str, String)]) -> Option<String> {
    let (mut lacking, mut excess) = (Vec::new(), Vec::new());
    for (kind, derived) in DERIVED {
        let of_kind = taken.iter().filter(|(other, _)| *other == kind);
        let names: Vec<&str> = of_kind.map(|(_, name)| name.as_str()).collect();
        let lacks = derived.iter().filter(|name| !names.contains(name));
        lacking.extend(lacks.map(|name| format!("{kind} `{name}`")));
        let more = names.iter().filter(|name| !derived.contains(name));
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

/// The feature's name; its column, as CatBoost counts them, if it has none.
pub fn name(name: &str, column: usize) -> String {
    match name {
        "" => format!("column {column}"),
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
