//! Calcers of embeddings: the part `embed_process_1` of a `.cbm`.
//!
//! | calcer | results | number of results |
//! | --- | --- | --- |
//! | LDA | components along directions | `projection_dimension` |
//! | KNN, classification | nearest points per class | number of classes |
//! | KNN, regression | mean target of the nearest points | 1 |

use serde::{Deserialize, Serialize};

use super::EmbeddingIdx;
use crate::json::number::floats;

/// Calcer of an embedding feature: `TEmbeddingCalcer` of CatBoost's `embedding_feature_calcers.fbs`. Its
/// input has the length [`EmbeddingFeature::dimension`](super::EmbeddingFeature::dimension).
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingCalcer {
    /// Embedding feature.
    pub embedding: EmbeddingIdx,
    /// Indices of the calcer's numbers that the model knows, ascending (`ActiveFeatureIndices`).
    /// [`super::Estimated::local`] indexes this list.
    pub active: Vec<u32>,
    /// Formula and its parameters.
    pub kind: EmbeddingCalcerKind,
}

/// Formulas of calcers of embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum EmbeddingCalcerKind {
    /// Linear discriminant analysis (`TLDA`): components along directions. Result `i` is the dot product of
    /// the embedding and direction `i`, added up in order in f32 ([`catboost_runtime::lda::project`]).
    Lda {
        /// Number of directions, and so of results (`ProjectionDimension`).
        projection_dimension: usize,
        /// Directions (`ProjectionMatrix`): `projection_dimension` rows of the embedding's length, row by
        /// row.
        #[serde(with = "floats")]
        matrix: Vec<f32>,
    },
    /// Nearest neighbors among the training data's embeddings.
    Knn(Knn),
}

/// Embeddings of the training data, and the graph through which CatBoost searches for the nearest (HNSW).
/// [`catboost_runtime::knn`] documents the search and the lists. Mirrors `TKNN` and the numbers that follow
/// it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knn {
    /// Number of nearest points that count (`KNum`), at most 300.
    pub neighbors: u32,
    /// Target of each point. Their number is the number of points, and the first of the level sizes.
    pub targets: KnnTargets,
    /// Upper bound of links per point, on any level; at least 1.
    pub max_links: u32,
    /// Number of points per level of the graph: at least 1, not increasing. A level consists of the first points.
    pub level_sizes: Vec<u32>,
    /// Links of each point of each level: `min(max_links, level size - 1)` points of the same level. Level by
    /// level, the one with all points first, and point by point.
    pub links: Vec<u32>,
    /// Embeddings, each of the feature's dimension, one after the other.
    #[serde(with = "floats")]
    pub points: Vec<f32>,
}

/// Targets of the points of a [`Knn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum KnnTargets {
    /// Classes (`IsClassification`). There is one result per class: the number of nearest points of that
    /// class.
    Classes {
        /// Number of classes, and so of results (`NumClasses`).
        classes: u32,
        /// Class of each point, less than `classes`.
        of: Vec<u32>,
    },
    /// Target values. The only result is the mean over the nearest points, in f32; 0 if there are no points.
    Values(#[serde(with = "floats")] Vec<f32>),
}
