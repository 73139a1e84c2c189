//! `cbm eval`'s types, ranges and stages, `explain`, `leaves` and importance, run as a program and compared with
//! CatBoost's answers.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn cbm(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cbm"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cbm is built beside its tests");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("cbm ends");
    writer.join().expect("writing does not panic");
    output
}

/// Model of the zoo: its path, the rows that CatBoost was asked about, and its answers.
struct Asked {
    model: String,
    rows: String,
    answers: Value,
}

fn asked(name: &str) -> Asked {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the zoo has the file");
    let answers = read("answers.ndjson");
    let mut answers = answers
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let answers = answers
        .find(|line| line["model"] == name)
        .expect("CatBoost was asked");
    let cases = read(&format!("{name}.cases.ndjson"));
    let cases: Vec<&str> = cases.lines().collect();
    let rows = answers["rows"].as_array().expect("a list").iter();
    let rows = rows.map(|index| cases[index.as_u64().expect("an index") as usize]);
    Asked {
        model: folder.join(format!("{name}.cbm")).display().to_string(),
        rows: rows.collect::<Vec<_>>().join("\n"),
        answers,
    }
}

/// Lines that a command prints.
fn lines(asked: &Asked, command: &str, options: &[&str]) -> Vec<String> {
    let output = cbm(
        &[&[command, &asked.model, "-"], options].concat(),
        &asked.rows,
    );
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command} {options:?}: {error}");
    let text = String::from_utf8(output.stdout).expect("cbm writes UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// Bits of every number in a value.
fn bits(value: &Value) -> Vec<u64> {
    match value {
        Value::Array(list) => list.iter().flat_map(bits).collect(),
        Value::Object(object) => object.values().flat_map(bits).collect(),
        Value::String(word) => vec![word.parse::<f64>().expect("a number").to_bits()],
        value => vec![value.as_f64().expect("a number").to_bits()],
    }
}

fn assert_same(what: &str, found: &[String], expected: &Value) {
    let expected = expected.as_array().expect("a list of rows");
    assert_eq!(found.len(), expected.len(), "{what}");
    for (line, expected) in found.iter().zip(expected) {
        let found = serde_json::from_str(line).expect("a line is JSON");
        assert_eq!(bits(&found), bits(expected), "{what}: {line}");
    }
}

#[test]
fn types_ranges_and_stages_are_catboost_s() {
    for name in [
        "classes_missing",
        "loss_rmse_uncertainty",
        "trees_lossguide_cats",
        "multi_bias",
    ] {
        let asked = asked(name);
        let types = asked.answers["types"].as_object().expect("types");
        for (kind, option) in [
            ("RawFormulaVal", "raw"),
            ("Probability", "probability"),
            ("LogProbability", "log-probability"),
            ("Exponent", "exponent"),
            ("RMSEWithUncertainty", "mean-and-variance"),
        ] {
            let expected = types.get(kind).filter(|expected| !expected.is_null());
            for name in [option, kind] {
                let Some(expected) = expected else { continue };
                assert_same(name, &lines(&asked, "eval", &["--type", name]), expected);
            }
        }
        for range in asked.answers["ranges"].as_array().expect("ranges") {
            let trees = format!("{}..{}", range["trees"][0], range["trees"][1]);
            assert_same(
                &trees,
                &lines(&asked, "eval", &["--trees", &trees]),
                &range["raw"],
            );
        }
        assert_same(
            "leaves",
            &lines(&asked, "leaves", &[]),
            &asked.answers["leaves"],
        );
    }
    let asked = asked("trees_depthwise");
    let stages = &asked.answers["stages"];
    let found = lines(&asked, "eval", &["--staged", &stages["period"].to_string()]);
    for (row, line) in found.iter().enumerate() {
        let found: Vec<Value> = serde_json::from_str(line).expect("an array");
        let expected = stages["raw"].as_array().expect("stages");
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(bits(found), bits(&expected[row]), "{line}");
        }
    }
}

#[test]
fn ensembles_are_catboost_s() {
    let asked = asked("sampled_classes");
    for (option, key) in [
        ("virtual-ensembles", "VirtEnsembles"),
        ("total-uncertainty", "TotalUncertainty"),
    ] {
        let count = asked.answers["ensembles"].to_string();
        let options = ["--type", option, "--ensembles", &count];
        assert_same(
            option,
            &lines(&asked, "eval", &options),
            &asked.answers[key],
        );
    }
}

