//! The numbers that CatBoost computes from a text's token ids: bag of words, naive Bayes, BM25.
//!
//! A text is a slice of (token id, count), by ascending id, as [`crate::text::count`] makes it. Everything is computed in
//! `f64` in CatBoost's order of operations, and rounded to `f32` when it becomes a feature.

use crate::math::{exp, ln};

/// Bag of words: whether the text has the token.
#[inline]
#[must_use]
pub fn has_token(text: &[(u32, u32)], token: u32) -> bool {
    text.binary_search_by_key(&token, |&(id, _)| id).is_ok()
}

/// What naive Bayes knows of all classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NaiveBayes {
    /// Added to a class's documents.
    pub class_prior: f32,
    /// Added to a token's count.
    pub token_prior: f32,
    /// How many different tokens were seen in training.
    pub seen_tokens: u64,
}

impl NaiveBayes {
    /// The logarithm of a class's unnormalized probability, for a class of `docs` texts with `total_tokens` tokens in
    /// them, where `count` says how often the class has a token (`None`: never).
    #[inline]
    #[must_use]
    pub fn log_probability(
        &self,
        text: &[(u32, u32)],
        docs: u32,
        total_tokens: u64,
        count: impl Fn(u32) -> Option<u32>,
    ) -> f64 {
        let token_prior = f64::from(self.token_prior);
        let mut value = ln(f64::from(docs) + f64::from(self.class_prior));
        let mut denominator =
            total_tokens as f64 + token_prior * self.seen_tokens.wrapping_add(1) as f64;
        let mut length = 0.0;
        for &(token, occurs) in text {
            let occurs = f64::from(occurs);
            length += occurs;
            let frequency = if let Some(count) = count(token) {
                token_prior + f64::from(count)
            } else {
                denominator += token_prior;
                token_prior
            };
            value += occurs * ln(frequency);
        }
        value - length * ln(denominator)
    }
}

/// Turns logarithms of unnormalized probabilities into probabilities, in place; nothing happens to an empty slice.
#[inline]
pub fn softmax(values: &mut [f64]) {
    let Some(&first) = values.first() else { return };
    let greatest = values
        .iter()
        .fold(first, |max, &value| if max < value { value } else { max });
    let mut total = 0.0;
    for value in values.iter_mut() {
        *value = exp(*value - greatest);
        total += *value;
    }
    for value in values {
        *value /= total;
    }
}

/// What BM25 knows of all classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bm25 {
    /// Saturation.
    pub k: f32,
    /// Length normalization.
    pub b: f32,
    /// The least inverse class frequency.
    pub truncate_border: f32,
    /// Tokens of all classes.
    pub total_tokens: u64,
    /// How many classes.
    pub classes: u32,
}

impl Bm25 {
    /// The weight of a token that `with_token` of the classes have.
    #[inline]
    #[must_use]
    pub fn inverse_class_frequency(&self, with_token: u32) -> f64 {
        // The difference is taken in integers, as CatBoost does.
        let without = f64::from(self.classes.wrapping_sub(with_token)) + 0.5;
        let frequency = ln(without / (f64::from(with_token) + 0.5));
        let least = f64::from(self.truncate_border);
        if frequency < least { least } else { frequency }
    }

    /// What a token adds to the score of a class of `class_tokens` tokens that has it `frequency` times, given the token's
    /// [`Bm25::inverse_class_frequency`]. (How often the text has the token plays no part.)
    #[inline]
    #[must_use]
    pub fn term(&self, inverse_class_frequency: f64, frequency: u32, class_tokens: u64) -> f64 {
        if frequency == 0 {
            return inverse_class_frequency * 0.0;
        }
        let (k, b) = (f64::from(self.k), f64::from(self.b));
        let mean = self.total_tokens as f64 / f64::from(self.classes);
        let frequency = f64::from(frequency);
        let length = 1.0 - b + b * mean / class_tokens as f64;
        inverse_class_frequency * (frequency * (k + 1.0) / (frequency + k * length))
    }
}
