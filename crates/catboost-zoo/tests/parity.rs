//! Three that must agree on every case of every model, to the bit: CatBoost's own answer, the interpreter, and the
//! compiled model.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use catboost_model::{
    eval::{self, Row},
    ir::{Feature, Model, Trees},
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
fn observers_are_told_the_leaves_that_are_added_up() {
    for compiled in ZOO {
        let model = load(compiled.name);
        let leaves = Leaves::of(&model);
        let light = |leaf: usize| compiled.light_leaves[leaf / 64] >> (leaf % 64) & 1 == 1;
        for (leaf, &weight) in leaves.weights.iter().enumerate() {
            assert_eq!(light(leaf), weight < 5.0, "{}: leaf {leaf}", compiled.name);
        }
        let inputs = Inputs::of(&model);
        for case in cases(compiled.name) {
            let (floats, cats, texts, embeddings) = inputs.read(&case["row"]);
            let cats: Vec<&str> = cats.iter().map(String::as_str).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let embeddings: Vec<&[f32]> = embeddings.iter().map(Vec::as_slice).collect();
            let told = (compiled.leaves)(&floats, &cats, &texts, &embeddings);
            let raw = (compiled.raw)(&floats, &cats, &texts, &embeddings);
            let sum = |nth: usize| {
                let values = told
                    .iter()
                    .map(|leaf| leaves.values[leaf * model.dimension + nth]);
                values.fold(0.0, |sum, value| sum + value) * model.scale + model.bias[nth]
            };
            let sums: Vec<f64> = (0..model.dimension).map(sum).collect();
            assert_eq!(sums, raw, "{}: {told:?}", compiled.name);
        }
    }
}

/// The leaves of all the trees.
struct Leaves {
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl Leaves {
    fn of(model: &Model) -> Leaves {
        let (values, weights): (Vec<_>, Vec<_>) = match &model.trees {
            Trees::Oblivious(trees) => trees
                .iter()
                .map(|tree| (tree.values.clone(), tree.weights.clone()))
                .unzip(),
            Trees::NonSymmetric(trees) => trees
                .iter()
                .map(|tree| (tree.values.clone(), tree.weights.clone()))
                .unzip(),
        };
        Leaves {
            values: values.concat(),
            weights: weights.concat(),
        }
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let refused = [
        ("text_by_sense", "BySense"),
        ("embedding_lda_likelihood", "likelihood"),
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
    let model = load(name);
    let inputs = Inputs::of(&model);
    let mut differences = Vec::new();
    let mut count = 0;
    for (line, case) in (1..).zip(cases(name)) {
        count += 1;
        let (floats, cats, texts, embeddings) = inputs.read(&case["row"]);
        let cats: Vec<&str> = cats.iter().map(String::as_str).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let embeddings: Vec<&[f32]> = embeddings.iter().map(Vec::as_slice).collect();
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
            embeddings: &embeddings,
        };
        for (who, raw) in [
            ("interpreter", eval::raw(&model, &row)),
            (
                "compiled",
                (compiled.raw)(&floats, &cats, &texts, &embeddings),
            ),
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

fn load(name: &str) -> Model {
    catboost_model::load(&folder().join(format!("{name}.cbm")))
        .expect("the build script could read it")
}

fn cases(name: &str) -> Vec<Value> {
    let cases = fs::read_to_string(folder().join(format!("{name}.cases.ndjson")))
        .expect("every model has cases");
    let cases = cases.lines();
    cases
        .map(|case| serde_json::from_str(case).expect("a case is JSON"))
        .collect()
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
        let embeddings = model.embedding_features.iter();
        let embeddings: Vec<&Feature> = embeddings.map(|embedding| &embedding.feature).collect();
        let embedding_count = add(Kind::Embedding, &embeddings);
        let mut inputs = Self {
            places,
            floats,
            cats,
            texts,
            embeddings: embedding_count,
        };
        // A feature's name goes before another's index.
        let names = model
            .float_features
            .iter()
            .map(|float| &float.feature)
            .chain(&model.cat_features);
        for feature in names
            .chain(&model.text_features)
            .chain(embeddings)
            .filter(|feature| !feature.name.is_empty())
        {
            let place = inputs.places[&feature.flat_index.to_string()];
            inputs.places.insert(feature.name.clone(), place);
        }
        inputs
    }

    fn read(&self, row: &Value) -> (Vec<f32>, Vec<String>, Vec<String>, Vec<Vec<f32>>) {
        let mut floats = vec![f32::NAN; self.floats];
        let mut cats = vec![String::new(); self.cats];
        let mut texts = vec![String::new(); self.texts];
        let mut embeddings = vec![Vec::new(); self.embeddings];
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
                Some(&(Kind::Embedding, index)) => {
                    let numbers = value.as_array().expect("an embedding is a list");
                    embeddings[index] = numbers.iter().map(|value| number(value) as f32).collect();
                }
                None => panic!("the model has no feature {key}"),
            }
        }
        (floats, cats, texts, embeddings)
    }
}
