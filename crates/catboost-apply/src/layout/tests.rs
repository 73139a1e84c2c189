//! Layouts with little memory.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use catboost_model::eval;
use catboost_runtime::{
    compiled::{self, Scratch, Trees},
    hash::cat_hash,
};

use super::*;

/// Folder of the zoo; `ZOO` names another one.
fn folder() -> PathBuf {
    env::var_os("ZOO").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models"),
        PathBuf::from,
    )
}

fn model(name: &str) -> Model {
    catboost_model::load(&folder().join(name)).expect("a model")
}

#[test]
fn tables_that_are_needed_and_do_not_fit_are_refused_by_name() {
    for (name, expected) in [
        ("ctr_simple.cbm", "the keys of the bins of "),
        ("text_bow.cbm", "dictionary "),
        ("text_naivebayes.cbm", "dictionary "),
    ] {
        let error = lay_out_in(&model(name), Room::new(64)).err();
        let error = error.expect(name).to_string();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
    let error = lay_out_in(&model("text_naivebayes.cbm"), Room::new(4_000)).err();
    let error = error.expect("the dictionaries alone fit").to_string();
    assert!(
        error.starts_with("a text calcer's 2 classes and "),
        "{error}"
    );
}

/// Without the tables that only save time, a row has the same raw values.
#[test]
fn what_saves_time_can_be_left_out() {
    let (mut letters, mut crosses, mut rows) = (0, 0, 0);
    for entry in fs::read_dir(folder()).expect("there is a folder of models") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_none_or(|extension| extension != "cbm") {
            continue;
        }
        let model = catboost_model::load(&path).expect("a model");
        let (all, few) = (
            lay_out(&model),
            lay_out_in(&model, Room::WITHOUT_SPARE).expect("needed tables fit"),
        );
        assert!(few.model.crosses.iter().all(|cross| cross.cells.is_empty()));
        assert!(few.model.texts.iter().all(|text| text.letters.is_none()));
        if let Trees::Rows { rows, .. } = &few.model.trees {
            assert!(rows.is_empty(), "{}", path.display());
        }
        letters += all
            .model
            .texts
            .iter()
            .filter(|text| text.letters.is_some())
            .count();
        crosses += all.model.crosses.len();
        rows += usize::from(matches!(all.model.trees, Trees::Rows { .. }));
        for (number, word) in [(0.0, "1"), (0.5, "a b"), (f32::NAN, ""), (1e9, "2 1")] {
            let embeddings = model.embedding_features.iter();
            let embeddings = embeddings.map(|feature| vec![0.5; feature.dimension]);
            let embeddings: Vec<Vec<f32>> = embeddings.collect();
            let row = eval::Row {
                floats: &vec![number; model.float_features.len()],
                cats: &vec![word; model.cat_features.len()],
                texts: &vec![word; model.text_features.len()],
                embeddings: &embeddings.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            };
            let expected = bits(&eval::raw(&model, &row));
            assert_eq!(bits(&raw(&all, &row)), expected, "{}", path.display());
            assert_eq!(bits(&raw(&few, &row)), expected, "{}", path.display());
        }
    }
    assert!(
        letters > 0 && crosses > 0 && rows > 0,
        "{letters}, {crosses}, {rows}"
    );
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn raw(layout: &Layout, row: &eval::Row) -> Vec<f64> {
    let floats = layout.floats.iter();
    let floats = floats.map(|index| index.map_or(0.0, |index| row.floats[index]));
    let cats = layout.cats.iter().map(|&index| cat_hash(row.cats[index]));
    let texts = layout.texts.iter().map(|&index| row.texts[index]);
    let embeddings = layout.embeddings.iter().map(|&index| row.embeddings[index]);
    let mut raw = vec![0.0; layout.model.shape.dimension];
    let row = compiled::Row {
        floats: &floats.collect::<Vec<_>>(),
        cats: &cats.collect::<Vec<_>>(),
        texts: &texts.collect::<Vec<_>>(),
        embeddings: &embeddings.collect::<Vec<_>>(),
    };
    layout
        .model
        .raw_observed(row, &mut Scratch::default(), &mut raw, &mut ());
    raw
}
