//! The numbers that CatBoost computes from a text's token ids: bag of words, naive Bayes, BM25.
//!
//! A text is a slice of (token id, count) by ascending id, as [`crate::text::count`] makes it. All arithmetic is `f64`,
//! in CatBoost's order of operations; a number is rounded to `f32` when it becomes a feature.

use crate::math::{exp, exp_inline, ln};

/// Bag of words: returns true if the text has the token.
///
/// ```
/// use catboost_runtime::calcer::has_token;
///
/// let text = [(2, 1), (5, 3)];
/// assert!(has_token(&text, 5));
/// assert!(!has_token(&text, 3));
/// ```
#[inline]
#[must_use]
pub fn has_token(text: &[(u32, u32)], token: u32) -> bool {
    text.binary_search_by_key(&token, |&(id, _)| id).is_ok()
}

/// Parameters of naive Bayes that all classes share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NaiveBayes {
    /// Pseudo-count added to the number of a class's texts.
    pub class_prior: f32,
    /// Pseudo-count added to the count of each token.
    pub token_prior: f32,
    /// Number of different tokens in the training data.
    pub seen_tokens: u64,
}

impl NaiveBayes {
    /// Logarithm of a class's unnormalized probability, for a class of `docs` texts with `total_tokens` tokens in them.
    /// `count` returns the count of a token in the class, or `None` if the class lacks it.
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

/// Turns naive Bayes's logarithms of unnormalized probabilities into probabilities, in place. An empty slice is left as
/// it is. Predictions use another `exp`: [`crate::output::softmax`].
#[inline]
pub fn bayes_softmax(values: &mut [f64]) {
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

/// [`bayes_softmax`] of two values: the same bits with one `exp` instead of two. The greater value minus itself is 0
/// (or NaN), and its `exp` is 1 (or NaN).
#[inline(always)]
#[must_use]
pub fn bayes_softmax_of_two([a, b]: [f64; 2]) -> [f64; 2] {
    let (greater, lesser) = if a < b { (b, a) } else { (a, b) };
    #[expect(
        clippy::eq_op,
        reason = "an infinite value has no difference from itself"
    )]
    let of_greater = 1.0 + (greater - greater);
    let of_lesser = exp_inline(lesser - greater);
    // Addition is commutative, so the order of the two summands does not matter.
    let total = of_greater + of_lesser;
    let (of_greater, of_lesser) = (of_greater / total, of_lesser / total);
    if a < b {
        [of_lesser, of_greater]
    } else {
        [of_greater, of_lesser]
    }
}

/// Parameters of BM25 that all classes share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bm25 {
    /// Term-frequency saturation (`k1`).
    pub k: f32,
    /// Length normalization.
    pub b: f32,
    /// Lower bound of the inverse class frequency.
    pub truncate_border: f32,
    /// Number of tokens in all classes together.
    pub total_tokens: u64,
    /// Number of classes.
    pub classes: u32,
}

impl Bm25 {
    /// Weight of a token that occurs in `with_token` of the classes.
    #[inline]
    #[must_use]
    pub fn inverse_class_frequency(&self, with_token: u32) -> f64 {
        // CatBoost subtracts in integers, too.
        let without = f64::from(self.classes.wrapping_sub(with_token)) + 0.5;
        let frequency = ln(without / (f64::from(with_token) + 0.5));
        let least = f64::from(self.truncate_border);
        if frequency < least { least } else { frequency }
    }

    /// Contribution of one token to the score of a class. The class has `class_tokens` tokens, `frequency` of them this
    /// one; `inverse_class_frequency` is [`Bm25::inverse_class_frequency`]. The token's count in the text plays no
    /// part.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Token 0 twice, token 3 once, token 9 four times.
    const TEXT: [(u32, u32); 3] = [(0, 2), (3, 1), (9, 4)];
    struct Class {
        docs: u32,
        tokens: u64,
        counts: &'static [(u32, u32)],
    }

    const CLASSES: [Class; 3] = [
        Class {
            docs: 7,
            tokens: 20,
            counts: &[(0, 5), (3, 1), (4, 14)],
        },
        Class {
            docs: 3,
            tokens: 11,
            counts: &[(9, 11)],
        },
        Class {
            docs: 12,
            tokens: 40,
            counts: &[(0, 30), (9, 10)],
        },
    ];

