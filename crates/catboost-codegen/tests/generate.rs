//! Generated source of the models in `fixtures/models`. `catboost-zoo` tests the values that it computes.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use catboost_codegen::{Config, Error, Generated, Origin, Prediction};
use catboost_model::ir::Model;
use catboost_runtime::hash;

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let entries = fs::read_dir(folder).expect("there is a folder of models");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let models: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "cbm"))
        .collect();
    assert!(!models.is_empty());
    models
}

fn generated(path: &Path) -> Generated {
    let model =
        catboost_model::load(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let origin = Origin {
        name: "a model".to_owned(),
        sha256: "0".repeat(64),
    };
    Config::new().module("module").generate(&model, &origin)
}

/// Starts from the file each time, so that maps with a random order would show.
#[test]
fn the_same_model_gives_the_same_bytes() {
    for path in models() {
        assert!(generated(&path) == generated(&path), "{}", path.display());
    }
}

#[test]
fn the_source_includes_every_table_and_no_other() {
    for path in models() {
        let mut files = generated(&path).files;
        let (name, source) = files.pop().expect("the source comes last");
        assert_eq!(name, "module.rs");
        let source = String::from_utf8(source).expect("Rust is UTF-8");
        let included: BTreeSet<&str> = source
            .split('"')
            .filter_map(|literal| literal.strip_prefix('/'))
            .filter(|literal| literal.starts_with("module/") && literal.ends_with(".bin"))
            .collect();
        let tables: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(included, tables, "{}", path.display());
    }
}

/// Pins the source of three small models, with texts, combinations, and non-symmetric trees, so that a change of the
/// generator shows.
#[test]
fn the_source_is_the_golden_one() {
    for name in [
        "text_default",
        "walked_combinations",
        "trees_lossguide_cats",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let model = folder.join(format!("../../fixtures/models/{name}.cbm"));
        let (_, source) = generated(&model)
            .files
            .pop()
            .expect("the source comes last");
        let golden = folder.join(format!("tests/golden/{name}.rs"));
        if env::var_os("BLESS").is_some() {
            fs::write(&golden, &source).expect("the golden source can be written");
            continue;
        }
        assert!(
            fs::read(&golden).is_ok_and(|golden| golden == source),
            "{} is not what is generated: BLESS=1 writes it anew",
            golden.display()
        );
    }
}

/// Together, the models in `catboost-zoo` cover every kind of trees and lookups.
#[test]
fn the_models_need_every_way_of_walking_trees_and_of_finding_combinations() {
    let mut missing = BTreeSet::from([
        "Trees::Rows",
        "Trees::Levels",
        "Trees::Nodes",
        "Asked::Above",
        "Asked::Equal",
        "Cross {",
        "Masks {",
        "Projection {",
    ]);
    for path in models() {
        let mut files = generated(&path).files;
        let (_, source) = files.pop().expect("the source comes last");
        let source = String::from_utf8(source).expect("Rust is UTF-8");
        missing.retain(|way| !source.contains(way));
    }
    assert!(missing.is_empty(), "no model needs {missing:?}");
    let walked = source_with("walked_combinations.cbm", &[]);
    for way in ["Trees::Levels", "Asked::Equal", "Cross {"] {
        assert!(walked.contains(way), "walked_combinations: no {way}");
    }
}

/// Model of one text, with pairs of 73 letters, and of trees that test 64 of these pairs.
fn model_of_letters(trees: usize) -> Model {
    let letters = (0..73_u8).map(|nth| [b'0' + nth]);
    let mut tokens: Vec<(u64, usize)> = letters
        .map(|letter| hash::murmur2_64a(&letter, 0))
        .zip(0..)
        .collect();
    tokens.sort_unstable();
    let tokens: Vec<String> = tokens
        .iter()
        .map(|(hash, id)| format!("\"{hash}\",{id}"))
        .collect();
    let mut pairs: Vec<(u64, u32)> = (0..64)
        .map(|id| (hash::murmur2_64a_ids(&[id, id], 0), id))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(hash, id)| format!("\"{hash}\",{id}"))
        .collect();
    let numbers = (0..64)
        .map(|local| format!("{{\"calcer\":{{\"Text\":0}},\"local\":{local},\"borders\":[0.5]}}"));
    let active: Vec<String> = (0..64).map(|token| token.to_string()).collect();
    // Leaf indices take 8 bits each: 64 trees per line.
    let deep = format!(
        "{{\"leaf_values\":[{}],\"splits\":[{}]}}",
        vec!["1"; 256].join(","),
        (0..8)
            .map(|split| format!("{{\"split_index\":{split}}}"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let shallow = (1..trees).map(|tree| {
        format!(
            "{{\"leaf_values\":[0,1],\"splits\":[{{\"split_index\":{}}}]}}",
            tree % 64
        )
    });
    let json = format!(
        r#"{{"scale_and_bias":[1,[0]],
"features_info":{{"text_features":[{{"feature_index":0,"flat_feature_index":0,"feature_id":"text"}}],"estimated_features":[{numbers}]}},
"text_processing":{{
"tokenizers":[{{"lowercasing":false,"numbers":"LeaveAsIs","delimiter":" ","split_by_set":false,"skip_empty":true}}],
"dictionaries":[{{"gram":{{"Words":{{"order":2,"skip_step":0}}}},"size":64,"start_token_id":0,"unknown_token_id":64,"end_of_sentence_token_id":65,
"end_of_sentence":false,"tokens":{{"seed":"0","entries":[{tokens}]}},"grams":{{"seed":"0","entries":[{pairs}]}}}}],
"calcers":[{{"active":[{active}],"kind":{{"BagOfWords":{{"tokens":64}}}}}}],
"tokenized":[{{"text":0,"tokenizer":0,"dictionary":0,"calcers":[0]}}]}},
"oblivious_trees":[{deep},{shallow}]}}"#,
        numbers = numbers.collect::<Vec<_>>().join(","),
        tokens = tokens.join(","),
        pairs = pairs.join(","),
        active = active.join(","),
        shallow = shallow.collect::<Vec<_>>().join(","),
    );
    catboost_model::parse(json.as_bytes()).expect("a model")
}

/// Each line has a row for each of 74² steps, of 64 bytes: 191 lines are 64 MiB.
#[test]
fn tables_of_letters_are_bounded() {
    for (lines, has_letters) in [(4, true), (191, true), (192, false)] {
        let model = model_of_letters(64 * lines);
        let origin = Origin {
            name: String::new(),
            sha256: String::new(),
        };
        let files = Config::new()
            .module("module")
            .generate(&model, &origin)
            .files;
        let (_, source) = files.into_iter().last().expect("the source comes last");
        let source = String::from_utf8(source).expect("Rust is UTF-8");
        assert!(source.contains("Trees::Rows"));
        assert_eq!(
            source.contains("letters: Some(Letters {"),
            has_letters,
            "{lines} lines"
        );
    }
}

#[test]
fn a_file_that_has_the_right_contents_is_left_alone() {
    let folder = env::temp_dir().join(format!("catboost-codegen-{}", std::process::id()));
    let mut generated = Generated::default();
    generated.files = vec![
        ("module/same.bin".to_owned(), vec![1]),
        ("module.rs".to_owned(), vec![2]),
    ];
    generated.write(&folder).expect("a temporary folder");
    let same = folder.join("module/same.bin");
    let before = fs::metadata(&same).and_then(|file| file.modified());
    fs::write(folder.join("module.rs"), [3]).expect("it was written before");
    generated.write(&folder).expect("a temporary folder");
    let after = fs::metadata(&same).and_then(|file| file.modified());
    assert_eq!(before.expect("it is there"), after.expect("it is there"));
    assert_eq!(
        fs::read(folder.join("module.rs")).expect("it is there"),
        [2]
    );
    fs::remove_dir_all(folder).expect("it is there");
}

/// Source of a model, given its file's name and changes of its metadata.
fn source_with(name: &str, info: &[(&str, &str)]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let mut model = catboost_model::load(&folder.join(name)).expect("a model");
    for (key, text) in info {
        model.info.insert((*key).to_owned(), (*text).to_owned());
    }
    let origin = Origin {
        name: name.to_owned(),
        sha256: String::new(),
    };
    let files = Config::new()
        .module("module")
        .generate(&model, &origin)
        .files;
    let (_, source) = files.into_iter().last().expect("the source comes last");
    String::from_utf8(source).expect("Rust is UTF-8")
}

#[test]
fn a_model_has_the_outputs_that_its_loss_has() {
    use Prediction::*;
    for (name, has) in [
        ("loss_focal.cbm", &[Probability, Class][..]),
        ("loss_multiclass.cbm", &[Probability, Class]),
        ("classes_missing.cbm", &[ByClass, Probability, Class]),
        ("loss_poisson.cbm", &[Exponent]),
        ("loss_rmse_uncertainty.cbm", &[MeanAndVariance]),
        ("loss_multirmse.cbm", &[]),
    ] {
        let source = source_with(name, &[]);
        let functions = [
            ("by_class", ByClass),
            ("probability", Probability),
            ("class", Class),
            ("exponent", Exponent),
            ("mean_and_variance", MeanAndVariance),
        ];
        let found = functions
            .into_iter()
            .filter(|(function, _)| source.contains(&format!("pub fn {function}(")));
        let found: Vec<Prediction> = found.map(|(_, prediction)| prediction).collect();
        assert_eq!(found, has, "{name}");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
        let generated = generated(&folder.join(name));
        assert_eq!(generated.predictions, has, "{name}");
        assert_eq!(generated.without_predictions, None, "{name}");
    }
}

#[test]
fn a_module_can_be_private_and_without_its_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let model = catboost_model::load(&folder.join("loss_focal.cbm")).expect("a model");
    let config = Config::new().visibility("pub(crate)").self_check(false);
    let (name, source) = config
        .generate(&model, &Origin::default())
        .files
        .pop()
        .expect("the source comes last");
    assert_eq!(name, "model.rs");
    let source = String::from_utf8(source).expect("Rust is UTF-8");
    assert!(source.contains("\npub(crate) use generated::*;\n"));
    assert!(!source.contains("self_check"));
}

