//! Input rows whose values are set one by one.
//!
//! An [`Input`] keeps its values in the order of the layout, so that evaluation copies none of them. It is
//! the convenient way for rows whose values arrive by name; [`Row`](crate::Row) suits rows that are complete
//! slices already.

use catboost_runtime::{
    compiled,
    hash::cat_hash,
    predict::{FeatureKind, RowError},
};
use smallvec::SmallVec;

use crate::{Model, Position};

/// Input row of a model whose values are set one by one, by name or by [`Position`]. Values are kept: from
/// one row to the next only the differences have to be set. Setting allocates nothing once the longest texts
/// were set; evaluating has the exceptions of [`Model::raw_into`].
///
/// ```
/// use catboost_apply::Model;
///
/// let model = Model::from_bytes(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
/// )?;
/// let mut row = model.input();
/// row.set("age", 41.0)?;
/// assert_eq!(row.raw()?, [2.5]);
///
/// let error = row.set("agee", 41.0).unwrap_err();
/// assert!(error.to_string().contains("agee"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A new row has no values, and needs one for every feature that the model uses. A clone has values of its
/// own and shares the model's tables.
#[derive(Clone, Debug)]
pub struct Input {
    model: Model,
    /// By kind and index of a feature, its index in `floats`, `cats`, `texts` or `embeddings`; `None` if the model does
    /// not use the feature.
    places: [Box<[Option<u32>]>; 4],
    /// Values of float features, in the order of the layout, like the following fields.
    floats: Box<[f32]>,
    cats: Box<[u32]>,
    texts: Box<[String]>,
    embeddings: Box<[Vec<f32>]>,
    /// By kind and index in the layout: true if a value was set. `missing` is the number of values that were not.
    is_set: [Box<[bool]>; 4],
    missing: usize,
}

/// Value of a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Value of a numeric feature; NaN if missing.
    /// Borders are compared in f32: round an `f64` with `as f32`.
    Number(f32),
    /// Value of a categorical or a text feature.
    /// An integer category is the text of its decimal digits, which is what CatBoost hashes.
    Text(&'a str),
    /// Value of an embedding feature.
    /// Its length is [`Feature::dimension`](crate::Feature::dimension).
    Embedding(&'a [f32]),
}

impl From<f32> for Value<'_> {
    fn from(number: f32) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [f32]> for Value<'a> {
    fn from(embedding: &'a [f32]) -> Self {
        Self::Embedding(embedding)
    }
}

/// Identifies a feature: its name, or its position.
///
/// Implemented for names (`&str`), which are looked up at each call, and for [`Position`], which is not
/// looked up.
pub trait Key {
    /// Returns the position of the feature.
    ///
    /// # Errors
    /// If the model has no such feature, or several of that name. A [`Position`] is returned as it is,
    /// without a check.
    fn position(&self, model: &Model) -> Result<Position, RowError>;
}

impl Key for &str {
    fn position(&self, model: &Model) -> Result<Position, RowError> {
        model.position(self)
    }
}

impl Key for Position {
    fn position(&self, _: &Model) -> Result<Position, RowError> {
        Ok(*self)
    }
}

impl Input {
    pub(crate) fn new(model: Model) -> Self {
        let (schema, layout) = (model.schema(), model.layout());
        let places = |kind, used: &[usize]| {
            let mut places = vec![None; schema.count(kind)];
            for (place, &index) in (0..).zip(used) {
                places[index] = Some(place);
            }
            places.into_boxed_slice()
        };
        let mut floats = vec![None; schema.count(FeatureKind::Numeric)].into_boxed_slice();
        for (place, index) in (0..).zip(&layout.floats) {
            if let Some(index) = *index {
                floats[index] = Some(place);
            }
        }
        let places = [
            floats,
            places(FeatureKind::Categorical, &layout.cats),
            places(FeatureKind::Text, &layout.texts),
            places(FeatureKind::Embedding, &layout.embeddings),
        ];
        Self {
            missing: places.iter().flatten().flatten().count(),
            floats: vec![0.0; layout.floats.len()].into(),
            cats: vec![0; layout.cats.len()].into(),
            texts: vec![String::new(); layout.texts.len()].into(),
            embeddings: vec![Vec::new(); layout.embeddings.len()].into(),
            is_set: places
                .each_ref()
                .map(|places| vec![false; places.len()].into()),
            places,
            model,
        }
    }

