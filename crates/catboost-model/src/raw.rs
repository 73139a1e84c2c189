//! Mirror of a model file before any check. Both readers produce one; [`crate::lower`] turns it into the
//! intermediate representation, and `raise` does the reverse for the writer.
//!
//! | here | `.cbm` | JSON |
//! | --- | --- | --- |
//! | inputs, one-hot values, CTRs | `TModelTrees` | `features_info` |
//! | tables of counts | part `static_provider_v1` | `ctr_data` |
//! | texts | part `text_process_v2` | `text_processing` |
//! | calcers of embeddings | part `embed_process_1` | `embedding_processing` |
//! | trees | `TModelTrees` | `oblivious_trees`, `trees` |
//!
//! Indices are those of the file: signed, and of features by their own `index`, not by their position.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ir::{CtrType, Dictionary, EmbeddingCalcerKind, NanTreatment, TextCalcer, Tokenizer},
    json::number::floats,
};

/// Model as in its file. Indices may be out of range, lengths may disagree.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawModel {
    /// Metadata: key → text (`InfoMap`, `model_info`).
    pub(crate) info: BTreeMap<String, String>,
    /// Number of raw values per row (`ApproxDimension`). JSON does not say it: its reader infers it.
    pub(crate) dimension: i64,
    /// Factor of the sum of leaf values; 1 if the file does not say.
    pub(crate) scale: f64,
    /// Bias per dimension (`MultiBias`, or `Bias` for one dimension), or empty for 0.
    pub(crate) bias: Vec<f64>,
    pub(crate) floats: Vec<RawFloat>,
    pub(crate) cats: Vec<RawFeature>,
    pub(crate) texts: Vec<RawFeature>,
    pub(crate) embeddings: Vec<RawEmbedding>,
    /// Lists of one-hot values, at most one per categorical feature in a sound file.
    pub(crate) one_hots: Vec<RawOneHot>,
    /// CTRs. They find their tables by [`RawCtrBase`].
    pub(crate) ctrs: Vec<RawCtr>,
    /// Names of the parts of a `.cbm` that are yet to be read, in file order. Always empty for JSON.
    pub(crate) parts: Vec<String>,
    /// Tables of counts, those that no CTR looks up included.
    pub(crate) ctr_tables: Vec<RawCtrTable>,
    pub(crate) text: RawText,
    pub(crate) embedding_calcers: Vec<RawEmbeddingCalcer>,
    /// Estimated features, in the order that numbers their borders.
    pub(crate) estimated: Vec<RawEstimated>,
    pub(crate) trees: RawTrees,
}

/// Name and index of a feature. Its users determine whether it is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawFeature {
    /// Index among the features of its kind, by which splits and combinations refer to it.
    pub(crate) index: i64,
    /// Index among all columns of the training data.
    pub(crate) flat_index: i64,
    /// Name (`FeatureId`); empty if the file has none.
    pub(crate) name: String,
}

/// Numeric feature: `TFloatFeature`.
#[derive(Clone, Debug)]
pub(crate) struct RawFloat {
    pub(crate) feature: RawFeature,
    pub(crate) has_nans: bool,
    pub(crate) nan: NanTreatment,
    /// Borders in file order, which numbers the splits.
    pub(crate) borders: Vec<f32>,
}

/// Embedding feature: `TEmbeddingFeature`.
#[derive(Clone, Debug)]
pub(crate) struct RawEmbedding {
    pub(crate) feature: RawFeature,
    /// Length of the vectors; 0 in CatBoost's files, which store it in the calcers.
    pub(crate) dimension: i64,
}

/// Values that a categorical feature is compared with: `TOneHotFeature`.
#[derive(Clone, Debug)]
pub(crate) struct RawOneHot {
    /// Index of the categorical feature ([`RawFeature::index`]).
    pub(crate) cat: i64,
    /// Hashes of the values, in the order that numbers the splits.
    pub(crate) values: Vec<i32>,
    /// The values themselves, as many as `values`, or none.
    pub(crate) strings: Vec<String>,
}

/// Type and projection of a CTR: `TModelCtrBase`. It identifies a table of counts.
#[derive(Clone, Debug)]
pub(crate) struct RawCtrBase {
    /// Indices of the categorical features, in the order of hashing.
    pub(crate) cats: Vec<i64>,
    /// Float splits (`TFloatSplit`): feature and border. The border is the value itself, not its index.
    pub(crate) floats: Vec<(i64, f32)>,
    /// One-hot splits (`TOneHotSplit`): categorical feature and hash of the value.
    pub(crate) one_hots: Vec<(i64, i32)>,
    pub(crate) ctr_type: CtrType,
    /// Number of the binarization of the target that was counted (`TargetBorderClassifierIdx`); 0 is the
    /// first.
    pub(crate) target_classifier: i64,
}

