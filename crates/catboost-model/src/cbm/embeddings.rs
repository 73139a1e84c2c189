//! `embed_process_1`: calcers of embeddings (CatBoost's `embedding_processing_collection.fbs`,
//! `embedding_feature_calcers.fbs`).
//!
//! ```text
//! 16 bytes      magic, embed_process_1
//! u64 length    flatbuffer TCollectionHeader: identifiers of the calcers, and the calcers of each embedding
//! per calcer    u64 length, flatbuffer TCollectionPart (kind, identifier)
//!               16 bytes magic EmbedCalcerV1, u32 type
//!               u64 length, flatbuffer TEmbeddingCalcer
//!               of KNN, lists of numbers: targets, graph, points
//! ```

use std::collections::HashMap;

use super::{
    Bytes,
    flat::{Scalar, Table},
    text::Guid,
};
use crate::{
    Error,
    ir::{EmbeddingCalcerKind, Knn, KnnTargets},
    raw::RawEmbeddingCalcer,
};

/// Type of an LDA calcer in its part (`EFeatureCalcerType`).
const LDA: u32 = 3;
/// Type of a KNN calcer in its part.
const KNN: u32 = 4;

/// Reads the part. Also returns the identifiers of its calcers, in the same order: that of the header
/// (`CalcerId`).
///
/// # Errors
/// If a calcer has no part or no embedding, or belongs to two embeddings, or is of an unsupported kind.
pub(super) fn read(bytes: &mut Bytes<'_>) -> Result<(Vec<RawEmbeddingCalcer>, Vec<Guid>), Error> {
    bytes.magic("embed_process_1")?;
    let header = bytes.sized_flat_u64()?.root()?;
    let ids: Vec<Guid> = header
        .structs(0, 16)?
        .chunks_exact(16)
        .map(|guid| guid.try_into().expect("chunks of 16 bytes"))
        .collect();
    let mut embeddings = HashMap::new();
    for (embedding, list) in (0..).zip(header.tables(1)?) {
        for calcer in list?.vector::<u32>(0)? {
            if embeddings.insert(calcer as usize, embedding).is_some() {
                return Err(Error::cbm(
                    header.offset(),
                    format!("calcer {calcer} is that of two embeddings"),
                ));
            }
        }
    }
    let mut calcers: HashMap<Guid, (EmbeddingCalcerKind, i64, Vec<u32>)> = HashMap::new();
    for _ in &ids {
        let part = bytes.sized_flat_u64()?.root()?;
        let id: Guid = part.bytes(1)?.unwrap_or_default();
        match part.get::<u8>(0, 0)? {
            0 => drop(calcers.insert(id, calcer(bytes)?)),
            other => {
                return Err(Error::unsupported(format!(
                    "an embedding processing part of kind {other}"
                )));
            }
        }
    }
    let calcers = ids.iter().enumerate().map(|(place, id)| {
        let missing = |what| Error::cbm(header.offset(), format!("calcer {place} has no {what}"));
        let (kind, dimension, active) = calcers.remove(id).ok_or_else(|| missing("part"))?;
        Ok(RawEmbeddingCalcer {
            embedding: *embeddings.get(&place).ok_or_else(|| missing("embedding"))?,
            active,
            dimension,
            kind,
        })
    });
    Ok((calcers.collect::<Result<_, Error>>()?, ids))
}

/// Reads a calcer, the length of its input vectors (`TotalDimension`), and the indices of its active numbers.
fn calcer(bytes: &mut Bytes<'_>) -> Result<(EmbeddingCalcerKind, i64, Vec<u32>), Error> {
    bytes.magic("EmbedCalcerV1")?;
    let calcer_type = bytes.u32()?;
    let table = bytes.sized_flat_u64()?.root()?;
    let active: Vec<u32> = table.vector(1)?;
    let formula = table.required(3, "FeatureCalcerImpl")?;
    let dimension: i32 = formula.get(0, 0)?;
    let kind = match (calcer_type, table.get::<u8>(2, 0)?) {
        (LDA, 1) => {
            let directions: i32 = formula.get(2, 0)?;
            EmbeddingCalcerKind::Lda {
                projection_dimension: usize::try_from(directions).map_err(|_| {
                    Error::cbm(formula.offset(), format!("{directions} directions"))
                })?,
                matrix: formula.vector(4)?,
            }
        }
        (KNN, 2) => EmbeddingCalcerKind::Knn(knn(bytes, &formula)?),
        (kind, _) => {
            return Err(Error::unsupported(format!(
                "an embedding calcer of kind {kind}"
            )));
        }
    };
    Ok((kind, dimension.into(), active))
}

/// Reads targets, graph and points, which follow the flatbuffer `TKNN`.
///
/// | list | preceded by | elements |
/// | --- | --- | --- |
/// | targets | their number | u32 class, or f32 value |
/// | graph | its length in bytes | u32: links per point, number of levels, size of each level, links |
/// | points | number of floats | f32 |
fn knn(bytes: &mut Bytes<'_>, formula: &Table<'_>) -> Result<Knn, Error> {
    let targets = if formula.get::<u8>(4, 1)? != 0 {
        KnnTargets::Classes {
            classes: formula.get(1, 0)?,
            of: list(bytes)?,
        }
    } else {
        KnnTargets::Values(list(bytes)?)
    };
    let graph = bytes.size()?;
    if !graph.is_multiple_of(4) {
        return Err(bytes.error(format!(
            "expected a graph of 32-bit numbers, found {graph} bytes"
        )));
    }
    let graph: Vec<u32> = bytes
        .elements(graph, 1)?
        .chunks_exact(4)
        .map(u32::read)
        .collect();
    let short = || bytes.error("the graph of a KNN calcer is cut short");
    let (&[max_links, levels], rest) = graph.split_first_chunk::<2>().ok_or_else(short)?;
    let (level_sizes, links) = rest.split_at_checked(levels as usize).ok_or_else(short)?;
    let (level_sizes, links) = (level_sizes.to_vec(), links.to_vec());
    Ok(Knn {
        neighbors: formula.get(2, 0)?,
        targets,
        max_links,
        level_sizes,
        links,
        points: list(bytes)?,
    })
}

/// Reads numbers that are preceded by their count, a size: the form of CatBoost's vectors.
fn list<T: Scalar>(bytes: &mut Bytes<'_>) -> Result<Vec<T>, Error> {
    let count = bytes.size()?;
    let bytes = bytes.elements(count, T::SIZE)?;
    Ok(bytes.chunks_exact(T::SIZE).map(T::read).collect())
}
