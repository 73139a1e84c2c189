//! The features and the output of a model that the build has read.

use catboost_model::ir::{Feature, Model};
use catboost_model::output::Output;

use super::{inputs, output};

/// Describes what is wrong with the model's features; `None` if they are those that are derived.
pub fn mismatch(model: &Model) -> Option<String> {
    let floats = model.float_features.iter().map(|float| &float.feature);
    let embeddings = model.embedding_features.iter();
    let embeddings = embeddings.map(|embedding| &embedding.feature);
    let name = |feature: &Feature| inputs::name(&feature.name, feature.flat_index as usize);
    let mut taken: Vec<(&str, String)> = Vec::new();
    taken.extend(floats.map(|feature| ("numeric", name(feature))));
    taken.extend(
        model
            .cat_features
            .iter()
            .map(|feature| ("categorical", name(feature))),
    );
    taken.extend(
        model
            .text_features
            .iter()
            .map(|feature| ("text", name(feature))),
    );
    taken.extend(embeddings.map(|feature| ("embedding", name(feature))));
    inputs::mismatch(&taken)
}

/// Describes what is wrong with the model's output; `None` if it is one raw score for two classes.
pub fn unfit(model: &Model) -> Option<String> {
    match Output::of(model) {
        Ok(output) => output::unfit(model.dimension, output.classes.len(), &output.loss),
        Err(error) => Some(error.to_string()),
    }
}
