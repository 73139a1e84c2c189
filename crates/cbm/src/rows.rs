//! Rows: JSON objects from feature to value.

use std::{collections::HashMap, fmt};

use catboost_model::{
    eval::Row,
    ir::{Feature, Model},
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The features of a model, and which keys of a row name them.
pub(crate) struct Inputs {
    features: Vec<Input>,
    /// Name → places in `features`; several where features share a name.
    by_name: HashMap<String, Vec<usize>>,
    by_flat_index: HashMap<u32, usize>,
    /// How many there are of each kind.
    counts: [usize; 4],
}

struct Input {
    kind: Kind,
    /// Among the features of its kind.
    index: usize,
    flat_index: u32,
    used: bool,
    /// For error texts.
    described: String,
}

#[derive(Clone, Copy)]
enum Kind {
    Float,
    Cat,
    Text,
    /// Of this length.
    Embedding(usize),
}

/// The values of a row, in the order of the model's features of each kind.
pub(crate) struct Values {
    floats: Vec<f32>,
    cats: Vec<String>,
    texts: Vec<String>,
    embeddings: Vec<Vec<f32>>,
}

/// References to [`Values`], as the interpreter takes them.
pub(crate) struct Borrowed<'a> {
    cats: Vec<&'a str>,
    texts: Vec<&'a str>,
    embeddings: Vec<&'a [f32]>,
}

impl Values {
    pub(crate) fn borrowed(&self) -> Borrowed<'_> {
        Borrowed {
            cats: self.cats.iter().map(String::as_str).collect(),
            texts: self.texts.iter().map(String::as_str).collect(),
            embeddings: self.embeddings.iter().map(Vec::as_slice).collect(),
        }
    }

    pub(crate) fn row<'a>(&'a self, borrowed: &'a Borrowed<'a>) -> Row<'a> {
        Row {
            floats: &self.floats,
            cats: &borrowed.cats,
            texts: &borrowed.texts,
            embeddings: &borrowed.embeddings,
        }
    }
}

impl Inputs {
    pub(crate) fn of(model: &Model) -> Self {
        let mut inputs = Self {
            features: Vec::new(),
            by_name: HashMap::new(),
            by_flat_index: HashMap::new(),
            counts: [
                model.float_features.len(),
                model.cat_features.len(),
                model.text_features.len(),
                model.embedding_features.len(),
            ],
        };
        for (index, float) in model.float_features.iter().enumerate() {
            inputs.add(Kind::Float, "numeric", index, &float.feature);
        }
        for (index, cat) in model.cat_features.iter().enumerate() {
            inputs.add(Kind::Cat, "categorical", index, cat);
        }
        for (index, text) in model.text_features.iter().enumerate() {
            inputs.add(Kind::Text, "text", index, text);
        }
        for (index, embedding) in model.embedding_features.iter().enumerate() {
            let kind = Kind::Embedding(embedding.dimension);
            inputs.add(kind, "embedding", index, &embedding.feature);
        }
        inputs
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

    /// Reads a line.
    pub(crate) fn read(&self, line: &str) -> Result<Values, String> {
        let mut entries = object(line)?;
        // No feature's value is an object.
        let wrapped = entries
            .iter()
            .find(|(key, value)| key == "row" && value.get().starts_with('{'));
        if let Some((_, row)) = wrapped {
            entries = object(row.get())?;
        }
        let mut given = vec![false; self.features.len()];
        let [floats, cats, texts, embeddings] = self.counts;
        let mut values = Values {
            floats: vec![f32::NAN; floats],
            cats: vec![String::new(); cats],
            texts: vec![String::new(); texts],
            embeddings: vec![Vec::new(); embeddings],
        };
        let mut unknown = None;
        for (key, value) in &entries {
            let Some(place) = self.place(key, &entries)? else {
                unknown.get_or_insert(key);
                continue;
            };
            let input = &self.features[place];
            if std::mem::replace(&mut given[place], true) {
                return Err(format!("{} is given twice", input.described));
            }
            input
                .read(value.get(), &mut values)
                .map_err(|expected| format!("{}: expected {expected}", input.described))?;
        }
        for (input, given) in self.features.iter().zip(given) {
            if input.used && !given {
                let unknown = unknown.map_or(String::new(), |key| {
                    let key = key.escape_debug();
                    format!("; the row has `{key}`, which is no feature of the model")
                });
                return Err(format!("{} is missing{unknown}", input.described));
            }
            if let (Kind::Embedding(length), false) = (input.kind, given) {
                values.embeddings[input.index] = vec![0.0; length];
            }
        }
        Ok(values)
    }

    /// The feature that a key of the row names, if it names any: a name goes before another feature's index, unless the
    /// feature of that name is in the row by its own index.
    fn place(&self, key: &str, row: &[(String, &RawValue)]) -> Result<Option<usize>, String> {
        let by_index = key.parse().ok();
        let by_index = by_index.and_then(|index| self.by_flat_index.get(&index).copied());
        let by_own_index = |place: usize| {
            let index = self.features[place].flat_index.to_string();
            by_index.is_some_and(|other| other != place)
                && !self.by_name.contains_key(&index)
                && row.iter().any(|(key, _)| *key == index)
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

impl Input {
    /// Reads a value. An error says what was expected.
    fn read(&self, json: &str, values: &mut Values) -> Result<(), String> {
        match self.kind {
            Kind::Float => {
                values.floats[self.index] = number(json, true)
                    .ok_or("a number, null, or one of the strings `nan`, `inf`, `-inf`")?;
            }
            Kind::Cat => values.cats[self.index] = category(json)?,
            Kind::Text => {
                values.texts[self.index] = serde_json::from_str(json).map_err(|_| "a string")?;
            }
            Kind::Embedding(length) => {
                let list: Option<Vec<&RawValue>> = serde_json::from_str(json).ok();
                let numbers = list.and_then(|list| {
                    let numbers = list.iter().map(|value| number(value.get(), false));
                    numbers.collect::<Option<Vec<f32>>>()
                });
                // The file does not know the length of a feature that the model does not use.
                let numbers = numbers.filter(|numbers| numbers.len() == length || !self.used);
                values.embeddings[self.index] =
                    numbers.ok_or_else(|| format!("a list of {length} numbers"))?;
            }
        }
        Ok(())
    }
}

/// A number becomes an f64 and then an f32, as in CatBoost's Python package.
fn number(json: &str, null: bool) -> Option<f32> {
    match json {
        "null" if null => Some(f32::NAN),
        "\"nan\"" => Some(f32::NAN),
        "\"inf\"" => Some(f32::INFINITY),
        "\"-inf\"" => Some(f32::NEG_INFINITY),
        json => serde_json::from_str::<f64>(json)
            .ok()
            .map(|value| value as f32),
    }
}

/// A string, or the digits of a whole number.
fn category(json: &str) -> Result<String, &'static str> {
    if let Ok(text) = serde_json::from_str(json) {
        return Ok(text);
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(if digits == "0" { digits } else { json }.to_owned());
    }
    Err(
        "a string or a whole number (CatBoost takes no others for categories: write what the training data had, as a string)",
    )
}

/// The entries of a JSON object in their order, values unread.
fn object(json: &str) -> Result<Vec<(String, &RawValue)>, String> {
    let Entries(entries) =
        serde_json::from_str(json).map_err(|error| format!("expected a JSON object: {error}"))?;
    Ok(entries)
}

struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from feature to value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
