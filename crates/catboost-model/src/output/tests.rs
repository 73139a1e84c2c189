use super::*;
use crate::ir::{Text, Trees};

fn model(dimension: usize, info: &[(&str, &str)]) -> Model {
    let info = info
        .iter()
        .map(|&(key, text)| (key.to_owned(), text.to_owned()));
    Model {
        info: info.collect(),
        dimension,
        scale: 1.0,
        bias: vec![0.0; dimension],
        float_features: Vec::new(),
        cat_features: Vec::new(),
        text_features: Vec::new(),
        embedding_features: Vec::new(),
        one_hots: Vec::new(),
        ctrs: Vec::new(),
        ctr_tables: Vec::new(),
        text: Text::default(),
        embedding_calcers: Vec::new(),
        estimated: Vec::new(),
        splits: Vec::new(),
        trees: Trees::Oblivious(Vec::new()),
    }
}

fn output(dimension: usize, info: &[(&str, &str)]) -> Output {
    Output::of(&model(dimension, info)).expect("a sound description")
}

const LOGLOSS: (&str, &str) = (
    "params",
    r#"{"loss_function":{"type":"Logloss","params":{}}}"#,
);
const MULTI_CLASS: (&str, &str) = ("params", r#"{"loss_function":{"type":"MultiClass"}}"#);

#[test]
fn two_classes_share_one_score() {
    let labels = r#"{"class_label_type":"String","class_names":["no","yes"],"class_to_label":[0,1],"classes_count":0}"#;
    let output = output(1, &[LOGLOSS, ("class_params", labels)]);
    assert_eq!(
        output.classes,
        [Label::Text("no".into()), Label::Text("yes".into())]
    );
    assert_eq!(
        (output.loss.as_str(), output.link, output.dimension),
        ("Logloss", Link::Sigmoid, 1)
    );
    assert_eq!(output.probability(&[0.0]), [0.5, 0.5]);
    assert_eq!(
        (output.class(&[0.0]), output.class(&[1e-300])),
        (vec![0], vec![1])
    );
}

#[test]
fn the_threshold_is_a_probability_in_the_file() {
    let output = output(1, &[LOGLOSS, ("binclass_probability_threshold", "0.3")]);
    assert_eq!(output.threshold, -ln(1.0 / 0.3 - 1.0));
    assert_eq!(
        (output.class(&[-0.9]), output.class(&[-0.8])),
        (vec![0], vec![1])
    );
}

#[test]
fn classes_that_the_training_data_lacked_have_no_chance() {
    let labels = r#"{"class_label_type":"String","class_names":["z","a","b"],"class_to_label":[1,2],"classes_count":0}"#;
    let output = output(2, &[MULTI_CLASS, ("class_params", labels)]);
    assert_eq!(output.places, [1, 2]);
    assert_eq!(output.raw(&[1.5, 2.5]), [f64::NEG_INFINITY, 1.5, 2.5]);
    assert_eq!(output.class(&[1.5, 2.5]), [2]);
    assert_eq!(output.probability(&[1.0, 1.0]), [0.0, 0.5, 0.5]);
}

#[test]
fn the_first_of_equal_classes_is_predicted() {
    let output = output(3, &[MULTI_CLASS]);
    assert_eq!(output.class(&[1.0, 2.0, 2.0]), [1]);
    assert_eq!(
        output.classes,
        [Label::Int(0), Label::Int(1), Label::Int(2)]
    );
}

#[test]
fn labels_are_predicted_each_on_its_own() {
    let params = r#"{"loss_function":{"type":"MultiLogloss"}}"#;
    let output = output(3, &[("params", params)]);
    assert_eq!(output.link, Link::SigmoidEach);
    assert_eq!(output.class(&[1.0, -1.0, 0.5]), [0, 2]);
    assert_eq!(output.class(&[-1.0, -1.0, 0.0]), [0; 0]);
    assert_eq!(output.probability(&[0.0, 0.0, 0.0]), [0.5; 3]);
}

#[test]
fn labels_keep_their_type() {
    let labels = |kind: &str, names: &str| {
        let text = format!(
            r#"{{"class_label_type":"{kind}","class_names":{names},"class_to_label":[0,1]}}"#
        );
        output(1, &[LOGLOSS, ("class_params", &text)]).classes
    };
    assert_eq!(labels("Integer", "[3,-4]"), [Label::Int(3), Label::Int(-4)]);
    assert_eq!(
        labels("Float", "[0,1.5]"),
        [Label::Float(0.0), Label::Float(1.5)]
    );
    assert_eq!(
        labels("Boolean", "[false,true]"),
        [Label::Bool(false), Label::Bool(true)]
    );
}

#[test]
fn labels_of_old_files() {
    let old = (
        "multiclass_params",
        r#"{"class_to_label":[2,5,7],"class_names":[],"classes_count":0}"#,
    );
    assert_eq!(
        output(3, &[MULTI_CLASS, old]).classes,
        [Label::Int(2), Label::Int(5), Label::Int(7)]
    );
    let older = (
        "params",
        r#"{"loss_function":{"type":"Logloss"},"data_processing_options":{"class_names":["a","b"]}}"#,
    );
    assert_eq!(
        output(1, &[older]).classes,
        [Label::Text("a".into()), Label::Text("b".into())]
    );
    let counted = (
        "class_params",
        r#"{"class_to_label":[0,2],"class_names":[],"classes_count":4}"#,
    );
    let counted = output(2, &[MULTI_CLASS, counted]);
    assert_eq!((counted.dimension, counted.classes.len()), (4, 4));
}

#[test]
fn a_regression_has_no_classes() {
    let output = output(1, &[("loss_function", r#"{"type":"Poisson"}"#)]);
    assert!(output.classes.is_empty());
    assert_eq!(output.loss, "Poisson");
    assert_eq!(output.exponent(&[0.0]), 1.0);
    assert_eq!(output.mean_and_variance(&[0.0]), None);
}

#[test]
fn uncertainty_is_a_mean_and_a_variance() {
    let output = output(2, &[("loss_function", r#"{"type":"RMSEWithUncertainty"}"#)]);
    assert_eq!(output.mean_and_variance(&[7.0, 0.0]), Some((7.0, 1.0)));
}

#[test]
fn says_what_is_wrong() {
    let error = |dimension, info: &[(&str, &str)]| match Output::of(&model(dimension, info)) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(error(1, &[("params", "{")]), "");
    assert_eq!(
        error(1, &[("loss_function", r#"{"type":"Rmse"}"#)]),
        "model info, `loss_function`: `type` is no loss that CatBoost knows"
    );
    let short = (
        "class_params",
        r#"{"class_names":["a","b","c"],"class_to_label":[0]}"#,
    );
    assert_eq!(
        error(2, &[MULTI_CLASS, short]),
        "model info, `class_params`: `class_to_label` names 1 classes, expected 2, one a raw score"
    );
    let beyond = (
        "class_params",
        r#"{"class_names":["a","b"],"class_to_label":[0,2]}"#,
    );
    assert_eq!(
        error(2, &[MULTI_CLASS, beyond]),
        "model info, `class_params`: there is no class number 2"
    );
}

#[test]
fn more_classes_than_a_row_can_have_scores_are_refused() {
    let labels = vec!["0"; 65_537].join(",");
    let params = [
        r#"{"class_names":[],"class_to_label":[0,1],"classes_count":1000000000}"#.to_owned(),
        format!(r#"{{"class_names":[],"class_to_label":[{labels}],"classes_count":0}}"#),
    ];
    for (params, count) in params.iter().zip(["1000000000", "65537"]) {
        for dimension in [1, 2] {
            let model = model(dimension, &[MULTI_CLASS, ("class_params", params)]);
            let error = Output::of(&model).expect_err("it would take all memory");
            assert_eq!(
                error.to_string(),
                format!("model info, `class_params`: {count} classes; at most 65536 are supported")
            );
        }
    }
}