    fn find(counts: &[(u32, u32)], token: u32) -> Option<u32> {
        counts
            .iter()
            .find(|&&(id, _)| id == token)
            .map(|&(_, count)| count)
    }

    // The expected bits were computed apart from this code, in CatBoost's order of operations, with the `exp` and `log` of
    // glibc on a CPU with FMA.

    #[test]
    fn naive_bayes_adds_priors_and_skips_none() {
        let bayes = NaiveBayes {
            class_prior: 0.5,
            token_prior: 0.3,
            seen_tokens: 6,
        };
        let mut values = CLASSES.map(|class| {
            bayes.log_probability(&TEXT, class.docs, class.tokens, |token| {
                find(class.counts, token)
            })
        });
        assert_eq!(
            values.map(f64::to_bits),
            [
                0xc034_f775_8366_7efb,
                0xc025_f6a3_635f_5728,
                0xc021_83cb_760d_3622
            ]
        );
        bayes_softmax(&mut values);
        assert_eq!(
            values.map(f64::to_bits),
            [
                0x3ed2_dd82_a18a_672f,
                0x3fb8_fb92_ccaf_6587,
                0x3fec_e084_37a8_c28b
            ]
        );
    }

    #[test]
    fn softmax_takes_the_greatest_from_all() {
        for (values, expected) in [
            ([-2000.0, 0.0], [0.0, 1.0]),
            ([2000.0, 0.0], [1.0, 0.0]),
            ([-2000.0, -2000.0], [0.5, 0.5]),
        ] {
            let mut found = values;
            bayes_softmax(&mut found);
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn bayes_softmax_of_two_has_the_bits_of_softmax() {
        let values = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            -33.3,
            -33.300_000_000_000_004,
            -700.0,
            -745.2,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        // Miri is too slow for all of them.
        let every = if cfg!(miri) { 100 } else { 1 };
        let steps = (0..2000)
            .step_by(every)
            .map(|step| f64::from(step) * -0.037);
        let pairs = values.iter().flat_map(|&a| values.map(|b| [a, b]));
        let steps = steps.flat_map(|step| [[step, -3.21], [-20.0, step]]);
        for pair in pairs.chain(steps) {
            let mut expected = pair;
            bayes_softmax(&mut expected);
            // One NaN is as good as another.
            let bits = |p: f64| (!p.is_nan()).then_some(p.to_bits());
            assert_eq!(
                bayes_softmax_of_two(pair).map(bits),
                expected.map(bits),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn naive_bayes_of_no_tokens_is_the_prior() {
        let bayes = NaiveBayes {
            class_prior: 0.5,
            token_prior: 0.3,
            seen_tokens: 6,
        };
        let value = bayes.log_probability(&[], 7, 20, |_| None);
        assert_eq!(value, ln(7.5));
    }

    #[test]
    fn bm25_weighs_tokens_by_the_classes_that_have_them() {
        let bm25 = Bm25 {
            k: 1.5,
            b: 0.75,
            truncate_border: 1e-3,
            total_tokens: 72,
            classes: 3,
        };
        let weights = [0, 1, 2, 3].map(|n| bm25.inverse_class_frequency(n).to_bits());
        let least = f64::from(1e-3_f32).to_bits();
        assert_eq!(
            weights,
            [0x3fff_2272_ae32_5a57, 0x3fe0_58ae_fa81_1452, least, least]
        );

        let scores = CLASSES.map(|scored| {
            TEXT.iter().fold(0.0, |score, &(token, _)| {
                let having = CLASSES
                    .iter()
                    .filter(|class| find(class.counts, token).is_some());
                let weight = bm25.inverse_class_frequency(having.count() as u32);
                let frequency = find(scored.counts, token).unwrap_or(0);
                score + bm25.term(weight, frequency, scored.tokens)
            })
        });
        assert_eq!(
            scores.map(f64::to_bits),
            [
                0x3fde_1cc5_9b39_f7bb,
                0x3f60_4a2d_dfc3_6b12,
                0x3f73_2922_eac6_f5c4
            ]
        );
    }

    #[test]
    fn has_token_looks_at_ids_alone() {
        assert!([0, 3, 9].iter().all(|&token| has_token(&TEXT, token)));
        assert!(!has_token(&TEXT, 1));
        assert!(!has_token(&[], 0));
    }
}
