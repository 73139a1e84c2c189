//! The value of a CTR: the smoothed share of training rows with this key that are good. All arithmetic is `f32`.

/// Formula of a CTR's value: `((good + prior_num) / (total + prior_denom) + shift) * scale`.
///
/// ```
/// use catboost_runtime::ctr::CtrFormula;
///
/// let formula = CtrFormula { prior_num: 1.0, prior_denom: 2.0, shift: 0.0, scale: 15.0 };
/// // Three of four rows are good.
/// assert_eq!(formula.value(3.0, 4.0), 10.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CtrFormula {
    /// Added to the numerator.
    pub prior_num: f32,
    /// Added to the denominator.
    pub prior_denom: f32,
    /// Added to the quotient.
    pub shift: f32,
    /// Multiplied with the shifted quotient.
    pub scale: f32,
}

impl CtrFormula {
    /// Value for `good` rows of `total`. CatBoost rounds counts to `f32` before it adds, so they come as `f32`.
    #[inline(always)]
    #[must_use]
    pub const fn value(&self, good: f32, total: f32) -> f32 {
        ((good + self.prior_num) / (total + self.prior_denom) + self.shift) * self.scale
    }

    /// CTR type Borders. `counts` holds one count per target class; classes above `target_border` are good.
    #[inline]
    #[must_use]
    pub const fn borders(&self, counts: &[i32], target_border: u32) -> f32 {
        let (total, good) = sum(counts, target_border as usize + 1);
        self.value(good as f32, total as f32)
    }

    /// CTR type Buckets. `counts` holds one count per target class; one class is good. A class that is out of range has
    /// count 0.
    #[inline]
    #[must_use]
    pub const fn buckets(&self, counts: &[i32], target_class: u32) -> f32 {
        let (total, _) = sum(counts, 0);
        let class = target_class as usize;
        let good = if class < counts.len() {
            counts[class]
        } else {
            0
        };
        self.value(good as f32, total as f32)
    }

    /// Mean types (`BinarizedTargetMeanValue`, `FloatTargetMeanValue`): `sum` and `count` of a key's targets.
    #[inline]
    #[must_use]
    pub const fn mean(&self, sum: f32, count: i32) -> f32 {
        self.value(sum, count as f32)
    }

    /// CTR types Counter and FeatureFreq: a key's count over the table's denominator. A key that the table lacks has
    /// count 0.
    #[inline]
    #[must_use]
    pub const fn count(&self, count: i32, denominator: i32) -> f32 {
        self.value(count as f32, denominator as f32)
    }

    /// Value of a key that the table lacks, for every type except Counter and FeatureFreq (see [`CtrFormula::count`]).
    #[inline]
    #[must_use]
    pub const fn unknown(&self) -> f32 {
        self.value(0.0, 0.0)
    }
}

/// Sum of all counts, and sum of the counts from `from` on. Both wrap on overflow, as CatBoost's do in practice.
const fn sum(counts: &[i32], from: usize) -> (i32, i32) {
    let (mut all, mut tail) = (0i32, 0i32);
    let mut i = 0;
    while i < counts.len() {
        all = all.wrapping_add(counts[i]);
        if i >= from {
            tail = tail.wrapping_add(counts[i]);
        }
        i += 1;
    }
    (all, tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: CtrFormula = CtrFormula {
        prior_num: 0.5,
        prior_denom: 1.0,
        shift: 0.0,
        scale: 15.0,
    };

    #[test]
    fn borders_counts_what_is_above() {
        assert_eq!(PLAIN.borders(&[3, 4], 0), (4.5f32 / 8.0) * 15.0);
        assert_eq!(PLAIN.borders(&[1, 2, 4], 1), (4.5f32 / 8.0) * 15.0);
        assert_eq!(PLAIN.borders(&[1, 2, 4], 0), (6.5f32 / 8.0) * 15.0);
    }

    #[test]
    fn buckets_counts_one_class() {
        assert_eq!(PLAIN.buckets(&[1, 2, 4], 1), (2.5f32 / 8.0) * 15.0);
        assert_eq!(PLAIN.buckets(&[1, 2, 4], 2), (4.5f32 / 8.0) * 15.0);
        for no_class in [3, 7] {
            assert_eq!(PLAIN.buckets(&[1, 2, 4], no_class), (0.5f32 / 8.0) * 15.0);
        }
    }

    #[test]
    fn unknown_keys_have_no_counts() {
        assert_eq!(PLAIN.unknown(), 7.5);
        assert_eq!(PLAIN.count(0, 9), 0.5f32 / 10.0 * 15.0);
    }

    #[test]
    fn rounds_after_every_step() {
        let formula = CtrFormula {
            prior_num: 0.1,
            prior_denom: 3.0,
            shift: -0.3,
            scale: 1.7,
        };
        assert_eq!(
            formula.mean(16_777_216.0, 16_777_217).to_bits(),
            (((16_777_216f32 + 0.1) / (16_777_216f32 + 3.0) - 0.3) * 1.7).to_bits()
        );
    }
}
