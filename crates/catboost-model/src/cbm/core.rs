//! `TModelCore`: trees and features (CatBoost's `model.fbs`, `features.fbs`).
//!
//! | list of `TModelTrees` | becomes |
//! | --- | --- |
//! | `FloatFeatures`, `CatFeatures`, `TextFeatures`, `EmbeddingFeatures` | inputs of the model |
//! | `OneHotFeatures`, `CtrFeatures`, `EstimatedFeatures` | numbers and values that splits test |
//! | `TreeSizes`, `TreeSplits` | splits, tree by tree |
//! | `LeafValues`, `LeafWeights` | leaves, tree by tree |
//! | `NonSymmetricStepNodes`, `NonSymmetricNodeIdToLeafId` | shape of non-symmetric trees, else empty |
//!
//! `RepackedBins` repeats the splits in a form that CatBoost evaluates faster. It is not read.

use super::flat::{Scalar, Table};
use super::{ctr, text::Guid};
use crate::{
    Error,
    ir::NanTreatment,
    limits::MAX_NON_SYMMETRIC_DEPTH,
    raw::{
        RawCalcer, RawCtr, RawEmbedding, RawEstimated, RawFeature, RawFloat, RawModel, RawNode,
        RawObliviousTree, RawOneHot, RawTrees,
    },
};

/// Fields of `TModelCore`, by their position in `model.fbs`.
mod model_core {
    pub(super) const FORMAT_VERSION: usize = 0;
    pub(super) const MODEL_TREES: usize = 1;
    pub(super) const INFO_MAP: usize = 2;
    pub(super) const MODEL_PART_IDS: usize = 3;
}

/// Fields of `TModelTrees`, by their position in `model.fbs`. Number 17 is `RepackedBins`.
mod trees {
    pub(super) const APPROX_DIMENSION: usize = 0;
    pub(super) const TREE_SPLITS: usize = 1;
    pub(super) const TREE_SIZES: usize = 2;
    pub(super) const TREE_START_OFFSETS: usize = 3;
    pub(super) const CAT_FEATURES: usize = 4;
    pub(super) const FLOAT_FEATURES: usize = 5;
    pub(super) const ONE_HOT_FEATURES: usize = 6;
    pub(super) const CTR_FEATURES: usize = 7;
    pub(super) const LEAF_VALUES: usize = 8;
    pub(super) const LEAF_WEIGHTS: usize = 9;
    pub(super) const NON_SYMMETRIC_STEP_NODES: usize = 10;
    pub(super) const NON_SYMMETRIC_NODE_ID_TO_LEAF_ID: usize = 11;
    pub(super) const TEXT_FEATURES: usize = 12;
    pub(super) const ESTIMATED_FEATURES: usize = 13;
    pub(super) const SCALE: usize = 14;
    pub(super) const BIAS: usize = 15;
    pub(super) const MULTI_BIAS: usize = 16;
    pub(super) const EMBEDDING_FEATURES: usize = 18;
}

/// Identifiers of the model's calcers, in order. `TEstimatedFeature.CalcerId` refers to them.
#[derive(Default)]
pub(super) struct Calcers {
    /// Calcers of texts: `TCollectionHeader.CalcerId` of the part `text_process_v2`.
    pub(super) texts: Vec<Guid>,
    /// Calcers of embeddings: the same field of the part `embed_process_1`.
    pub(super) embeddings: Vec<Guid>,
}

/// Returns the names of the parts that follow the core (`ModelPartIds`), in file order.
pub(super) fn parts(core: &Table<'_>) -> Result<Vec<String>, Error> {
    core.strings(model_core::MODEL_PART_IDS)
}

