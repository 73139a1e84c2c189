//! `features_info`: the model's inputs, the numbers computed from them, and the borders and values that split
//! them.
//!
//! | list | elements | splits |
//! | --- | --- | --- |
//! | `float_features` | numeric features | one per border |
//! | `categorical_features` | categorical features | one per one-hot value (`values`), if any |
//! | `text_features`, `embedding_features` | ours: texts, embeddings | none |
//! | `estimated_features` | ours: numbers of calcers | one per border |
//! | `ctrs` | CTRs | one per border |
//!
//! `feature_index` counts the features of a kind, `flat_feature_index` all columns of the training data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    binarizations,
    ctrs::CtrFeature,
    number::{floats, list},
};
use crate::{
    Error,
    ir::NanTreatment,
    raw::{RawEmbedding, RawEstimated, RawFeature, RawFloat, RawModel, RawOneHot},
};

/// The section. CatBoost leaves out empty lists.
#[derive(Serialize, Deserialize)]
pub(super) struct FeaturesInfo {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    float_features: Vec<FloatFeature>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categorical_features: Vec<CatFeature>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    text_features: Vec<TextFeature>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    embedding_features: Vec<EmbeddingFeature>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    estimated_features: Vec<RawEstimated>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ctrs: Vec<CtrFeature>,
}

#[derive(Serialize, Deserialize)]
struct FloatFeature {
    feature_index: i64,
    flat_feature_index: i64,
    #[serde(default)]
    feature_id: String,
    #[serde(default)]
    has_nans: bool,
    nan_value_treatment: NanTreatment,
    #[serde(with = "floats")]
    borders: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct CatFeature {
    feature_index: i64,
    flat_feature_index: i64,
    #[serde(default)]
    feature_id: String,
    /// One-hot values, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Vec<i32>>,
    /// Boxed: a list of short strings takes less memory while it grows.
    #[serde(default, deserialize_with = "list")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    string_values: Vec<Box<str>>,
}

/// Text feature: our addition, since CatBoost exports no model that has any.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextFeature {
    feature_index: i64,
    flat_feature_index: i64,
    feature_id: String,
}

/// Embedding feature with the length of its vectors: our addition.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmbeddingFeature {
    feature_index: i64,
    flat_feature_index: i64,
    feature_id: String,
    dimension: i64,
}

fn feature(index: i64, flat_index: i64, name: String) -> RawFeature {
    RawFeature {
        index,
        flat_index,
        name,
    }
}

impl FeaturesInfo {
    pub(super) fn of(model: &mut RawModel) -> Self {
        let mut one_hots = std::mem::take(&mut model.one_hots);
        let cat = |cat: RawFeature| {
            let place = one_hots.iter().position(|one_hot| one_hot.cat == cat.index);
            let one_hot = place.map(|place| one_hots.swap_remove(place));
            let (values, string_values) = one_hot.map_or((None, Vec::new()), |one| {
                (Some(one.values), into(one.strings, String::into_boxed_str))
            });
            CatFeature {
                feature_index: cat.index,
                flat_feature_index: cat.flat_index,
                feature_id: cat.name,
                values,
                string_values,
            }
        };
        Self {
            float_features: take(&mut model.floats, FloatFeature::of),
            categorical_features: take(&mut model.cats, cat),
            text_features: take(&mut model.texts, |text: RawFeature| TextFeature {
                feature_index: text.index,
                flat_feature_index: text.flat_index,
                feature_id: text.name,
            }),
            embedding_features: take(&mut model.embeddings, |embedding: RawEmbedding| {
                EmbeddingFeature {
                    feature_index: embedding.feature.index,
                    flat_feature_index: embedding.feature.flat_index,
                    feature_id: embedding.feature.name,
                    dimension: embedding.dimension,
                }
            }),
            estimated_features: std::mem::take(&mut model.estimated),
            ctrs: take(&mut model.ctrs, CtrFeature::of),
        }
    }

    /// Refuses a document of CatBoost's own that is ambiguous.
    pub(super) fn check(&self, info: &BTreeMap<String, String>) -> Result<(), Error> {
        let unclear = self.ctrs.iter().filter_map(CtrFeature::unclear_type);
        binarizations::check(&unclear.collect(), info)
    }

    pub(super) fn read(self, model: &mut RawModel) {
        model.floats = into(self.float_features, FloatFeature::read);
        for cat in self.categorical_features {
            if let Some(values) = cat.values {
                model.one_hots.push(RawOneHot {
                    cat: cat.feature_index,
                    values,
                    strings: into(cat.string_values, String::from),
                });
            }
            model.cats.push(feature(
                cat.feature_index,
                cat.flat_feature_index,
                cat.feature_id,
            ));
        }
        model.texts = into(self.text_features, |text| {
            feature(text.feature_index, text.flat_feature_index, text.feature_id)
        });
        model.embeddings = into(self.embedding_features, |embedding| RawEmbedding {
            feature: feature(
                embedding.feature_index,
                embedding.flat_feature_index,
                embedding.feature_id,
            ),
            dimension: embedding.dimension,
        });
        model.estimated = self.estimated_features;
        model.ctrs = into(self.ctrs, CtrFeature::read);
    }
}

impl FloatFeature {
    fn of(float: RawFloat) -> Self {
        Self {
            feature_index: float.feature.index,
            flat_feature_index: float.feature.flat_index,
            feature_id: float.feature.name,
            has_nans: float.has_nans,
            nan_value_treatment: float.nan,
            borders: float.borders,
        }
    }

    fn read(self) -> RawFloat {
        RawFloat {
            feature: feature(self.feature_index, self.flat_feature_index, self.feature_id),
            has_nans: self.has_nans,
            nan: self.nan_value_treatment,
            borders: self.borders,
        }
    }
}

fn take<T, U>(from: &mut Vec<T>, into: impl FnMut(T) -> U) -> Vec<U> {
    std::mem::take(from).into_iter().map(into).collect()
}

fn into<T, U>(from: Vec<T>, into: impl FnMut(T) -> U) -> Vec<U> {
    from.into_iter().map(into).collect()
}
