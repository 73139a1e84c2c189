//! Self-description of a model: features, classes, loss and metadata.
//!
//! Computed once per model, from the intermediate representation and the file's metadata. A look-up by name
//! is one look-up in a hash table; a look-up by [`Position`] is two indexings.

use std::collections::{BTreeMap, HashMap};

use catboost_model::{
    ir::{self, CatIdx},
    output::{Output, OutputError},
};
use catboost_runtime::predict::{FeatureKind, RowError};

use crate::layout::hash_of;

/// Feature of a loaded model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Feature {
    /// Name; empty if the training data had none.
    pub name: String,
    /// Index among all columns of the training data.
    /// CatBoost's flat feature index.
    pub index: u32,
    /// Kind of its values.
    pub kind: FeatureKind,
    /// True if any tree depends on the feature.
    /// A [`Row`](crate::Row) has a value for every feature, used or not.
    pub used: bool,
    /// Borders of a numeric feature, ascending. Empty for other kinds.
    /// A split asks `value > border` in f32, so the number of borders below a value decides about all splits.
    pub borders: Vec<f32>,
    /// Number of known values of a categorical feature; 0 for other kinds.
    /// Counted from one-hot splits and from CTRs of the feature alone: a feature that only combinations use
    /// has 0.
    pub known_values: usize,
    /// Length of an embedding; 0 for other kinds, and if the model does not use the feature.
    pub dimension: usize,
    /// Position among the features of its kind.
    pub(crate) position: Position,
}

impl Feature {
    /// Returns the position of the feature's value in a row.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Name, or the index if there is none.
    pub(crate) fn label(&self) -> String {
        match self.name.as_str() {
            "" => self.index.to_string(),
            name => name.to_owned(),
        }
    }
}

/// Position of a feature's value in the rows of a model. Look it up once, with
/// [`Model::position`](crate::Model::position), and use it for every row.
///
/// A position belongs to one model and its clones. Another model refuses it only if it has fewer features of
/// that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub(crate) kind: FeatureKind,
    /// Index among the features of the kind, in the order of a [`Row`](crate::Row).
    pub(crate) index: u32,
}

/// Self-description of a model.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Features, in the order of the training data's columns.
    pub(crate) features: Vec<Feature>,
    /// Indices into `features`, by kind and index among that kind.
    by_kind: [Vec<u32>; 4],
    /// Index into `features`: by name, or `None` for a name that several share; by index for features without a name of
    /// their own.
    by_name: HashMap<String, Option<u32>>,
    pub(crate) dimension: usize,
    pub(crate) sha256: String,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Meaning of the raw values; an error if the metadata about classes is inconsistent, which leaves raw
    /// values alone.
    pub(crate) output: Result<Output, OutputError>,
}

impl Schema {
    pub(crate) fn new(model: &ir::Model, sha256: String) -> Self {
        let features = features(model);
        let mut by_kind: [Vec<u32>; 4] = Default::default();
        for kind in KINDS {
            let mut places: Vec<u32> = (0..features.len() as u32)
                .filter(|&place| features[place as usize].kind == kind)
                .collect();
            places.sort_by_key(|&place| features[place as usize].position.index);
            by_kind[kind_place(kind)] = places;
        }
        let mut by_name: HashMap<String, Option<u32>> = HashMap::new();
        for (place, feature) in (0..).zip(&features) {
            by_name
                .entry(feature.label())
                .and_modify(|place| *place = None)
                .or_insert(Some(place));
        }
        // An index identifies its feature, unless it is the unique name of another.
        for (place, feature) in (0..).zip(&features) {
            let named = by_name.entry(feature.index.to_string()).or_default();
            named.get_or_insert(place);
        }
        Self {
            features,
            by_kind,
            by_name,
            dimension: model.dimension,
            sha256,
            metadata: model.info.clone(),
            output: Output::of(model).and_then(Output::checked),
        }
    }

    pub(crate) fn count(&self, kind: FeatureKind) -> usize {
        self.by_kind[kind_place(kind)].len()
    }

    /// Returns the feature at a position.
    pub(crate) fn at(&self, position: Position) -> Option<&Feature> {
        let places = &self.by_kind[kind_place(position.kind)];
        let place = places.get(position.index as usize)?;
        Some(&self.features[*place as usize])
    }

    /// Returns the feature with this name, or with this index if no feature has that name.
    ///
    /// # Errors
    /// [`RowError::Unknown`] if there is none, or if several features share the name.
    pub(crate) fn named(&self, name: &str) -> Result<&Feature, RowError> {
        match self.by_name.get(name) {
            Some(&Some(place)) => Ok(&self.features[place as usize]),
            _ => Err(RowError::Unknown {
                feature: name.to_owned(),
            }),
        }
    }
}

const KINDS: [FeatureKind; 4] = [
    FeatureKind::Numeric,
    FeatureKind::Categorical,
    FeatureKind::Text,
    FeatureKind::Embedding,
];

fn kind_place(kind: FeatureKind) -> usize {
    KINDS
        .iter()
        .position(|&other| other == kind)
        .expect("all kinds are listed")
}

/// Features of a model, in the order of the training data's columns.
fn features(model: &ir::Model) -> Vec<Feature> {
    let feature = |kind, index: usize, feature: &ir::Feature| Feature {
        name: feature.name.clone(),
        index: feature.flat_index,
        kind,
        used: feature.used,
        borders: Vec::new(),
        known_values: 0,
        dimension: 0,
        position: Position {
            kind,
            index: index as u32,
        },
    };
    let mut features = Vec::new();
    for (index, float) in model.float_features.iter().enumerate() {
        features.push(Feature {
            borders: float.borders.clone(),
            ..feature(FeatureKind::Numeric, index, &float.feature)
        });
    }
    let known = known_values(model);
    for (index, cat) in model.cat_features.iter().enumerate() {
        features.push(Feature {
            known_values: known[index],
            ..feature(FeatureKind::Categorical, index, cat)
        });
    }
    for (index, text) in model.text_features.iter().enumerate() {
        features.push(feature(FeatureKind::Text, index, text));
    }
    for (index, embedding) in model.embedding_features.iter().enumerate() {
        features.push(Feature {
            dimension: embedding.dimension,
            ..feature(FeatureKind::Embedding, index, &embedding.feature)
        });
    }
    features.sort_by_key(|feature| feature.index);
    features
}

/// Number of known values of each categorical feature, from one-hot splits and from CTRs of the feature alone.
fn known_values(model: &ir::Model) -> Vec<usize> {
    let mut known = vec![Vec::new(); model.cat_features.len()];
    for one_hot in &model.one_hots {
        known[one_hot.cat.at()].extend(one_hot.values.iter().map(|value| value.cast_unsigned()));
    }
    for table in &model.ctr_tables {
        if let Some(CatIdx(cat)) = table.projection.only_cat() {
            let known = &mut known[cat as usize];
            known.extend(table.keys.iter().filter_map(|&key| hash_of(key)));
            // Tables of one feature have the same values: the list stays as long as one.
            known.sort_unstable();
            known.dedup();
        }
    }
    known
        .into_iter()
        .map(|mut known: Vec<u32>| {
            known.sort_unstable();
            known.dedup();
            known.len()
        })
        .collect()
}
