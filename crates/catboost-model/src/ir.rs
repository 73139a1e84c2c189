//! The intermediate representation: a model after all checks, the same for both file formats.
//!
//! Code that holds a [`Model`] may index without checking: every index is in range, every table has the length that its
//! owner implies, borders ascend, and oblivious trees have a depth of at most [`MAX_DEPTH`]. [`crate::parse`] returns
//! no other models; whoever changes or builds one must keep these invariants.

mod embeddings;
mod texts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use embeddings::{EmbeddingCalcer, EmbeddingCalcerKind, Knn, KnnTargets};
pub use texts::{
    Bm25Class, Dictionary, Gram, NaiveBayesClass, NumberPolicy, Text, TextCalcer, TextCalcerKind,
    TokenTable, Tokenized, Tokenizer,
};

/// Depth of the deepest oblivious tree that CatBoost trains. Non-symmetric trees may be deeper.
pub const MAX_DEPTH: usize = 16;

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// Returns the index as a `usize`.
            #[must_use]
            pub fn at(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

index! {
    /// Position in [`Model::float_features`].
    FloatIdx
    /// Position in [`Model::cat_features`].
    CatIdx
    /// Position in [`Model::text_features`].
    TextIdx
    /// Position in [`Model::embedding_features`].
    EmbeddingIdx
    /// Position in [`Model::one_hots`].
    OneHotIdx
    /// Position in [`Model::ctrs`].
    CtrIdx
    /// Position in [`Model::ctr_tables`].
    TableIdx
    /// Position in [`Model::estimated`].
    EstimatedIdx
    /// Position in [`Model::splits`]: CatBoost's own numbering of a model's binary features.
    SplitIdx
    /// Position in [`Text::tokenizers`].
    TokenizerIdx
    /// Position in [`Text::dictionaries`].
    DictionaryIdx
    /// Position in [`Text::tokenized`].
    TokenizedIdx
    /// Position in [`Text::calcers`].
    TextCalcerIdx
    /// Position in [`Model::embedding_calcers`].
    EmbeddingCalcerIdx
}

/// A CatBoost model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Metadata in the file, as CatBoost's `get_metadata()` returns it: key → text (often JSON).
    pub info: BTreeMap<String, String>,
    /// Number of raw values per row: 1, or the number of classes or targets.
    pub dimension: usize,
    /// Factor in `raw = sum * scale + bias`.
    pub scale: f64,
    /// Bias per dimension.
    pub bias: Vec<f64>,
    /// Numeric features, in file order.
    pub float_features: Vec<FloatFeature>,
    /// Categorical features, in file order.
    pub cat_features: Vec<Feature>,
    /// Text features, in file order.
    pub text_features: Vec<Feature>,
    /// Embedding features, in file order.
    pub embedding_features: Vec<EmbeddingFeature>,
    /// Categorical features that are compared with single values.
    pub one_hots: Vec<OneHot>,
    /// CTRs: numbers computed from categorical values by counts of the training data.
    pub ctrs: Vec<Ctr>,
    /// Tables of counts that [`Model::ctrs`] look up.
    pub ctr_tables: Vec<CtrTable>,
    /// Tokenizers, dictionaries and calcers of texts.
    pub text: Text,
    /// Calcers of embeddings.
    pub embedding_calcers: Vec<EmbeddingCalcer>,
    /// Estimated features: numbers computed from texts and embeddings.
    pub estimated: Vec<Estimated>,
    /// All binary features in CatBoost's order: float borders, estimated borders, one-hot values, CTR borders.
    pub splits: Vec<Split>,
    /// Trees, all of one shape.
    pub trees: Trees,
}

impl Model {
    /// Number of columns of the training data, as far as the model tells: the greatest flat index plus 1.
    #[must_use]
    pub fn flat_features(&self) -> usize {
        let floats = self.float_features.iter().map(|float| &float.feature);
        let embeddings = self.embedding_features.iter();
        let embeddings = embeddings.map(|embedding| &embedding.feature);
        let all = floats.chain(&self.cat_features).chain(&self.text_features);
        let indices = all
            .chain(embeddings)
            .map(|feature| feature.flat_index as usize + 1);
        indices.max().unwrap_or(0)
    }

