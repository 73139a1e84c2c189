//! Interface of a loaded model: predictions, errors, self-description. `catboost-zoo` compares the bits with
//! CatBoost's.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use catboost_apply::{Error, FeatureKind, Label, Model, Predict, Row, RowError, Scratch};

fn tea_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tea/tea.cbm")
}

fn tea() -> Model {
    Model::load(tea_path()).expect("a model")
}

fn zoo(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    Model::load(folder.join(name)).expect("a model")
}

const ROW: Row = Row {
    floats: &[8.0, 3.5],
    cats: &["Tuesday", "rain"],
    texts: &[],
    embeddings: &[],
};
/// Raw values that `examples/tea/train.py` printed.
const RAW: [f64; 3] = [2.722230955372658, -1.6874189770868895, -1.0348119782857148];

#[test]
fn a_model_is_loaded_from_a_file_from_bytes_and_from_a_reader() {
    let path = tea_path();
    let bytes = fs::read(&path).expect("a file");
    let models = [
        tea(),
        Model::from_bytes(&bytes).expect("a model"),
        Model::from_reader(File::open(&path).expect("a file")).expect("a model"),
        Model::new(&catboost_model::parse(&bytes).expect("a model")),
    ];
    for model in &models {
        assert_eq!(model.raw(&ROW).expect("a row"), RAW);
    }
    let [loaded, from_bytes, _, read] = &models;
    assert_eq!(loaded.sha256(), from_bytes.sha256());
    assert_eq!(loaded.sha256().len(), 64);
    assert_eq!(read.sha256(), "");
    let json = catboost_model::to_json(&catboost_model::parse(&bytes).expect("a model"));
    let from_json = Model::from_bytes(json.as_bytes()).expect("a model");
    assert_eq!(from_json.raw(&ROW).expect("a row"), RAW);
}

#[test]
fn threads_share_a_model() {
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let model = tea();
    is_shared(&model);
    let threads = (0..4).map(|_| {
        let model = model.clone();
        std::thread::spawn(move || model.raw(&ROW))
    });
    for thread in threads.collect::<Vec<_>>() {
        let raw = thread.join().expect("it does not panic");
        assert_eq!(raw.expect("a row"), RAW);
    }
}

#[test]
fn predictions_are_those_of_the_loss() {
    let model = tea();
    let names = ["black", "green", "herbal"].map(Label::Text);
    assert_eq!(model.classes(), names);
    let probability = model.probability(&RAW).expect("it classifies");
    let expected: [f64; 3] = [
        0.9657057343068192,
        0.011742435340761678,
        0.02255183035241918,
    ];
    assert_eq!(probability, expected);
    assert_eq!(model.class(&RAW), Some(vec![0]));
    assert_eq!(
        (model.exponent(&RAW), model.mean_and_variance(&RAW)),
        (None, None)
    );
    assert_eq!(model.probability(&RAW[..2]), None, "too few raw values");

    let poisson = zoo("loss_poisson.cbm");
    assert_eq!(poisson.exponent(&[0.0]), Some(1.0));
    assert_eq!(poisson.class(&[0.0]), None);
    let uncertain = zoo("loss_rmse_uncertainty.cbm");
    assert_eq!(uncertain.mean_and_variance(&[7.0, 0.0]), Some((7.0, 1.0)));
    let labels = zoo("loss_multilogloss.cbm");
    let all = vec![9.0; labels.dimension()];
    assert_eq!(labels.class(&all), Some((0..labels.dimension()).collect()));
    let none = vec![-9.0; labels.dimension()];
    assert_eq!(labels.class(&none), Some(vec![]));
}

#[test]
fn values_are_set_by_name_and_by_position() {
    let model = tea();
    let hour = model.position("hour").expect("a feature");
    let mut input = model.input();
    assert_eq!(missing(&input.raw()), "feature `hour` has no value");
    input.set("temperature", 3.5).expect("a number");
    input.set("weekday", "Tuesday").expect("a string");
    input.set("weather", "rain").expect("a string");
    assert_eq!(missing(&input.raw()), "feature `hour` has no value");
    input.set(hour, 16.0).expect("a number");
    assert_ne!(input.raw().expect("all are set"), RAW);
    input.set(hour, 8.0).expect("a number");
    assert_eq!(input.raw().expect("all are set"), RAW);
    let clone = input.clone();
    input.clear();
    assert_eq!(missing(&input.raw()), "feature `hour` has no value");
    assert_eq!(clone.raw().expect("all are set"), RAW);
}

fn missing(raw: &Result<Vec<f64>, RowError>) -> String {
    raw.as_ref().expect_err("something is missing").to_string()
}