    /// Sets a feature's value. The value of a feature that the model does not use is dropped. A categorical
    /// value is hashed at once; texts and embeddings are copied into memory that the next value reuses.
    ///
    /// # Errors
    /// If the model has no such feature, or the value is not of the feature's kind; the row is then
    /// unchanged. The length of an embedding is checked when the row is evaluated.
    pub fn set<'a>(
        &mut self,
        feature: impl Key,
        value: impl Into<Value<'a>>,
    ) -> Result<(), RowError> {
        let position = feature.position(&self.model)?;
        let (kind, index) = (position.kind, position.index as usize);
        let of_kind = kind as usize;
        let Some(place) = self.places[of_kind].get(index) else {
            let feature = format!("{kind} feature number {index} of another model");
            return Err(RowError::Unknown { feature });
        };
        let place = place.map(|place| place as usize);
        match (kind, value.into()) {
            (FeatureKind::Numeric, Value::Number(number)) => {
                if let Some(place) = place {
                    self.floats[place] = number;
                }
            }
            (FeatureKind::Categorical, Value::Text(text)) => {
                if let Some(place) = place {
                    self.cats[place] = cat_hash(text);
                }
            }
            (FeatureKind::Text, Value::Text(text)) => {
                if let Some(place) = place {
                    self.texts[place].clear();
                    self.texts[place].push_str(text);
                }
            }
            (FeatureKind::Embedding, Value::Embedding(numbers)) => {
                if let Some(place) = place {
                    self.embeddings[place].clear();
                    self.embeddings[place].extend_from_slice(numbers);
                }
            }
            (expected, _) => {
                let feature = self.label(position);
                return Err(RowError::Kind { feature, expected });
            }
        }
        if place.is_some() && !std::mem::replace(&mut self.is_set[of_kind][index], true) {
            self.missing -= 1;
        }
        Ok(())
    }

    /// Removes all values.
    /// Keeps the memory of texts and embeddings.
    pub fn clear(&mut self) {
        for is_set in self.is_set.iter_mut().flatten() {
            *is_set = false;
        }
        self.missing = self.places.iter().flatten().flatten().count();
    }

    /// Returns the raw values of the row, [`Model::dimension`] of them, in a new vector.
    ///
    /// # Errors
    /// As [`Input::raw_into`].
    pub fn raw(&self) -> Result<Vec<f64>, RowError> {
        let mut raw = vec![0.0; self.model.dimension()];
        self.raw_into(&mut raw)?;
        Ok(raw)
    }

    /// Computes the raw values of the row, with the bits of [`Model::raw_into`] for the same values.
    ///
    /// # Errors
    /// If a feature that the model uses has no value (the first one, in the order of the columns, is named),
    /// an embedding another length than its feature, or `raw` another length than [`Model::dimension`]. `raw`
    /// is then unchanged.
    pub fn raw_into(&self, raw: &mut [f64]) -> Result<(), RowError> {
        if self.missing > 0 {
            return Err(self.missing());
        }
        let texts: SmallVec<[&str; 8]> = self.texts.iter().map(String::as_str).collect();
        let embeddings = self.embeddings.iter().map(Vec::as_slice);
        let embeddings: SmallVec<[&[f32]; 8]> = embeddings.collect();
        let row = compiled::Row {
            floats: &self.floats,
            cats: &self.cats,
            texts: &texts,
            embeddings: &embeddings,
        };
        self.model.evaluate(row, raw, &mut ())
    }

    /// Returns the model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    #[cold]
    fn missing(&self) -> RowError {
        let features = self.model.features().iter();
        let mut missing = features.filter(|feature| {
            let Position { kind, index } = feature.position;
            let (kind, index) = (kind as usize, index as usize);
            self.places[kind][index].is_some() && !self.is_set[kind][index]
        });
        let feature = missing.next().expect("so many are not set");
        RowError::Missing {
            feature: feature.label(),
        }
    }

    #[cold]
    fn label(&self, position: Position) -> String {
        let feature = self.model.schema().at(position);
        feature.expect("it was found").label()
    }
}
