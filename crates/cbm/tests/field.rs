//! Models as they occur in the field, and messages of `cbm` about models that CatBoost does not accept.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Runs `cbm` with this standard input.
fn cbm(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cbm"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cbm is built beside its tests");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("cbm ends");
    writer.join().expect("writing does not panic");
    output
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("cbm writes UTF-8")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("cbm writes UTF-8")
}

fn models(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    folder.join(name).display().to_string()
}

fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../catboost-model/tests/it/small.json")
}

fn bits(values: &Value) -> Vec<u64> {
    let values = values.as_array().expect("a list of raw values");
    let number = |value: &Value| match value.as_str() {
        Some(word) => word.parse().expect("inf, -inf or nan"),
        None => value.as_f64().expect("a number"),
    };
    let values = values.iter().map(number);
    values.map(f64::to_bits).collect()
}

/// CatBoost's verdicts on the JSON of every model of the zoo: `fixtures/models/readback.py`.
#[test]
fn to_json_warns_where_catboost_reads_another_model() {
    let verdicts = fs::read_to_string(models("readback.ndjson")).expect("the script wrote it");
    let mut warned = 0;
    for line in verdicts.lines() {
        let line: Value = serde_json::from_str(line).expect("verdicts are JSON");
        let name = line["model"].as_str().expect("a model has a name");
        let path = models(&format!("{name}.cbm"));
        let path = match fs::exists(&path) {
            Ok(true) => path,
            _ => models(&format!("../field/{name}.cbm")),
        };
        let output = cbm(&["to-json", &path], b"");
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let expected = match line["verdict"].as_str().expect("a verdict is a word") {
            "same" | "rounded" => "",
            "other" => "CatBoost reads another model from this JSON, without a word: ",
            _ => "CatBoost cannot use this JSON: ",
        };
        let starts = match expected {
            "" => String::new(),
            expected => format!("cbm: warning: {path}: {expected}"),
        };
        assert!(
            stderr(&output).starts_with(&starts) && starts.is_empty() == stderr(&output).is_empty(),
            "{line}: {}",
            stderr(&output)
        );
        warned += usize::from(!expected.is_empty());
    }
    assert!(warned > 10, "{warned}");
    let infinite = fs::read_to_string(small())
        .expect("it is part of the tests")
        .replace("[0.5, 1.5]", "[\"-inf\", 1.5]");
    let path = temporary("infinite.json", &infinite).display().to_string();
    let output = cbm(&["to-json", &path], b"");
    assert!(
        !stdout(&output).is_empty() && stderr(&output).contains("cannot use this JSON"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_model_whose_outputs_cannot_be_determined_is_told() {
    let json = fs::read_to_string(small()).expect("it is part of the tests");
    let path = temporary("unclear.json", &json.replace("\"RMSE\"", "\"Rmse\""));
    let path = path.display().to_string();
    let output = cbm(
        &["eval", &path, "-"],
        br#"{"age": 1, "city": "a", "remark": ""}"#,
    );
    let expected = "cbm: warning: model info, `loss_function`: `type` is no loss that CatBoost knows; CatBoost refuses to predict";
    assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    assert_eq!(stdout(&output), "[4.5]\n");
    let output = cbm(&["inspect", &path], b"");
    assert!(
        stdout(&output).contains("output     cannot be determined: model info"),
        "{}",
        stdout(&output)
    );
}

/// Small models that failed in the field, and CatBoost's raw values for their rows.
#[test]
fn eval_answers_the_inputs_of_the_field() {
    let mut compared = 0;
    for entry in fs::read_dir(models("../field")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.display().to_string();
        let Some(stem) = name.strip_suffix(".expected.json") else {
            continue;
        };
        let expected = fs::read_to_string(&path).expect("it can be read");
        let expected: Value = serde_json::from_str(&expected).expect("it is JSON");
        let model = ["cbm", "json"].map(|kind| format!("{stem}.{kind}"));
        let model = model.iter().find(|path| Path::new(path).exists());
        let rows = format!("{stem}.rows.ndjson");
        let output = cbm(&["eval", model.expect("a model is there"), &rows], b"");
        assert_eq!(stderr(&output), "", "{stem}");
        let rows = fs::read_to_string(&rows).expect("it can be read");
        assert_eq!(stdout(&output).lines().count(), rows.lines().count());
        let Some(expected) = expected["raw"].as_array() else {
            continue;
        };
        for (found, expected) in stdout(&output).lines().zip(expected) {
            let found: Value = serde_json::from_str(found).expect("eval writes JSON");
            assert_eq!(bits(&found), bits(expected), "{stem}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared}");
}

/// Writes a file of a test.
fn temporary(name: &str, contents: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, contents).expect("the target folder can be written to");
    path
}
