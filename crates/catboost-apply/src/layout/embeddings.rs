//! Embedding features.
//!
//! LDA multiplies the embedding by a matrix; KNN searches CatBoost's graph of training points. Nothing of
//! either can be computed beforehand, so the tables are those of the file.

use std::collections::BTreeMap;

use catboost_model::ir::{
    self, EmbeddingCalcerIdx, EmbeddingCalcerKind, EstimatedIdx, EstimatedSource, KnnTargets, Model,
};
use catboost_runtime::{
    compiled::{Embedding, EmbeddingCalcer, Knn, Targets},
    storage::Owned,
};

use super::{estimates, groups::Groups};

/// Lays out the calcers whose numbers the model compares with borders. Also returns the features that they
/// read, ascending; tables refer to them by their index in this list.
pub(super) fn lay_out(model: &Model, groups: &Groups) -> (Vec<usize>, Box<[Embedding<Owned>]>) {
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
        let dimension = model.embedding_features[calcer.embedding.at()].dimension;
        Embedding {
            embedding: used.partition_point(|&index| index < calcer.embedding.at()) as u32,
            calcer: lay_out_calcer(&calcer.kind, dimension),
            estimates: estimates::lay_out(model, &calcer.active, numbers, groups),
        }
    });
    let calcers = calcers.collect();
    (used, calcers)
}

fn lay_out_calcer(kind: &EmbeddingCalcerKind, dimension: usize) -> EmbeddingCalcer<Owned> {
    match kind {
        EmbeddingCalcerKind::Lda { matrix, .. } => EmbeddingCalcer::Lda {
            directions: matrix.as_slice().into(),
            dimension,
        },
        EmbeddingCalcerKind::Knn(ir::Knn {
            neighbors,
            targets,
            max_links,
            level_sizes,
            links,
            points,
        }) => EmbeddingCalcer::Knn(Knn {
            neighbors: *neighbors as usize,
            dimension,
            points: points.as_slice().into(),
            max_links: *max_links,
            level_sizes: level_sizes.as_slice().into(),
            links: links.as_slice().into(),
            targets: match targets {
                KnnTargets::Classes { of, .. } => Targets::Classes(of.as_slice().into()),
                KnnTargets::Values(values) => Targets::Values(values.as_slice().into()),
            },
        }),
    }
}
