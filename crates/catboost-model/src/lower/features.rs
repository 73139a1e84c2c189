//! Lowers the model's inputs.

use std::collections::{HashMap, HashSet};

use super::check_borders;
use crate::{
    Error,
    ir::{
        CatIdx, EmbeddingFeature, EmbeddingIdx, Feature, FloatFeature, FloatIdx, OneHot, TextIdx,
    },
    limits::{MAX_EMBEDDING, MAX_ONE_HOT_VALUES},
    raw::{RawEmbedding, RawFeature, RawFloat, RawOneHot},
};

/// Features of a model, and the mapping of the file's indices to them.
pub(super) struct Features {
    pub(super) floats: Vec<FloatFeature>,
    pub(super) cats: Vec<Feature>,
    pub(super) texts: Vec<Feature>,
    pub(super) embeddings: Vec<EmbeddingFeature>,
    float_of: HashMap<i64, FloatIdx>,
    cat_of: HashMap<i64, CatIdx>,
    text_of: HashMap<i64, TextIdx>,
    embedding_of: HashMap<i64, EmbeddingIdx>,
}

impl Features {
    pub(super) fn lower(
        floats: Vec<RawFloat>,
        cats: Vec<RawFeature>,
        texts: Vec<RawFeature>,
        embeddings: Vec<RawEmbedding>,
    ) -> Result<Self, Error> {
        let mut flat = HashSet::new();
        let float_of = indices(floats.iter().map(|float| &float.feature), "float", FloatIdx)?;
        let cat_of = indices(cats.iter(), "categorical", CatIdx)?;
        let text_of = indices(texts.iter(), "text", TextIdx)?;
        let embedding_of = indices(
            embeddings.iter().map(|embedding| &embedding.feature),
            "embedding",
            EmbeddingIdx,
        )?;
        let floats = floats
            .into_iter()
            .map(|float| lower_float(float, &mut flat))
            .collect::<Result<_, _>>()?;
        // Whether a feature is used is determined when its users are lowered.
        let cats = cats
            .into_iter()
            .map(|cat| lower_feature(cat, false, &mut flat))
            .collect::<Result<_, _>>()?;
        let texts = texts
            .into_iter()
            .map(|text| lower_feature(text, false, &mut flat))
            .collect::<Result<_, _>>()?;
        let embeddings = embeddings.into_iter().map(|embedding| {
            let dimension = usize::try_from(embedding.dimension).map_err(|_| {
                Error::model(format!(
                    "an embedding feature has {} numbers",
                    embedding.dimension
                ))
            })?;
            if dimension > MAX_EMBEDDING {
                return Err(Error::unsupported(format!(
                    "embeddings of {dimension} numbers; at most {MAX_EMBEDDING} are"
                )));
            }
            Ok(EmbeddingFeature {
                feature: lower_feature(embedding.feature, false, &mut flat)?,
                dimension,
            })
        });
        let embeddings = embeddings.collect::<Result<_, Error>>()?;
        Ok(Self {
            floats,
            cats,
            texts,
            embeddings,
            float_of,
            cat_of,
            text_of,
            embedding_of,
        })
    }

    /// Returns the categorical feature at an index of the file, and marks it as used.
    pub(super) fn use_cat(&mut self, index: i64) -> Result<CatIdx, Error> {
        let cat = self
            .cat_of
            .get(&index)
            .ok_or_else(|| missing("categorical", index))?;
        self.cats[cat.at()].used = true;
        Ok(*cat)
    }

    /// Returns the text feature at an index of the file.
    pub(super) fn text(&self, index: i64) -> Result<TextIdx, Error> {
        self.text_of
            .get(&index)
            .copied()
            .ok_or_else(|| missing("text", index))
    }

    /// Returns the embedding feature at an index of the file.
    pub(super) fn embedding(&self, index: i64) -> Result<EmbeddingIdx, Error> {
        self.embedding_of
            .get(&index)
            .copied()
            .ok_or_else(|| missing("embedding", index))
    }

