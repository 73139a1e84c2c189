//! Model card: a summary of a model in a few lines of JSON.
//!
//! | key | value |
//! | --- | --- |
//! | `file`, `sha256` | the [`Origin`] |
//! | `trees`, `tree_kind` | number of trees; `oblivious` or `non-symmetric` |
//! | `depth` | levels of the deepest tree; null for non-symmetric trees |
//! | `leaves` | leaves of all trees |
//! | `dimension`, `splits` | raw values per row; binary features of the model |
//! | `features` | per column: `flat_index`, `name`, `used` and `kind`, such as `float` |
//! | `catboost_version`, `trained` | from the metadata; null if it does not say |
//! | `generator` | name and version of this crate |

use catboost_model::ir::{Model, Trees};
use serde_json::{Value, json};

use crate::{
    Origin,
    names::{Kind, fields},
};

/// Returns the model card, on one line. It becomes the constant `CARD`.
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
        "catboost_version": model.info.get("catboost_version_info").map(|info| catboost_version(info)),
        "trained": model.info.get("train_finish_time"),
        "generator": concat!("catboost-codegen ", env!("CARGO_PKG_VERSION")),
    })
    .to_string()
}

/// Version of the CatBoost that trained the model, from the model's `catboost_version_info`: the version of a release, else its commit.
fn catboost_version(info: &str) -> String {
    let line = |prefix| {
        info.lines()
            .find_map(|line| line.trim().strip_prefix(prefix))
    };
    let commit = || line("Commit: ").map(|commit| format!("commit {commit}"));
    let first = || info.lines().next().unwrap_or_default().to_owned();
    let release = line("Branch: tags/v").map(str::to_owned);
    release.or_else(commit).unwrap_or_else(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_their_version_and_other_builds_their_commit() {
        let release = "Git info:\n    Commit: b1bd\n    Branch: tags/v1.2.10\n    Author: a\n";
        assert_eq!(catboost_version(release), "1.2.10");
        let master = "Git info:\n    Commit: 68fe\n    Branch: heads/master\n";
        assert_eq!(catboost_version(master), "commit 68fe");
        assert_eq!(catboost_version("Svn info:\n    URL: arc"), "Svn info:");
    }
}
