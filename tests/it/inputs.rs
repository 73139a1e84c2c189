//! Messages of the build about a model with other features than the derived ones, or with an output other than the
//! probabilities of two classes.

#[path = "../../build/inputs.rs"]
#[expect(
    clippy::module_inception,
    reason = "it is the build's file of this name"
)]
mod inputs;
#[path = "../../build/output.rs"]
mod output;
#[path = "../../build/parsed.rs"]
mod parsed;

use catboost_model::ir::{Feature, Model};

use self::parsed::{mismatch, unfit};

fn model() -> Model {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/model/model.json");
    catboost_model::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn feature(name: &str) -> Feature {
    Feature {
        flat_index: 41,
        name: name.to_owned(),
        used: true,
    }
}

/// Returns the sentence without its remedy.
fn fault(model: &Model) -> String {
    let sentence = mismatch(model).unwrap();
    let (fault, remedy) = sentence.split_once("; ").unwrap();
    assert!(remedy.contains("docs/new-model.md"), "{remedy}");
    let (_, fault) = fault.split_once(": ").unwrap();
    fault.to_owned()
}

#[test]
fn a_model_with_the_features_that_are_derived_fits() {
    assert_eq!(mismatch(&model()), None);
}

#[test]
fn features_that_a_model_lacks_are_named() {
    let mut textless = model();
    textless.text_features.clear();
    assert_eq!(
        fault(&textless),
        "it lacks text `afts_regno_ai_text`, text `regno_recognize_text`"
    );
    textless.float_features.clear();
    let all = fault(&textless);
    assert!(
        all.starts_with("it lacks numeric `afts_regno_ai_score`, ")
            && all.ends_with(" and 25 more"),
        "{all}"
    );
}

#[test]
fn features_that_nothing_derives_are_named() {
    let mut more = model();
    more.cat_features.push(feature("region"));
    more.text_features.push(feature(""));
    assert_eq!(
        fault(&more),
        "nothing derives its categorical `region`, text `column 41`"
    );
}

#[test]
fn a_feature_of_another_kind_is_another_feature() {
    let mut other = model();
    let hour = other
        .float_features
        .iter()
        .position(|float| float.feature.name == "hour");
    other.float_features.remove(hour.unwrap());
    other.cat_features.push(feature("hour"));
    assert_eq!(
        fault(&other),
        "it lacks numeric `hour`, and nothing derives its categorical `hour`"
    );
}

/// Returns the repository's model with another loss, no classes of its own, and `dimension` raw values per row.
fn of_loss(loss: &str, dimension: usize) -> Model {
    let mut model = model();
    for key in ["params", "class_params"] {
        model.info.remove(key);
    }
    model.info.insert("loss_function".to_owned(), loss.into());
    model.dimension = dimension;
    model
}

#[test]
fn a_model_of_two_classes_fits() {
    assert_eq!(unfit(&model()), None);
    assert_eq!(unfit(&of_loss(r#"{"type": "CrossEntropy"}"#, 1)), None);
}

#[test]
fn a_model_without_two_classes_is_told_what_it_gives() {
    let fault = |loss, dimension| {
        let sentence = unfit(&of_loss(loss, dimension)).unwrap();
        let (fault, remedy) = sentence.split_once("; ").unwrap();
        assert!(remedy.contains("CatBoostClassifier"), "{remedy}");
        fault.split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(
        fault(r#"{"type": "RMSE"}"#, 1),
        "it has 1 raw value(s) a row and 0 class(es) of the loss RMSE"
    );
    assert_eq!(
        fault(r#"{"type": "MultiClass"}"#, 3),
        "it has 3 raw value(s) a row and 3 class(es) of the loss MultiClass"
    );
}

#[test]
fn a_model_whose_description_cannot_be_read_is_told_so() {
    assert_eq!(
        unfit(&of_loss(r#"{"type": 5}"#, 1)).unwrap(),
        "model info, `loss_function`: `type` is no loss that CatBoost knows"
    );
}
