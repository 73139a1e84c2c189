//! What a model is, in a few lines of JSON.

use catboost_model::ir::{Model, Trees};
use serde_json::{Value, json};

use crate::{
    Origin,
    names::{Kind, fields},
};

/// The model card.
pub(crate) fn card(model: &Model, origin: &Origin) -> String {
    let (kind, trees, depth, leaves) = match &model.trees {
        Trees::Oblivious(trees) => {
            let depth = trees.iter().map(|tree| tree.splits.len()).max();
            (
                "oblivious",
                trees.len(),
                depth,
                trees.iter().map(|tree| tree.values.len()).sum::<usize>(),
            )
        }
        Trees::NonSymmetric(trees) => (
            "non-symmetric",
            trees.len(),
            None,
            trees.iter().map(|tree| tree.values.len()).sum(),
        ),
    };
    let features = fields(model).into_iter().map(|field| {
        let kind = match field.kind {
            Kind::Float => "float",
            kind => kind.name(),
        };
        json!({"flat_index": field.flat_index, "name": field.name, "kind": kind, "used": field.used})
    });
    json!({
        "file": origin.name,
        "sha256": origin.sha256,
        "trees": trees,
        "tree_kind": kind,
        "depth": depth,
        "leaves": leaves / model.dimension.max(1),
        "dimension": model.dimension,
        "splits": model.splits.len(),
        "features": features.collect::<Vec<Value>>(),
        "catboost_version": catboost_version(model),
        "trained": model.info.get("train_finish_time"),
        "generator": concat!("catboost-codegen ", env!("CARGO_PKG_VERSION")),
    })
    .to_string()
}

/// What the file says of the CatBoost that trained it: the first line that names a version or a commit.
fn catboost_version(model: &Model) -> Option<String> {
    let info = model.info.get("catboost_version_info")?;
    let line = info
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("Commit:") || line.starts_with("Branch:"));
    Some(
        line.unwrap_or_else(|| info.lines().next().unwrap_or_default())
            .to_owned(),
    )
}
