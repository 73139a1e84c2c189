//! The intermediate representation: a model after all checks, the same for both file formats.
//!
//! Code that holds a [`Model`] may index without checking: every index is in range, every table has the
//! length that its owner implies, borders ascend, and oblivious trees have a depth of at most [`MAX_DEPTH`].
//! [`crate::parse`] returns no other models; whoever changes or builds one must keep these invariants.
//!
//! ```text
//! Trees ──► Model::splits ─┬─► FloatFeature   value > border
//!                          ├─► Estimated      number > border ──► calcer of a text or an embedding
//!                          ├─► OneHot         hash == value
//!                          └─► Ctr            CTR > border ──► CtrTable, by the key of a Projection
//! ```
//!
//! ```
//! use catboost_model::ir::{Split, Trees};
//!
//! let model = catboost_model::parse(
//!     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
//!     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]},
//!     "scale_and_bias": [1, [0.5]], "oblivious_trees": [
//!     {"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
//! )?;
//! let Trees::Oblivious(trees) = &model.trees else {
//!     panic!("the document has `oblivious_trees`")
//! };
//! let Split::Float { feature, border } = model.splits[trees[0].splits[0].at()] else {
//!     panic!("the only feature is numeric")
//! };
//! let feature = &model.float_features[feature.at()];
//! assert_eq!(feature.feature.name, "age");
//! assert_eq!(feature.borders[border as usize], 30.0);
//! # Ok::<(), catboost_model::Error>(())
//! ```

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
    /// Metadata in the file, as CatBoost's `get_metadata()` returns it: key → text (often JSON). JSON of a
    /// key that ends in `params` is without blanks, with the keys of objects in order.
    pub info: BTreeMap<String, String>,
    /// Number of raw values per row: 1, or the number of classes or targets. At most 65,536.
    pub dimension: usize,
    /// Factor in `raw = sum * scale + bias`. Finite.
    pub scale: f64,
    /// Bias per dimension, [`Model::dimension`] finite numbers. A model without biases has zeros.
    pub bias: Vec<f64>,
    /// Numeric features, in file order: that of [`Row::floats`](crate::eval::Row::floats).
    pub float_features: Vec<FloatFeature>,
    /// Categorical features, in file order: that of [`Row::cats`](crate::eval::Row::cats).
    pub cat_features: Vec<Feature>,
    /// Text features, in file order: that of [`Row::texts`](crate::eval::Row::texts).
    pub text_features: Vec<Feature>,
    /// Embedding features, in file order: that of [`Row::embeddings`](crate::eval::Row::embeddings).
    pub embedding_features: Vec<EmbeddingFeature>,
    /// Categorical features that are compared with single values, in the order of [`Model::cat_features`]; at
    /// most one per feature.
    pub one_hots: Vec<OneHot>,
    /// CTRs: numbers computed from categorical values by counts of the training data. In file order.
    pub ctrs: Vec<Ctr>,
    /// Tables of counts that [`Model::ctrs`] look up, in the order of their first use. Tables of the file
    /// that no CTR looks up are dropped.
    pub ctr_tables: Vec<CtrTable>,
    /// Tokenizers, dictionaries and calcers of texts.
    pub text: Text,
    /// Calcers of embeddings.
    pub embedding_calcers: Vec<EmbeddingCalcer>,
    /// Estimated features: numbers computed from texts and embeddings. In file order, without those that have
    /// no borders.
    pub estimated: Vec<Estimated>,
    /// All binary features in CatBoost's order: float borders, estimated borders, one-hot values, CTR
    /// borders. Within each kind, feature by feature, and each feature's borders or values in order.
    pub splits: Vec<Split>,
    /// Trees, all of one shape, in the order in which their values are added.
    pub trees: Trees,
}

