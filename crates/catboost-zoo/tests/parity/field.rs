//! Compares small models that failed in the field, and odd texts in metadata, with CatBoost's answers: interpreter,
//! compiled model, and loaded model.

use std::{
    fs,
    path::{Path, PathBuf},
};

use catboost_apply::{Model as Loaded, Predict};
use catboost_model::{eval, ir::Model, output::Output};
use catboost_zoo::{FIELD, METADATA, METADATA_CASES};
use serde_json::Value;

use crate::{
    inputs::{Inputs, numbers},
    outputs::same,
    raw,
};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(folder)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn models_of_the_field_are_answered_as_catboost_answers() {
    let folder = fixtures("field");
    for compiled in FIELD {
        let name = compiled.name;
        let path = ["cbm", "json"].map(|kind| folder.join(format!("{name}.{kind}")));
        let path = path.iter().find(|path| path.exists());
        let path = path.expect("the model is there");
        let model = catboost_model::load(path).expect("the build script could read it");
        let loaded = Loaded::load(path).expect("the build script could read it");
        let expected = read(&folder.join(format!("{name}.expected.json")));
        let expected: Value = serde_json::from_str(&expected).expect("JSON");
        let inputs = Inputs::of(&model);
        let rows = read(&folder.join(format!("{name}.rows.ndjson")));
        let mut compared = 0;
        for (nth, row) in rows.lines().enumerate() {
            let row: Value = serde_json::from_str(row).expect("JSON");
            let values = inputs.read(&row);
            let interpreted = values.with(|row| eval::raw(&model, row));
            for (who, predict) in [
                ("compiled", compiled.model as &dyn Predict),
                ("loaded", &loaded),
            ] {
                let raw = values.with(|row| raw(predict, row));
                assert!(same(&raw, &interpreted), "{name}, row {nth}: {who}");
                let differs = differs(predict, &model, &raw, |what| {
                    expected.get(what).map(|list| list[nth].clone())
                });
                assert_eq!(differs, None, "{name}, row {nth}: {who}");
                compared += 1;
            }
        }
        assert!(compared > 0, "{name}: nothing was compared");
    }
    if FIELD.is_empty() {
        return;
    }
    assert_eq!(FIELD.len(), 7);
}

#[test]
fn whatever_the_metadata_say_compiled_and_loaded_models_answer_as_catboost() {
    let folder = fixtures("metadata");
    let row = read(&folder.join("rows.json"));
    let row = numbers(&serde_json::from_str(&row).expect("JSON"));
    let row: Vec<f32> = row.into_iter().map(|value| value as f32).collect();
    let row = eval::Row {
        floats: &row,
        ..eval::Row::default()
    };
    let mut failures = Vec::new();
    let mut places = METADATA_CASES.iter().peekable();
    for (nth, case) in read(&folder.join("cases.ndjson")).lines().enumerate() {
        if METADATA.is_empty() {
            break;
        }
        let case: Value = serde_json::from_str(case).expect("JSON");
        let model = model(&case, &folder);
        let loaded = Loaded::from_bytes(catboost_model::to_json(&model).as_bytes());
        let loaded = loaded.expect("what was written reads back");
        let compiled = places.next_if(|(case, _)| *case == nth);
        let compiled = compiled.map(|&(_, place)| METADATA[place].model as &dyn Predict);
        let doors = [Some(&loaded as &dyn Predict), compiled];
        for predict in doors.into_iter().flatten() {
            let raw = raw(predict, &row);
            if let Some(what) = differs(predict, &model, &raw, |what| Some(case[what].clone())) {
                failures.push(format!(
                    "case {nth}: {} {}: {what}",
                    case["model"], case["info"]
                ));
            }
        }
    }
    assert!(places.next().is_none(), "every compiled case was compared");
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Describes a difference between a model's answer and CatBoost's, if there is one.
fn differs(
    predict: &dyn Predict,
    model: &Model,
    raw: &[f64],
    expected: impl Fn(&str) -> Option<Value>,
) -> Option<String> {
    let Ok(output) = Output::of(model) else {
        // A test of `catboost-model` shows that CatBoost refuses it, too.
        let any = predict.probability(raw).is_some() || predict.class(raw).is_some();
        return any.then(|| "an answer that CatBoost refuses".to_owned());
    };
    if let Some(expected) = expected("raw")
        && !same(&output.raw(raw), &numbers(&expected))
    {
        return Some(format!("raw {raw:?}, CatBoost {expected}"));
    }
    let named = if output.dimension == 1 {
        2
    } else {
        output.dimension
    };
    let Some(probability) = predict.probability(raw) else {
        // A loss that does not classify, or names that do not fit: raw values only.
        return (output.classes.len() == named).then(|| "no probability".to_owned());
    };
    if let Some(expected) = expected("probability")
        && !same(&probability, &numbers(&expected))
    {
        return Some(format!("probability {probability:?}, CatBoost {expected}"));
    }
    // The interpreter's indices and names are CatBoost's: `tests/it/metadata.rs` of `catboost-model`.
    (predict.class(raw) != Some(output.class(raw))).then(|| "another class".to_owned())
}

/// Returns the case's model with the case's metadata.
fn model(case: &Value, folder: &Path) -> Model {
    let name = case["model"].as_str().expect("a case has a model");
    let path = folder.join(format!("{name}.cbm"));
    let mut model = catboost_model::load(&path).expect("the model can be read");
    for (key, text) in case["info"].as_object().expect("a case has texts") {
        match text.as_str() {
            Some(text) => model.info.insert(key.clone(), text.to_owned()),
            None => model.info.remove(key),
        };
    }
    model
}