/// Reads all of the core except the estimated features, which refer to later parts.
///
/// # Errors
/// If the format version is another (unsupported), the lists of the trees do not add up, or a flatbuffer is
/// damaged.
pub(super) fn read(core: &Table<'_>) -> Result<RawModel, Error> {
    let version = core.string(model_core::FORMAT_VERSION)?;
    if version != "FlabuffersModel_v1" {
        return Err(Error::unsupported(format!(
            "the format version `{}`",
            version.escape_debug()
        )));
    }
    let mut model = RawModel::default();
    for pair in core.tables(model_core::INFO_MAP)? {
        let pair = pair?;
        model.info.insert(pair.string(0)?, pair.string(1)?);
    }
    let table = core.required(model_core::MODEL_TREES, "ModelTrees")?;
    model.dimension = table.get::<i32>(trees::APPROX_DIMENSION, 0)?.into();
    model.scale = table.get(trees::SCALE, 1.0)?;
    model.bias = table.vector(trees::MULTI_BIAS)?;
    if model.bias.is_empty() {
        let bias = table.get(trees::BIAS, 0.0)?;
        if bias != 0.0 {
            if model.dimension != 1 {
                let dimension = model.dimension;
                return Err(Error::cbm(
                    table.offset(),
                    format!("one bias for {dimension} dimensions"),
                ));
            }
            model.bias.push(bias);
        }
    }
    model.floats = table.each(trees::FLOAT_FEATURES, float)?;
    model.cats = table.each(trees::CAT_FEATURES, named)?;
    model.texts = table.each(trees::TEXT_FEATURES, named)?;
    model.embeddings = table.each(trees::EMBEDDING_FEATURES, |feature| {
        Ok(RawEmbedding {
            feature: named(feature)?,
            dimension: feature.get::<i32>(3, 0)?.into(),
        })
    })?;
    model.one_hots = table.each(trees::ONE_HOT_FEATURES, |feature| {
        Ok(RawOneHot {
            cat: feature.get(0, -1_i32)?.into(),
            values: feature.vector(1)?,
            strings: feature.strings(2)?,
        })
    })?;
    model.ctrs = table.each(trees::CTR_FEATURES, ctr_feature)?;
    model.trees = read_trees(&table, model.dimension)?;
    Ok(model)
}

/// Reads the estimated features (`TEstimatedFeature`). Each names its calcer by identifier, which becomes an
/// index.
pub(super) fn estimated(core: &Table<'_>, calcers: &Calcers) -> Result<Vec<RawEstimated>, Error> {
    let table = core.required(model_core::MODEL_TREES, "ModelTrees")?;
    table.each(trees::ESTIMATED_FEATURES, |feature| {
        let guid: Guid = feature.bytes(1)?.unwrap_or_default();
        let place = |guids: &[Guid]| guids.iter().position(|other| *other == guid);
        let calcer = match feature.get::<i8>(4, 0)? {
            0 => place(&calcers.texts).map(RawCalcer::Text),
            1 => place(&calcers.embeddings).map(RawCalcer::Embedding),
            other => {
                return Err(Error::cbm(
                    feature.offset(),
                    format!("an estimated feature's source of kind {other}"),
                ));
            }
        };
        Ok(RawEstimated {
            calcer: calcer.ok_or_else(|| {
                Error::cbm(
                    feature.offset(),
                    "an estimated feature of a calcer that is not there",
                )
            })?,
            local: feature.get::<i32>(2, -1)?.into(),
            borders: feature.vector(3)?,
        })
    })
}

/// Reads the fields that categorical, text and embedding features share: `Index`, `FlatIndex`, `FeatureId`.
fn named(feature: &Table<'_>) -> Result<RawFeature, Error> {
    Ok(RawFeature {
        index: feature.get::<i32>(0, -1)?.into(),
        flat_index: feature.get::<i32>(1, -1)?.into(),
        name: feature.string(2)?,
    })
}