    /// Returns the float feature at an index of the file, and the index of one of its borders.
    pub(super) fn border(&self, index: i64, border: f32) -> Result<(FloatIdx, u32), Error> {
        let float = *self
            .float_of
            .get(&index)
            .ok_or_else(|| missing("float", index))?;
        let place = self.floats[float.at()]
            .borders
            .iter()
            .position(|&other| other == border);
        let place = place.ok_or_else(|| {
            Error::model(format!(
                "a CTR asks for border {border:?} of float feature {index}, which does not have it"
            ))
        })?;
        Ok((float, place as u32))
    }

    /// Lowers the lists of one-hot values, and marks their categorical features as used. The lists must be in
    /// the order of the features, since JSON has no other place for them.
    pub(super) fn one_hots(&mut self, raw: Vec<RawOneHot>) -> Result<Vec<OneHot>, Error> {
        let mut seen = HashSet::new();
        let mut last = None;
        let lower = |raw: RawOneHot| {
            let cat = self.use_cat(raw.cat)?;
            let name = |features: &Self| describe("categorical", &features.cats[cat.at()]);
            if !seen.insert(cat) {
                return Err(Error::model(format!(
                    "{} has two lists of one-hot values",
                    name(self)
                )));
            }
            if last.replace(cat) > Some(cat) {
                return Err(Error::unsupported(
                    "one-hot values that are not in the order of the categorical features",
                ));
            }
            if raw.values.len() > MAX_ONE_HOT_VALUES {
                return Err(Error::unsupported(format!(
                    "{} one-hot values of {}; at most {MAX_ONE_HOT_VALUES} are",
                    raw.values.len(),
                    name(self)
                )));
            }
            let mut values = HashSet::new();
            if !raw.values.iter().all(|value| values.insert(value)) {
                return Err(Error::model(format!(
                    "{} has the same one-hot value twice",
                    name(self)
                )));
            }
            if !raw.strings.is_empty() && raw.strings.len() != raw.values.len() {
                return Err(Error::model(format!(
                    "{} has not as many strings as one-hot values",
                    name(self)
                )));
            }
            Ok(OneHot {
                cat,
                values: raw.values,
                strings: raw.strings,
            })
        };
        raw.into_iter().map(lower).collect()
    }
}

fn missing(kind: &str, index: i64) -> Error {
    Error::model(format!(
        "the model speaks of {kind} feature {index}, which it does not have"
    ))
}

/// Describes a feature in error texts: «float feature 7 `speed`».
pub(super) fn describe(kind: &str, feature: &Feature) -> String {
    format!(
        "{kind} feature {} `{}`",
        feature.flat_index,
        feature.name.escape_debug()
    )
}

/// Maps the file's index of each feature of a kind to its position. Indices must be distinct, not contiguous.
fn indices<'a, I>(
    features: impl Iterator<Item = &'a RawFeature>,
    kind: &str,
    wrap: impl Fn(u32) -> I,
) -> Result<HashMap<i64, I>, Error> {
    let mut of = HashMap::new();
    for (place, feature) in (0..).zip(features) {
        if of.insert(feature.index, wrap(place)).is_some() {
            return Err(Error::model(format!(
                "two {kind} features have the index {}",
                feature.index
            )));
        }
    }
    Ok(of)
}

/// Lowers name and index. `flat` collects the flat indices of all kinds, which must be distinct.
fn lower_feature(raw: RawFeature, used: bool, flat: &mut HashSet<u32>) -> Result<Feature, Error> {
    let flat_index = u32::try_from(raw.flat_index);
    let flat_index = flat_index
        .map_err(|_| Error::model(format!("a feature's flat index is {}", raw.flat_index)))?;
    if !flat.insert(flat_index) {
        return Err(Error::model(format!(
            "two features have the flat index {flat_index}"
        )));
    }
    Ok(Feature {
        flat_index,
        name: raw.name,
        used,
    })
}

fn lower_float(raw: RawFloat, flat: &mut HashSet<u32>) -> Result<FloatFeature, Error> {
    let feature = lower_feature(raw.feature, !raw.borders.is_empty(), flat)?;
    check_borders(&raw.borders, || describe("float", &feature))?;
    Ok(FloatFeature {
        feature,
        has_nans: raw.has_nans,
        nan: raw.nan,
        borders: raw.borders,
    })
}
