//! Naive Bayes.
//!
//! CatBoost computes, in f64, per class `ln(docs + class prior) + Σ count · ln(token prior + frequency) -
//! length · ln(total)`. Every logarithm depends on the model alone, except that `total` grows by the token
//! prior for each of the text's tokens that the class lacks. [`LACKING`] totals per class are computed here;
//! greater numbers of lacking tokens are left to run time.

use catboost_model::ir::NaiveBayesClass;
use catboost_runtime::{
    compiled::{Estimate, NaiveBayes},
    math,
    storage::Owned,
};

use super::{
    estimates::count_rows,
    odds,
    room::{Room, TooLarge},
};

/// Number of a class's tokens that a text may lack before a logarithm is computed at run time.
const LACKING: usize = 64;

/// Precomputes whatever the model alone determines, in CatBoost's order of operations.
///
/// # Errors
/// If a row per token id between the least and the greatest would exceed `room`.
pub(super) fn lay_out(
    class_prior: f32,
    token_prior: f32,
    seen_tokens: u64,
    classes: &[NaiveBayesClass],
    estimates: Box<[Estimate<Owned>]>,
    room: &mut Room,
) -> Result<NaiveBayes<Owned>, TooLarge> {
    let prior = f64::from(token_prior);
    let counts: Vec<&[(u32, u32)]> = classes
        .iter()
        .map(|class| class.counts.as_slice())
        .collect();
    let (first, rows) = count_rows(&counts, room)?;
    let by_class = || {
        let of = |class| rows.iter().skip(class).step_by(classes.len());
        (0..classes.len()).flat_map(of)
    };
    let log_count =
        |count: &Option<u32>| math::ln(count.map_or(prior, |count| prior + f64::from(count)));
    // Like CatBoost, this counts one more token than was seen.
    let seen = prior * seen_tokens.wrapping_add(1) as f64;
    let totals: Vec<f64> = classes
        .iter()
        .map(|class| class.total_tokens as f64 + seen)
        .collect();
    let log_priors: Vec<f64> = classes
        .iter()
        .map(|class| math::ln(f64::from(class.docs) + f64::from(class_prior)))
        .collect();
    let odds = match (log_priors.as_slice(), totals.as_slice()) {
        (&[a, b], &[of_a, of_b]) => {
            let tokens = rows.chunks_exact(2).map(|row| match row {
                [Some(_), Some(_)] => Some([log_count(&row[0]), log_count(&row[1])]),
                _ => None,
            });
            let log_totals = [of_a, of_b].map(math::ln);
            let odds = odds::lay_out([a, b], tokens, log_totals, &estimates);
            Some(odds)
        }
        _ => None,
    };
    let log_totals = totals.iter().flat_map(|&total| {
        std::iter::successors(Some(total), |total| Some(total + prior))
            .take(LACKING)
            .map(math::ln)
    });
    Ok(NaiveBayes {
        first,
        log_priors: log_priors.into(),
        log_counts: by_class().map(log_count).collect(),
        lacks: by_class().map(|count| u8::from(count.is_none())).collect(),
        log_totals: log_totals.collect(),
        totals: totals.into(),
        token_prior: prior,
        estimates,
        odds,
    })
}
