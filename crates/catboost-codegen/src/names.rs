//! Feature names → field names.
//!
//! Fields are named like features as far as Rust allows. Two features may become the same identifier, by name
//! or by replacement; the later column then gets its flat index as a suffix.

use std::collections::HashSet;

use catboost_model::ir::{Feature, Model};
use unicode_normalization::UnicodeNormalization;

/// Kind of a feature, which decides the type of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `f32`
    Float,
    /// `&str`
    Categorical,
    /// `&str`
    Text,
    /// `&[f32; N]`, or `&[f32]` for 0: the model does not state the length, and does not use the feature.
    Embedding(usize),
}

impl Kind {
    /// Name of the kind.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Float => "numeric",
            Self::Categorical => "categorical",
            Self::Text => "text",
            Self::Embedding(_) => "embedding",
        }
    }

    /// Rust type of a value, with the lifetime `'a`.
    pub(crate) fn value(self) -> String {
        match self {
            Self::Float => "f32".to_owned(),
            Self::Categorical | Self::Text => "&'a str".to_owned(),
            Self::Embedding(0) => "&'a [f32]".to_owned(),
            Self::Embedding(dimension) => format!("&'a [f32; {dimension}]"),
        }
    }
}

/// Field of the generated struct `Features`.
pub(crate) struct Field {
    pub(crate) kind: Kind,
    /// Index among the features of its kind.
    pub(crate) index: usize,
    /// Index among all columns of the training data.
    pub(crate) flat_index: u32,
    /// Name of the feature as in the file; may be empty.
    pub(crate) name: String,
    /// True if any tree depends on the feature.
    pub(crate) used: bool,
    /// Name of the field, unique among the fields.
    pub(crate) identifier: String,
}

/// Returns a field for each feature, in the order of the training data's columns.
pub(crate) fn fields(model: &Model) -> Vec<Field> {
    let floats = model
        .float_features
        .iter()
        .map(|float| &float.feature)
        .enumerate();
    let floats = floats.map(|(index, feature)| (Kind::Float, index, feature));
    let cats = model
        .cat_features
        .iter()
        .enumerate()
        .map(|(index, feature)| (Kind::Categorical, index, feature));
    let texts = model
        .text_features
        .iter()
        .enumerate()
        .map(|(index, feature)| (Kind::Text, index, feature));
    let embeddings = model.embedding_features.iter().enumerate();
    let embeddings = embeddings.map(|(index, embedding)| {
        let kind = Kind::Embedding(embedding.dimension);
        (kind, index, &embedding.feature)
    });
    let features = floats.chain(cats).chain(texts).chain(embeddings);
    let mut features: Vec<(Kind, usize, &Feature)> = features.collect();
    features.sort_by_key(|(_, _, feature)| feature.flat_index);

    let mut taken = HashSet::new();
    let fields = features.into_iter().map(|(kind, index, feature)| {
        let mut identifier = identifier(feature);
        while !taken.insert(identifier.clone()) {
            identifier = format!("{identifier}_{}", feature.flat_index);
        }
        let Feature {
            flat_index,
            ref name,
            used,
        } = *feature;
        Field {
            kind,
            index,
            flat_index,
            name: name.clone(),
            used,
            identifier,
        }
    });
    fields.collect()
}

/// Returns the feature's name if it is a Rust identifier (in NFC, the form in which Rust compares identifiers).
/// Otherwise invalid characters become `_`, a name that begins with an invalid character gets the prefix `f_`, and a
/// feature without a name becomes `f_<flat index>`.
fn identifier(feature: &Feature) -> String {
    let mut identifier: String = feature
        .name
        .nfc()
        .map(|letter| {
            if unicode_ident::is_xid_continue(letter) {
                letter
            } else {
                '_'
            }
        })
        .collect();
    if identifier.is_empty() {
        identifier = feature.flat_index.to_string();
    }
    let begins_well = identifier
        .chars()
        .next()
        .is_some_and(|letter| letter == '_' || unicode_ident::is_xid_start(letter));
    // Some keywords cannot be raw identifiers, so all are treated alike.
    if !begins_well
        || KEYWORDS.contains(&identifier.as_str())
        || identifier.chars().all(|letter| letter == '_')
    {
        identifier.insert_str(0, "f_");
    }
    identifier
}

/// Words of Rust 2024 that are not identifiers, and `union`. Keywords of editions 2018 and 2021 are among
/// them.
const KEYWORDS: [&str; 52] = [
    "as", "break", "const", "continue", "crate", "else", "enum", "extern", "false", "fn", "for",
    "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "self", "Self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where",
    "while", "async", "await", "dyn", "abstract", "become", "box", "do", "final", "gen", "macro",
    "override", "priv", "try", "typeof", "unsized", "virtual", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier_of(name: &str) -> String {
        identifier(&Feature {
            flat_index: 7,
            name: name.to_owned(),
            used: true,
        })
    }

    #[test]
    fn names_that_rust_takes_stay() {
        assert_eq!(identifier_of("camera_type"), "camera_type");
        assert_eq!(identifier_of("А"), "А");
    }

    /// Rust considers these equal: U+00E9, and e with U+0301; Ω, and the sign of the ohm.
    #[test]
    fn names_that_rust_takes_for_the_same_get_fields_of_their_own() {
        let json = r#"{"scale_and_bias": [1, [0]], "features_info": {"categorical_features": [
            {"feature_index": 0, "flat_feature_index": 0, "feature_id": "\u00e9"},
            {"feature_index": 1, "flat_feature_index": 1, "feature_id": "e\u0301"},
            {"feature_index": 2, "flat_feature_index": 2, "feature_id": "\u03a9"},
            {"feature_index": 3, "flat_feature_index": 3, "feature_id": "\u2126"}
        ]}}"#;
        let model = catboost_model::parse(json.as_bytes()).expect("it is a model");
        let identifiers = fields(&model).into_iter().map(|field| field.identifier);
        assert_eq!(
            identifiers.collect::<Vec<_>>(),
            ["\u{e9}", "\u{e9}_1", "\u{3a9}", "\u{3a9}_3"]
        );
    }

    #[test]
    fn other_names_become_the_nearest_identifier() {
        assert_eq!(identifier_of("0"), "f_0");
        assert_eq!(identifier_of("type"), "f_type");
        assert_eq!(identifier_of("a b-c"), "a_b_c");
        assert_eq!(identifier_of("?"), "f__");
        assert_eq!(identifier_of(""), "f_7");
    }
}
