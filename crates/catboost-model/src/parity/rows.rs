//! Rows of `NAME.cases.ndjson`.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    eval::Row,
    ir::{Feature, Model},
};

/// Returns the numbers in a list, or a single one. Words stand for values that JSON has no number for.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        Value::String(word) => vec![word.parse().expect("nan, inf or -inf")],
        value => vec![value.as_f64().expect("a number")],
    }
}

/// Cases of a model.
pub(super) struct Rows {
    cases: Vec<Value>,
    floats: Vec<String>,
    cats: Vec<String>,
    texts: Vec<String>,
    embeddings: Vec<String>,
}

impl Rows {
    pub(super) fn read(model: &Model, path: &Path) -> Self {
        let cases = fs::read_to_string(path).expect("every model has cases");
        let cases = cases.lines();
        let cases = cases.map(|case| serde_json::from_str(case).expect("a case is JSON"));
        let floats: Vec<&Feature> = model.float_features.iter().map(|f| &f.feature).collect();
        let embeddings = model.embedding_features.iter().map(|f| &f.feature);
        let embeddings: Vec<&Feature> = embeddings.collect();
        let cats: Vec<&Feature> = model.cat_features.iter().collect();
        let texts: Vec<&Feature> = model.text_features.iter().collect();
        let all = [&floats[..], &cats, &texts, &embeddings].concat();
        // As in `make.py`: a feature's name, or its index if it has none or shares it.
        let name = |feature: &Feature| match &feature.name[..] {
            "" => feature.flat_index.to_string(),
            name => name.to_owned(),
        };
        let keys = |features: &[&Feature]| -> Vec<String> {
            let key = |feature: &&Feature| {
                let own = name(feature);
                let shared = all.iter().filter(|other| name(other) == own).count() > 1;
                if shared {
                    feature.flat_index.to_string()
                } else {
                    own
                }
            };
            features.iter().map(key).collect()
        };
        Self {
            cases: cases.collect(),
            floats: keys(&floats),
            cats: keys(&cats),
            texts: keys(&texts),
            embeddings: keys(&embeddings),
        }
    }

    /// Returns the cases that a line of answers covers.
    pub(super) fn chosen(&self, line: &Value) -> Vec<usize> {
        let rows = numbers(&line["rows"]);
        rows.into_iter().map(|row| row as usize).collect()
    }

    pub(super) fn with<T>(&self, index: usize, answer: impl FnOnce(&Row) -> T) -> T {
        let row = &self.cases[index]["row"];
        let number = |key: &String| numbers(&row[key])[0] as f32;
        let text = |key: &String| match &row[key] {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let vector = |key: &String| {
            let numbers = numbers(&row[key]).into_iter();
            numbers.map(|value| value as f32).collect::<Vec<f32>>()
        };
        let floats: Vec<f32> = self.floats.iter().map(number).collect();
        let cats: Vec<String> = self.cats.iter().map(text).collect();
        let texts: Vec<String> = self.texts.iter().map(text).collect();
        let embeddings: Vec<Vec<f32>> = self.embeddings.iter().map(vector).collect();
        answer(&Row {
            floats: &floats,
            cats: &cats.iter().map(String::as_str).collect::<Vec<_>>(),
            texts: &texts.iter().map(String::as_str).collect::<Vec<_>>(),
            embeddings: &embeddings.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        })
    }
}
