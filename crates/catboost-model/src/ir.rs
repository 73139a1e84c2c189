//! The intermediate representation: a model after every check, the same for both file formats.
//!
//! Whoever holds a [`Model`] may index with what it holds: every index points into its table, every table has the
//! length that its owner implies, borders ascend, oblivious trees have a depth of at most
//! [`MAX_DEPTH`]. [`crate::parse`] gives only such; who changes one, or puts one together, answers for it.

mod embeddings;
mod texts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use embeddings::{EmbeddingCalcer, EmbeddingCalcerKind, Knn, KnnTargets};
pub use texts::{
    Bm25Class, Dictionary, Gram, NaiveBayesClass, NumberPolicy, Text, TextCalcer, TextCalcerKind,
    TokenTable, Tokenized, Tokenizer,
};

/// The deepest oblivious tree that CatBoost trains. (Non-symmetric trees may be deeper.)
pub const MAX_DEPTH: usize = 16;

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl $name {
            /// The index as a `usize`, to index a slice with.
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
    /// What the file says of the model's making, as CatBoost's `get_metadata()` gives it: key → text (often JSON).
    pub info: BTreeMap<String, String>,
    /// How many raw values a row gets: 1, or the number of classes or targets.
    pub dimension: usize,
    /// `raw = sum * scale + bias`.
    pub scale: f64,
    /// One a dimension.
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
    /// Numbers computed from categorical values by counts of the training data.
    pub ctrs: Vec<Ctr>,
    /// The counts that [`Model::ctrs`] look up.
    pub ctr_tables: Vec<CtrTable>,
    /// How texts become numbers.
    pub text: Text,
    /// How embeddings become numbers.
    pub embedding_calcers: Vec<EmbeddingCalcer>,
    /// Numbers computed from texts and embeddings.
    pub estimated: Vec<Estimated>,
    /// Every binary feature in CatBoost's order: float borders, estimated borders, one-hot values, CTR borders.
    pub splits: Vec<Split>,
    /// The trees, all of one shape.
    pub trees: Trees,
}

impl Model {
    /// Number of columns that a row of the training data had, as far as the model tells: the greatest flat index and 1.
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

/// Where a feature stands among the model's inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Its place among all the columns of the training data.
    pub flat_index: u32,
    /// Its name; empty if the training data had none.
    pub name: String,
    /// Whether any tree depends on it.
    pub used: bool,
}

/// A numeric feature.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatFeature {
    /// Name and place.
    pub feature: Feature,
    /// Whether the training data had NaN in it. If not, [`FloatFeature::nan`] is not applied.
    pub has_nans: bool,
    /// What stands in for NaN.
    pub nan: NanTreatment,
    /// Ascending. The feature's bin is the number of borders below the value.
    pub borders: Vec<f32>,
}

/// What CatBoost puts in NaN's place before it compares with borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NanTreatment {
    /// Nothing: every comparison is false.
    AsIs,
    /// Minus infinity.
    AsFalse,
    /// Plus infinity.
    AsTrue,
}

/// A vector-valued feature.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingFeature {
    /// Name and place.
    pub feature: Feature,
    /// Length of the vector; 0 if nothing says it, in which case the model does not use the feature.
    pub dimension: usize,
}

/// A categorical feature that is compared with single values.
#[derive(Clone, Debug, PartialEq)]
pub struct OneHot {
    /// The feature.
    pub cat: CatIdx,
    /// The values' hashes (`catboost_runtime` says how they are made), all different, in file order.
    pub values: Vec<i32>,
    /// The values themselves where the file has them, else empty.
    pub strings: Vec<String>,
}

/// A number computed from counts: `((good + prior_num) / (total + prior_denom) + shift) * scale`, all in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Ctr {
    /// Where the counts come from.
    pub table: TableIdx,
    /// Which target class, or border between target classes, `good` counts.
    pub target_border: u32,
    /// Added to the numerator.
    pub prior_num: f32,
    /// Added to the denominator.
    pub prior_denom: f32,
    /// Added to the quotient.
    pub shift: f32,
    /// The sum is multiplied by this.
    pub scale: f32,
    /// Ascending.
    pub borders: Vec<f32>,
}

/// The kinds of CTR, by CatBoost's names.
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
    /// Count, against the greatest count.
    Counter,
    /// Count, against the number of rows.
    FeatureFreq,
}

/// Counts of the training data by the value of a [`Projection`].
#[derive(Clone, Debug, PartialEq)]
pub struct CtrTable {
    /// What the keys are hashes of.
    pub projection: Projection,
    /// What is counted.
    pub ctr_type: CtrType,
    /// The keys, ascending and all different. Entry `i` of [`CtrTable::values`] belongs to key `i`.
    pub keys: Vec<u64>,
    /// What was counted.
    pub values: CtrValues,
}

