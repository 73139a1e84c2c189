//! Lowers calcers of embeddings.

use catboost_runtime::knn::links_of;

use super::features::Features;
use crate::{
    Error,
    ir::{EmbeddingCalcer, EmbeddingCalcerKind, Knn, KnnTargets},
    limits::{MAX_EMBEDDING, MAX_KNN_NEIGHBORS},
    raw::RawEmbeddingCalcer,
};

/// Also sets the dimension of the embedding features, which CatBoost stores in the calcers alone.
pub(super) fn lower(
    raw: Vec<RawEmbeddingCalcer>,
    features: &mut Features,
) -> Result<Vec<EmbeddingCalcer>, Error> {
    let lower = |(index, raw): (usize, RawEmbeddingCalcer)| {
        let wrong = |what| Error::model(format!("embedding calcer {index} {what}"));
        let embedding = features.embedding(raw.embedding)?;
        if raw.dimension > MAX_EMBEDDING as i64 {
            return Err(Error::unsupported(format!(
                "embeddings of {} numbers; at most {MAX_EMBEDDING} are",
                raw.dimension
            )));
        }
        let dimension = &mut features.embeddings[embedding.at()].dimension;
        let taken = usize::try_from(raw.dimension)
            .ok()
            .filter(|&taken| taken > 0)
            .filter(|&taken| *dimension == 0 || *dimension == taken);
        *dimension = taken.ok_or_else(|| {
            wrong(format!(
                "takes vectors of {} numbers, but its feature has {dimension}",
                raw.dimension
            ))
        })?;
        if let EmbeddingCalcerKind::Knn(knn) = &raw.kind
            && knn.neighbors > MAX_KNN_NEIGHBORS
        {
            return Err(Error::unsupported(format!(
                "{} neighbors (embedding calcer {index}); at most {MAX_KNN_NEIGHBORS} are, as in CatBoost",
                knn.neighbors
            )));
        }
        check(&raw, *dimension).map_err(wrong)?;
        Ok(EmbeddingCalcer {
            embedding,
            active: raw.active,
            kind: raw.kind,
        })
    };
    raw.into_iter().enumerate().map(lower).collect()
}

fn check(raw: &RawEmbeddingCalcer, dimension: usize) -> Result<(), String> {
    if !raw.active.is_sorted_by(|one, next| one < next) {
        return Err("does not have its active numbers in ascending order".to_owned());
    }
    match &raw.kind {
        EmbeddingCalcerKind::Lda {
            projection_dimension,
            matrix,
        } => {
            if projection_dimension.checked_mul(dimension) != Some(matrix.len()) {
                return Err(format!(
                    "has {} numbers for {projection_dimension} directions of {dimension}",
                    matrix.len()
                ));
            }
            Ok(())
        }
        EmbeddingCalcerKind::Knn(knn) => {
            check_targets(knn, dimension, raw.active.last().copied())?;
            check_graph(knn)
        }
    }
}

fn check_targets(knn: &Knn, dimension: usize, last_active: Option<u32>) -> Result<(), String> {
    let (targets, numbers) = match &knn.targets {
        KnnTargets::Classes { classes, of } => {
            if of.iter().any(|class| class >= classes) {
                return Err(format!(
                    "has a point of a class beyond the {classes} that it knows"
                ));
            }
            (of.len(), *classes)
        }
        KnnTargets::Values(values) => (values.len(), 1),
    };
    if targets.checked_mul(dimension) != Some(knn.points.len()) {
        return Err(format!(
            "has {targets} targets for {} numbers of points",
            knn.points.len()
        ));
    }
    if last_active.is_some_and(|last| last >= numbers) {
        return Err(format!("computes {numbers} numbers, but speaks of more"));
    }
    let first_level = knn.level_sizes.first().copied().unwrap_or(0);
    if first_level as usize != targets {
        return Err(format!(
            "has {targets} points, but {first_level} in its graph"
        ));
    }
    Ok(())
}

/// Checks that levels do not grow, and that every link leads to a point of its level.
fn check_graph(knn: &Knn) -> Result<(), String> {
    if knn.max_links == 0 || knn.level_sizes.contains(&0) {
        return Err("has a level without points or links".to_owned());
    }
    if !knn.level_sizes.is_sorted_by(|one, next| one >= next) {
        return Err("has levels that grow".to_owned());
    }
    let mut links = knn.links.as_slice();
    for &size in &knn.level_sizes {
        let count = (size as usize).checked_mul(links_of(knn.max_links, size));
        let level = count
            .and_then(|count| links.split_off(..count))
            .ok_or("has too few links")?;
        if level.iter().any(|&point| point >= size) {
            return Err("has a link to a point that its level does not have".to_owned());
        }
    }
    if links.is_empty() {
        Ok(())
    } else {
        Err("has links of no level".to_owned())
    }
}
