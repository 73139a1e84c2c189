//! Predicts whether CatBoost reads our JSON as the same model.
//!
//! Its reader expects only what its own writer produces. `fixtures/models/readback.py` asks it about every model of the
//! zoo, and a test compares the predictions with its answers.

use std::collections::HashMap;

use catboost_model::ir::{CtrValues, Model, Trees};

/// Reason, as a sentence, why CatBoost does not read the model's JSON as this model; `None` if it does.
pub(crate) fn obstacle(model: &Model) -> Option<String> {
    silently_other(model)
        .map(|why| format!("CatBoost reads another model from this JSON, without a word: {why}"))
        .or_else(|| cannot_read(model).map(|why| format!("CatBoost cannot use this JSON: {why}")))
}

/// The reader (`catboost/libs/model/json_model_helpers.cpp`) ignores what it does not know.
fn silently_other(model: &Model) -> Option<&'static str> {
    let mut names = HashMap::new();
    for table in &model.ctr_tables {
        let first = names
            .entry((table.ctr_type, &table.projection))
            .or_insert(table);
        if *first == table {
            continue;
        }
        return Some(
            "it names the tables of counts of its CTRs as if there were one target with one binarization, and keeps one table of each name",
        );
    }
    let fractional = |values: &CtrValues| match values {
        CtrValues::Means(means) => means.iter().any(|(sum, _)| sum.fract() != 0.0),
        _ => false,
    };
    if model
        .ctr_tables
        .iter()
        .any(|table| fractional(&table.values))
    {
        return Some("it reads sums of target values that are not whole numbers as 0");
    }
    None
}

fn cannot_read(model: &Model) -> Option<&'static str> {
    if !model.estimated.is_empty() {
        return Some("it has no place for texts and embeddings there");
    }
    let floats = model.float_features.iter().map(|float| &float.borders);
    let mut borders = floats.chain(model.ctrs.iter().map(|ctr| &ctr.borders));
    if borders.any(|borders| borders.iter().any(|border| !border.is_finite())) {
        return Some("a border is infinite, for which JSON has no number");
    }
    let trees = match &model.trees {
        Trees::Oblivious(trees) => trees.len(),
        Trees::NonSymmetric(trees) => trees.len(),
    };
    (trees == 0).then_some("it predicts with no model that has no trees, if it comes from JSON")
}
