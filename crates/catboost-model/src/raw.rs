//! Mirror of a model file before any check. Both readers produce one; [`crate::lower`] turns it into the intermediate
//! representation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ir::{CtrType, Dictionary, EmbeddingCalcerKind, NanTreatment, TextCalcer, Tokenizer},
    json::number::floats,
};

/// Model as in its file. Indices may be out of range, lengths may disagree.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawModel {
    pub(crate) info: BTreeMap<String, String>,
    pub(crate) dimension: i64,
    pub(crate) scale: f64,
    /// Bias per dimension, or empty for 0.
    pub(crate) bias: Vec<f64>,
    pub(crate) floats: Vec<RawFloat>,
    pub(crate) cats: Vec<RawFeature>,
    pub(crate) texts: Vec<RawFeature>,
    pub(crate) embeddings: Vec<RawEmbedding>,
    pub(crate) one_hots: Vec<RawOneHot>,
    pub(crate) ctrs: Vec<RawCtr>,
    /// Names of the parts of a `.cbm` that are yet to be read.
    pub(crate) parts: Vec<String>,
    pub(crate) ctr_tables: Vec<RawCtrTable>,
    pub(crate) text: RawText,
    pub(crate) embedding_calcers: Vec<RawEmbeddingCalcer>,
    pub(crate) estimated: Vec<RawEstimated>,
    pub(crate) trees: RawTrees,
}

/// Name and index of a feature. Its users determine whether it is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawFeature {
    /// Index among the features of its kind, by which splits and combinations refer to it.
    pub(crate) index: i64,
    pub(crate) flat_index: i64,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct RawFloat {
    pub(crate) feature: RawFeature,
    pub(crate) has_nans: bool,
    pub(crate) nan: NanTreatment,
    pub(crate) borders: Vec<f32>,
}

#[derive(Clone, Debug)]
pub(crate) struct RawEmbedding {
    pub(crate) feature: RawFeature,
    pub(crate) dimension: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct RawOneHot {
    /// Index of the categorical feature.
    pub(crate) cat: i64,
    pub(crate) values: Vec<i32>,
    pub(crate) strings: Vec<String>,
}

/// Type and projection of a CTR.
#[derive(Clone, Debug)]
pub(crate) struct RawCtrBase {
    pub(crate) cats: Vec<i64>,
    /// Feature and border.
    pub(crate) floats: Vec<(i64, f32)>,
    /// Feature and value.
    pub(crate) one_hots: Vec<(i64, i32)>,
    pub(crate) ctr_type: CtrType,
    pub(crate) target_classifier: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct RawCtr {
    pub(crate) base: RawCtrBase,
    pub(crate) target_border: i64,
    pub(crate) prior_num: f32,
    pub(crate) prior_denom: f32,
    pub(crate) shift: f32,
    pub(crate) scale: f32,
    pub(crate) borders: Vec<f32>,
}

#[derive(Clone, Debug)]
pub(crate) struct RawCtrTable {
    pub(crate) base: RawCtrBase,
    /// In any order; entry `i` of the values belongs to key `i`.
    pub(crate) keys: Vec<u64>,
    pub(crate) values: RawCtrValues,
}

#[derive(Clone, Debug)]
pub(crate) enum RawCtrValues {
    /// For [`CtrType::Borders`] and [`CtrType::Buckets`].
    Classes { classes: i64, counts: Vec<i32> },
    /// For the mean types.
    Means(Vec<(f32, i32)>),
    /// For [`CtrType::Counter`] and [`CtrType::FeatureFreq`].
    Counts { denominator: i32, counts: Vec<i32> },
}

/// Text part of a model. Tokenizers, dictionaries and calcers are numbered as in the file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawText {
    pub(crate) tokenizers: Vec<Tokenizer>,
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) calcers: Vec<TextCalcer>,
    /// In the file's order: the index of the text feature among those that the model uses, tokenizer, dictionary, and
    /// calcers.
    pub(crate) tokenized: Vec<RawTokenized>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTokenized {
    pub(crate) text: i64,
    pub(crate) tokenizer: usize,
    pub(crate) dictionary: usize,
    pub(crate) calcers: Vec<usize>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEmbeddingCalcer {
    /// Index of the embedding feature.
    pub(crate) embedding: i64,
    pub(crate) active: Vec<u32>,
    /// Length of the vectors that the calcer takes.
    pub(crate) dimension: i64,
    pub(crate) kind: EmbeddingCalcerKind,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEstimated {
    /// Calcer of a text or an embedding.
    pub(crate) calcer: RawCalcer,
    /// Index into the calcer's active numbers.
    pub(crate) local: i64,
    #[serde(with = "floats")]
    pub(crate) borders: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RawCalcer {
    Text(usize),
    Embedding(usize),
}

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

#[derive(Clone, Debug)]
pub(crate) struct RawObliviousTree {
    pub(crate) splits: Vec<i64>,
    pub(crate) values: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

/// Non-symmetric tree, or a subtree.
#[derive(Clone, Debug)]
pub(crate) enum RawNode {
    Leaf {
        values: Vec<f64>,
        weight: Option<f64>,
    },
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
