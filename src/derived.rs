//! The inputs that are derived, by name, and those of them that a model is observed by.

use std::sync::LazyLock;

use catboost_runtime::predict::FeatureKind;

use crate::model;

/// Number of numeric inputs.
pub const NUMERIC: usize = count(FeatureKind::Numeric);
/// Number of categorical inputs.
pub const CATEGORICAL: usize = count(FeatureKind::Categorical);
/// Number of texts.
pub const TEXT: usize = count(FeatureKind::Text);

/// Index among the derived inputs of its kind, for each feature that an observer is told of by its index; `None` for one that no
/// tree depends on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Numeric features.
    pub numeric: Vec<Option<usize>>,
    /// Categorical features.
    pub categorical: Vec<Option<usize>>,
    /// Text features.
    pub text: Vec<Option<usize>>,
}

/// Names of the derived inputs of a kind, in the order of [`Features::to_kinds`](model::Features::to_kinds).
pub fn names(kind: FeatureKind) -> impl Iterator<Item = &'static str> {
    let features = model::FEATURES.iter();
    features.filter_map(move |feature| (feature.kind == kind).then_some(feature.name))
}

/// Index of an input among those of its kind.
#[must_use]
pub fn index(kind: FeatureKind, name: &str) -> Option<usize> {
    names(kind).position(|derived| derived == name)
}

/// The features that an observer of the compiled model is told of.
pub static COMPILED: LazyLock<Observed> = LazyLock::new(|| {
    let index = |kind, name: Option<&str>| name.and_then(|name| index(kind, name));
    let all = |kind, names: &[Option<&str>]| names.iter().map(|name| index(kind, *name)).collect();
    Observed {
        numeric: all(FeatureKind::Numeric, model::NUMERIC),
        categorical: all(FeatureKind::Categorical, model::CATEGORICAL),
        text: all(
            FeatureKind::Text,
            &model::TEXT.iter().copied().map(Some).collect::<Vec<_>>(),
        ),
    }
});

const fn count(kind: FeatureKind) -> usize {
    use FeatureKind::{Categorical, Numeric, Text};
    let (mut count, mut at) = (0, 0);
    while at < model::FEATURES.len() {
        let pair = (model::FEATURES[at].kind, kind);
        if matches!(
            pair,
            (Numeric, Numeric) | (Categorical, Categorical) | (Text, Text)
        ) {
            count += 1;
        }
        at += 1;
    }
    count
}
