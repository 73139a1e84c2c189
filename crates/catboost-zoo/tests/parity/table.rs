//! The table in `fixtures/models/README.md`: coverage of the zoo's models, and the number of differences.

use std::{collections::BTreeSet, env, fs, path::Path};

use catboost_model::{
    ir::{EmbeddingCalcerKind, EstimatedSource, Model, NanTreatment, TextCalcerKind, Trees},
    output::Output,
};

/// Line that precedes the table.
const BEGIN: &str = "<!-- The table is written by `BLESS=1 cargo test -p catboost-zoo`. -->\n";

/// Result of the comparison for a model.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) covers: String,
    pub(crate) cases: usize,
    pub(crate) differences: usize,
}

/// Compares the file in `folder` with the lines; rewrites it if `BLESS` is set.
pub(crate) fn check(folder: &Path, lines: &[Line]) {
    let path = folder.join("README.md");
    let old = fs::read_to_string(&path).expect("fixtures/models has a README.md");
    let (intro, _) = old
        .split_once(BEGIN)
        .expect("it says where the table begins");
    let cases: usize = lines.iter().map(|line| line.cases).sum();
    let differences: usize = lines.iter().map(|line| line.differences).sum();
    let mut new = format!(
        "{intro}{BEGIN}\n{} models, {cases} cases, {differences} differences.\n\n| model | what it covers | cases | differences |\n| --- | --- | --: | --: |\n",
        lines.len()
    );
    for Line {
        name,
        covers,
        cases,
        differences,
    } in lines
    {
        new.push_str(&format!(
            "| `{name}` | {covers} | {cases} | {differences} |\n"
        ));
    }
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &new).expect("the README can be written");
    } else {
        assert!(
            new == old,
            "fixtures/models/README.md is not up to date: BLESS=1 writes its table anew"
        );
    }
}

/// Summarizes the contents of a model.
pub(crate) fn covers(model: &Model) -> String {
    let mut parts = Vec::new();
    let loss = Output::of(model)
        .map(|output| output.loss)
        .unwrap_or_default();
    parts.extend((!loss.is_empty()).then_some(loss));
    if model.dimension > 1 {
        parts.push(format!("{} raw values", model.dimension));
    }
    parts.push(match &model.trees {
        Trees::Oblivious(trees) => {
            let depth = trees.iter().map(|tree| tree.splits.len()).max();
            format!(
                "{} oblivious trees of depth {}",
                trees.len(),
                depth.unwrap_or(0)
            )
        }
        Trees::NonSymmetric(trees) => {
            let leaves = trees.iter().map(|tree| tree.nodes.len() + 1).max();
            format!(
                "{} non-symmetric trees of {} leaves",
                trees.len(),
                leaves.unwrap_or(0)
            )
        }
    });
    parts.extend(features(model));
    if model.scale != 1.0 || model.bias.iter().any(|&bias| bias != 0.0) {
        parts.push("scale or bias".to_owned());
    }
    parts.join("; ")
}

fn features(model: &Model) -> Vec<String> {
    let mut parts = Vec::new();
    let mut count = |count: usize, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    let nan = model.float_features.iter().filter(|float| float.has_nans);
    count(model.float_features.len(), "numeric");
    count(
        nan.clone()
            .filter(|float| float.nan == NanTreatment::AsFalse)
            .count(),
        "with NaN below all",
    );
    count(
        nan.filter(|float| float.nan == NanTreatment::AsTrue)
            .count(),
        "with NaN above all",
    );
    count(model.cat_features.len(), "categorical");
    count(
        model
            .one_hots
            .iter()
            .map(|one_hot| one_hot.values.len())
            .sum(),
        "one-hot values",
    );
    count(model.text_features.len(), "text");
    count(model.embedding_features.len(), "embedding");
    let mut list = |what: &str, of: BTreeSet<String>| {
        if !of.is_empty() {
            parts.push(format!(
                "{what}: {}",
                of.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
    };
    let ctr = |table: &catboost_model::ir::CtrTable| {
        let parts = &table.projection;
        let combined = parts.cats.len() + parts.floats.len() + parts.one_hots.len() > 1;
        format!(
            "{:?}{}",
            table.ctr_type,
            if combined { " of combinations" } else { "" }
        )
    };
    list("CTRs", model.ctr_tables.iter().map(ctr).collect());
    list("combinations of", combinations(model).into_iter().collect());
    let (mut texts, mut embeddings) = (BTreeSet::new(), BTreeSet::new());
    for estimated in &model.estimated {
        match estimated.source {
            EstimatedSource::Text { calcer, .. } => texts.insert(
                match model.text.calcers[calcer.at()].kind {
                    TextCalcerKind::BagOfWords { .. } => "bag of words",
                    TextCalcerKind::NaiveBayes { .. } => "naive Bayes",
                    TextCalcerKind::Bm25 { .. } => "BM25",
                }
                .to_owned(),
            ),
            EstimatedSource::Embedding { calcer } => embeddings.insert(
                match model.embedding_calcers[calcer.at()].kind {
                    EmbeddingCalcerKind::Lda { .. } => "LDA",
                    EmbeddingCalcerKind::Knn(_) => "KNN",
                }
                .to_owned(),
            ),
        };
    }
    list("texts", texts);
    list("embeddings", embeddings);
    parts
}

/// Summarizes the combinations that CTRs count by, if there are any.
fn combinations(model: &Model) -> Option<String> {
    let projections = model.ctr_tables.iter().map(|table| &table.projection);
    let combined: Vec<_> = projections
        .filter(|parts| parts.cats.len() + parts.floats.len() + parts.one_hots.len() > 1)
        .collect();
    let categories = combined.iter().map(|parts| parts.cats.len()).max()?;
    let mut what = format!("{categories} categories at most");
    for (found, name) in [
        (
            combined.iter().any(|parts| !parts.floats.is_empty()),
            "borders",
        ),
        (
            combined.iter().any(|parts| !parts.one_hots.is_empty()),
            "one-hot values",
        ),
    ] {
        if found {
            what.push_str(&format!(", {name}"));
        }
    }
    Some(what)
}
