//! BM25.
//!
//! The score of a text is a sum over its different tokens; a token's count in the text plays no part. The
//! summand of each token and class depends on the model alone.

use catboost_model::ir::Bm25Class;
use catboost_runtime::{
    calcer,
    compiled::{Bm25, Estimate},
    storage::Owned,
};

use super::{
    estimates::count_rows,
    room::{Room, TooLarge},
};

/// Precomputes whatever the model alone determines, in CatBoost's order of operations.
///
/// # Errors
/// If a row per token id between the least and the greatest would exceed `room`.
pub(super) fn lay_out(
    formula: calcer::Bm25,
    classes: &[Bm25Class],
    estimates: Box<[Estimate<Owned>]>,
    room: &mut Room,
) -> Result<Bm25<Owned>, TooLarge> {
    let counts: Vec<&[(u32, u32)]> = classes
        .iter()
        .map(|class| class.counts.as_slice())
        .collect();
    let (first, rows) = count_rows(&counts, room)?;
    let formula = &formula;
    let shares = rows.chunks(classes.len()).flat_map(|row| {
        let weight = formula.inverse_class_frequency(row.iter().flatten().count() as u32);
        let shares = row.iter().zip(classes);
        shares
            .map(move |(count, class)| formula.term(weight, count.unwrap_or(0), class.total_tokens))
    });
    Ok(Bm25 {
        first,
        classes: classes.len() as u32,
        shares: shares.collect(),
        estimates,
    })
}
