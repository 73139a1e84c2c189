//! Feature classes: features that splits are attributed to together.
//!
//! | split | class |
//! | --- | --- |
//! | float, one-hot | the feature |
//! | CTR | the categorical features of its projection, which share the contribution equally |
//! | estimated | the text or embedding |
//!
//! Splits with equal lists of features have one class, so that a CTR of a single feature shares that of its
//! one-hot splits.

use std::collections::HashMap;

use crate::ir::{EstimatedSource, Model, Split};

/// Feature class of every split of a model.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    /// Class of each split, by [`SplitIdx`](crate::ir::SplitIdx).
    pub(super) of_split: Vec<usize>,
    /// Flat indices of the features of each class. They share the contribution of the class equally.
    pub(super) features: Vec<Vec<u32>>,
}

impl Classes {
    /// A class is a numeric feature, a one-hot feature, the categorical features of a CTR (float and one-hot splits in
    /// a combination get nothing), a text, or an embedding.
    pub(super) fn new(model: &Model) -> Self {
        let mut places: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut features = Vec::new();
        let mut class = |of: Vec<u32>| {
            *places.entry(of).or_insert_with_key(|of| {
                features.push(of.clone());
                features.len() - 1
            })
        };
        let of_split = model
            .splits
            .iter()
            .map(|split| class(features_of(model, split)));
        let of_split = of_split.collect();
        Self { of_split, features }
    }
}

/// Returns the flat indices of the features that a split is attributed to, in the order of the projection.
fn features_of(model: &Model, split: &Split) -> Vec<u32> {
    let cat = |cat: usize| model.cat_features[cat].flat_index;
    match *split {
        Split::Float { feature, .. } => {
            vec![model.float_features[feature.at()].feature.flat_index]
        }
        Split::OneHot { feature, .. } => vec![cat(model.one_hots[feature.at()].cat.at())],
        Split::Ctr { feature, .. } => {
            let table = &model.ctr_tables[model.ctrs[feature.at()].table.at()];
            let cats = table.projection.cats.iter();
            cats.map(|index| cat(index.at())).collect()
        }
        Split::Estimated { feature, .. } => {
            vec![source_feature(model, model.estimated[feature.at()].source)]
        }
    }
}

/// Flat index of the text or embedding that an estimated feature is computed from.
pub(super) fn source_feature(model: &Model, source: EstimatedSource) -> u32 {
    match source {
        EstimatedSource::Text { tokenized, .. } => {
            let text = model.text.tokenized[tokenized.at()].text;
            model.text_features[text.at()].flat_index
        }
        EstimatedSource::Embedding { calcer } => {
            let embedding = model.embedding_calcers[calcer.at()].embedding;
            model.embedding_features[embedding.at()].feature.flat_index
        }
    }
}