/// CTR with its borders: `TCtrFeature` and `TModelCtr`.
#[derive(Clone, Debug)]
pub(crate) struct RawCtr {
    pub(crate) base: RawCtrBase,
    /// Target class, or border between classes, that selects the good rows (`TargetBorderIdx`).
    pub(crate) target_border: i64,
    pub(crate) prior_num: f32,
    pub(crate) prior_denom: f32,
    pub(crate) shift: f32,
    pub(crate) scale: f32,
    pub(crate) borders: Vec<f32>,
}

/// Table of counts: `TCtrValueTable`, without free buckets.
#[derive(Clone, Debug)]
pub(crate) struct RawCtrTable {
    pub(crate) base: RawCtrBase,
    /// In any order; entry `i` of the values belongs to key `i`.
    pub(crate) keys: Vec<u64>,
    pub(crate) values: RawCtrValues,
}

/// Counts of a table, in the order of its keys. The variant need not be that of the table's type.
#[derive(Clone, Debug)]
pub(crate) enum RawCtrValues {
    /// For [`CtrType::Borders`] and [`CtrType::Buckets`]: `classes` counts per key, key by key.
    Classes { classes: i64, counts: Vec<i32> },
    /// For the mean types: sum and count of each key.
    Means(Vec<(f32, i32)>),
    /// For [`CtrType::Counter`] and [`CtrType::FeatureFreq`]: one count per key, and the denominator of all.
    Counts { denominator: i32, counts: Vec<i32> },
}

/// Text part of a model. Tokenizers, dictionaries and calcers are numbered as in the file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawText {
    pub(crate) tokenizers: Vec<Tokenizer>,
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) calcers: Vec<TextCalcer>,
    /// Tokenized features, in the file's order: text feature by text feature, and its dictionaries in order.
    pub(crate) tokenized: Vec<RawTokenized>,
}

/// Text feature with one of its dictionaries. The other fields are indices into the lists of [`RawText`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTokenized {
    /// Index of the text feature ([`RawFeature::index`]). A `.cbm` has it as the position in
    /// `PerFeatureDigitizers`.
    pub(crate) text: i64,
    pub(crate) tokenizer: usize,
    pub(crate) dictionary: usize,
    /// Calcers of the token ids, in the order of their numbers.
    pub(crate) calcers: Vec<usize>,
}

/// Calcer of an embedding feature, as in its part of a `.cbm`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEmbeddingCalcer {
    /// Index of the embedding feature ([`RawFeature::index`]).
    pub(crate) embedding: i64,
    /// Indices of the calcer's numbers that the model knows (`ActiveFeatureIndices`).
    pub(crate) active: Vec<u32>,
    /// Length of the vectors that the calcer takes (`TotalDimension`).
    pub(crate) dimension: i64,
    pub(crate) kind: EmbeddingCalcerKind,
}

/// Estimated feature: `TEstimatedFeature`, with an index in place of the calcer's identifier.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEstimated {
    /// Calcer of a text or an embedding.
    pub(crate) calcer: RawCalcer,
    /// Index into the calcer's active numbers (`LocalIndex`).
    pub(crate) local: i64,
    #[serde(with = "floats")]
    pub(crate) borders: Vec<f32>,
}

/// Calcer that an estimated feature takes a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RawCalcer {
    /// Index into [`RawText::calcers`].
    Text(usize),
    /// Index into [`RawModel::embedding_calcers`].
    Embedding(usize),
}

/// Trees of a file, all of one shape. A non-symmetric tree is its root.
#[derive(Clone, Debug)]
pub(crate) enum RawTrees {
    Oblivious(Vec<RawObliviousTree>),
    NonSymmetric(Vec<RawNode>),
}

impl Default for RawTrees {
    fn default() -> Self {
        Self::Oblivious(Vec::new())
    }
}

/// Oblivious tree: all nodes of a level have the same split.
#[derive(Clone, Debug)]
pub(crate) struct RawObliviousTree {
    /// Splits by their index among all binary features. Bit `k` of a leaf's index is the answer to split `k`.
    pub(crate) splits: Vec<i64>,
    /// Leaf values, one per dimension, leaf by leaf.
    pub(crate) values: Vec<f64>,
    /// Weight of each leaf, or empty.
    pub(crate) weights: Vec<f64>,
}

/// Non-symmetric tree, or a subtree.
#[derive(Clone, Debug)]
pub(crate) enum RawNode {
    /// Leaf with a value per dimension, and its weight if the file has one.
    Leaf {
        values: Vec<f64>,
        weight: Option<f64>,
    },
    /// Inner node: its split by its index among all binary features, and a subtree per answer.
    Split {
        split: i64,
        no: Box<RawNode>,
        yes: Box<RawNode>,
    },
}

impl RawNode {
    /// Number of values of the leftmost leaf.
    pub(crate) fn dimension(&self) -> usize {
        let mut node = self;
        loop {
            match node {
                Self::Leaf { values, .. } => return values.len(),
                Self::Split { no, .. } => node = no,
            }
        }
    }
}