/// What a [`CtrTable`] holds for each key.
#[derive(Clone, Debug, PartialEq)]
pub enum CtrValues {
    /// [`CtrType::Borders`] and [`CtrType::Buckets`]: `classes` counts a key.
    Classes {
        /// Counts a key; at least 2.
        classes: u32,
        /// `keys.len() * classes` counts, key by key.
        counts: Vec<i32>,
    },
    /// The mean types: sum and count of each key.
    Means(Vec<(f32, i32)>),
    /// [`CtrType::Counter`] and [`CtrType::FeatureFreq`].
    Counts {
        /// The total of every key.
        denominator: i32,
        /// One a key.
        counts: Vec<i32>,
    },
}

/// A combination of categorical features and splits that a CTR counts by, in the order in which they are hashed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Projection {
    /// Categorical features, by value.
    pub cats: Vec<CatIdx>,
    /// Float features, by which side of a border (index into its borders) they are on.
    pub floats: Vec<(FloatIdx, u32)>,
    /// One-hot features, by whether they have a value (index into its values).
    pub one_hots: Vec<(OneHotIdx, u32)>,
}

impl Projection {
    /// The feature, if values of one are all that is counted by.
    #[must_use]
    pub fn only_cat(&self) -> Option<CatIdx> {
        match self.cats[..] {
            [cat] if self.floats.is_empty() && self.one_hots.is_empty() => Some(cat),
            _ => None,
        }
    }

    /// How many splits it has.
    #[must_use]
    pub fn splits(&self) -> usize {
        self.floats.len() + self.one_hots.len()
    }
}

/// A number computed from a text or an embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// What it is computed from.
    pub source: EstimatedSource,
    /// Which of the calcer's active numbers: index into its `active`.
    pub local: u32,
    /// Ascending.
    pub borders: Vec<f32>,
}

/// What an [`Estimated`] number is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimatedSource {
    /// A text.
    Text {
        /// Where the token ids come from.
        tokenized: TokenizedIdx,
        /// What is computed from them.
        calcer: TextCalcerIdx,
    },
    /// An embedding.
    Embedding {
        /// What is computed from it.
        calcer: EmbeddingCalcerIdx,
    },
}

/// A binary feature: what a node of a tree asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Is the number above the border?
    Float {
        /// The feature.
        feature: FloatIdx,
        /// Index into its borders.
        border: u32,
    },
    /// Is the number above the border?
    Estimated {
        /// The feature.
        feature: EstimatedIdx,
        /// Index into its borders.
        border: u32,
    },
    /// Is it this value?
    OneHot {
        /// The feature.
        feature: OneHotIdx,
        /// Index into its values.
        value: u32,
    },
    /// Is the number above the border?
    Ctr {
        /// The feature.
        feature: CtrIdx,
        /// Index into its borders.
        border: u32,
    },
}

/// The trees of a model. Their values are added up in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Trees {
    /// Each level asks one question.
    Oblivious(Vec<ObliviousTree>),
    /// Each node asks its own.
    NonSymmetric(Vec<NonSymmetricTree>),
}

/// A tree that asks the same question at every node of a level.
#[derive(Clone, Debug, PartialEq)]
pub struct ObliviousTree {
    /// Bit `k` of the leaf index is the answer to split `k`.
    pub splits: Vec<SplitIdx>,
    /// `dimension` values a leaf, `2^splits.len()` leaves.
    pub values: Vec<f64>,
    /// Training weight of each leaf; empty if the file has none.
    pub weights: Vec<f64>,
}

/// A tree whose nodes ask questions of their own. Nodes and leaves are numbered in the order in which they are met
/// going down left first, so two files of one model give equal trees.
#[derive(Clone, Debug, PartialEq)]
pub struct NonSymmetricTree {
    /// The inner nodes; the root is the first. Empty if the tree is one leaf.
    pub nodes: Vec<Node>,
    /// `dimension` values a leaf.
    pub values: Vec<f64>,
    /// Training weight of each leaf; empty if the file has none.
    pub weights: Vec<f64>,
}

/// An inner node of a [`NonSymmetricTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it asks.
    pub split: SplitIdx,
    /// Where to go if the answer is no.
    pub no: Child,
    /// Where to go if it is yes.
    pub yes: Child,
}

/// What is below a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// Index into [`NonSymmetricTree::nodes`], greater than the parent's.
    Node(u32),
    /// Number of the leaf.
    Leaf(u32),
}
