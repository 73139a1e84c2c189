//! Three that must agree on every case of every model, to the bit: CatBoost's own answer, the interpreter, and the
//! compiled model.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use catboost_model::{
    eval::{self, Row},
    ir::{Feature, Model},
};
use catboost_zoo::{Compiled, ZOO};
use serde_json::Value;

#[test]
fn catboost_interpreter_and_compiled_model_agree() {
    let mut failures = Vec::new();
    for compiled in ZOO {
        let (cases, differences) = compare(compiled);
        println!(
            "{:<40} {cases:>6} cases, {} differ",
            compiled.name,
            differences.len()
        );
        assert!(cases > 0, "{}: no cases", compiled.name);
        failures.extend(differences.into_iter().take(3));
    }
    assert!(!ZOO.is_empty(), "fixtures/models has no model");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_model_passes_its_own_check() {
    for compiled in ZOO {
        assert_eq!((compiled.self_check)(), Ok(()), "{}", compiled.name);
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let refused = [
        ("text_by_sense", "BySense"),
        ("embedding_lda", "embedding"),
        ("embedding_knn", "embedding"),
    ];
    for (name, word) in refused {
        let path = folder().join("refused").join(format!("{name}.cbm"));
        let error = catboost_model::load(&path).expect_err(name);
        assert!(error.is_unsupported(), "{name}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("not supported") && text.contains(word),
            "{name}: {text}"
        );
    }
}

/// How many cases a model has, and what differs.
fn compare(compiled: &Compiled) -> (usize, Vec<String>) {
    let name = compiled.name;
    let model = catboost_model::load(&folder().join(format!("{name}.cbm")))
        .expect("the build script could read it");
    let cases = fs::read_to_string(folder().join(format!("{name}.cases.ndjson")))
        .expect("every model has cases");
    let inputs = Inputs::of(&model);
    let mut differences = Vec::new();
    let mut count = 0;
    for (line, case) in (1..).zip(cases.lines()) {
        count += 1;
        let case: Value = serde_json::from_str(case).expect("a case is JSON");
        let (floats, cats, texts) = inputs.read(&case["row"]);
        let cats: Vec<&str> = cats.iter().map(String::as_str).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected: Vec<f64> = case["raw"]
            .as_array()
            .expect("raw is a list")
            .iter()
            .map(number)
            .collect();
        let row = Row {
            floats: &floats,
            cats: &cats,
            texts: &texts,
            embeddings: &[],
        };
        for (who, raw) in [
            ("interpreter", eval::raw(&model, &row)),
            ("compiled", (compiled.raw)(&floats, &cats, &texts)),
        ] {
            let same = raw
                .iter()
                .map(|raw| raw.to_bits())
                .eq(expected.iter().map(|raw| raw.to_bits()));
            if !same {
                differences.push(format!(
                    "{name}, line {line}: {who} gives {raw:?}, CatBoost {expected:?}"
                ));
            }
        }
    }
    (count, differences)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models")
}

/// A number, or one of the words for what JSON has no number for.
fn number(value: &Value) -> f64 {
    match value {
        Value::String(word) => word.parse().expect("nan, inf or -inf"),
        Value::Null => f64::NAN,
        value => value.as_f64().expect("a number"),
    }
}

/// Where a row's values go.
struct Inputs {
    /// Key in a row → kind and index.
    places: HashMap<String, (Kind, usize)>,
    floats: usize,
    cats: usize,
    texts: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Float,
    Cat,
    Text,
}

impl Inputs {
    fn of(model: &Model) -> Self {
        let mut places = HashMap::new();
        let mut add = |kind, features: &[&Feature]| {
            for (index, feature) in features.iter().enumerate() {
                places.insert(feature.flat_index.to_string(), (kind, index));
            }
            features.len()
        };
        let floats = add(
            Kind::Float,
            &model
                .float_features
                .iter()
                .map(|float| &float.feature)
                .collect::<Vec<_>>(),
        );
        let cats = add(Kind::Cat, &model.cat_features.iter().collect::<Vec<_>>());
        let texts = add(Kind::Text, &model.text_features.iter().collect::<Vec<_>>());
        let mut inputs = Self {
            places,
            floats,
            cats,
            texts,
        };
        // A feature's name goes before another's index.
        let names = model
            .float_features
            .iter()
            .map(|float| &float.feature)
            .chain(&model.cat_features);
        for feature in names
            .chain(&model.text_features)
            .filter(|feature| !feature.name.is_empty())
        {
            let place = inputs.places[&feature.flat_index.to_string()];
            inputs.places.insert(feature.name.clone(), place);
        }
        inputs
    }

    fn read(&self, row: &Value) -> (Vec<f32>, Vec<String>, Vec<String>) {
        let mut floats = vec![f32::NAN; self.floats];
        let mut cats = vec![String::new(); self.cats];
        let mut texts = vec![String::new(); self.texts];
        for (key, value) in row.as_object().expect("a row is an object") {
            let text = || {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            };
            match self.places.get(key) {
                Some(&(Kind::Float, index)) => floats[index] = number(value) as f32,
                Some(&(Kind::Cat, index)) => cats[index] = text(),
                Some(&(Kind::Text, index)) => texts[index] = text(),
                None => panic!("the model has no feature {key}"),
            }
        }
        (floats, cats, texts)
    }
}
