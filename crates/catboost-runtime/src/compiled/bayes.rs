//! Naive Bayes.

use super::{Estimate, estimates, letters::Codes};
use crate::{
    calcer::{bayes_softmax, bayes_softmax_of_two},
    emit::emit,
    math,
    storage::{Owned, Static, Storage},
};

/// Multinomial naive Bayes with precomputed logarithms.
pub struct NaiveBayes<S: Storage = Static> {
    /// ln(docs + class prior), per class.
    pub log_priors: S::Slice<f64>,
    /// Token id of the first row of `log_counts`.
    pub first: u32,
    /// ln(token prior + count). Per class, a row for each token id from `first` on; the last row is for every id that
    /// no class has.
    pub log_counts: S::Slice<f64>,
    /// 1 if the class lacks the token, else 0; indexed as `log_counts`.
    pub lacks: S::Slice<u8>,
    /// ln of the class's total if the class lacks 0, 1, … of the text's tokens; a row per class.
    pub log_totals: S::Slice<f64>,
    /// Total of each class if it lacks no token. Totals beyond the rows of `log_totals` are computed from it.
    pub totals: S::Slice<f64>,
    /// Added to the total for each token that the class lacks.
    pub token_prior: f64,
    /// The numbers that the model compares with borders.
    pub estimates: S::Slice<Estimate<S>>,
    /// Fast path for two classes; `None` for other models.
    pub odds: Option<Odds<S>>,
}

/// Fast path for two classes: finds the bins of most texts without counting tokens and without `exp`.
///
/// The probability of a class depends on the difference of the two logarithms alone, the odds. Up to rounding, the odds
/// are a sum over the tokens, in any order. If they are further from every border than rounding could move them, the
/// bins are certain. Otherwise the bins are computed as CatBoost does.
pub struct Odds<S: Storage = Static> {
    /// Odds of the first class for a text without tokens.
    pub prior: f64,
    /// Weight of each token id from [`NaiveBayes::first`] on, which is added to the odds. NaN if a class lacks the
    /// token, since that changes the total.
    pub weights: S::Slice<f64>,
    /// `weights` by the codes of [`super::Letters`], 0 where there is no token; `None` if tokens are not single
    /// letters.
    pub by_code: Option<S::Boxed<[f64; 256]>>,
    /// Limits for each of [`NaiveBayes::estimates`].
    pub limits: S::Slice<Limits<S>>,
}

/// Ranges of odds in which an estimate's bin is certain.
pub struct Limits<S: Storage = Static> {
    /// Greatest odds that leave a doubt, ascending: above item `k`, the estimate is above border `k`.
    pub above: S::Slice<f64>,
    /// Least odds that leave a doubt: below item `k`, the estimate is not above border `k`. The last item is +∞.
    pub below: S::Slice<f64>,
}

impl<S: Storage> NaiveBayes<S> {
    /// Sets the bins and returns true if the odds leave no doubt of them. Otherwise returns false, and
    /// [`NaiveBayes::compute`] has to be called. `codes` are the tokens' codes if they are letters.
    #[inline(always)]
    pub(super) fn set_undoubted(
        &self,
        ids: impl Iterator<Item = u32>,
        codes: Option<&Codes>,
        bins: &mut [u16],
    ) -> bool {
        let Some(odds) = &self.odds else { return false };
        let odds_of_text = match (&odds.by_code, codes) {
            (Some(weights), Some(codes)) => odds.of_codes(weights, codes),
            _ => odds.of_ids(self.first, ids),
        };
        odds.set_undoubted(odds_of_text, &self.estimates, bins)
    }

    #[inline(always)]
    pub(super) fn compute(&self, counts: &[(u32, u32)], bins: &mut [u16]) {
        let classes = self.log_priors.len();
        if classes == 2 {
            // By far the most common case.
            let logarithms = [self.logarithm(0, counts), self.logarithm(1, counts)];
            estimates::set_bins(&self.estimates, &bayes_softmax_of_two(logarithms), bins);
            return;
        }
        let mut scores: estimates::ByClass = (0..classes)
            .map(|class| self.logarithm(class, counts))
            .collect();
        bayes_softmax(&mut scores);
        estimates::set_bins(&self.estimates, &scores, bins);
    }

