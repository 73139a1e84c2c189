//! Estimated features: numbers that are computed from texts and embeddings, and compared with borders.

use catboost_model::ir::{EstimatedIdx, Model};
use catboost_runtime::{compiled::Estimate, storage::Owned};

use super::{
    groups::Groups,
    room::{Room, TooLarge},
};

/// Lays out the numbers of a calcer that the model compares with borders.
///
/// `active` are the calcer's numbers that the model knows: classes, or directions of LDA. `numbers` are those
/// of them that splits test, as estimated features.
pub(super) fn lay_out(
    model: &Model,
    active: &[u32],
    numbers: &[EstimatedIdx],
    groups: &Groups,
) -> Box<[Estimate<Owned>]> {
    let estimate = |&number: &EstimatedIdx| {
        let estimated = &model.estimated[number.at()];
        Estimate {
            class: active[estimated.local as usize],
            borders: estimated.borders.as_slice().into(),
            group: groups
                .of_estimated(number.at())
                .expect("a number that is not of a bag of words has a group"),
        }
    };
    numbers.iter().map(estimate).collect()
}

/// Returns the least token id and, from that id on, a row of counts per id, one count per class; the last row is all
/// `None`.
///
/// `classes` has the pairs (token id, count) of each class. `None` is a count that a class lacks, which is
/// not 0 for naive Bayes.
///
/// # Errors
/// If the rows, and the tables that are computed from them, would exceed `room`.
pub(super) fn count_rows(
    classes: &[&[(u32, u32)]],
    room: &mut Room,
) -> Result<(u32, Vec<Option<u32>>), TooLarge> {
    let ids = || {
        classes
            .iter()
            .flat_map(|counts| counts.iter().map(|&(id, _)| id))
    };
    let first = ids().min().unwrap_or(0);
    let rows = ids().max().map_or(0, |last| (last - first) as usize + 1);
    // The table itself, and tables computed from it: logarithms, classes that lack the token, and odds.
    let size = size_of::<Option<u32>>() + size_of::<f64>() + size_of::<u8>() + 4 * size_of::<f64>();
    let count = (rows + 1).saturating_mul(classes.len());
    room.need(count, size, || {
        format!(
            "a text calcer's {} classes and {rows} tokens",
            classes.len()
        )
    })?;
    let mut table = vec![None; count];
    for (class, counts) in classes.iter().enumerate() {
        for &(id, count) in *counts {
            table[(id - first) as usize * classes.len() + class] = Some(count);
        }
    }
    Ok((first, table))
}
