//! Features of a model, and the keys of a row that identify them.

use std::collections::HashMap;

use catboost_model::ir::{Feature, Model};

use super::{
    json::Value,
    values::{Kind, Values},
};

pub(super) struct Features {
    features: Vec<Input>,
    /// Name → indices into `features`; several if features share a name.
    by_name: HashMap<String, Vec<usize>>,
    by_flat_index: HashMap<u32, usize>,
    /// Values of a row before its own are set.
    empty: Values,
}

struct Input {
    kind: Kind,
    /// Index among the features of its kind.
    index: usize,
    flat_index: u32,
    used: bool,
    /// Description for error texts.
    described: String,
}

impl Features {
    pub(super) fn of(model: &Model) -> Self {
        let embeddings = &model.embedding_features;
        let mut features = Self {
            features: Vec::new(),
            by_name: HashMap::new(),
            by_flat_index: HashMap::new(),
            empty: Values {
                floats: vec![f32::NAN; model.float_features.len()],
                cats: vec![String::new(); model.cat_features.len()],
                texts: vec![String::new(); model.text_features.len()],
                embeddings: embeddings
                    .iter()
                    .map(|embedding| vec![0.0; embedding.dimension])
                    .collect(),
            },
        };
        for (index, float) in model.float_features.iter().enumerate() {
            features.add(Kind::Float, "numeric", index, &float.feature);
        }
        for (index, cat) in model.cat_features.iter().enumerate() {
            features.add(Kind::Cat, "categorical", index, cat);
        }
        for (index, text) in model.text_features.iter().enumerate() {
            features.add(Kind::Text, "text", index, text);
        }
        for (index, embedding) in embeddings.iter().enumerate() {
            let length = embedding.feature.used.then_some(embedding.dimension);
            features.add(
                Kind::Embedding(length),
                "embedding",
                index,
                &embedding.feature,
            );
        }
        features
    }

    fn add(&mut self, kind: Kind, word: &str, index: usize, feature: &Feature) {
        let place = self.features.len();
        let flat_index = feature.flat_index;
        self.by_flat_index.insert(flat_index, place);
        let described = if feature.name.is_empty() {
            format!("{word} feature {flat_index}")
        } else {
            let same = self.by_name.entry(feature.name.clone()).or_default();
            same.push(place);
            format!(
                "{word} feature {flat_index} `{}`",
                feature.name.escape_debug()
            )
        };
        self.features.push(Input {
            kind,
            index,
            flat_index,
            used: feature.used,
            described,
        });
    }

    /// Values of an empty row.
    pub(super) fn values(&self) -> Values {
        self.empty.clone()
    }

    /// Reads the values of a row in JSON: an object from feature to value, or an object with that under the key `row`.
    pub(super) fn of_json(&self, row: &Value<'_>) -> Result<Values, String> {
        let Value::Object(entries) = row else {
            return Err(format!(
                "expected a JSON object from feature to value; found {row}"
            ));
        };
        let mut row = entries;
        // The value of a feature is never an object.
        if let Some((_, Value::Object(wrapped))) = row.iter().find(|(key, _)| key == "row") {
            row = wrapped;
        }
        let keys: Vec<&str> = row.iter().map(|(key, _)| key.as_str()).collect();
        let places = self.places(&keys)?;
        let mut values = self.values();
        for ((_, value), place) in row.iter().zip(places) {
            if let Some(place) = place {
                let input = &self.features[place];
                let set = values.set(input.kind, input.index, value);
                set.map_err(|what| format!("{}: {what}", input.described))?;
            }
        }
        Ok(values)
    }

    /// Sets the feature at index `place` from a cell of CSV.
    pub(super) fn set_cell(
        &self,
        place: usize,
        cell: &str,
        values: &mut Values,
    ) -> Result<(), String> {
        let input = &self.features[place];
        let set = values.set_cell(input.kind, input.index, cell);
        set.map_err(|what| format!("{}: {what}", input.described))
    }

    /// Maps each key of a row to the index of its feature, or `None` for other keys. Each feature that the model uses
    /// must be named, and none twice.
    pub(super) fn places(&self, keys: &[&str]) -> Result<Vec<Option<usize>>, String> {
        let mut given = vec![false; self.features.len()];
        let mut unknown = None;
        let mut places = Vec::with_capacity(keys.len());
        for &key in keys {
            let place = self.place(key, keys)?;
            match place {
                None => {
                    unknown.get_or_insert(key);
                }
                Some(place) if std::mem::replace(&mut given[place], true) => {
                    return Err(format!("{} is given twice", self.features[place].described));
                }
                Some(_) => {}
            }
            places.push(place);
        }
        for (input, given) in self.features.iter().zip(given) {
            if input.used && !given {
                let unknown = unknown.map_or(String::new(), |key| {
                    let key = key.escape_debug();
                    format!("; the row has `{key}`, which is no feature of the model")
                });
                return Err(format!("{} is missing{unknown}", input.described));
            }
        }
        Ok(places)
    }

    /// Looks up the feature of a key in the row, if there is one. A name takes precedence over another feature's index,
    /// unless the feature of that name is in the row by its own index.
    fn place(&self, key: &str, row: &[&str]) -> Result<Option<usize>, String> {
        let by_index = key.parse().ok();
        let by_index = by_index.and_then(|index| self.by_flat_index.get(&index).copied());
        let by_own_index = |place: usize| {
            let index = self.features[place].flat_index.to_string();
            by_index.is_some_and(|other| other != place)
                && !self.by_name.contains_key(&index)
                && row.iter().any(|key| *key == index)
        };
        let named = self.by_name.get(key).into_iter().flatten().copied();
        let named: Vec<usize> = named.filter(|&place| !by_own_index(place)).collect();
        match named.as_slice() {
            [] => Ok(by_index),
            &[place] => Ok(Some(place)),
            several => {
                let features = several
                    .iter()
                    .map(|&place| self.features[place].described.as_str());
                Err(format!(
                    "`{}` names several features: {}; use their indices",
                    key.escape_debug(),
                    features.collect::<Vec<_>>().join(", ")
                ))
            }
        }
    }
}