impl Model {
    /// Number of columns of the training data, as far as the model tells: the greatest
    /// [`Feature::flat_index`] plus 1. Lists by flat index have this length; 0 for a model without features.
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
    /// Index among all columns of the training data. No two features of a model share one.
    pub flat_index: u32,
    /// Name; empty if the training data had none. Names need not be distinct.
    pub name: String,
    /// True if the model computes something from the feature: a numeric feature has borders, a categorical
    /// feature has a list of one-hot values or a CTR, a text or an embedding has estimated features in the
    /// file.
    pub used: bool,
}

/// A numeric feature: `TFloatFeature` of CatBoost's `features.fbs`.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatFeature {
    /// Name and index.
    pub feature: Feature,
    /// True if the training data had NaN. Otherwise [`FloatFeature::nan`] is not applied.
    pub has_nans: bool,
    /// Replacement for NaN.
    pub nan: NanTreatment,
    /// Borders, ascending, at most 65,535; none of them NaN. The feature's bin is the number of borders below
    /// the value.
    pub borders: Vec<f32>,
}

/// Replacement for NaN before comparison with borders (`ENanValueTreatment`). CatBoost's option `nan_mode`
/// chooses it: `Forbidden`, `Min` or `Max`, in the order of the variants.
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
    /// Length of the vector, at most 65,536; 0 if the file does not say, in which case the model does not use
    /// the feature.
    pub dimension: usize,
}

/// A categorical feature that is compared with single values: `TOneHotFeature` of CatBoost's `features.fbs`.
#[derive(Clone, Debug, PartialEq)]
pub struct OneHot {
    /// Categorical feature.
    pub cat: CatIdx,
    /// Hashes of the values ([`catboost_runtime::hash::cat_hash`], as an `i32`), distinct, in file order, at
    /// most 65,535.
    pub values: Vec<i32>,
    /// The values themselves if the file has them, as many as [`OneHot::values`], else empty. Evaluation does
    /// not need them.
    pub strings: Vec<String>,
}

/// CTR: a number computed from counts as `((good + prior_num) / (total + prior_denom) + shift) * scale`, all
/// in f32. [`CtrType`] says which counts are `good` and `total`. Mirrors `TModelCtr` and `TCtrFeature` of
/// `ctr_data.fbs`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ctr {
    /// Table of the counts. Several CTRs can share one, with other priors or target borders.
    pub table: TableIdx,
    /// Target class, or border between target classes, that selects the good rows. Less than the number of
    /// classes of the table; 0 for tables without classes, and for [`CtrType::Borders`] with two classes.
    pub target_border: u32,
    /// Added to the numerator.
    pub prior_num: f32,
    /// Added to the denominator.
    pub prior_denom: f32,
    /// Added to the quotient.
    pub shift: f32,
    /// Multiplied with the shifted quotient.
    pub scale: f32,
    /// Borders of the value, ascending, at most 65,535. A split is `value > border`.
    pub borders: Vec<f32>,
}

/// Types of CTR, by CatBoost's names (`ECtrType`). They say what `good` and `total` are in the formula of
/// [`Ctr`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CtrType {
    /// good = training rows of the key above the target border, total = all of its rows.
    Borders,
    /// good = training rows of the key in the target class, total = all of its rows.
    Buckets,
    /// good = sum of the binarized targets of the key's rows, total = their number.
    BinarizedTargetMeanValue,
    /// good = sum of the targets of the key's rows, total = their number.
    FloatTargetMeanValue,
    /// good = number of the key's rows, total = the greatest such number of any key, stored in the table.
    Counter,
    /// good = number of the key's rows, total = the number of all rows, stored in the table.
    FeatureFreq,
}

/// Counts of the training data, by the value of a [`Projection`]: `TCtrValueTable` of `ctr_data.fbs`, without
/// its free buckets. A key that the table lacks has counts of 0.
#[derive(Clone, Debug, PartialEq)]
pub struct CtrTable {
    /// Projection that the keys are hashes of.
    pub projection: Projection,
    /// Type of the counts.
    pub ctr_type: CtrType,
    /// Keys, ascending and distinct. Entry `i` of [`CtrTable::values`] belongs to key `i`. A key is the fold
    /// of the projection by [`ctr_key_cat`](catboost_runtime::hash::ctr_key_cat) and
    /// [`ctr_key_split`](catboost_runtime::hash::ctr_key_split), from 0.
    pub keys: Vec<u64>,
    /// Counts, of the variant that [`CtrTable::ctr_type`] has.
    pub values: CtrValues,
}

