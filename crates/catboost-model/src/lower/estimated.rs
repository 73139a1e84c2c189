//! Lowers estimated features.

use super::{check_borders, features::Features};
use crate::{
    Error,
    ir::{
        EmbeddingCalcer, EmbeddingCalcerIdx, EmbeddingCalcerKind, Estimated, EstimatedSource, Text,
        TextCalcerIdx, TokenizedIdx,
    },
    raw::{RawCalcer, RawEstimated},
};

/// Also marks the texts and embeddings of the estimated features as used.
pub(super) fn lower(
    raw: Vec<RawEstimated>,
    text: &Text,
    sources: &[Option<TokenizedIdx>],
    embeddings: &[EmbeddingCalcer],
    features: &mut Features,
) -> Result<Vec<Estimated>, Error> {
    let mut estimated = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        check_borders(&raw.borders, || format!("estimated feature {index}"))?;
        let (source, active) = match raw.calcer {
            RawCalcer::Text(calcer) => {
                let tokenized = sources.get(calcer).copied().flatten();
                let tokenized = tokenized.ok_or_else(|| {
                    Error::model(format!("estimated feature {index} is not that of any text"))
                })?;
                features.texts[text.tokenized[tokenized.at()].text.at()].used = true;
                let source = EstimatedSource::Text {
                    tokenized,
                    calcer: TextCalcerIdx(calcer as u32),
                };
                (source, &text.calcers[calcer].active)
            }
            RawCalcer::Embedding(place) => {
                let calcer = embeddings.get(place).ok_or_else(|| {
                    Error::model(format!(
                        "estimated feature {index} is not that of any embedding"
                    ))
                })?;
                features.embeddings[calcer.embedding.at()].feature.used = true;
                if !raw.borders.is_empty() {
                    check_active(index, raw.local, calcer)?;
                }
                let source = EstimatedSource::Embedding {
                    calcer: EmbeddingCalcerIdx(place as u32),
                };
                (source, &calcer.active)
            }
        };
        if raw.borders.is_empty() {
            // No tree tests it. CatBoost may number such a feature beyond the calcer's numbers.
            continue;
        }
        let local = u32::try_from(raw.local)
            .ok()
            .filter(|&local| (local as usize) < active.len());
        let local = local.ok_or_else(|| {
            Error::model(format!(
                "estimated feature {index} is number {} of its calcer, which has fewer",
                raw.local
            ))
        })?;
        estimated.push(Estimated {
            source,
            local,
            borders: raw.borders,
        });
    }
    check_offsets(text, sources, embeddings, features)?;
    Ok(estimated)
}

/// Refuses numbers that trees test but CatBoost's file does not mark as active: an LDA calcer's likelihoods of classes,
/// and some of the classes of a model with several targets. CatBoost does not compute them and compares uninitialized
/// memory.
fn check_active(index: usize, local: i64, calcer: &EmbeddingCalcer) -> Result<(), Error> {
    let place = usize::try_from(local)
        .ok()
        .and_then(|local| calcer.active.get(local));
    let computed = match calcer.kind {
        EmbeddingCalcerKind::Lda {
            projection_dimension,
            ..
        } => place.is_some_and(|&place| (place as usize) < projection_dimension),
        EmbeddingCalcerKind::Knn(_) => place.is_some(),
    };
    if computed {
        return Ok(());
    }
    let what = match calcer.kind {
        EmbeddingCalcerKind::Lda { .. } => "the class likelihoods of an LDA calcer",
        EmbeddingCalcerKind::Knn(_) => "an inactive class of a KNN calcer",
    };
    Err(Error::unsupported(format!(
        "{what} (estimated feature {index}), which CatBoost does not compute from a file"
    )))
}

/// Refuses calcers of unused features: CatBoost writes the numbers of the used features contiguously, but reads them as
/// if those of the other features were in between.
fn check_offsets(
    text: &Text,
    sources: &[Option<TokenizedIdx>],
    embeddings: &[EmbeddingCalcer],
    features: &Features,
) -> Result<(), Error> {
    for (calcer, source) in text.calcers.iter().zip(sources) {
        let feature = source.map(|source| &features.texts[text.tokenized[source.at()].text.at()]);
        if feature.is_some_and(|feature| !feature.used) && !calcer.active.is_empty() {
            return Err(Error::unsupported(
                "a calcer of a text feature that the model does not use",
            ));
        }
    }
    for calcer in embeddings {
        if !features.embeddings[calcer.embedding.at()].feature.used {
            return Err(Error::unsupported(
                "a calcer of an embedding feature that the model does not use",
            ));
        }
    }
    Ok(())
}
