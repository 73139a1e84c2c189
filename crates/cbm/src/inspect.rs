//! `inspect`: describes the contents of a model.

use std::{collections::BTreeMap, fmt::Write};

use catboost_model::{
    Head,
    ir::{
        Child, Ctr, CtrTable, CtrValues, Dictionary, EmbeddingCalcerKind, EstimatedSource, Feature,
        Gram, KnnTargets, Model, NanTreatment, NonSymmetricTree, NumberPolicy, Projection, Split,
        SplitIdx, TextCalcerKind, Tokenizer, Trees,
    },
    output::{Label, Link, Output},
};

/// Returns the whole description.
pub(crate) fn describe(model: &Model) -> String {
    let mut out = String::new();
    summary(&mut out, model);
    features(&mut out, model);
    ctrs(&mut out, model);
    texts(&mut out, model);
    embeddings(&mut out, model);
    out
}

/// Writes a line. Writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{ let _ = writeln!($out, $($text)*); }};
}

/// Describes the head of a file whose model cannot be loaded.
pub(crate) fn describe_head(head: &Head) -> String {
    let mut out = String::new();
    if let Some(len) = head.len {
        line!(
            out,
            "file       {len} bytes, of which the head alone was read"
        );
    }
    line!(out, "raw values {} a row", head.dimension);
    let kind = if head.oblivious {
        "oblivious"
    } else {
        "non-symmetric"
    };
    line!(out, "trees      {} {kind}", head.trees);
    line!(
        out,
        "features   {} numeric, {} categorical, {} text, {} embedding",
        head.floats,
        head.cats,
        head.texts,
        head.embeddings
    );
    line!(out, "CTRs       {}", head.ctrs);
    let parts = head.parts.join(", ");
    line!(
        out,
        "parts      {}",
        parts.trim_end_matches('\0').escape_debug()
    );
    made(&mut out, &head.info);
    out
}

fn summary(out: &mut String, model: &Model) {
    match Output::of(model) {
        Ok(output) => {
            if !output.loss.is_empty() {
                line!(out, "loss       {}", output.loss);
            }
            if !output.classes.is_empty() {
                let classes: Vec<String> = output.classes.iter().map(label).collect();
                let link = match output.link {
                    Link::Sigmoid => "sigmoid",
                    Link::SigmoidEach => "sigmoid of each",
                    Link::Softmax => "softmax",
                };
                line!(
                    out,
                    "classes    {}; probabilities by {link}",
                    classes.join(", ")
                );
            }
        }
        Err(error) => line!(out, "output     cannot be determined: {error}"),
    }
    line!(
        out,
        "raw values {} a row; scale {:?}, bias {:?}",
        model.dimension,
        model.scale,
        model.bias
    );
    trees(out, model);
    made(out, &model.info);
}

/// Time and version of training, and the keys of metadata.
fn made(out: &mut String, info: &BTreeMap<String, String>) {
    if let Some(time) = info.get("train_finish_time") {
        line!(out, "trained    {}", time.escape_debug());
    }
    if let Some(version) = info.get("catboost_version_info") {
        let branch = version
            .lines()
            .find_map(|line| line.trim().strip_prefix("Branch: tags/v"));
        line!(
            out,
            "by         CatBoost {}",
            branch.unwrap_or("of an unknown version").escape_debug()
        );
    }
    let keys: Vec<&str> = info.keys().map(String::as_str).collect();
    line!(out, "info       {}", keys.join(", ").escape_debug());
}

fn label(label: &Label) -> String {
    match label {
        Label::Bool(value) => value.to_string(),
        Label::Int(value) => value.to_string(),
        Label::Float(value) => format!("{value:?}"),
        Label::Text(text) => format!("`{}`", text.escape_debug()),
    }
}

fn trees(out: &mut String, model: &Model) {
    let (kind, depths, leaves, asked): (_, Vec<usize>, usize, Vec<SplitIdx>) = match &model.trees {
        Trees::Oblivious(trees) => (
            "oblivious",
            trees.iter().map(|tree| tree.splits.len()).collect(),
            trees.iter().map(|tree| 1 << tree.splits.len()).sum(),
            trees
                .iter()
                .flat_map(|tree| tree.splits.iter().copied())
                .collect(),
        ),
        Trees::NonSymmetric(trees) => (
            "non-symmetric",
            trees.iter().map(depth).collect(),
            trees
                .iter()
                .map(|tree| tree.values.len() / model.dimension)
                .sum(),
            trees
                .iter()
                .flat_map(|tree| tree.nodes.iter().map(|node| node.split))
                .collect(),
        ),
    };
    let depth = match (depths.iter().min(), depths.iter().max()) {
        (Some(least), Some(greatest)) if least != greatest => {
            format!(", depth {least} to {greatest}")
        }
        (Some(depth), _) => format!(", depth {depth}"),
        (None, _) => String::new(),
    };
    line!(
        out,
        "trees      {} {kind}{depth}, {leaves} leaves",
        depths.len()
    );
    let mut known: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for split in &model.splits {
        known.entry(kind_of(split)).or_default()[0] += 1;
    }
    for split in asked {
        known.entry(kind_of(&model.splits[split.at()])).or_default()[1] += 1;
    }
    for (kind, [splits, asked]) in known {
        line!(
            out,
            "splits     {splits} of {kind}, asked for {asked} times"
        );
    }
}