    /// Number of trees.
    #[must_use]
    pub fn tree_count(&self) -> usize {
        match &self.trees {
            Trees::Oblivious(trees) => trees.len(),
            Trees::NonSymmetric(trees) => trees.len(),
        }
    }
}

/// Name and index of a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Index among all columns of the training data.
    pub flat_index: u32,
    /// Name; empty if the training data had none.
    pub name: String,
    /// True if any tree depends on the feature.
    pub used: bool,
}

/// A numeric feature.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatFeature {
    /// Name and index.
    pub feature: Feature,
    /// True if the training data had NaN. Otherwise [`FloatFeature::nan`] is not applied.
    pub has_nans: bool,
    /// Replacement for NaN.
    pub nan: NanTreatment,
    /// Borders, ascending. The feature's bin is the number of borders below the value.
    pub borders: Vec<f32>,
}

/// Replacement for NaN before comparison with borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NanTreatment {
    /// None: every comparison is false.
    AsIs,
    /// Minus infinity.
    AsFalse,
    /// Plus infinity.
    AsTrue,
}

/// A vector-valued feature.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingFeature {
    /// Name and index.
    pub feature: Feature,
    /// Length of the vector; 0 if the file does not say, in which case the model does not use the feature.
    pub dimension: usize,
}

/// A categorical feature that is compared with single values.
#[derive(Clone, Debug, PartialEq)]
pub struct OneHot {
    /// Categorical feature.
    pub cat: CatIdx,
    /// Hashes of the values ([`catboost_runtime::hash::cat_hash`]), distinct, in file order.
    pub values: Vec<i32>,
    /// The values themselves if the file has them, else empty.
    pub strings: Vec<String>,
}

/// CTR: a number computed from counts as `((good + prior_num) / (total + prior_denom) + shift) * scale`, all in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Ctr {
    /// Table of the counts.
    pub table: TableIdx,
    /// Target class, or border between target classes, that selects the good rows.
    pub target_border: u32,
    /// Added to the numerator.
    pub prior_num: f32,
    /// Added to the denominator.
    pub prior_denom: f32,
    /// Added to the quotient.
    pub shift: f32,
    /// Multiplied with the shifted quotient.
    pub scale: f32,
    /// Borders, ascending.
    pub borders: Vec<f32>,
}

/// Types of CTR, by CatBoost's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CtrType {
    /// good = rows above the target border, total = all.
    Borders,
    /// good = rows of the target class, total = all.
    Buckets,
    /// Sum of binarized targets and count.
    BinarizedTargetMeanValue,
    /// Sum of targets and count.
    FloatTargetMeanValue,
    /// Count over the greatest count.
    Counter,
    /// Count over the number of rows.
    FeatureFreq,
}

/// Counts of the training data, by the value of a [`Projection`].
#[derive(Clone, Debug, PartialEq)]
pub struct CtrTable {
    /// Projection that the keys are hashes of.
    pub projection: Projection,
    /// Type of the counts.
    pub ctr_type: CtrType,
    /// Keys, ascending and distinct. Entry `i` of [`CtrTable::values`] belongs to key `i`.
    pub keys: Vec<u64>,
    /// Counts.
    pub values: CtrValues,
}

/// Counts of a [`CtrTable`], by key.
#[derive(Clone, Debug, PartialEq)]
pub enum CtrValues {
    /// [`CtrType::Borders`] and [`CtrType::Buckets`]: `classes` counts per key.
    Classes {
        /// Number of counts per key; at least 2.
        classes: u32,
        /// `keys.len() * classes` counts, key by key.
        counts: Vec<i32>,
    },
    /// Mean types: sum and count of each key.
    Means(Vec<(f32, i32)>),
    /// [`CtrType::Counter`] and [`CtrType::FeatureFreq`].
    Counts {
        /// Denominator of every key.
        denominator: i32,
        /// Count of each key.
        counts: Vec<i32>,
    },
}

