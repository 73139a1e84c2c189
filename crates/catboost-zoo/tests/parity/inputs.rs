//! Rows of the cases.

use std::collections::HashMap;

use catboost_model::{
    eval::Row,
    ir::{Feature, Model},
};
use serde_json::Value;

/// Converts a number, or a word that stands for a value without a JSON number.
pub(crate) fn number(value: &Value) -> f64 {
    match value {
        Value::String(word) => word.parse().expect("nan, inf or -inf"),
        Value::Null => f64::NAN,
        value => value.as_f64().expect("a number"),
    }
}

/// Converts a list of numbers, or a single one.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().map(number).collect(),
        None => vec![number(value)],
    }
}

/// Mapping of the keys in a row to the model's features.
pub(crate) struct Inputs {
    /// Key in a row → kind and index.
    places: HashMap<String, (Kind, usize)>,
    floats: usize,
    cats: usize,
    texts: usize,
    embeddings: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Float,
    Cat,
    Text,
    Embedding,
}

impl Inputs {
    pub(crate) fn of(model: &Model) -> Self {
        let floats: Vec<&Feature> = model.float_features.iter().map(|f| &f.feature).collect();
        let embeddings = model
            .embedding_features
            .iter()
            .map(|e| &e.feature)
            .collect();
        let kinds: [(Kind, Vec<&Feature>); 4] = [
            (Kind::Float, floats),
            (Kind::Cat, model.cat_features.iter().collect()),
            (Kind::Text, model.text_features.iter().collect()),
            (Kind::Embedding, embeddings),
        ];
        // As in `make.py`: a feature's name, or its index if others share the name. CatBoost identifies a feature
        // without a name by its index.
        let name = |feature: &Feature| {
            if feature.name.is_empty() {
                feature.flat_index.to_string()
            } else {
                feature.name.clone()
            }
        };
        let mut shared: HashMap<String, usize> = HashMap::new();
        for feature in kinds.iter().flat_map(|(_, features)| features) {
            *shared.entry(name(feature)).or_default() += 1;
        }
        let mut places = HashMap::new();
        for (kind, features) in &kinds {
            for (index, feature) in features.iter().enumerate() {
                let mut key = name(feature);
                if shared[&key] > 1 {
                    key = feature.flat_index.to_string();
                }
                let before = places.insert(key, (*kind, index));
                assert!(before.is_none(), "a feature's name is the key of another");
            }
        }
        let [floats, cats, texts, embeddings] = kinds.map(|(_, features)| features.len());
        Self {
            places,
            floats,
            cats,
            texts,
            embeddings,
        }
    }

    pub(crate) fn read(&self, row: &Value) -> Values {
        let mut values = Values {
            floats: vec![f32::NAN; self.floats],
            cats: vec![String::new(); self.cats],
            texts: vec![String::new(); self.texts],
            embeddings: vec![Vec::new(); self.embeddings],
        };
        for (key, value) in row.as_object().expect("a row is an object") {
            let text = || match value {
                Value::String(text) => text.clone(),
                // CatBoost hashes booleans this way.
                Value::Bool(value) => u8::from(*value).to_string(),
                value => value.to_string(),
            };
            match self.places.get(key) {
                Some(&(Kind::Float, index)) => values.floats[index] = number(value) as f32,
                Some(&(Kind::Cat, index)) => values.cats[index] = text(),
                Some(&(Kind::Text, index)) => values.texts[index] = text(),
                Some(&(Kind::Embedding, index)) => {
                    values.embeddings[index] =
                        numbers(value).iter().map(|&value| value as f32).collect();
                }
                None => panic!("the model has no feature {key}"),
            }
        }
        values
    }
}

/// Values of a row, each list in the order of the model.
pub(crate) struct Values {
    floats: Vec<f32>,
    cats: Vec<String>,
    texts: Vec<String>,
    embeddings: Vec<Vec<f32>>,
}

impl Values {
    pub(crate) fn with<T>(&self, answer: impl FnOnce(&Row) -> T) -> T {
        answer(&self.borrowed().row())
    }

    pub(crate) fn borrowed(&self) -> Borrowed<'_> {
        Borrowed {
            floats: &self.floats,
            cats: self.cats.iter().map(String::as_str).collect(),
            texts: self.texts.iter().map(String::as_str).collect(),
            embeddings: self.embeddings.iter().map(Vec::as_slice).collect(),
        }
    }
}

/// Borrowed values of a row.
pub(crate) struct Borrowed<'a> {
    floats: &'a [f32],
    cats: Vec<&'a str>,
    texts: Vec<&'a str>,
    embeddings: Vec<&'a [f32]>,
}

impl Borrowed<'_> {
    pub(crate) fn row(&self) -> Row<'_> {
        Row {
            floats: self.floats,
            cats: &self.cats,
            texts: &self.texts,
            embeddings: &self.embeddings,
        }
    }
}