/// Values in the order of the model's columns, then the base, as in CatBoost.
#[test]
fn explanations_are_catboost_s() {
    for name in [
        "ctr_combinations",
        "trees_lossguide_multiclass",
        "embedding_two",
    ] {
        let asked = asked(name);
        let found = lines(&asked, "explain", &[]).into_iter().map(|line| {
            let value: Value = serde_json::from_str(&line).expect("a line is JSON");
            let list = match value {
                Value::Array(list) => list,
                one => vec![one],
            };
            let rows = list.iter().map(|one| {
                // `Value` sorts keys, while the text has them in order.
                let mut bits = values_in_order(&line, list.len(), one);
                bits.push(one["base"].clone());
                Value::Array(bits)
            });
            Value::Array(rows.collect()).to_string()
        });
        assert_same(name, &found.collect::<Vec<_>>(), &asked.answers["shap"]);
    }
}

/// The keys of these models are numbers, whose order as text is not that of columns.
fn values_in_order(line: &str, lists: usize, one: &Value) -> Vec<Value> {
    let values = one["values"].as_object().expect("an object");
    let mut keys: Vec<usize> = values
        .keys()
        .map(|key| key.parse().expect("an index"))
        .collect();
    keys.sort_unstable();
    assert_eq!(line.matches("\"0\":").count(), lists);
    keys.iter()
        .map(|key| values[&key.to_string()].clone())
        .collect()
}

#[test]
fn top_keeps_the_greatest_and_sorts_them() {
    let asked = asked("ctr_combinations");
    for line in lines(&asked, "explain", &["--top", "2"]) {
        let values = line.split("\"values\":").nth(1).expect("an object");
        let sizes: Vec<f64> = values
            .trim_end_matches('}')
            .split(',')
            .map(|entry| entry.split(':').nth(1).expect("a number"))
            .map(|number| number.parse::<f64>().expect("a number").abs())
            .collect();
        assert!(sizes.len() == 2 && sizes[0] >= sizes[1], "{line}");
    }
}

#[test]
fn csv_has_a_header() {
    let asked = asked("loss_multiclass");
    let header = |command: &str, options: &[&str]| lines(&asked, command, options)[0].clone();
    assert_eq!(
        header("eval", &["--csv", "--type", "probability"]),
        "probability 0,probability 1,probability 2,probability 3"
    );
    assert_eq!(
        header("eval", &["--csv", "--staged", "4"]),
        "trees,raw 0,raw 1,raw 2,raw 3"
    );
    assert_eq!(header("explain", &["--csv"]), "dimension,base,0,1,2,3,4");
    assert_eq!(
        header("leaves", &["--csv", "--trees", "1..3"]),
        "tree 1,tree 2"
    );
    let rows = lines(&asked, "explain", &["--csv"]);
    assert_eq!(rows.len(), 1 + 6 * 4);
    assert!(rows[2].starts_with("1,"), "{}", rows[2]);
}

#[test]
fn importance_is_in_percent() {
    let asked = asked("ctr_combinations");
    let output = cbm(&["inspect", "--importance", &asked.model], "");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let expected = asked.answers["importance"].as_array().expect("a list");
    let mut expected: Vec<f64> = expected
        .iter()
        .map(|x| x.as_f64().expect("a number"))
        .collect();
    expected.sort_by(|a, b| b.total_cmp(a));
    let expected: Vec<String> = expected.iter().map(|x| format!("{x:.4}")).collect();
    let found: Vec<&str> = text
        .lines()
        .map(|line| line.split_whitespace().next().expect("a number"))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_answered_is_refused_with_its_reason() {
    let refused = |name: &str, command: &str, options: &[&str], reason: &str| {
        let asked = asked(name);
        let output = cbm(
            &[&[command, &asked.model, "-"], options].concat(),
            &asked.rows,
        );
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command} {options:?}");
        assert!(error.contains(reason), "{error}");
    };
    refused(
        "scaled",
        "explain",
        &[],
        "scaled.cbm: cannot be explained: the model's scale is 0.3",
    );
    refused(
        "depth_16",
        "explain",
        &[],
        "depth_16.cbm: cannot be explained: the model has no leaf weights",
    );
    refused("scaled", "eval", &["--type", "class"], "does not classify");
    refused(
        "scaled",
        "eval",
        &["--type", "mean-and-variance"],
        "1 raw values a row",
    );
    refused(
        "scaled",
        "eval",
        &["--trees", "3..3"],
        "--trees 3..3: expected A..B",
    );
    refused("scaled", "leaves", &["--trees", "..9"], "at most 8");
    refused(
        "multi_bias",
        "eval",
        &["--type", "total-uncertainty"],
        "MultiRMSE",
    );
    refused(
        "sampled_binary",
        "eval",
        &["--type", "virtual-ensembles", "--ensembles", "11"],
        "20 trees are not enough for 11 virtual ensembles",
    );
}