/// Maximum number of splits on a path. Children follow their parents.
fn depth(tree: &NonSymmetricTree) -> usize {
    let mut depths = vec![0; tree.nodes.len()];
    let mut greatest = 0;
    for (place, node) in tree.nodes.iter().enumerate() {
        let below = depths[place] + 1;
        greatest = greatest.max(below);
        for child in [node.no, node.yes] {
            if let Child::Node(child) = child {
                depths[child as usize] = below;
            }
        }
    }
    greatest
}

fn kind_of(split: &Split) -> &'static str {
    match split {
        Split::Float { .. } => "numbers",
        Split::Estimated { .. } => "texts and embeddings",
        Split::OneHot { .. } => "one-hot values",
        Split::Ctr { .. } => "CTRs",
    }
}

fn features(out: &mut String, model: &Model) {
    let mut rows: Vec<(&Feature, String)> = Vec::new();
    let mut add = |feature, what| rows.push((feature, what));
    for float in &model.float_features {
        let nan = match float.nan {
            NanTreatment::AsIs => "",
            NanTreatment::AsFalse => ", NaN below all",
            NanTreatment::AsTrue => ", NaN above all",
        };
        add(
            &float.feature,
            format!("numeric, {} borders{nan}", float.borders.len()),
        );
    }
    for (index, cat) in model.cat_features.iter().enumerate() {
        let one_hot = model
            .one_hots
            .iter()
            .find(|one_hot| one_hot.cat.at() == index);
        let values = one_hot.map_or(String::new(), |one_hot| {
            format!(", {} one-hot values", one_hot.values.len())
        });
        add(cat, format!("categorical{values}"));
    }
    for text in &model.text_features {
        add(text, "text".to_owned());
    }
    for embedding in &model.embedding_features {
        let dimension = embedding.dimension;
        add(
            &embedding.feature,
            format!("embedding of {dimension} numbers"),
        );
    }
    line!(out, "\nfeatures   {}", rows.len());
    rows.sort_by_key(|(feature, _)| feature.flat_index);
    for (feature, what) in rows {
        let index = feature.flat_index;
        let unused = if feature.used { "" } else { ", not used" };
        line!(out, "  {index:>4}     {} {what}{unused}", name(feature));
    }
}

/// Name of a feature in quotes, or its index if it has none.
fn name(feature: &Feature) -> String {
    if feature.name.is_empty() {
        format!("#{}", feature.flat_index)
    } else {
        format!("`{}`", feature.name.escape_debug())
    }
}

fn ctrs(out: &mut String, model: &Model) {
    if model.ctrs.is_empty() {
        return;
    }
    let tables = model.ctr_tables.len();
    line!(
        out,
        "\nCTRs       {}, of {tables} tables of counts",
        model.ctrs.len()
    );
    for (index, table) in model.ctr_tables.iter().enumerate() {
        let counted = match &table.values {
            CtrValues::Classes { classes, .. } => format!("{classes} classes"),
            CtrValues::Means(_) => "sums and counts".to_owned(),
            CtrValues::Counts { denominator, .. } => format!("counts, against {denominator}"),
        };
        let CtrTable { ctr_type, keys, .. } = table;
        let by = projection(model, &table.projection);
        line!(
            out,
            "  {ctr_type:?} by {by}: {} keys, {counted}",
            keys.len()
        );
        for ctr in model.ctrs.iter().filter(|ctr| ctr.table.at() == index) {
            let Ctr {
                prior_num,
                prior_denom,
                borders,
                ..
            } = ctr;
            let target = match &table.values {
                CtrValues::Classes { .. } => format!("target border {}, ", ctr.target_border),
                CtrValues::Means(_) | CtrValues::Counts { .. } => String::new(),
            };
            line!(
                out,
                "           {target}prior {prior_num:?}/{prior_denom:?}: {} borders",
                borders.len()
            );
        }
    }
}

