//! `explain`: SHAP values for the rows of a file.

use std::path::Path;

use catboost_model::{
    eval::Row,
    explain::{Explainer, importance},
    ir::{Feature, Model},
};

use crate::print::{Cell, Format, each_row, quoted};

/// Prints base and contributions of each row: an object, or an array of objects if the model has several raw values.
pub(crate) fn explain(
    model: &Model,
    path: &Path,
    rows: &Path,
    top: Option<usize>,
    csv: bool,
) -> Result<(), String> {
    let plain = Explainer::new(model)
        .map_err(|error| format!("{}: cannot be explained: {error}", path.display()))?;
    // It explains all but trees of a great depth, and models of very many columns.
    let engine = catboost_apply::Explainer::new(model, false).ok();
    let features = features(model);
    let several = plain.base().len() > 1;
    let answer = |row: &Row| -> Vec<Vec<Cell>> {
        let all = match &engine {
            Some(engine) => {
                let mut all = vec![0.0; engine.len()];
                let explained = engine.explain(row, &mut all);
                explained.expect("rows are read as the model's");
                all
            }
            None => plain.explain(row).values.concat(),
        };
        let lists = all.chunks(model.flat_features().max(1));
        let lists = (0..).zip(plain.base()).zip(lists);
        lists
            .map(|((nth, &base), values)| {
                let mut cells = vec![Cell::Index(nth), Cell::Number(base)];
                cells.extend(
                    features
                        .iter()
                        .map(|(index, _)| Cell::Number(values[*index])),
                );
                if csv && !several {
                    cells.remove(0);
                }
                cells
            })
            .collect()
    };
    let object = |cells: &Vec<Cell>| {
        let mut values: Vec<(&String, &Cell)> = features
            .iter()
            .map(|(_, key)| key)
            .zip(&cells[2..])
            .collect();
        if let Some(top) = top {
            values.sort_by(|(_, a), (_, b)| size(b).total_cmp(&size(a)));
            values.truncate(top);
        }
        let values: Vec<String> = values
            .into_iter()
            .map(|(key, value)| format!("{}:{}", quoted(key), value.json()))
            .collect();
        format!(
            "{{\"base\":{},\"values\":{{{}}}}}",
            cells[1].json(),
            values.join(",")
        )
    };
    let json = |records: &[Vec<Cell>]| {
        let objects: Vec<String> = records.iter().map(object).collect();
        if several {
            format!("[{}]", objects.join(","))
        } else {
            objects.concat()
        }
    };
    let format = if csv {
        let dimension = several.then(|| "dimension".to_owned());
        let columns = dimension.into_iter().chain(["base".to_owned()]);
        Format::Csv(
            columns
                .chain(features.iter().map(|(_, key)| key.clone()))
                .collect(),
        )
    } else {
        Format::Json(&json)
    };
    each_row(model, rows, &format, answer)
}

fn size(cell: &Cell) -> f64 {
    match cell {
        Cell::Number(value) => value.abs(),
        Cell::Index(_) | Cell::Text(_) => 0.0,
    }
}

/// Returns the features by importance, the greatest first: a line each, percent and name.
pub(crate) fn importances(model: &Model) -> Result<String, String> {
    let importance = importance(model).map_err(|error| error.to_string())?;
    let mut features = features(model);
    features.sort_by(|(a, _), (b, _)| importance[*b].total_cmp(&importance[*a]));
    let lines = features
        .iter()
        .map(|(index, key)| format!("{:>10.4} {}\n", importance[*index], key.escape_debug()));
    Ok(lines.collect())
}

/// Flat index and key of each feature, by flat index. The key identifies the feature in a row: its name, or its index
/// if it has none or shares it.
fn features(model: &Model) -> Vec<(usize, String)> {
    let floats = model.float_features.iter().map(|float| &float.feature);
    let embeddings = model.embedding_features.iter();
    let embeddings = embeddings.map(|embedding| &embedding.feature);
    let all = floats
        .chain(&model.cat_features)
        .chain(&model.text_features);
    let mut all: Vec<&Feature> = all.chain(embeddings).collect();
    all.sort_by_key(|feature| feature.flat_index);
    let key = |feature: &&Feature| {
        let index = feature.flat_index as usize;
        let shared = all
            .iter()
            .filter(|other| other.name == feature.name)
            .count()
            > 1;
        if feature.name.is_empty() || shared {
            return (index, index.to_string());
        }
        (index, feature.name.clone())
    };
    all.iter().map(key).collect()
}