#[test]
fn what_is_wrong_with_a_row_is_an_error_that_names_the_feature() {
    let model = tea();
    let mut input = model.input();
    let embedding: &[f32] = &[1.0];
    for (error, text) in [
        (input.set("hours", 1.0), "the model has no feature `hours`"),
        (input.set("hour", "8"), "feature `hour`: expected a number"),
        (
            input.set("weather", 1.0),
            "feature `weather`: expected a string",
        ),
        (
            input.set("hour", embedding),
            "feature `hour`: expected a number",
        ),
    ] {
        assert_eq!(error.expect_err(text).to_string(), text);
    }
    let few = Row {
        cats: &["Tuesday"],
        ..ROW
    };
    let error = model.raw(&few).expect_err("too few").to_string();
    assert_eq!(error, "the row has 1 categorical features, expected 2");
    let error = model.raw_into(&ROW, &mut [0.0; 2]).expect_err("too few");
    assert_eq!(
        error.to_string(),
        "there is room for 2 raw values, expected 3"
    );
    let mut raw = [0.0; 5];
    let error = model
        .raw_block(&[ROW; 2], &mut Scratch::default(), &mut raw)
        .expect_err("too few");
    assert_eq!(
        error.to_string(),
        "there is room for 5 raw values, expected 6"
    );

    let model = zoo("embedding_only.cbm");
    let feature = &model.features()[0];
    let numbers = vec![0.5; feature.dimension + 1];
    let row = Row {
        embeddings: &[&numbers],
        ..Row::default()
    };
    let error = model.raw(&row).expect_err("too long").to_string();
    let (dimension, found) = (feature.dimension, numbers.len());
    assert_eq!(
        error,
        format!("feature `0`: expected {dimension} numbers, found {found}")
    );
}

#[test]
fn blocks_are_rows_one_after_the_other() {
    let model = tea();
    let other = Row {
        floats: &[16.0, 21.0],
        ..ROW
    };
    let mut raw = [0.0; 6];
    model
        .raw_block(&[other, ROW], &mut Scratch::default(), &mut raw)
        .expect("rows");
    assert_eq!(raw[..3], model.raw(&other).expect("a row"));
    assert_eq!(raw[3..], RAW);
}

#[cfg(feature = "rayon")]
#[test]
fn cores_share_a_block() {
    let model = tea();
    let other = Row {
        floats: &[16.0, 21.0],
        ..ROW
    };
    let rows: Vec<Row> = [ROW, other, other].into_iter().cycle().take(5000).collect();
    let mut raw = vec![0.0; 15_000];
    model.raw_block_on_all_cores(&rows, &mut raw).expect("rows");
    for (row, raw) in rows.iter().zip(raw.chunks(3)) {
        assert_eq!(raw, model.raw(row).expect("a row"));
    }
    let error = model
        .raw_block_on_all_cores(&rows, &mut raw[1..])
        .expect_err("too few");
    assert_eq!(
        error.to_string(),
        "there is room for 14999 raw values, expected 15000"
    );
}

#[test]
fn a_model_says_what_it_is() {
    let model = tea();
    let features = model.features().iter();
    let shown = features.map(|feature| {
        let name = feature.name.as_str();
        (name, feature.index, feature.kind, feature.used)
    });
    let shown: Vec<_> = shown.collect();
    let (numeric, categorical) = (FeatureKind::Numeric, FeatureKind::Categorical);
    assert_eq!(
        shown,
        [
            ("hour", 0, numeric, true),
            ("temperature", 1, numeric, true),
            ("weekday", 2, categorical, true),
            ("weather", 3, categorical, true),
        ]
    );
    let [hour, _, weekday, _] = model.features() else {
        panic!("four features");
    };
    assert!(!hour.borders.is_empty() && hour.borders.is_sorted());
    assert_eq!((weekday.known_values, weekday.borders.len()), (7, 0));
    assert_eq!(model.loss(), Some("MultiClass"));
    assert!(model.metadata().contains_key("train_finish_time"));
    assert_eq!(model.output_error(), None);
    let unused = zoo("unused.cbm");
    assert!(unused.features().iter().any(|feature| !feature.used));
    assert_eq!(Predict::features(&model).len(), 4);
    assert!(format!("{model:?}").contains(model.sha256()));
}

/// One feature has no name and index 1; another has the name `1`.
#[test]
fn an_index_names_its_own_feature() {
    let json = r#"{"scale_and_bias": [1, [0]], "features_info": {"categorical_features": [
        {"feature_index": 0, "flat_feature_index": 1, "feature_id": ""},
        {"feature_index": 1, "flat_feature_index": 3, "feature_id": "1"},
        {"feature_index": 2, "flat_feature_index": 4, "feature_id": "a"}
    ]}}"#;
    let model = Model::from_bytes(json.as_bytes()).expect("a model");
    let positions = model.features().iter().map(|feature| feature.position());
    let positions: Vec<_> = positions.collect();
    for (name, place) in [("1", 0), ("3", 1), ("a", 2), ("4", 2)] {
        assert_eq!(model.position(name), Ok(positions[place]), "{name}");
    }
    assert!(model.position("").is_err());
}

#[test]
fn errors_say_which_file() {
    let error = Model::load("none.cbm").expect_err("no file");
    assert!(matches!(error, Error::Io(Some(_), _)));
    let text = error.to_string();
    assert!(
        text.starts_with("none.cbm: the file cannot be read: "),
        "{text}"
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let error = Model::load(&path).expect_err("no model").to_string();
    assert!(
        error.contains("Cargo.toml: not a CatBoost model: "),
        "{error}"
    );
    let error = Model::from_bytes(b"CBM1").expect_err("no model");
    assert!(!error.is_unsupported() && error.to_string().starts_with("byte "));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/refused");
    let error = Model::load(folder.join("text_by_sense.cbm")).expect_err("not supported");
    assert!(error.is_unsupported(), "{error}");
}
