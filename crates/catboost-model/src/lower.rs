//! Lowering: raw mirror of a file → intermediate representation. All checks are here, for both formats.
//!
//! | step | checks |
//! | --- | --- |
//! | `features` | indices and flat indices are distinct; borders ascend; one-hot values are distinct |
//! | `ctrs` | every CTR has one table, with a count per key and class; keys are distinct |
//! | `texts` | dictionaries and calcers are consistent; ids are in the range of the dictionary |
//! | `embeddings` | matrices, points and links have the lengths that the calcer implies |
//! | `estimated` | every number is one that its calcer computes |
//! | `trees` | splits exist; every leaf has a finite value per dimension |
//!
//! Indices of a file become positions in the lists of the model. `raise` does the reverse.

mod ctrs;
mod embeddings;
mod estimated;
mod features;
mod raise;
mod texts;
mod trees;

use std::{collections::BTreeMap, mem};

use features::Features;
pub(crate) use raise::raise;

use crate::{
    Error,
    ir::{Ctr, CtrIdx, Estimated, EstimatedIdx, FloatIdx, Model, OneHotIdx, Split},
    json,
    limits::{MAX_BORDERS, MAX_DIMENSION, MAX_EMPTY_DIMENSION},
    raw::{RawModel, RawNode, RawTrees},
};

/// Checks a model and resolves its indices. `read_parts` adds CTR tables, texts and embeddings, which can be
/// long: it is called when the rest, which is a file's head, holds nothing that is too large.
///
/// # Errors
/// If the model is inconsistent or unsupported, by the first fault found; or the error of `read_parts`.
pub(crate) fn lower(
    mut raw: RawModel,
    read_parts: impl FnOnce(&mut RawModel) -> Result<(), Error>,
) -> Result<Model, Error> {
    let dimension = dimension(&raw)?;
    let mut bias = mem::take(&mut raw.bias);
    if bias.is_empty() {
        bias = vec![0.0; dimension];
    }
    // If all biases are 0, none is added, whatever their signs: the same as a file without biases.
    if bias.iter().all(|&bias| bias == 0.0) {
        bias.fill(0.0);
    }
    if bias.len() != dimension {
        return Err(Error::model(format!(
            "the model has {} biases for {dimension} dimensions",
            bias.len()
        )));
    }
    if !raw.scale.is_finite() || !bias.iter().all(|bias| bias.is_finite()) {
        return Err(Error::model("the model's scale or bias is not finite"));
    }

    let mut features = Features::lower(
        mem::take(&mut raw.floats),
        mem::take(&mut raw.cats),
        mem::take(&mut raw.texts),
        mem::take(&mut raw.embeddings),
    )?;
    let one_hots = features.one_hots(mem::take(&mut raw.one_hots))?;
    ctrs::check_borders(&raw.ctrs)?;
    trees::check_depths(&raw.trees)?;

    read_parts(&mut raw)?;
    let has_estimated = !raw.estimated.is_empty();
    let (ctrs, ctr_tables) = ctrs::lower(
        raw.ctrs,
        raw.ctr_tables,
        &mut features,
        &one_hots,
        has_estimated,
    )?;
    let (text, sources) = texts::lower(raw.text, &features)?;
    let embedding_calcers = embeddings::lower(raw.embedding_calcers, &mut features)?;
    let estimated = estimated::lower(
        raw.estimated,
        &text,
        &sources,
        &embedding_calcers,
        &mut features,
    )?;

    let mut model = Model {
        info: canonical(raw.info),
        dimension,
        scale: raw.scale,
        bias,
        float_features: features.floats,
        cat_features: features.cats,
        text_features: features.texts,
        embedding_features: features.embeddings,
        one_hots,
        ctrs,
        ctr_tables,
        text,
        embedding_calcers,
        estimated,
        splits: Vec::new(),
        trees: crate::ir::Trees::Oblivious(Vec::new()),
    };
    model.splits = splits(&model);
    model.trees = trees::lower(raw.trees, dimension, model.splits.len())?;
    Ok(model)
}

/// Canonicalizes the metadata, so that both file formats give the same texts.
fn canonical(info: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let entry = |(name, text): (String, String)| {
        let text = json::canonical(&name, text);
        (name, text)
    };
    info.into_iter().map(entry).collect()
}

