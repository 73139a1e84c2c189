//! Both files of a model give the same model, and written files read back.

use std::{env, fs, path::Path};

use catboost_model::{ir::Model, parse, to_json};
use serde_json::Value;

use crate::{customer, read, zoo};

const SUMS: &str = "not supported: sums of target values that are not whole numbers, in ctr_data, {\"identifier\":";
const TARGETS: &str = "not supported: CTRs of a loss with several targets: CatBoost's JSON does not say which of them a \
                       table of counts belongs to; use the .cbm file";

/// Models whose JSON from CatBoost lacks content of the `.cbm`, with the error that refuses it.
const REFUSED: [(&str, &str); 7] = [
    ("ctr_binarizedtargetmeanvalue_multi", SUMS),
    ("loss_multicrossentropy", TARGETS),
    ("loss_multilogloss", TARGETS),
    ("loss_multirmse", TARGETS),
    ("loss_multirmse_missing", TARGETS),
    ("loss_survivalaft", TARGETS),
    ("multi_bias", TARGETS),
];

#[test]
fn catboosts_json_gives_the_model_of_the_cbm() {
    let mut refused = Vec::new();
    for path in zoo("json") {
        let mut cbm = model(&path.with_extension("cbm"));
        match parse(&read(&path)) {
            Ok(mut json) => {
                round_params(&mut cbm);
                round_params(&mut json);
                assert!(json == cbm, "{}: not the same model", name(&path));
            }
            Err(error) => {
                assert!(error.is_unsupported(), "{}: {error}", name(&path));
                refused.push((name(&path).to_owned(), error.to_string()));
            }
        }
    }
    assert_eq!(refused.len(), REFUSED.len(), "{refused:#?}");
    for ((name, error), (expected_name, expected)) in refused.iter().zip(REFUSED) {
        assert_eq!(name, expected_name);
        assert!(error.starts_with(expected), "{name}: {error}");
    }
}

#[test]
fn what_is_written_reads_back() {
    for path in zoo("cbm") {
        reads_back(&path);
    }
}

/// Pins the layout and the content of the document. `BLESS=1` rewrites the golden file.
#[test]
fn what_is_written_can_be_compared_line_by_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let json = to_json(&model(&folder.join("small.json")));
    let golden = folder.join("small.written.json");
    if env::var_os("BLESS").is_some() {
        fs::write(&golden, &json).expect("the golden file can be written");
    }
    let expected = fs::read_to_string(&golden).expect("made with BLESS=1");
    assert_eq!(json, expected, "BLESS=1 accepts the change");
}

/// The only f32 that does not survive its shortest digits by way of an f64.
#[test]
fn a_border_that_an_f64_in_between_would_move_reads_back() {
    let mut model = model(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/small.json"));
    let border = f32::from_bits(0x15ae_43fd);
    assert_ne!(
        "7.038531e-26".parse::<f64>().map(|value| value as f32),
        Ok(border)
    );
    model.float_features[0].borders = vec![border, 1.5];
    assert_eq!(
        parse(to_json(&model).as_bytes()).expect("it reads back"),
        model
    );
}

#[test]
fn the_customers_model_reads_back() {
    match customer() {
        Some(folder) => reads_back(&folder.join("micromodel.cbm")),
        None => eprintln!("skipped: the customer's folder is not here (CUSTOMER_DIR)"),
    }
}

fn reads_back(path: &Path) {
    let model = model(path);
    let json = to_json(&model);
    let again = parse(json.as_bytes());
    let again = again.unwrap_or_else(|error| panic!("{}: {error}", name(path)));
    assert!(again == model, "{}: not the same model", name(path));
    assert!(to_json(&again) == json, "{}: not the same text", name(path));
}

fn name(path: &Path) -> &str {
    let name = path.file_stem().and_then(|name| name.to_str());
    name.expect("the zoo's names are ASCII")
}

fn model(path: &Path) -> Model {
    parse(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rounds the numbers among the training parameters to 10 digits, as CatBoost does when it loads a model: the zoo's JSON
/// files come from loaded models.
fn round_params(model: &mut Model) {
    for (name, text) in &mut model.info {
        if name.ends_with("params") {
            let params = serde_json::from_str(text).expect("training parameters are JSON");
            *text = rounded(params).to_string();
        }
    }
}

fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let text = format!("{:.9e}", number.as_f64().expect("all numbers are floats"));
            Value::String(text)
        }
        Value::Array(list) => Value::Array(list.into_iter().map(rounded).collect()),
        Value::Object(map) => {
            let entries = map.into_iter();
            Value::Object(
                entries
                    .map(|(name, value)| (name, rounded(value)))
                    .collect(),
            )
        }
        other => other,
    }
}