/// Reads `TFloatFeature`.
fn float(feature: &Table<'_>) -> Result<RawFloat, Error> {
    let nan = match feature.get::<i8>(5, 0)? {
        0 => NanTreatment::AsIs,
        1 => NanTreatment::AsFalse,
        2 => NanTreatment::AsTrue,
        other => {
            return Err(Error::cbm(
                feature.offset(),
                format!("a treatment of NaN of kind {other}"),
            ));
        }
    };
    let borders: Vec<f32> = feature.vector(3)?;
    Ok(RawFloat {
        feature: RawFeature {
            index: feature.get::<i32>(1, -1)?.into(),
            flat_index: feature.get::<i32>(2, -1)?.into(),
            name: feature.string(4)?,
        },
        has_nans: feature.get::<u8>(0, 0)? != 0,
        nan,
        borders,
    })
}

/// Reads `TCtrFeature`, with its `TModelCtr`.
fn ctr_feature(feature: &Table<'_>) -> Result<RawCtr, Error> {
    let ctr = feature.required(0, "Ctr")?;
    Ok(RawCtr {
        base: ctr::base(&ctr.required(0, "Base")?)?,
        target_border: ctr.get::<i32>(1, 0)?.into(),
        prior_num: ctr.get(2, 0.0)?,
        prior_denom: ctr.get(3, 1.0)?,
        shift: ctr.get(4, 0.0)?,
        scale: ctr.get(5, 1.0)?,
        borders: feature.vector(1)?,
    })
}

/// Reads the trees. All lists of `TModelTrees` are concatenations over the trees, without gaps: `TreeSizes`
/// cuts `TreeSplits`, and `TreeStartOffsets`, if present, must say the same.
///
/// An oblivious tree of size `n` has `2^n` leaves. The size of a non-symmetric tree counts its nodes.
fn read_trees(table: &Table<'_>, dimension: i64) -> Result<RawTrees, Error> {
    let splits: Vec<i32> = table.vector(trees::TREE_SPLITS)?;
    let sizes: Vec<i32> = table.vector(trees::TREE_SIZES)?;
    let values: Vec<f64> = table.vector(trees::LEAF_VALUES)?;
    let weights: Vec<f64> = table.vector(trees::LEAF_WEIGHTS)?;
    let starts: Vec<i32> = table.vector(trees::TREE_START_OFFSETS)?;
    let leaf_ids: Vec<u32> = table.vector(trees::NON_SYMMETRIC_NODE_ID_TO_LEAF_ID)?;
    let steps = table.structs(trees::NON_SYMMETRIC_STEP_NODES, 4)?;

    let wrong = |what: &str| Error::cbm(table.offset(), format!("the trees do not add up: {what}"));
    let dimension = usize::try_from(dimension)
        .ok()
        .filter(|&dimension| dimension > 0);
    let dimension = dimension.ok_or_else(|| wrong("the dimension is not positive"))?;
    let mut start = 0_usize;
    let mut ranges = Vec::with_capacity(sizes.len());
    for (tree, &size) in sizes.iter().enumerate() {
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| start.checked_add(size))
            .filter(|&end| end <= splits.len());
        let end = end.ok_or_else(|| wrong("their sizes are not those of the splits"))?;
        if starts
            .get(tree)
            .is_some_and(|&other| usize::try_from(other).ok() != Some(start))
        {
            return Err(wrong("a tree does not begin where the one before ends"));
        }
        ranges.push(start..end);
        start = end;
    }
    if start != splits.len() {
        return Err(wrong("there are splits of no tree"));
    }

    if steps.is_empty() && leaf_ids.is_empty() {
        let (mut values, mut weights) = (values.as_slice(), weights.as_slice());
        let has_weights = !weights.is_empty();
        let mut oblivious = Vec::with_capacity(ranges.len());
        for range in ranges {
            let splits: Vec<i64> = splits[range].iter().map(|&split| split.into()).collect();
            let leaves = u32::try_from(splits.len())
                .ok()
                .and_then(|depth| 1_usize.checked_shl(depth));
            let leaves = leaves.ok_or_else(|| wrong("a tree is too deep"))?;
            oblivious.push(RawObliviousTree {
                splits,
                values: leaves
                    .checked_mul(dimension)
                    .and_then(|count| values.split_off(..count))
                    .ok_or_else(|| wrong("there are too few leaf values"))?
                    .to_vec(),
                weights: if has_weights {
                    weights
                        .split_off(..leaves)
                        .ok_or_else(|| wrong("there are too few leaf weights"))?
                        .to_vec()
                } else {
                    Vec::new()
                },
            });
        }
        if !values.is_empty() || !weights.is_empty() {
            return Err(wrong("there are leaves of no tree"));
        }
        return Ok(RawTrees::Oblivious(oblivious));
    }

    if steps.len() / 4 != splits.len() || leaf_ids.len() != splits.len() {
        return Err(wrong(
            "there are not as many steps and leaf numbers as nodes",
        ));
    }
    let nodes = Nodes {
        splits: &splits,
        steps,
        leaf_ids: &leaf_ids,
        values: &values,
        weights: &weights,
        dimension,
    };
    let read = |range: std::ops::Range<usize>| {
        let mut left = range.len() * 2;
        let read = nodes.read(range.start, &range, MAX_NON_SYMMETRIC_DEPTH, &mut left);
        read.map_err(|what| what.map_or_else(Error::too_deep, wrong))
    };
    Ok(RawTrees::NonSymmetric(
        ranges.into_iter().map(read).collect::<Result<_, _>>()?,
    ))
}

