//! How embeddings become numbers.

use serde::{Deserialize, Serialize};

use super::EmbeddingIdx;
use crate::json::number::floats;

/// How an embedding becomes numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingCalcer {
    /// The feature.
    pub embedding: EmbeddingIdx,
    /// Which of the calcer's numbers the model knows, ascending.
    pub active: Vec<u32>,
    /// The formula.
    pub kind: EmbeddingCalcerKind,
}

/// The formulas that turn an embedding into numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum EmbeddingCalcerKind {
    /// Linear discriminant analysis: the components along some directions.
    Lda {
        /// Numbers that come out.
        projection_dimension: usize,
        /// `projection_dimension` rows of the embedding's length.
        #[serde(with = "floats")]
        matrix: Vec<f32>,
    },
    /// The nearest of the training data's embeddings.
    Knn(Knn),
}

/// The training data's embeddings and the graph through which CatBoost looks for the nearest (`catboost_runtime::knn` says
/// how, and what the lists mean).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knn {
    /// How many of the nearest count.
    pub neighbors: u32,
    /// What is known of each embedding.
    pub targets: KnnTargets,
    /// The most links of a point on any level; at least 1.
    pub max_links: u32,
    /// Points of each level of the graph: at least 1, ascending levels have no more. The points of a level are the first
    /// of all.
    pub level_sizes: Vec<u32>,
    /// Where each point of each level leads: `min(max_links, level size - 1)` points of the same level.
    pub links: Vec<u32>,
    /// The embeddings, each of the feature's dimension.
    #[serde(with = "floats")]
    pub points: Vec<f32>,
}

/// What a [`Knn`] knows of each embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum KnnTargets {
    /// Its class: a number a class comes out, how many of the nearest are of it.
    Classes {
        /// Numbers that come out.
        classes: u32,
        /// One an embedding, less than `classes`.
        of: Vec<u32>,
    },
    /// Its target: one number comes out, the mean of the nearest.
    Values(#[serde(with = "floats")] Vec<f32>),
}
