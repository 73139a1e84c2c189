//! Embedding features.

use std::collections::BTreeMap;

use catboost_model::ir::{
    self, EmbeddingCalcerIdx, EmbeddingCalcerKind, EstimatedIdx, EstimatedSource, KnnTargets, Model,
};

use super::{Estimate, Groups, Part, texts::estimates};
use crate::tables::{Tables, put};

/// The embedding features that the model uses, and what is computed from them.
pub(crate) struct Embeddings {
    /// The features.
    pub(crate) used: Vec<usize>,
    pub(crate) calcers: Vec<EmbeddingCalcer>,
}

/// What is computed from an embedding by one calcer.
pub(crate) struct EmbeddingCalcer {
    /// Place among the embeddings that the model uses.
    pub(crate) embedding: usize,
    pub(crate) dimension: usize,
    pub(crate) kind: EmbeddingKind,
    pub(crate) estimates: Vec<Estimate>,
}

/// How.
pub(crate) enum EmbeddingKind {
    Lda {
        /// Of `f32s`.
        directions: Part,
    },
    Knn {
        neighbors: u32,
        targets: Targets,
        max_links: u32,
        /// Of `u32s`.
        level_sizes: Part,
        /// Of `u32s`.
        links: Part,
        /// Of `f32s`.
        points: Part,
    },
}

/// What is known of each point.
pub(crate) enum Targets {
    /// Of `u32s`.
    Classes(Part),
    /// Of `f32s`.
    Values(Part),
}

impl Embeddings {
    pub(super) fn lay_out(model: &Model, groups: &Groups, tables: &mut Tables) -> Self {
        let mut numbers: BTreeMap<EmbeddingCalcerIdx, Vec<EstimatedIdx>> = BTreeMap::new();
        for (index, number) in (0..).zip(&model.estimated) {
            if let EstimatedSource::Embedding { calcer } = number.source {
                numbers.entry(calcer).or_default().push(EstimatedIdx(index));
            }
        }
        let calcer = |calcer: &EmbeddingCalcerIdx| &model.embedding_calcers[calcer.at()];
        let mut used: Vec<usize> = numbers
            .keys()
            .map(|index| calcer(index).embedding.at())
            .collect();
        used.sort_unstable();
        used.dedup();
        let calcers = numbers.iter().map(|(index, numbers)| {
            let calcer = calcer(index);
            EmbeddingCalcer {
                embedding: used.partition_point(|&index| index < calcer.embedding.at()),
                dimension: model.embedding_features[calcer.embedding.at()].dimension,
                kind: kind(&calcer.kind, tables),
                estimates: estimates(model, &calcer.active, numbers, groups, tables),
            }
        });
        let calcers = calcers.collect();
        Self { used, calcers }
    }
}

fn kind(kind: &EmbeddingCalcerKind, tables: &mut Tables) -> EmbeddingKind {
    match kind {
        EmbeddingCalcerKind::Lda { matrix, .. } => EmbeddingKind::Lda {
            directions: put(&mut tables.f32s, matrix.iter().copied()),
        },
        EmbeddingCalcerKind::Knn(ir::Knn {
            neighbors,
            targets,
            max_links,
            level_sizes,
            links,
            points,
        }) => EmbeddingKind::Knn {
            neighbors: *neighbors,
            targets: match targets {
                KnnTargets::Classes { of, .. } => {
                    Targets::Classes(put(&mut tables.u32s, of.iter().copied()))
                }
                KnnTargets::Values(values) => {
                    Targets::Values(put(&mut tables.f32s, values.iter().copied()))
                }
            },
            max_links: *max_links,
            level_sizes: put(&mut tables.u32s, level_sizes.iter().copied()),
            links: put(&mut tables.u32s, links.iter().copied()),
            points: put(&mut tables.f32s, points.iter().copied()),
        },
    }
}