/// Nodes of all non-symmetric trees. A child is the distance to a later node; 0 stands for the node itself,
/// which is then also a leaf. A node of two zeros is nothing but a leaf.
struct Nodes<'a> {
    /// Split of each node (`TreeSplits`); ignored for leaves.
    splits: &'a [i32],
    /// Children of each node (`NonSymmetricStepNodes`): 4 bytes, two u16 distances, no and yes.
    steps: &'a [u8],
    /// Index of each leaf's first value in `values` (`NonSymmetricNodeIdToLeafId`); of no meaning for other
    /// nodes.
    leaf_ids: &'a [u32],
    /// Leaf values of all trees, `dimension` per leaf.
    values: &'a [f64],
    /// Weights of all leaves, or empty.
    weights: &'a [f64],
    dimension: usize,
}

impl Nodes<'_> {
    /// Reads the tree below `node`. `left` is the number of further nodes and leaves that a tree of its size can have.
    /// The error is the inconsistency, or `None` if the tree is too deep.
    fn read(
        &self,
        node: usize,
        tree: &std::ops::Range<usize>,
        depth: usize,
        left: &mut usize,
    ) -> Result<RawNode, Option<&'static str>> {
        *left = left
            .checked_sub(1)
            .ok_or(Some("a node is reached in two ways"))?;
        let step = self
            .steps
            .get(node * 4..node * 4 + 4)
            .filter(|_| tree.contains(&node));
        let step = step.ok_or(Some("a node leads out of its tree"))?;
        let (no, yes) = (
            usize::from(u16::read(&step[..2])),
            usize::from(u16::read(&step[2..])),
        );
        if no == 0 && yes == 0 {
            return self.leaf(node).map_err(Some);
        }
        let below = depth.checked_sub(1).ok_or(None)?;
        let mut child = |step: usize| {
            let child = if step == 0 {
                self.leaf(node).map_err(Some)
            } else {
                self.read(node + step, tree, below, left)
            };
            child.map(Box::new)
        };
        Ok(RawNode::Split {
            split: self.splits[node].into(),
            no: child(no)?,
            yes: child(yes)?,
        })
    }

    fn leaf(&self, node: usize) -> Result<RawNode, &'static str> {
        let first = self.leaf_ids[node] as usize;
        let values = self
            .values
            .get(first..first + self.dimension)
            .ok_or("a leaf has no values")?
            .to_vec();
        let weight = match self.weights {
            [] => None,
            weights => Some(
                *weights
                    .get(first / self.dimension)
                    .ok_or("a leaf has no weight")?,
            ),
        };
        Ok(RawNode::Leaf { values, weight })
    }
}