/// Counts of a [`CtrTable`], by key.
#[derive(Clone, Debug, PartialEq)]
pub enum CtrValues {
    /// [`CtrType::Borders`] and [`CtrType::Buckets`]: `classes` counts per key.
    Classes {
        /// Number of counts per key: at least 2 for [`CtrType::Borders`], at least 1 for
        /// [`CtrType::Buckets`].
        classes: u32,
        /// `keys.len() * classes` counts, key by key: class `c` of key `i` is at `i * classes + c`.
        counts: Vec<i32>,
    },
    /// [`CtrType::BinarizedTargetMeanValue`] and [`CtrType::FloatTargetMeanValue`]: sum of the targets and
    /// number of rows, per key.
    Means(Vec<(f32, i32)>),
    /// [`CtrType::Counter`] and [`CtrType::FeatureFreq`]: one count per key.
    Counts {
        /// `total` of every key, also of keys that the table lacks.
        denominator: i32,
        /// Number of rows of each key, `keys.len()` of them.
        counts: Vec<i32>,
    },
}

/// Combination of categorical features and splits that a CTR counts by: `TFeatureCombination` of
/// `features.fbs`. The key folds in the lists in the order of the fields, each from first to last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Projection {
    /// Categorical features, which are hashed by value.
    pub cats: Vec<CatIdx>,
    /// Float splits: feature and index of its border. Each folds in its answer, 0 or 1.
    pub floats: Vec<(FloatIdx, u32)>,
    /// One-hot splits: feature and index of its value. Each folds in its answer, 0 or 1.
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

    /// Number of splits, float and one-hot together.
    #[must_use]
    pub fn splits(&self) -> usize {
        self.floats.len() + self.one_hots.len()
    }
}

/// Estimated feature: a number computed from a text or an embedding, rounded to f32 (`TEstimatedFeature` of
/// `features.fbs`).
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// Source of the number.
    pub source: EstimatedSource,
    /// Index into the `active` numbers of the calcer. The number is `active[local]` of those that the calcer
    /// can compute.
    pub local: u32,
    /// Borders, ascending, from 1 to 65,535 of them.
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

/// Trees of a model. Their values are added up in order, in f64 from 0, which decides the last bits of a raw
/// value.
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
    /// Splits, at most [`MAX_DEPTH`]. Bit `k` of the leaf index is the answer to split `k`.
    pub splits: Vec<SplitIdx>,
    /// Leaf values: `2^splits.len()` leaves with `dimension` values each, so that dimension `d` of leaf `i`
    /// is at `i * dimension + d`. Finite.
    pub values: Vec<f64>,
    /// Training weight of each leaf, `2^splits.len()` of them; empty if the file has none. Evaluation does
    /// not need them, explanations do.
    pub weights: Vec<f64>,
}

/// Non-symmetric tree (`Depthwise`, `Lossguide`): nodes have splits of their own. Nodes and leaves are
/// numbered in depth-first order, the side of no first, so that two files of one model give equal trees. No
/// path has more than 100 inner nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct NonSymmetricTree {
    /// Inner nodes, the root first. Empty if the tree is one leaf.
    pub nodes: Vec<Node>,
    /// Leaf values, `dimension` per leaf: `nodes.len() + 1` leaves, leaf by leaf. Finite.
    pub values: Vec<f64>,
    /// Training weight of each leaf, `nodes.len() + 1` of them; empty if the file has none.
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
    /// Number of the leaf, whose values begin at `leaf * dimension` of [`NonSymmetricTree::values`].
    Leaf(u32),
}