    /// Logarithm of a class's unnormalized probability.
    ///
    /// Not inlined because that is faster: within a row's evaluation not all of it would stay in registers.
    #[inline(never)]
    fn logarithm(&self, class: usize, counts: &[(u32, u32)]) -> f64 {
        let classes = self.log_priors.len();
        let rows = self.log_counts.len() / classes;
        let log_counts = &self.log_counts[class * rows..][..rows];
        let lacks = &self.lacks[class * rows..][..rows];
        let (mut value, mut lacking, mut length) = (self.log_priors[class], 0, 0);
        for &(id, count) in counts {
            let row = (id.wrapping_sub(self.first) as usize).min(rows - 1);
            value += f64::from(count) * log_counts[row];
            lacking += usize::from(lacks[row]);
            length += count;
        }
        let totals = self.log_totals.len() / classes;
        let log_total = if lacking < totals {
            self.log_totals[class * totals + lacking]
        } else {
            self.log_total(class, lacking)
        };
        value - f64::from(length) * log_total
    }

    /// Logarithm of a class's total if the class lacks more tokens than `log_totals` has entries for.
    #[cold]
    fn log_total(&self, class: usize, lacking: usize) -> f64 {
        math::ln((0..lacking).fold(self.totals[class], |total, _| total + self.token_prior))
    }
}

impl Odds {
    /// Upper bound on the tokens of a text that the limits hold for: each token adds a rounding of the sum.
    pub const MOST_TOKENS: usize = 64;
}

impl<S: Storage> Odds<S> {
    /// Odds of a text up to rounding; NaN if a class lacks one of its tokens.
    #[inline(always)]
    fn of_ids(&self, first: u32, ids: impl Iterator<Item = u32>) -> f64 {
        let most = ids.size_hint().1;
        if most.is_none_or(|most| most > Odds::MOST_TOKENS) {
            return f64::NAN;
        }
        ids.fold(self.prior, |odds, id| {
            let row = id.wrapping_sub(first) as usize;
            odds + self.weights.get(row).copied().unwrap_or(f64::NAN)
        })
    }

    /// Odds of a text up to rounding, from the codes of its letters.
    #[inline(always)]
    fn of_codes(&self, weights: &[f64; 256], codes: &Codes) -> f64 {
        const { assert!(Codes::MOST <= Odds::MOST_TOKENS) };
        let weights = codes.iter().map(|code| weights[usize::from(code)]);
        weights.fold(self.prior, |odds, weight| odds + weight)
    }

    /// Sets the bins and returns true if these odds of the first class leave no doubt of them.
    #[inline(always)]
    fn set_undoubted(&self, odds: f64, estimates: &[Estimate<S>], bins: &mut [u16]) -> bool {
        let mut estimates = estimates.iter().zip(&*self.limits);
        estimates.all(|(estimate, limits)| {
            let odds = if estimate.class == 0 { odds } else { -odds };
            let above = limits.above.iter().map(|&limit| u16::from(odds > limit));
            let bin: u16 = above.sum();
            bins[estimate.group.index()] = bin;
            odds < limits.below[usize::from(bin)]
        })
    }
}