/// Returns the number of raw values per row: from 1 to 65,536, or to 1,024 if the file has fewer leaf values
/// and biases, since a few bytes could otherwise ask for much memory.
fn dimension(raw: &RawModel) -> Result<usize, Error> {
    if raw.dimension > MAX_DIMENSION {
        return Err(Error::unsupported(format!(
            "{} raw values a row; at most {MAX_DIMENSION} are",
            raw.dimension
        )));
    }
    let many = match &raw.trees {
        RawTrees::Oblivious(trees) => trees.first().map_or(0, |tree| tree.values.len()),
        RawTrees::NonSymmetric(trees) => trees.first().map_or(0, RawNode::dimension),
    };
    let many = many.max(raw.bias.len()) as i64;
    if raw.dimension > many.max(MAX_EMPTY_DIMENSION) {
        return Err(Error::unsupported(format!(
            "{} raw values a row in a file without so many; at most {MAX_EMPTY_DIMENSION} are",
            raw.dimension
        )));
    }
    usize::try_from(raw.dimension)
        .ok()
        .filter(|&dimension| dimension > 0)
        .ok_or_else(|| Error::model(format!("the model's dimension is {}", raw.dimension)))
}

/// Returns all binary features in CatBoost's order.
fn splits(model: &Model) -> Vec<Split> {
    let floats = model.float_features.iter().map(|float| float.borders.len());
    let estimated = model.estimated.iter().map(|number| number.borders.len());
    let one_hots = model.one_hots.iter().map(|one_hot| one_hot.values.len());
    let ctrs = model.ctrs.iter().map(|ctr| ctr.borders.len());
    let count = floats.chain(estimated).chain(one_hots).chain(ctrs).sum();
    let mut splits = Vec::with_capacity(count);
    for (index, feature) in (0..).map(FloatIdx).zip(&model.float_features) {
        splits.extend(
            (0..feature.borders.len() as u32).map(|border| Split::Float {
                feature: index,
                border,
            }),
        );
    }
    for (index, Estimated { borders, .. }) in (0..).map(EstimatedIdx).zip(&model.estimated) {
        splits.extend((0..borders.len() as u32).map(|border| Split::Estimated {
            feature: index,
            border,
        }));
    }
    for (index, feature) in (0..).map(OneHotIdx).zip(&model.one_hots) {
        splits.extend((0..feature.values.len() as u32).map(|value| Split::OneHot {
            feature: index,
            value,
        }));
    }
    for (index, Ctr { borders, .. }) in (0..).map(CtrIdx).zip(&model.ctrs) {
        splits.extend((0..borders.len() as u32).map(|border| Split::Ctr {
            feature: index,
            border,
        }));
    }
    splits
}

/// Checks that borders ascend, since a feature's bin is the number of borders below its value.
fn check_borders(borders: &[f32], of: impl Fn() -> String) -> Result<(), Error> {
    if borders.len() > MAX_BORDERS {
        let (count, of) = (borders.len(), of());
        return Err(Error::unsupported(format!(
            "{count} borders of {of}; at most {MAX_BORDERS} are, as in CatBoost"
        )));
    }
    if borders.iter().any(|border| border.is_nan()) || !borders.is_sorted() {
        return Err(Error::model(format!(
            "the borders of {} do not ascend",
            of()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::{RawFeature, RawOneHot};

    fn whole(raw: RawModel) -> Result<Model, Error> {
        lower(raw, |_| Ok(()))
    }

    /// A few bytes could otherwise ask for much memory.
    #[test]
    fn values_that_the_file_does_not_have_are_few() {
        let empty = |dimension| RawModel {
            dimension,
            scale: 1.0,
            ..RawModel::default()
        };
        let model = whole(empty(1_024)).expect("0 for each");
        assert_eq!(model.bias, [0.0; 1_024]);
        let error = whole(empty(1_025)).expect_err("too many");
        assert_eq!(
            error.to_string(),
            "not supported: 1025 raw values a row in a file without so many; at most 1024 are"
        );
        let with_biases = RawModel {
            bias: vec![-0.0; 1_025],
            ..empty(1_025)
        };
        let model = whole(with_biases).expect("the file has them");
        assert!(model.bias.iter().all(|bias| bias.to_bits() == 0));
    }

    #[test]
    fn one_hot_values_come_in_the_order_of_their_features() {
        let feature = |index| RawFeature {
            index,
            flat_index: index,
            name: String::new(),
        };
        let model = |cats: [i64; 2]| RawModel {
            dimension: 1,
            scale: 1.0,
            cats: vec![feature(0), feature(1)],
            one_hots: cats
                .map(|cat| RawOneHot {
                    cat,
                    values: vec![7],
                    strings: Vec::new(),
                })
                .to_vec(),
            ..RawModel::default()
        };
        whole(model([0, 1])).expect("this is how CatBoost has them");
        let error = whole(model([1, 0])).expect_err("JSON could not say so");
        assert_eq!(
            error.to_string(),
            "not supported: one-hot values that are not in the order of the categorical features"
        );
        let error = whole(model([1, 1])).expect_err("there is one list a feature");
        assert_eq!(
            error.to_string(),
            "categorical feature 1 `` has two lists of one-hot values"
        );
    }
}
