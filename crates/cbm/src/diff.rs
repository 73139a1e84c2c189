//! `diff`: describes the differences between two models.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{Debug, Write},
};

use catboost_model::ir::{Feature, FloatFeature, Model, NonSymmetricTree, ObliviousTree, Trees};
use serde_json::Value;

/// Number of differences per kind that are listed. The others are counted.
const NAMED: usize = 10;

/// Returns a line for each difference; empty if the models are the same.
pub(crate) fn differences(old: &Model, new: &Model) -> String {
    let mut out = Differences::default();
    out.info(&old.info, &new.info);
    out.value("raw values a row", &old.dimension, &new.dimension);
    out.value("scale", &old.scale, &new.scale);
    out.value("bias", &old.bias, &new.bias);
    out.features(old, new);
    out.list("list of one-hot values", &old.one_hots, &new.one_hots);
    out.list("CTR", &old.ctrs, &new.ctrs);
    out.detailed(
        "table of counts",
        &old.ctr_tables,
        &new.ctr_tables,
        |old, new| {
            changed(&[
                (
                    "what is counted",
                    old.projection != new.projection || old.ctr_type != new.ctr_type,
                ),
                ("keys", old.keys != new.keys),
                ("counts", old.values != new.values),
            ])
        },
    );
    let (old_text, new_text) = (&old.text, &new.text);
    out.list("tokenizer", &old_text.tokenizers, &new_text.tokenizers);
    out.list("dictionary", &old_text.dictionaries, &new_text.dictionaries);
    out.list("tokenized text", &old_text.tokenized, &new_text.tokenized);
    out.list("text calcer", &old_text.calcers, &new_text.calcers);
    out.list(
        "embedding calcer",
        &old.embedding_calcers,
        &new.embedding_calcers,
    );
    out.list(
        "number of a text or embedding",
        &old.estimated,
        &new.estimated,
    );
    out.trees(&old.trees, &new.trees);
    out.0
}

/// Lines of the description.
#[derive(Default)]
struct Differences(String);

impl Differences {
    fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }

    fn value<T: Debug + PartialEq>(&mut self, what: &str, old: &T, new: &T) {
        if old != new {
            self.line(format!("{what}: {old:?} → {new:?}"));
        }
    }

    fn info(&mut self, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
        let mut lines = Vec::new();
        for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let shown = format!("info {}", key.escape_debug());
            match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => compare(&shown, &json(old), &json(new), &mut lines),
                (Some(_), None) => lines.push(format!("{shown}: only in the first")),
                (None, _) => lines.push(format!("{shown}: only in the second")),
            }
        }
        self.some(lines);
    }

    fn features(&mut self, old: &Model, new: &Model) {
        let (old, new) = (features(old), features(new));
        let mut lines = Vec::new();
        for index in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            match (old.get(index), new.get(index)) {
                (Some(old), Some(new)) if old != new => {
                    lines.push(format!(
                        "feature {index}: {} → {}",
                        old.shown(),
                        new.shown()
                    ));
                }
                (Some(old), None) => lines.push(format!(
                    "feature {index}: only in the first: {}",
                    old.shown()
                )),
                (None, Some(new)) => lines.push(format!(
                    "feature {index}: only in the second: {}",
                    new.shown()
                )),
                _ => {}
            }
        }
        self.some(lines);
    }

    fn trees(&mut self, old: &Trees, new: &Trees) {
        match (old, new) {
            (Trees::Oblivious(old), Trees::Oblivious(new)) => {
                self.detailed("tree", old, new, |old: &ObliviousTree, new| {
                    changed(&[
                        ("splits", old.splits != new.splits),
                        ("leaf values", old.values != new.values),
                        ("leaf weights", old.weights != new.weights),
                    ])
                });
            }
            (Trees::NonSymmetric(old), Trees::NonSymmetric(new)) => {
                self.detailed("tree", old, new, |old: &NonSymmetricTree, new| {
                    changed(&[
                        ("nodes", old.nodes != new.nodes),
                        ("leaf values", old.values != new.values),
                        ("leaf weights", old.weights != new.weights),
                    ])
                });
            }
            (Trees::Oblivious(_), Trees::NonSymmetric(_)) => {
                self.line("trees: oblivious → non-symmetric")
            }
            (Trees::NonSymmetric(_), Trees::Oblivious(_)) => {
                self.line("trees: non-symmetric → oblivious")
            }
        }
    }

    fn list<T: PartialEq>(&mut self, what: &str, old: &[T], new: &[T]) {
        self.detailed(what, old, new, |_, _| String::new());
    }

    /// Compares element by element. `detail` describes the difference between two elements.
    fn detailed<T: PartialEq>(
        &mut self,
        what: &str,
        old: &[T],
        new: &[T],
        detail: impl Fn(&T, &T) -> String,
    ) {
        if old.len() != new.len() {
            self.line(format!("{what}: {} → {} of them", old.len(), new.len()));
        }
        let pairs = old.iter().zip(new).enumerate();
        let lines = pairs
            .filter(|(_, (old, new))| old != new)
            .map(|(place, (old, new))| format!("{what} {place}: differs{}", detail(old, new)));
        self.some(lines.collect());
    }

    /// Adds the first lines, and the number of others.
    fn some(&mut self, lines: Vec<String>) {
        for line in lines.iter().take(NAMED) {
            self.line(line);
        }
        if let Some(more) = lines.len().checked_sub(NAMED + 1) {
            self.line(format!("  and {} more of these", more + 1));
        }
    }
}

