//! The tool `cbm`, run as a program.

use std::{
    env, fs,
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

/// Runs `cbm eval` on the small model.
fn eval_small(rows: &str) -> Output {
    cbm(
        &["eval", &small().display().to_string(), "-"],
        rows.as_bytes(),
    )
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

#[test]
fn eval_answers_the_zoos_cases_to_the_bit() {
    let names = [
        "names_odd",
        "names_alike",
        "only_categories",
        "ctr_combinations",
        "loss_multiclass",
        "classes_missing",
        "odd_floats",
        "text_only",
        "mixture_text_categories",
        "embedding_lda",
        "embedding_knn",
        "no_tree",
    ];
    for name in names {
        let cases = models(&format!("{name}.cases.ndjson"));
        let output = cbm(&["eval", &models(&format!("{name}.cbm")), &cases], b"");
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        let cases = fs::read_to_string(cases).expect("the zoo has cases");
        assert_eq!(
            stdout(&output).lines().count(),
            cases.lines().count(),
            "{name}"
        );
        for (number, (found, case)) in (1..).zip(stdout(&output).lines().zip(cases.lines())) {
            let found: Value = serde_json::from_str(found).expect("eval writes JSON");
            let case: Value = serde_json::from_str(case).expect("cases are JSON");
            assert_eq!(bits(&found), bits(&case["raw"]), "{name}, line {number}");
        }
    }
}

#[test]
fn the_interpreter_and_the_engine_answer_alike() {
    for name in ["ctr_combinations", "text_default", "loss_multiclass"] {
        let (model, cases) = (
            models(&format!("{name}.cbm")),
            models(&format!("{name}.cases.ndjson")),
        );
        let engine = cbm(&["eval", &model, &cases], b"");
        let interpreter = cbm(&["eval", &model, &cases, "--interpreter"], b"");
        assert!(
            engine.status.success() && !engine.stdout.is_empty(),
            "{name}"
        );
        assert!(engine.stdout == interpreter.stdout, "{name}");
    }
}

#[test]
fn bench_says_how_long_loading_and_rows_take() {
    let (model, cases) = (models("ctr_simple.cbm"), models("ctr_simple.cases.ndjson"));
    let bench = |more: &[&str]| {
        let arguments = [&["bench", &model, &cases, "--seconds", "0"], more].concat();
        cbm(&arguments, b"")
    };
    let json = bench(&["--block", "7", "--json"]);
    let json: Value = serde_json::from_str(stdout(&json)).expect("one object");
    for key in ["load_ms", "one_row_ns", "block_row_ns"] {
        assert!(
            json[key].as_f64().is_some_and(|time| time > 0.0),
            "{key}: {json}"
        );
    }
    let text = bench(&["--block", "7"]);
    let text = stdout(&text);
    assert!(
        text.starts_with("load: ") && text.contains("a row in blocks of 7: "),
        "{text}"
    );
    let none = cbm(&["bench", &model, "-"], b"");
    assert_eq!(stderr(&none), "cbm: -: no rows\n");
    let wrong = cbm(&["bench", &model, &cases, "--seconds=-1"], b"");
    assert!(stderr(&wrong).contains("expected a number of seconds, at most 3600"));
}

#[test]
fn rows_name_features_as_people_do() {
    let rows = [
        r#"{"age": 1, "city": "a", "remark": "x"}"#,
        r#"{"remark": "x", "city": "a", "age": 1.0}"#,
        r#"  {"0": 1e0, "1": "a", "2": "", "label": {"any": 1}}"#,
        "",
        r#"{"row": {"age": "inf", "city": "a", "remark": ""}, "raw": [0]}"#,
    ];
    let output = eval_small(&rows.join("\n"));
    assert_eq!(stdout(&output), "[4.5]\n".repeat(4), "{}", stderr(&output));
    // What stands for no number; a whole number is a category by its digits.
    let rows = [
        r#"{"age": null, "city": 7, "remark": "x"}"#,
        r#"{"age": "nan", "city": "7", "remark": "x"}"#,
        r#"{"age": "-inf", "city": -0, "remark": "x"}"#,
    ];
    let output = eval_small(&rows.join("\n"));
    assert_eq!(stdout(&output), "[2.5]\n".repeat(3), "{}", stderr(&output));
}

#[test]
fn a_wrong_row_is_told_by_line_and_feature() {
    let row = |age: &str, city: &str, remark: &str| {
        format!("{{\"age\": {age}, \"city\": {city}, \"remark\": {remark}}}")
    };
    let number = "numeric feature 0 `age`: expected a number, true or false, null, or one of the strings `nan`, `inf`, `-inf`; found ";
    let category =
        "categorical feature 1 `city`: expected a string, a whole number, true or false; found ";
    let cases = [
        (row("\"1\"", "\"\"", "\"\""), number.to_owned() + "a string (a number is written without quotes)\n"),
        (row("[1]", "\"\"", "\"\""), number.to_owned() + "a list ("),
        (row("{\"0\": 1}", "\"\"", "\"\""), number.to_owned() + "an object (a row is one object from feature to value; pandas writes"),
        (row("1", "null", "\"\""), category.to_owned() + "null (CatBoost takes none for a category: write what"),
        (row("1", "NaN", "\"\""), category.to_owned() + "NaN (CatBoost takes none for a category: write what"),
        (row("1", "1.5", "\"\""), category.to_owned() + "a number (CatBoost takes no number with a point"),
        (row("1", "1e5", "\"\""), category.to_owned() + "a number (CatBoost takes no number with a point"),
        (
            row("1", "\"\"", "5"),
            "text feature 2 `remark`: expected a string; found a number (".to_owned(),
        ),
        (
            row("1", "\"\"", "\"\\udc00\""),
            "not JSON at byte 34 of the row: a string with half of a surrogate pair".to_owned(),
        ),
        (
            r#"{"age": 1, "city": "a"}"#.to_owned(),
            "text feature 2 `remark` is missing\n".to_owned(),
        ),
        (
            r#"{"age": 1, "0": 1}"#.to_owned(),
            "numeric feature 0 `age` is given twice\n".to_owned(),
        ),
        (
            r#"{"age": 1, "age": 1}"#.to_owned(),
            "numeric feature 0 `age` is given twice\n".to_owned(),
        ),
        (
            r#"{"age": 1, "city": "a", "remarks": ""}"#.to_owned(),
            "text feature 2 `remark` is missing; the row has `remarks`, which is no feature of the model\n".to_owned(),
        ),
        (
            r#"{"3": 1}"#.to_owned(),
            "numeric feature 0 `age` is missing; the row has `3`, which is no feature of the model\n".to_owned(),
        ),
        (
            "[1]".to_owned(),
            "expected a JSON object from feature to value; found a list\n".to_owned(),
        ),
        (
            "{\"age\": nan}".to_owned(),
            "not JSON at byte 9 of the row: `nan` is Python, not JSON: write rows with json.dumps\n".to_owned(),
        ),
        (
            "{\"age\": 1,".to_owned(),
            "not JSON at byte 11 of the row: expected a key in double quotes; a row has to be on one line".to_owned(),
        ),
    ];
    for (row, expected) in cases {
        let right = "{\"age\": 1, \"city\": \"a\", \"remark\": \"\"}\n";
        let output = eval_small(&format!("{right}\n{row}\n{right}"));
        assert_eq!(output.status.code(), Some(1), "{row}");
        assert_eq!(
            stdout(&output),
            "[4.5]\n",
            "what comes before is answered: {row}"
        );
        let expected = format!("cbm: standard input: line 3: {expected}");
        assert!(
            stderr(&output).starts_with(&expected),
            "{row}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn an_embedding_has_a_length() {
    let model = models("embedding_lda.cbm");
    let output = cbm(&["eval", &model, "-"], br#"{"0": 1, "1": [1, 2, 3, 4, 5]}"#);
    let expected = "cbm: standard input: line 1: embedding feature 1: expected a list of 6 numbers; found 5: the model was trained with embeddings of that length\n";
    assert_eq!(stderr(&output), expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_the_model_does_not_use_may_be_anything_of_its_kind() {
    let json = fs::read_to_string(small()).expect("it is part of the tests");
    let unused = "\"embedding_features\": [{\"feature_index\": 0, \"flat_feature_index\": 3, \"feature_id\": \"\", \"dimension\": 0}],";
    let with = json.replace("\"ctrs\":", &format!("{unused} \"ctrs\":"));
    let path = temporary("unused.json", &with).display().to_string();
    let rows = br#"{"age": 1, "city": "a", "remark": "", "3": [1, 2, 3]}
        {"age": 1, "city": "a", "remark": ""}"#;
    let output = cbm(&["eval", &path, "-"], rows);
    assert_eq!(stdout(&output), "[4.5]\n[4.5]\n", "{}", stderr(&output));
    let output = cbm(
        &["eval", &path, "-"],
        br#"{"age": 1, "city": "a", "remark": "", "3": 1}"#,
    );
    assert!(stderr(&output).contains("embedding feature 3: expected a list of numbers\n"));
}

#[test]
fn features_that_share_a_name_go_by_their_index() {
    let json = fs::read_to_string(small()).expect("it is part of the tests");
    let path = temporary("alike.json", &json.replace("\"city\"", "\"age\""));
    let path = path.display().to_string();
    let output = cbm(&["eval", &path, "-"], br#"{"age": 1, "remark": ""}"#);
    let expected = "cbm: standard input: line 1: `age` names several features: numeric feature 0 `age`, categorical feature 1 `age`; use their indices\n";
    assert_eq!(stderr(&output), expected);
    let output = cbm(
        &["eval", &path, "-"],
        br#"{"0": 1, "1": "a", "remark": ""}"#,
    );
    assert_eq!(stdout(&output), "[4.5]\n");
}

#[test]
fn an_index_that_is_the_name_of_another_feature_still_names_its_own() {
    let json = fs::read_to_string(small()).expect("it is part of the tests");
    let row = |row: &str, age: &str, city: &str| {
        let named = json
            .replace("\"age\"", &format!("{age:?}"))
            .replace("\"city\"", &format!("{city:?}"));
        let path = temporary(&format!("index_{age}_{city}.json"), &named);
        let output = cbm(&["eval", &path.display().to_string(), "-"], row.as_bytes());
        stdout(&output).to_owned() + stderr(&output)
    };
    let right = "[4.5]\n";
    // The category is feature 1; the number, feature 0, is called 1.
    assert_eq!(row(r#"{"0": 1, "1": "a", "remark": ""}"#, "1", ""), right);
    assert_eq!(row(r#"{"1": "a", "remark": "", "0": 1}"#, "1", "1"), right);
    assert_eq!(
        row(r#"{"1": 1, "city": "a", "remark": ""}"#, "1", "city"),
        right
    );
    // Names that are each other's indices are names.
    assert_eq!(row(r#"{"1": 1, "0": "a", "remark": ""}"#, "1", "0"), right);
    let expected = "cbm: standard input: line 1: categorical feature 1 is missing\n";
    assert_eq!(row(r#"{"1": 1, "remark": ""}"#, "1", ""), expected);
}

#[test]
fn what_is_not_supported_is_said_and_exits_1() {
    let model = models("refused/text_by_sense.cbm");
    for args in [
        ["inspect", &model].as_slice(),
        &["to-json", &model],
        &["eval", &model, "-"],
    ] {
        let output = cbm(args, b"");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).starts_with(&format!("cbm: {model}: not supported: ")));
        let head = stdout(&output);
        if args[0] == "inspect" {
            let len = fs::metadata(&model).expect("it is there").len();
            let file = format!("file       {len} bytes, of which the head alone was read\n");
            assert!(head.starts_with(&file), "{head}");
            assert!(head.contains("\nfeatures   1 numeric, 0 categorical, 2 text, 0 embedding\n"));
            assert!(head.contains("\nparts      text_process_v2\n"), "{head}");
        } else {
            assert_eq!(head, "");
        }
    }
    let output = cbm(&["eval", "no such file", "-"], b"");
    assert_eq!(
        stderr(&output),
        "cbm: no such file: the file cannot be read: No such file or directory (os error 2)\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_model_and_its_json_do_not_differ() {
    for name in [
        "mixture_text_categories.cbm",
        "embedding_knn.cbm",
        "ctr_binarizedtargetmeanvalue_multi.cbm",
    ] {
        let json = cbm(&["to-json", &models(name)], b"");
        assert!(json.status.success(), "{}", stderr(&json));
        let path = temporary(&format!("{name}.json"), stdout(&json));
        let output = cbm(&["diff", &models(name), &path.display().to_string()], b"");
        assert_eq!((stdout(&output), output.status.code()), ("", Some(0)));
    }
}

#[test]
fn diff_names_what_differs() {
    let json = fs::read_to_string(small()).expect("it is part of the tests");
    let changes = [
        ("\"RMSE\"", "\"MAE\""),
        ("[2, [0.5]]", "[1, [0.5]]"),
        ("[0.5, 1.5]", "[0.5]"),
        (
            "{\"split_index\": 2}, {\"split_index\": 4}",
            "{\"split_index\": 1}, {\"split_index\": 3}",
        ),
        ("\"4\", 5, 6]", "\"4\", 5, 7]"),
        ("5, 6, 7, 8]", "5, 6, 7, 9]"),
    ];
    let changed = changes.iter().fold(json, |json, (old, new)| {
        assert_eq!(json.matches(old).count(), 1, "{old}");
        json.replace(old, new)
    });
    let path = temporary("changed.json", &changed);
    let (old, new) = (small().display().to_string(), path.display().to_string());
    let output = cbm(&["diff", &old, &new], b"");
    let expected = "\
info params.loss_function.type: \"RMSE\" → \"MAE\"
scale: 2.0 → 1.0
feature 0: numeric `age`, 2 borders from 0.5 to 1.5, NaN AsFalse, seen → numeric `age`, 1 borders from 0.5 to 0.5, NaN AsFalse, seen
table of counts 0: differs in counts
tree 0: differs in splits, leaf values
";
    assert_eq!(stdout(&output), expected, "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    let output = cbm(&["diff", &old, "no such file"], b"");
    assert_eq!(output.status.code(), Some(2));
}

/// `BLESS=1` rewrites the expected output.
#[test]
fn inspect_describes_a_model() {
    let output = cbm(&["inspect", &small().display().to_string()], b"");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inspect.txt");
    if env::var_os("BLESS").is_some() {
        fs::write(&golden, &output.stdout).expect("the golden file can be written");
    }
    let expected = fs::read_to_string(&golden).expect("made with BLESS=1");
    assert_eq!(stdout(&output), expected, "BLESS=1 accepts the change");
}

#[test]
fn inspect_describes_every_part() {
    for (model, expected) in [
        (
            "ctr_with_one_hot.cbm",
            "  Borders by #2 × #4 = hash -1706589142: 26 keys, 2 classes\n",
        ),
        (
            "ctr_counter.cbm",
            "  Counter by #2 × #3: 164 keys, counts, against 10\n",
        ),
        ("ctr_binarizedtargetmeanvalue.cbm", ", sums and counts\n"),
        (
            "text_skip_grams.cbm",
            "  #1: split at ` `; dictionary of 256 2-grams of words, 1 skipped in between\n",
        ),
        ("text_letter_trigrams.cbm", " 3-grams of letters\n"),
        (
            "text_replace_numbers.cbm",
            ", numbers replaced by `#`; dictionary of ",
        ),
        (
            "text_bm25_multi.cbm",
            "           BM25, 4 classes: 4 numbers\n",
        ),
        (
            "embedding_knn.cbm",
            "  #1: KNN, 5 nearest of 300 points of 2 classes: 2 numbers\n",
        ),
        (
            "loss_multiclass.cbm",
            "classes    0, 1, 2, 3; probabilities by softmax\n",
        ),
        (
            "labels_binary_strings.cbm",
            "classes    `neg`, `pos`; probabilities by sigmoid\n",
        ),
        ("trees_lossguide.cbm", "trees      8 non-symmetric, depth "),
        ("names_odd.cbm", "`имя\\n№` categorical\n"),
        ("unused.cbm", "     0     #0 numeric, 0 borders, not used\n"),
    ] {
        let output = cbm(&["inspect", &models(model)], b"");
        assert!(
            stdout(&output).contains(expected),
            "{model}: {}{}",
            stdout(&output),
            stderr(&output)
        );
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cbm"))
        .args(["to-json", &models("depth_9.cbm")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cbm is built beside its tests");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("cbm ends");
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

#[test]
fn usage_is_told() {
    let output = cbm(&[], b"");
    assert_eq!(output.status.code(), Some(2));
    for command in ["inspect", "to-json", "eval", "explain", "leaves", "diff"] {
        assert!(stderr(&output).contains(command), "{command}");
        let help = cbm(&[command, "--help"], b"");
        assert!(
            help.status.success() && stdout(&help).contains("Usage: cbm"),
            "{command}"
        );
    }
}

/// Writes a file of a test.
fn temporary(name: &str, contents: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, contents).expect("the target folder can be written to");
    path
}
