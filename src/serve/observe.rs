//! What the data scientist sees: how the scores are distributed, and how far requests stray from what the model knows.
//!
//! Counts only, of a number of series that is fixed when the service is compiled; no plate and no value of a request is
//! ever kept.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::metrics::{Page, Shard};
use crate::pick_regno::Answer;

/// Upper bounds of the score buckets.
const BOUNDS: [f64; 12] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.95, 1.0,
];

/// Parts of the unit that sums of scores are kept in.
const SCORE_UNIT: f64 = 1e9;

/// One worker's counts.
#[derive(Default)]
pub(super) struct Observations {
    scores: [AtomicU64; BOUNDS.len()],
    score_sum: AtomicU64,
}

impl Observations {
    /// Counts one answer.
    pub(super) fn answer(&self, answer: &Answer) {
        let bucket = BOUNDS
            .partition_point(|&bound| bound < answer.positive)
            .min(BOUNDS.len() - 1);
        self.scores[bucket].fetch_add(1, Relaxed);
        self.score_sum
            .fetch_add((answer.positive * SCORE_UNIT) as u64, Relaxed);
    }
}

/// Writes the families of this file.
pub(super) fn render(page: &mut Page, shards: &[impl AsRef<Shard>]) {
    const NAME: &str = "pick_regno_positive_probability";
    page.family(
        NAME,
        "histogram",
        "The probabilities answered: how likely the network's reading is the one to keep.",
    );
    let mut sum = 0;
    for (at, bound) in BOUNDS.iter().enumerate() {
        sum += shards
            .iter()
            .map(|shard| shard.as_ref().observations.scores[at].load(Relaxed))
            .sum::<u64>();
        page.sample(&format!("{NAME}_bucket"), &format!("le=\"{bound:?}\""), sum);
    }
    let total: u64 = shards
        .iter()
        .map(|shard| shard.as_ref().observations.score_sum.load(Relaxed))
        .sum();
    page.sample(&format!("{NAME}_bucket"), "le=\"+Inf\"", sum);
    page.sample(&format!("{NAME}_sum"), "", total as f64 / SCORE_UNIT);
    page.sample(&format!("{NAME}_count"), "", sum);
}