/// « in a, b»: names of the parts that differ.
fn changed(parts: &[(&str, bool)]) -> String {
    let parts = parts.iter().filter(|(_, differs)| *differs);
    let parts: Vec<&str> = parts.map(|(part, _)| *part).collect();
    format!(" in {}", parts.join(", "))
}

/// Parses a text as JSON, or else takes it as a string.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Adds a line for each value that differs, with its path.
fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_default()
                };
                compare(
                    &format!("{path}.{}", key.escape_debug()),
                    &value(old),
                    &value(new),
                    lines,
                );
            }
        }
        (old, new) if old != new => lines.push(format!("{path}: {} → {}", short(old), short(new))),
        _ => {}
    }
}

/// Formats JSON, abbreviated.
fn short(value: &Value) -> String {
    const LETTERS: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Compared properties of a feature.
#[derive(PartialEq)]
struct Described<'a> {
    kind: &'static str,
    feature: &'a Feature,
    float: Option<&'a FloatFeature>,
    dimension: usize,
}

impl Described<'_> {
    fn shown(&self) -> String {
        let mut text = format!("{} `{}`", self.kind, self.feature.name.escape_debug());
        if let Some(float) = self.float {
            let _ = write!(text, ", {} borders", float.borders.len());
            if let (Some(first), Some(last)) = (float.borders.first(), float.borders.last()) {
                let _ = write!(text, " from {first:?} to {last:?}");
            }
            let nans = if float.has_nans { "seen" } else { "not seen" };
            let _ = write!(text, ", NaN {:?}, {nans}", float.nan);
        }
        if self.dimension > 0 {
            let _ = write!(text, ", {} numbers", self.dimension);
        }
        text + if self.feature.used { "" } else { ", not used" }
    }
}

/// Features by index among all columns.
fn features(model: &Model) -> BTreeMap<u32, Described<'_>> {
    let plain = |kind, feature| Described {
        kind,
        feature,
        float: None,
        dimension: 0,
    };
    let floats = model.float_features.iter().map(|float| Described {
        float: Some(float),
        ..plain("numeric", &float.feature)
    });
    let cats = model
        .cat_features
        .iter()
        .map(|cat| plain("categorical", cat));
    let texts = model.text_features.iter().map(|text| plain("text", text));
    let embeddings = model.embedding_features.iter().map(|embedding| Described {
        dimension: embedding.dimension,
        ..plain("embedding", &embedding.feature)
    });
    let features = floats.chain(cats).chain(texts).chain(embeddings);
    features
        .map(|described| (described.feature.flat_index, described))
        .collect()
}
