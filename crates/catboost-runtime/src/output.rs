//! From raw values to what CatBoost's Python package predicts: probabilities, classes, exponents.
//!
//! The functions take raw values *by class*: as [`by_class`] puts them, where the training data lacked some of the classes
//! that it was told of, else as the model gives them. Which of the functions a model's loss has is `catboost_model::output`'s
//! to tell; `catboost-codegen` writes calls of those alone.

use crate::math::{exp, fast_exp, ln, sigmoid};

/// Puts a model's raw values to their classes' places. The classes that have none, because the training data lacked
/// them, get minus infinity.
///
/// # Panics
/// If a place is beyond the end of `values`.
#[inline]
pub fn by_class(raw: &[f64], places: &[usize], values: &mut [f64]) {
    values.fill(f64::NEG_INFINITY);
    for (&place, &value) in places.iter().zip(raw) {
        values[place] = value;
    }
}

/// The probabilities of two classes that share one raw value: it is the second's.
#[inline]
#[must_use]
pub fn probability_of_two(raw: f64) -> [f64; 2] {
    let second = sigmoid(raw);
    [1.0 - second, second]
}

/// Turns raw values into probabilities, each on its own: one against all, or labels of which several can be right.
#[inline]
pub fn probability_of_each(values: &mut [f64]) {
    for value in values {
        *value = sigmoid(*value);
    }
}

/// Turns raw values into probabilities that add up to 1; nothing happens to an empty slice.
///
/// CatBoost predicts with an `exp` of its own here, [`fast_exp`]. (Naive Bayes calls the C library's:
/// [`bayes_softmax`](crate::calcer::bayes_softmax).)
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

/// The logarithms of the probabilities of two classes that share one raw value.
#[inline]
#[must_use]
pub fn log_probability_of_two(raw: f64) -> [f64; 2] {
    [log_sigmoid(-raw), log_sigmoid(raw)]
}

/// Turns raw values into logarithms of probabilities, each on its own.
#[inline]
pub fn log_probability_of_each(values: &mut [f64]) {
    for value in values {
        *value = log_sigmoid(*value);
    }
}

fn log_sigmoid(raw: f64) -> f64 {
    -ln(1.0 + exp(-raw))
}

/// Turns raw values into logarithms of probabilities that add up to 1; nothing happens to an empty slice.
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

/// The place of the predicted class: the first of those with the greatest value; 0 of none.
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

/// e to the power of a raw value, with the bits that CatBoost has for a single row.
#[inline]
#[must_use]
pub fn exponent(raw: f64) -> f64 {
    let mut values = [raw];
    fast_exp(&mut values);
    values[0]
}

/// The mean and the variance that the two raw values of `RMSEWithUncertainty` stand for, with the bits that CatBoost has
/// for a single row.
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

    /// The last bit tells CatBoost's own `exp` from the C library's.
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