emit!(struct NaiveBayes NaiveBayes<Owned> {
    log_priors, first, log_counts, lacks, log_totals, totals, token_prior, estimates, odds,
});
emit!(struct Odds Odds<Owned> { prior, weights, by_code, limits });
emit!(struct Limits Limits<Owned> { above, below });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiled::Group;

    /// One estimate per class, with borders at the odds 0 and 1, and a doubt of a quarter around each.
    const BAYES: NaiveBayes = NaiveBayes {
        log_priors: &[0.0; 2],
        first: 2,
        log_counts: &[0.0; 2],
        lacks: &[0; 2],
        log_totals: &[0.0; 2],
        totals: &[0.0; 2],
        token_prior: 0.0,
        estimates: &[
            Estimate {
                class: 1,
                borders: &[0.5, 0.75],
                group: Group(0),
            },
            Estimate {
                class: 0,
                borders: &[0.5],
                group: Group(2),
            },
        ],
        odds: Some(Odds {
            prior: 0.5,
            weights: &[1.0, -1.0, 0.125, f64::NAN],
            by_code: None,
            limits: &[
                Limits {
                    above: &[0.25, 1.25],
                    below: &[-0.25, 0.75, f64::INFINITY],
                },
                Limits {
                    above: &[0.25],
                    below: &[-0.25, f64::INFINITY],
                },
            ],
        }),
    };

    fn undoubted(ids: &[u32]) -> Option<[u16; 2]> {
        let mut bins = [9; 4];
        let sure = BAYES.set_undoubted(ids.iter().copied(), None, &mut bins);
        assert_eq!([bins[1], bins[3]], [9, 9], "the groups of others");
        sure.then_some([bins[0], bins[2]])
    }

    #[test]
    fn odds_far_from_borders_leave_no_doubt() {
        assert_eq!(undoubted(&[]), Some([0, 1]));
        assert_eq!(undoubted(&[2, 2]), Some([0, 1]));
        // -0.5, -1.5, and, after a detour, -2.5.
        assert_eq!(undoubted(&[3]), Some([1, 0]));
        assert_eq!(undoubted(&[3, 3]), Some([2, 0]));
        assert_eq!(undoubted(&[3, 2, 3, 3, 3]), Some([2, 0]));
    }

    #[test]
    fn odds_near_a_border_leave_one() {
        // 0.125 and -0.125 times the number of eighths: -0.25 is on the edge.
        assert_eq!(undoubted(&[3, 4, 4, 4]), None);
        assert_eq!(undoubted(&[3, 4, 4]), None);
        assert_eq!(undoubted(&[3, 4]), Some([1, 0]));
        // -0.875 and -1.25, near the other border of the first alone.
        assert_eq!(undoubted(&[3, 3, 4, 4, 4, 4, 4]), None);
        assert_eq!(undoubted(&[3, 3, 4, 4]), None);
        assert_eq!(undoubted(&[3, 3, 4]), Some([2, 0]));
    }

    #[test]
    fn tokens_that_a_class_lacks_leave_one() {
        for lacking in [0, 1, 5, 6, u32::MAX] {
            assert_eq!(undoubted(&[2, lacking, 2]), None, "{lacking}");
        }
        let none: NaiveBayes = NaiveBayes {
            odds: None,
            ..BAYES
        };
        assert!(!none.set_undoubted([].into_iter(), None, &mut [0; 4]));
    }

    #[test]
    fn letters_have_weights_by_their_codes() {
        let mut weights = [f64::NAN; 256];
        (weights[0], weights[1], weights[255]) = (0.0, 1.0, -1.0);
        let undoubted = |by_code, codes: &[u8]| {
            let odds = BAYES.odds.as_ref().expect("it has some");
            let bayes: NaiveBayes = NaiveBayes {
                odds: Some(Odds { by_code, ..*odds }),
                ..BAYES
            };
            let mut bins = [9; 4];
            // Ids that would say otherwise.
            let ids = [3, 3, 3, 3].into_iter();
            let sure = bayes.set_undoubted(ids, Some(&Codes::of(codes)), &mut bins);
            sure.then_some([bins[0], bins[2]])
        };
        let weights: Option<&'static [f64; 256]> = Some(std::boxed::Box::leak(weights.into()));
        assert_eq!(undoubted(weights, &[]), Some([0, 1]));
        assert_eq!(undoubted(weights, &[1, 0, 1]), Some([0, 1]));
        assert_eq!(undoubted(weights, &[255, 0]), Some([1, 0]));
        assert_eq!(undoubted(weights, &[2]), None);
        assert_eq!(undoubted(None, &[1]), Some([2, 0]), "its ids are asked");
    }

    #[test]
    fn long_texts_leave_one() {
        let longest = [2; Odds::MOST_TOKENS];
        assert_eq!(undoubted(&longest), Some([0, 1]));
        assert_eq!(undoubted(&[longest.as_slice(), &[2]].concat()), None);
        let of_unknown_length = core::iter::repeat_n(2, 1).cycle().take_while(|_| false);
        assert!(!BAYES.set_undoubted(of_unknown_length, None, &mut [0; 4]));
    }
}