fn projection(model: &Model, projection: &Projection) -> String {
    let cats = projection
        .cats
        .iter()
        .map(|cat| name(&model.cat_features[cat.at()]));
    let floats = projection.floats.iter().map(|&(float, border)| {
        let float = &model.float_features[float.at()];
        format!(
            "{} > {:?}",
            name(&float.feature),
            float.borders[border as usize]
        )
    });
    let one_hots = projection.one_hots.iter().map(|&(one_hot, value)| {
        let one_hot = &model.one_hots[one_hot.at()];
        let text = one_hot
            .strings
            .get(value as usize)
            .map(|text| format!("`{}`", text.escape_debug()));
        let hash = || format!("hash {}", one_hot.values[value as usize]);
        format!(
            "{} = {}",
            name(&model.cat_features[one_hot.cat.at()]),
            text.unwrap_or_else(hash)
        )
    });
    cats.chain(floats)
        .chain(one_hots)
        .collect::<Vec<_>>()
        .join(" × ")
}

fn texts(out: &mut String, model: &Model) {
    if model.text.tokenized.is_empty() {
        return;
    }
    line!(out, "\ntexts");
    for (index, tokenized) in model.text.tokenized.iter().enumerate() {
        line!(
            out,
            "  {}: {}; {}",
            name(&model.text_features[tokenized.text.at()]),
            tokenizer(&model.text.tokenizers[tokenized.tokenizer.at()]),
            dictionary(&model.text.dictionaries[tokenized.dictionary.at()])
        );
        for (place, calcer) in model.text.calcers.iter().enumerate() {
            let known = model.estimated.iter().filter(|estimated| {
                matches!(estimated.source, EstimatedSource::Text { tokenized, calcer }
                    if tokenized.at() == index && calcer.at() == place)
            });
            let known = known.count();
            let formula = match &calcer.kind {
                TextCalcerKind::BagOfWords { tokens } => format!("bag of words, {tokens} tokens"),
                TextCalcerKind::NaiveBayes { classes, .. } => {
                    format!("naive Bayes, {} classes", classes.len())
                }
                TextCalcerKind::Bm25 { classes, .. } => format!("BM25, {} classes", classes.len()),
            };
            if known > 0 {
                line!(out, "           {formula}: {known} numbers");
            }
        }
    }
}

fn tokenizer(tokenizer: &Tokenizer) -> String {
    let delimiter = tokenizer.delimiter.escape_debug();
    let at = if tokenizer.split_by_set {
        "any byte of"
    } else {
        ""
    };
    let mut text = format!("split at {at} `{delimiter}`").replace("  ", " ");
    if tokenizer.lowercasing {
        text.push_str(", in lower case");
    }
    if !tokenizer.skip_empty {
        text.push_str(", empty tokens kept");
    }
    match &tokenizer.numbers {
        NumberPolicy::LeaveAsIs => {}
        NumberPolicy::Skip => text.push_str(", numbers dropped"),
        NumberPolicy::Replace(token) => {
            let _ = write!(text, ", numbers replaced by `{}`", token.escape_debug());
        }
    }
    text
}

fn dictionary(dictionary: &Dictionary) -> String {
    let unit = match dictionary.gram {
        Gram::Words { order: 1, .. } => "words".to_owned(),
        Gram::Words {
            order,
            skip_step: 0,
        } => format!("{order}-grams of words"),
        Gram::Words { order, skip_step } => {
            format!("{order}-grams of words, {skip_step} skipped in between")
        }
        Gram::Letters { order: 1, .. } => "letters".to_owned(),
        Gram::Letters { order, .. } => format!("{order}-grams of letters"),
    };
    format!("dictionary of {} {unit}", dictionary.size)
}

fn embeddings(out: &mut String, model: &Model) {
    if model.embedding_calcers.is_empty() {
        return;
    }
    line!(out, "\nembeddings");
    for (index, calcer) in model.embedding_calcers.iter().enumerate() {
        let known = model.estimated.iter().filter(|estimated| {
            matches!(estimated.source, EstimatedSource::Embedding { calcer } if calcer.at() == index)
        });
        let formula = match &calcer.kind {
            EmbeddingCalcerKind::Lda {
                projection_dimension,
                ..
            } => {
                format!("LDA, {projection_dimension} directions")
            }
            EmbeddingCalcerKind::Knn(knn) => {
                let of = match &knn.targets {
                    KnnTargets::Classes { classes, of } => {
                        format!("{} points of {classes} classes", of.len())
                    }
                    KnnTargets::Values(values) => {
                        format!("{} points with their targets", values.len())
                    }
                };
                format!("KNN, {} nearest of {of}", knn.neighbors)
            }
        };
        let feature = &model.embedding_features[calcer.embedding.at()].feature;
        line!(
            out,
            "  {}: {formula}: {} numbers",
            name(feature),
            known.count()
        );
    }
}
