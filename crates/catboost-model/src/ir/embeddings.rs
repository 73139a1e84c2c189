//! Calcers of embeddings.

use serde::{Deserialize, Serialize};

use super::EmbeddingIdx;
use crate::json::number::floats;

/// Calcer of an embedding feature.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingCalcer {
    /// Embedding feature.
    pub embedding: EmbeddingIdx,
    /// Indices of the calcer's numbers that the model knows, ascending.
    pub active: Vec<u32>,
    /// Formula and its parameters.
    pub kind: EmbeddingCalcerKind,
}

/// Formulas of calcers of embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum EmbeddingCalcerKind {
    /// Linear discriminant analysis: components along directions.
    Lda {
        /// Number of directions, and so of results.
        projection_dimension: usize,
        /// Directions: `projection_dimension` rows of the embedding's length.
        #[serde(with = "floats")]
        matrix: Vec<f32>,
    },
    /// Nearest neighbors among the training data's embeddings.
    Knn(Knn),
}

/// Embeddings of the training data, and the graph through which CatBoost searches for the nearest.
/// [`catboost_runtime::knn`] documents the search and the lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knn {
    /// Number of nearest points that count.
    pub neighbors: u32,
    /// Target of each point.
    pub targets: KnnTargets,
    /// Upper bound of links per point, on any level; at least 1.
    pub max_links: u32,
    /// Number of points per level of the graph: at least 1, not increasing. A level consists of the first points.
    pub level_sizes: Vec<u32>,
    /// Links of each point of each level: `min(max_links, level size - 1)` points of the same level.
    pub links: Vec<u32>,
    /// Embeddings, each of the feature's dimension.
    #[serde(with = "floats")]
    pub points: Vec<f32>,
}

/// Targets of the points of a [`Knn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum KnnTargets {
    /// Classes. There is one result per class: the number of nearest points of that class.
    Classes {
        /// Number of classes, and so of results.
        classes: u32,
        /// Class of each point, less than `classes`.
        of: Vec<u32>,
    },
    /// Target values. The only result is the mean over the nearest points.
    Values(#[serde(with = "floats")] Vec<f32>),
}
