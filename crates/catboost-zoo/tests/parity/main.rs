//! Compares four answers on every case of every model, to the bit: CatBoost's own, the interpreter's, the compiled
//! model's, and the loaded model's.

mod explanations;
mod field;
mod inputs;
mod outputs;
mod table;

use std::{fs, path::Path};

use catboost_apply::{Instructions, Model as Loaded, Predict, Row, Scratch};
use catboost_model::{
    eval,
    ir::{Model, Trees},
    output::Output,
};
use catboost_runtime::compiled::{self, Observer};
use catboost_zoo::{Compiled, FOLDER, Leaves, ZOO};
use serde_json::Value;

use inputs::{Borrowed, Inputs, Values, numbers};

#[test]
fn catboost_interpreter_compiled_and_loaded_model_agree() {
    let mut failures = Vec::new();
    let mut lines = Vec::new();
    for compiled in ZOO {
        let (cases, differences) = compare(compiled);
        println!(
            "{:<40} {cases:>6} cases, {} differ",
            compiled.name,
            differences.len()
        );
        assert!(cases > 0, "{}: no cases", compiled.name);
        lines.push(table::Line {
            name: compiled.name,
            covers: table::covers(&load(compiled.name)),
            cases,
            differences: differences.len(),
        });
        failures.extend(differences.into_iter().take(3));
    }
    assert!(!ZOO.is_empty(), "fixtures/models has no model");
    // Models of a hunt have no README.
    if FOLDER.ends_with("fixtures/models") {
        table::check(Path::new(FOLDER), &lines);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Properties of models that training rarely produces, and that are easily lost when models are made anew.
#[test]
fn the_zoo_has_what_is_hard_to_come_by() {
    if !FOLDER.ends_with("fixtures/models") {
        return;
    }
    for (name, parts) in [
        ("depth_16", &["1 oblivious trees of depth 16;"][..]),
        (
            "ctr_combinations",
            &[
                "Borders of combinations",
                "Buckets of combinations",
                "BinarizedTargetMeanValue of combinations",
                "Counter of combinations",
                "combinations of: 3 categories at most, borders, one-hot values",
            ],
        ),
        ("ctr_four", &["combinations of: 4 categories at most"]),
    ] {
        let covers = table::covers(&load(name));
        for part in parts {
            assert!(covers.contains(part), "{name}: {covers}");
        }
    }
    // Without an answer by CatBoost, nothing would be compared.
    for name in ["crossentropy", "multilogloss", "multicrossentropy"] {
        let name = format!("loss_{name}");
        for case in cases(&name) {
            assert!(case["class"].is_array(), "{name}: {case}");
        }
    }
}

/// A block has its rows' raw values, whatever its size.
#[test]
fn a_block_has_the_raw_values_of_its_rows() {
    use Instructions::{All, Avx2, Portable};
    let mut scratches = [All, Avx2, Portable].map(Scratch::with_instructions);
    for (nth, compiled) in ZOO.iter().enumerate() {
        let model = load(compiled.name);
        let loaded = load_to_run(compiled.name);
        let inputs = Inputs::of(&model);
        let cases = cases(compiled.name);
        let values: Vec<_> = cases.iter().map(|case| inputs.read(&case["row"])).collect();
        let expected: Vec<Vec<u64>> = values
            .iter()
            .map(|values| values.with(|row| bits(&eval::raw(&model, row))))
            .collect();
        // A block of more than four tiles is slow in a debug build.
        let largest = if nth % 8 == 0 { 1100 } else { 300 };
        for size in [1, 24, 65, largest] {
            // Starts with another row each time.
            let numbers: Vec<usize> = (size..2 * size).map(|row| row % values.len()).collect();
            let borrowed: Vec<_> = numbers.iter().map(|&row| values[row].borrowed()).collect();
            let rows: Vec<Row> = borrowed.iter().map(Borrowed::row).collect();
            let expected: Vec<u64> = numbers
                .iter()
                .flat_map(|&row| expected[row].clone())
                .collect();
            for (who, model) in [
                ("compiled", compiled.model as &dyn Predict),
                ("loaded", &loaded),
            ] {
                for scratch in &mut scratches {
                    let mut raw = vec![0.0; expected.len()];
                    let done = model.raw_block(&rows, scratch, &mut raw);
                    assert_eq!(done, Ok(()), "{}, {who}", compiled.name);
                    let is_same = bits(&raw) == expected;
                    assert!(is_same, "{}, {who}, {size} rows", compiled.name);
                }
            }
        }
    }
}

/// Records what is told of rows, except leaves.
#[derive(Debug, Default, PartialEq)]
struct Told {
    numbers: Vec<u32>,
    unseen: Vec<usize>,
    unknown: Vec<usize>,
    leaves: usize,
}

impl Observer for Told {
    fn row(&mut self, row: &compiled::Row<'_>) {
        let numbers = row.floats.iter().map(|number| number.to_bits());
        self.numbers.extend(numbers);
    }

    fn unseen(&mut self, cat: usize) {
        self.unseen.push(cat);
    }

    fn unknown_token(&mut self, text: usize) {
        self.unknown.push(text);
    }

    fn leaf(&mut self, _: usize) {
        self.leaves += 1;
    }
}

/// The observer of a block is told what the observers of its rows are told, but no leaves.
#[test]
fn observers_of_a_block_are_told_what_its_rows_meet() {
    let (mut unseen, mut unknown) = (0, 0);
    for compiled in ZOO {
        let model = load(compiled.name);
        let loaded = load_to_run(compiled.name);
        let inputs = Inputs::of(&model);
        let cases = cases(compiled.name);
        let values: Vec<_> = cases.iter().map(|case| inputs.read(&case["row"])).collect();
        for size in [7, 65, 257] {
            let borrowed = values.iter().cycle().map(Values::borrowed);
            let borrowed: Vec<_> = borrowed.take(size).collect();
            let rows: Vec<Row> = borrowed.iter().map(Borrowed::row).collect();
            let mut raw = vec![0.0; size * model.dimension];
            let (mut expected, mut told) = (Told::default(), Told::default());
            for row in &rows {
                let observed = loaded.raw_observed(row, &mut raw[..model.dimension], &mut expected);
                assert_eq!(observed, Ok(()), "{}", compiled.name);
            }
            expected.leaves = 0;
            let mut scratch = Scratch::default();
            let done = loaded.raw_block_observed(&rows, &mut scratch, &mut raw, &mut told);
            assert_eq!(done, Ok(()), "{}", compiled.name);
            assert_eq!(told, expected, "{}, {size} rows", compiled.name);
            unseen += told.unseen.len();
            unknown += told.unknown.len();
        }
    }
    assert!(unseen > 0 && unknown > 0, "{unseen}, {unknown}");
}

fn bits(raw: &[f64]) -> Vec<u64> {
    raw.iter().map(|value| value.to_bits()).collect()
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
        let loaded = load_to_run(compiled.name);
        let leaves = AllLeaves::of(&model);
        let light = |leaf: usize| compiled.light_leaves[leaf / 64] >> (leaf % 64) & 1 == 1;
        for (leaf, &weight) in leaves.weights.iter().enumerate() {
            assert_eq!(light(leaf), weight < 5.0, "{}: leaf {leaf}", compiled.name);
        }
        let inputs = Inputs::of(&model);
        for case in cases(compiled.name) {
            let values = inputs.read(&case["row"]);
            let (told, raw) = values.with(|row| ((compiled.leaves)(row), raw(compiled.model, row)));
            let mut told_by_loaded = Leaves::default();
            let observed = values.with(|row| {
                let mut raw = vec![0.0; model.dimension];
                loaded.raw_observed(row, &mut raw, &mut told_by_loaded)
            });
            assert_eq!(observed, Ok(()), "{}", compiled.name);
            assert_eq!(told_by_loaded.0, told, "{}", compiled.name);
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

/// Values of the leaves of all the trees.
struct AllLeaves {
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl AllLeaves {
    fn of(model: &Model) -> Self {
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
        Self {
            values: values.concat(),
            weights: weights.concat(),
        }
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let refused = [("text_by_sense", "BySense")];
    for (name, word) in refused {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/refused");
        let path = folder.join(format!("{name}.cbm"));
        let error = catboost_model::load(&path).expect_err(name);
        assert!(error.is_unsupported(), "{name}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("not supported") && text.contains(word),
            "{name}: {text}"
        );
    }
}

/// Returns the number of a model's cases, and the differences.
fn compare(compiled: &Compiled) -> (usize, Vec<String>) {
    let name = compiled.name;
    let model = load(name);
    let inputs = Inputs::of(&model);
    let json = export(name);
    let loaded = load_to_run(name);
    let output = Output::of(&model).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut differences = Vec::new();
    let mut count = 0;
    for (line, case) in (1..).zip(cases(name)) {
        count += 1;
        let values = inputs.read(&case["row"]);
        let interpreted = values.with(|row| eval::raw(&model, row));
        let raw = values.with(|row| raw(compiled.model, row));
        let raw_of_loaded = values.with(|row| self::raw(&loaded, row));
        let expected = numbers(&case["raw"]);
        let exported = json
            .as_ref()
            .map(|json| values.with(|row| eval::raw(json, row)));
        let answers = [
            ("interpreter", Some(&interpreted)),
            ("compiled", Some(&raw)),
            ("loaded", Some(&raw_of_loaded)),
            ("JSON export", exported.as_ref()),
        ];
        for (who, raw) in answers
            .into_iter()
            .filter_map(|(who, raw)| Some((who, raw?)))
        {
            if !outputs::same(&output.raw(raw), &expected) {
                differences.push(format!(
                    "{name}, line {line}: {who} gives {raw:?}, CatBoost {expected:?}"
                ));
            }
        }
        let differs = outputs::differs(&output, &interpreted, &case);
        differences.extend(differs.map(|what| format!("{name}, line {line}: {what}")));
        for (who, model) in [
            ("compiled", compiled.model as &dyn Predict),
            ("loaded", &loaded),
        ] {
            let differs = outputs::predicted_differs(model, &output, &raw, &case);
            differences.extend(differs.map(|what| format!("{name}, line {line}, {who}: {what}")));
        }
    }
    (count, differences)
}

/// Returns the raw values of a row.
fn raw(model: &dyn Predict, row: &Row) -> Vec<f64> {
    model.raw(row).expect("the row has the model's features")
}

fn load_to_run(name: &str) -> Loaded {
    Loaded::load(Path::new(FOLDER).join(format!("{name}.cbm")))
        .expect("the build script could read it")
}

fn load(name: &str) -> Model {
    catboost_model::load(&Path::new(FOLDER).join(format!("{name}.cbm")))
        .expect("the build script could read it")
}

/// Reads the model from CatBoost's JSON, if it exists and has all of the `.cbm`'s content.
fn export(name: &str) -> Option<Model> {
    let path = Path::new(FOLDER).join(format!("{name}.json"));
    match catboost_model::load(&path) {
        Ok(model) => Some(model),
        Err(error) => {
            assert!(error.is_unsupported() || !path.exists(), "{name}: {error}");
            None
        }
    }
}

fn cases(name: &str) -> Vec<Value> {
    let cases = fs::read_to_string(Path::new(FOLDER).join(format!("{name}.cases.ndjson")))
        .unwrap_or_else(|error| panic!("{name}.cases.ndjson: {error}"));
    let cases = cases.lines();
    cases
        .map(|case| serde_json::from_str(case).expect("a case is JSON"))
        .collect()
}