#[test]
fn what_is_wrong_with_the_classes_is_said_in_the_source() {
    let many = r#"{"class_names":["a","b","c"],"class_to_label":[0,1]}"#;
    for (info, expected) in [
        (
            ("class_params", many),
            "model info: 3 classes for one raw value, expected 2",
        ),
        (
            ("loss_function", r#"{"type":"Rmse"}"#),
            "model info, `loss_function`: `type` is no loss that CatBoost knows",
        ),
    ] {
        let source = source_with("loss_focal.cbm", &[info]);
        let comment = format!("// No `probability`, `class` or `exponent`: {expected}.\n");
        assert!(source.contains(&comment), "{source}");
        assert!(!source.contains("CLASSES"));
    }
}

#[test]
fn the_threshold_has_all_its_bits() {
    for (threshold, expected) in [("0.3", "0xbfeb1d10670aae9a"), ("1", "0x7ff0000000000000")] {
        let source = source_with(
            "loss_focal.cbm",
            &[("binclass_probability_threshold", threshold)],
        );
        let constant = format!("pub const THRESHOLD: f64 = f64::from_bits({expected}); //");
        assert!(source.contains(&constant), "{source}");
    }
}

#[test]
fn a_module_is_named_as_rust_and_files_take_it() {
    for name in ["", "a/b", "..", "a\"b", "ж", "a b"] {
        let error = Config::new()
            .module(name)
            .compile("none.cbm")
            .expect_err(name);
        let expected =
            format!("{name:?} cannot be a module's name: expected ASCII letters, digits and `_`");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn the_runtime_has_to_be_of_the_same_layout() {
    let source = source_with("loss_focal.cbm", &[]);
    let layout = format!(
        "::catboost_runtime::LAYOUT == {},",
        catboost_runtime::LAYOUT
    );
    assert!(source.contains(&layout), "{source}");
}

#[test]
fn errors_say_which_file() {
    // Cargo sets OUT_DIR for tests only if the package has a build script.
    let error = Config::new().compile("none.cbm").expect_err("no OUT_DIR");
    assert!(matches!(error, Error::NoOutDir));
    assert_eq!(
        error.to_string(),
        "OUT_DIR is not set: this is to be called from a build script"
    );
    let mut blocked = Generated::default();
    blocked.files = vec![("Cargo.toml/module.rs".to_owned(), vec![1])];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let error = blocked
        .write(folder)
        .expect_err("a file is no folder")
        .to_string();
    assert!(error.contains("Cargo.toml/module.rs: "), "{error}");
    let cause = Error::Io(PathBuf::new(), std::io::ErrorKind::NotFound.into());
    assert!(std::error::Error::source(&cause).is_some());
}

/// One key more than may be, counted for each of 64 CTRs.
#[test]
fn a_model_with_too_many_keys_is_to_be_loaded_at_run_time() {
    let small = include_str!("../../catboost-model/tests/it/small.json");
    let keys: Vec<String> = (0..=1 << 20).map(|key| format!("\"{key}\",5,6")).collect();
    let old = "\"18446744073709551615\", 3, 1, \"4\", 5, 6";
    let json = small.replace(old, &keys.join(","));
    let (before, rest) = json.split_once("\"ctrs\": [").expect("it has CTRs");
    let (ctr, after) = rest.split_once("\n    ]").expect("the list ends");
    let json = format!("{before}\"ctrs\": [{}]{after}", vec![ctr; 64].join(","));
    let folder = env::temp_dir().join(format!("catboost-codegen-keys-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let path = folder.join("large.json");
    fs::write(&path, json).expect("it can be written");
    let error = Config::new().out_dir(&folder).compile(&path);
    let error = error.expect_err("too many keys");
    fs::remove_dir_all(&folder).expect("it is there");
    assert!(matches!(error, Error::TooLarge(_, 67_108_928)));
    let expected = "the model's CTRs look up 67108928 keys, too many to be compiled; at most 67108864 are: load the model at run time, with catboost-apply";
    assert_eq!(error.to_string(), format!("{}: {expected}", path.display()));
}

/// A single label of `MultiLogloss`, and the only class of the training data.
#[test]
fn a_model_may_name_one_class() {
    let one = r#"{"class_names":["a"],"class_to_label":[0]}"#;
    for (loss, class) in [
        ("MultiLogloss", "-> [bool; 1] {"),
        ("Logloss", "-> &'static str {"),
    ] {
        let params = format!(r#"{{"loss_function":{{"type":"{loss}"}}}}"#);
        let source = source_with(
            "loss_focal.cbm",
            &[("class_params", one), ("params", &params)],
        );
        for part in [
            "pub const CLASSES: [&str; 1] = [\"a\"];",
            "pub fn probability(raw: &[f64; 1]) -> [f64; 2] {",
            &format!("pub fn class(raw: &[f64; 1]) {class}"),
        ] {
            assert!(source.contains(part), "{loss}: {part}");
        }
    }
}
