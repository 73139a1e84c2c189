//! Compares the interpretation of metadata with CatBoost's (`fixtures/metadata`).

use std::{fs, path::PathBuf};

use catboost_model::{
    eval,
    ir::Model,
    output::{Label, Output},
};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/metadata")
}

fn numbers(values: &[f64]) -> Value {
    let number = |&value: &f64| {
        if value.is_finite() {
            json!(value)
        } else {
            json!(format!("{value}").to_lowercase())
        }
    };
    values.iter().map(number).collect()
}

fn label(label: &Label) -> Value {
    match label {
        Label::Bool(value) => json!(value),
        Label::Int(value) => json!(value),
        Label::Float(value) => numbers(&[*value])[0].clone(),
        Label::Text(text) => json!(text),
    }
}

#[test]
fn whatever_the_metadata_say_the_answer_is_catboosts() {
    let row: Vec<f64> =
        serde_json::from_str(&fs::read_to_string(folder().join("rows.json")).expect("a fixture"))
            .expect("a fixture");
    let row: Vec<f32> = row.iter().map(|&value| value as f32).collect();
    let cases = fs::read_to_string(folder().join("cases.ndjson")).expect("a fixture");
    let (mut failures, mut count) = (Vec::new(), 0);
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).expect("a fixture");
        count += 1;
        if let Err(what) = compare(&case, &row) {
            failures.push(format!("{} {}: {what}", case["model"], case["info"]));
        }
    }
    assert!(count > 2_000, "{count} cases");
    assert!(
        failures.is_empty(),
        "{} of {count} cases:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Returns the case's model with the case's metadata.
fn model(case: &Value) -> Model {
    let name = case["model"].as_str().expect("a fixture");
    let mut model = catboost_model::load(&folder().join(format!("{name}.cbm"))).expect("a fixture");
    for (key, text) in case["info"].as_object().expect("a fixture") {
        match text.as_str() {
            Some(text) => model.info.insert(key.clone(), text.to_owned()),
            None => model.info.remove(key),
        };
    }
    model
}

fn compare(case: &Value, row: &[f32]) -> Result<(), String> {
    let model = model(case);
    let raw = eval::raw(
        &model,
        &eval::Row {
            floats: row,
            ..eval::Row::default()
        },
    );
    let refused = case["raw"].is_object();
    let output = match Output::of(&model) {
        Ok(_) if refused => return Err(format!("answered, CatBoost {}", case["raw"])),
        // CatBoost writes outside its memory here, and may answer anything.
        Err(error) if error.to_string().contains("there is no class number") => return Ok(()),
        Err(error) if !refused => return Err(format!("{error}, CatBoost {}", case["raw"])),
        Err(_) => return Ok(()),
        Ok(output) => output,
    };
    for (what, found) in [
        ("raw", output.raw(&raw)),
        ("probability", output.probability(&raw)),
    ] {
        if numbers(&found) != case[what] {
            return Err(format!("{what} {found:?}, CatBoost {}", case[what]));
        }
    }
    let classes: Value = output.classes.iter().map(label).collect();
    if case["classes"].is_array() && classes != case["classes"] {
        return Err(format!("classes {classes}, CatBoost {}", case["classes"]));
    }
    let class = output.class(&raw);
    let class: Value = if output.many_labels() {
        (0..output.dimension)
            .map(|place| json!(u8::from(class.contains(&place))))
            .collect()
    } else if output.classes.is_empty() {
        class.iter().map(|place| json!(place)).collect()
    } else {
        class
            .iter()
            .map(|&place| output.classes.get(place).map_or(json!(null), label))
            .collect()
    };
    if case["class"].is_array() && class != case["class"] {
        return Err(format!("class {class}, CatBoost {}", case["class"]));
    }
    Ok(())
}