/// Combination of categorical features and splits that a CTR counts by, in the order of hashing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Projection {
    /// Categorical features, which are hashed by value.
    pub cats: Vec<CatIdx>,
    /// Float splits: feature and index of its border.
    pub floats: Vec<(FloatIdx, u32)>,
    /// One-hot splits: feature and index of its value.
    pub one_hots: Vec<(OneHotIdx, u32)>,
}

impl Projection {
    /// Returns the feature if the projection is a single categorical feature.
    #[must_use]
    pub fn only_cat(&self) -> Option<CatIdx> {
        match self.cats[..] {
            [cat] if self.floats.is_empty() && self.one_hots.is_empty() => Some(cat),
            _ => None,
        }
    }

    /// Number of splits.
    #[must_use]
    pub fn splits(&self) -> usize {
        self.floats.len() + self.one_hots.len()
    }
}

/// Estimated feature: a number computed from a text or an embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// Source of the number.
    pub source: EstimatedSource,
    /// Index into the `active` numbers of the calcer.
    pub local: u32,
    /// Borders, ascending.
    pub borders: Vec<f32>,
}

/// Source of an [`Estimated`] feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimatedSource {
    /// A text.
    Text {
        /// Text feature with its tokenizer and dictionary.
        tokenized: TokenizedIdx,
        /// Calcer of the token ids.
        calcer: TextCalcerIdx,
    },
    /// An embedding.
    Embedding {
        /// Calcer.
        calcer: EmbeddingCalcerIdx,
    },
}

/// Binary feature: the question of a tree's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Is the float feature above the border?
    Float {
        /// The feature.
        feature: FloatIdx,
        /// Index into its borders.
        border: u32,
    },
    /// Is the estimated feature above the border?
    Estimated {
        /// The feature.
        feature: EstimatedIdx,
        /// Index into its borders.
        border: u32,
    },
    /// Does the categorical feature have this value?
    OneHot {
        /// The feature.
        feature: OneHotIdx,
        /// Index into its values.
        value: u32,
    },
    /// Is the CTR above the border?
    Ctr {
        /// The feature.
        feature: CtrIdx,
        /// Index into its borders.
        border: u32,
    },
}

/// Trees of a model. Their values are added up in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Trees {
    /// Trees with one split per level.
    Oblivious(Vec<ObliviousTree>),
    /// Trees whose nodes have splits of their own.
    NonSymmetric(Vec<NonSymmetricTree>),
}

/// Oblivious tree: all nodes of a level have the same split.
#[derive(Clone, Debug, PartialEq)]
pub struct ObliviousTree {
    /// Splits. Bit `k` of the leaf index is the answer to split `k`.
    pub splits: Vec<SplitIdx>,
    /// Leaf values: `2^splits.len()` leaves with `dimension` values each.
    pub values: Vec<f64>,
    /// Training weight of each leaf; empty if the file has none.
    pub weights: Vec<f64>,
}

/// Non-symmetric tree: nodes have splits of their own. Nodes and leaves are numbered in depth-first order, left first,
/// so that two files of one model give equal trees.
#[derive(Clone, Debug, PartialEq)]
pub struct NonSymmetricTree {
    /// Inner nodes, the root first. Empty if the tree is one leaf.
    pub nodes: Vec<Node>,
    /// Leaf values, `dimension` per leaf.
    pub values: Vec<f64>,
    /// Training weight of each leaf; empty if the file has none.
    pub weights: Vec<f64>,
}

/// Inner node of a [`NonSymmetricTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Split of the node.
    pub split: SplitIdx,
    /// Child for the answer no.
    pub no: Child,
    /// Child for the answer yes.
    pub yes: Child,
}

/// Child of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// Index into [`NonSymmetricTree::nodes`], greater than the parent's.
    Node(u32),
    /// Number of the leaf.
    Leaf(u32),
}
