//! From raw values to the predictions of CatBoost's Python package: probabilities, classes, exponents.
//!
//! The functions take raw values *by class*: as [`by_class`] orders them if the training data lacked some of the
//! declared classes, else as the model returns them. `catboost_model::output` tells which functions apply to a model's
//! loss; `catboost-codegen` emits calls of those alone.

use crate::math::{exp, fast_exp, ln, sigmoid};

/// Moves a model's raw values to the indices of their classes. Classes that the training data lacked get minus
/// infinity.
///
/// # Panics
/// If a place is not less than the length of `values`.
///
/// ```
/// use catboost_runtime::output::by_class;
///
/// // The model has raw values for the classes 0 and 2; the training data lacked class 1.
/// let mut values = [0.0; 3];
/// by_class(&[1.5, -0.5], &[0, 2], &mut values);
/// assert_eq!(values, [1.5, f64::NEG_INFINITY, -0.5]);
/// ```
#[inline]
pub fn by_class(raw: &[f64], places: &[usize], values: &mut [f64]) {
    values.fill(f64::NEG_INFINITY);
    for (&place, &value) in places.iter().zip(raw) {
        values[place] = value;
    }
}

/// Probabilities of two classes that share one raw value, the second's.
///
/// ```
/// assert_eq!(catboost_runtime::output::probability_of_two(0.0), [0.5, 0.5]);
/// ```
#[inline]
#[must_use]
pub fn probability_of_two(raw: f64) -> [f64; 2] {
    let second = sigmoid(raw);
    [1.0 - second, second]
}

/// Turns raw values into independent probabilities, for one-vs-all and multi-label models.
#[inline]
pub fn probability_of_each(values: &mut [f64]) {
    for value in values {
        *value = sigmoid(*value);
    }
}

/// Turns raw values into probabilities that add up to 1. An empty slice is left as it is.
///
/// CatBoost predicts with its own `exp`, [`fast_exp`]; naive Bayes calls the C library's
/// ([`bayes_softmax`](crate::calcer::bayes_softmax)).
///
/// ```
/// let mut values = [2.0, 2.0];
/// catboost_runtime::output::softmax(&mut values);
/// assert_eq!(values, [0.5, 0.5]);
/// ```
#[inline]
pub fn softmax(values: &mut [f64]) {
    let Some(&first) = values.first() else { return };
    let greatest = values
        .iter()
        .fold(first, |max, &value| if max < value { value } else { max });
    for value in values.iter_mut() {
        *value -= greatest;
    }
    fast_exp(values);
    let total: f64 = values.iter().fold(0.0, |total, value| total + value);
    for value in values {
        *value /= total;
    }
}

/// Logarithms of the probabilities of two classes that share one raw value.
#[inline]
#[must_use]
pub fn log_probability_of_two(raw: f64) -> [f64; 2] {
    [log_sigmoid(-raw), log_sigmoid(raw)]
}

/// Turns raw values into logarithms of independent probabilities.
#[inline]
pub fn log_probability_of_each(values: &mut [f64]) {
    for value in values {
        *value = log_sigmoid(*value);
    }
}

fn log_sigmoid(raw: f64) -> f64 {
    -ln(1.0 + exp(-raw))
}

/// Turns raw values into logarithms of probabilities that add up to 1. An empty slice is left as it is.
pub fn log_softmax(values: &mut [f64]) {
    let Some(&first) = values.first() else { return };
    let greatest = values
        .iter()
        .fold(first, |max, &value| if max < value { value } else { max });
    for value in values.iter_mut() {
        *value -= greatest;
    }
    let mut exponents = values.to_vec();
    fast_exp(&mut exponents);
    let total: f64 = exponents.iter().fold(0.0, |total, value| total + value);
    let total = ln(total);
    for value in values {
        *value -= total;
    }
}

/// Index of the predicted class: the first with the greatest value, or 0 if `values` is empty.
///
/// ```
/// assert_eq!(catboost_runtime::output::class(&[0.1, 0.7, 0.7]), 1);
/// ```
#[inline]
#[must_use]
pub fn class(values: &[f64]) -> usize {
    let mut best = 0;
    for (place, &value) in values.iter().enumerate() {
        if value > values[best] {
            best = place;
        }
    }
    best
}

/// Exponential of a raw value, with the bits that CatBoost has for a single row.
#[inline]
#[must_use]
pub fn exponent(raw: f64) -> f64 {
    let mut values = [raw];
    fast_exp(&mut values);
    values[0]
}

/// Mean and variance from the two raw values of `RMSEWithUncertainty`, with the bits that CatBoost has for a single
/// row.
#[inline]
#[must_use]
pub fn mean_and_variance([mean, log_deviation]: [f64; 2]) -> (f64, f64) {
    (mean, exponent(log_deviation * 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_without_a_raw_value_have_no_chance() {
        let mut values = [0.0; 3];
        by_class(&[1.0, 1.0], &[2, 0], &mut values);
        assert_eq!(values, [1.0, f64::NEG_INFINITY, 1.0]);
        by_class(&[1.5, 2.5], &[2, 0], &mut values);
        assert_eq!(values, [2.5, f64::NEG_INFINITY, 1.5]);
        assert_eq!(class(&values), 0);
        probability_of_each(&mut values);
        assert_eq!(values[1], 0.0);
    }

    #[test]
    fn the_first_of_equal_classes_is_predicted() {
        assert_eq!(class(&[1.0, 2.0, 2.0]), 1);
        assert_eq!(class(&[f64::NEG_INFINITY; 3]), 0);
        assert_eq!(class(&[0.0, -0.0, f64::NAN]), 0);
        assert_eq!(class(&[]), 0);
    }

    #[test]
    fn two_classes_share_the_probability() {
        assert_eq!(probability_of_two(0.0), [0.5, 0.5]);
        assert_eq!(probability_of_two(800.0), [0.0, 1.0]);
    }

    #[test]
    fn softmax_takes_the_greatest_from_all() {
        for (values, expected) in [
            ([2000.0, 2000.0, 0.0], [0.5, 0.5, 0.0]),
            ([-2000.0, 0.0, 0.0], [0.0, 0.5, 0.5]),
        ] {
            let mut found = values;
            softmax(&mut found);
            assert_eq!(found, expected, "{values:?}");
        }
        softmax(&mut []);
    }

    /// The last bit distinguishes CatBoost's own `exp` from the C library's.
    #[test]
    fn softmax_has_an_exp_of_its_own() {
        let values = [0.3, -1.7, 2.9];
        let (mut predicted, mut bayes) = (values, values);
        softmax(&mut predicted);
        crate::calcer::bayes_softmax(&mut bayes);
        assert_ne!(predicted, bayes);
    }

    #[test]
    fn exponents_are_of_the_raw_value() {
        assert_eq!(exponent(0.0), 1.0);
        assert_eq!(exponent(-800.0), 0.0);
        assert_eq!(mean_and_variance([7.0, 0.0]), (7.0, 1.0));
        assert_eq!(mean_and_variance([7.0, -400.0]), (7.0, 0.0));
    }
}
