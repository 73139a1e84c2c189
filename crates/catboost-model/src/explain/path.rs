//! The feature path of TreeSHAP: the feature classes on the way down a tree, each with the share of rows that
//! go on if the class is known and if it is not.
//!
//! [Lundberg and others, 2018](https://arxiv.org/abs/1802.03888), algorithm 2. The order of the operations is
//! CatBoost's, since it decides the last bits: `ExtendFeaturePath` and `UnwindFeaturePath` in
//! `catboost/libs/fstr/shap_values.cpp`. Paths are copied at every step, as there.

/// Feature class on a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Class; `None` for the root.
    pub(super) class: Option<usize>,
    /// Share of the training rows that take this branch when the class is unknown: weight of the child over
    /// weight of the node, multiplied over all splits of the class on the path.
    pub(super) zero: f64,
    /// 1 if the row itself takes this branch at all splits of the class, else 0.
    pub(super) one: f64,
    /// Weight of the subsets whose size is the number of steps before this one.
    pub(super) weight: f64,
}

/// Path that a descent begins with.
pub(super) fn root() -> Vec<Step> {
    extended(&[], None, 1.0, 1.0)
}

/// Returns the path extended by a class, with the weights of all subset sizes updated.
pub(super) fn extended(path: &[Step], class: Option<usize>, zero: f64, one: f64) -> Vec<Step> {
    let length = path.len();
    let mut longer = Vec::with_capacity(length + 1);
    longer.extend_from_slice(path);
    longer.push(Step {
        class,
        zero,
        one,
        weight: if length == 0 { 1.0 } else { 0.0 },
    });
    let count = (length + 1) as f64;
    for place in (0..length).rev() {
        let weight = longer[place].weight;
        longer[place + 1].weight += one * weight * (place + 1) as f64 / count;
        longer[place].weight = zero * weight * (length - place) as f64 / count;
    }
    longer
}

/// Returns the path as if the class at index `place` had never been added. It has one step less; the weights
/// are those before the extension, up to rounding.
///
/// # Panics
/// If `place` is not less than the length of the path.
pub(super) fn unwound(path: &[Step], place: usize) -> Vec<Step> {
    let Step { zero, one, .. } = path[place];
    let length = path.len();
    let count = length as f64;
    let mut shorter = path[..length - 1].to_vec();
    for (step, next) in shorter.iter_mut().zip(&path[1..]).skip(place) {
        (step.class, step.zero, step.one) = (next.class, next.zero, next.one);
    }
    if is_zero(one) {
        for (place, step) in shorter.iter_mut().enumerate() {
            step.weight *= count / (zero * (length - place - 1) as f64);
        }
        return shorter;
    }
    let mut rest = path[length - 1].weight;
    for (place, step) in shorter.iter_mut().enumerate().rev() {
        let weight = rest * count / (one * (place + 1) as f64);
        rest = step.weight - weight * zero * (length - place - 1) as f64 / count;
        step.weight = weight;
    }
    shorter
}

/// CatBoost's test for zero: 1 plus the value differs from 1 by at most 1e-13.
pub(super) fn is_zero(value: f64) -> bool {
    let more = 1.0 + value;
    (more - 1.0).abs() <= 1e-13 * more.abs().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwinding_takes_back_what_was_added() {
        let path = extended(&root(), Some(3), 0.25, 1.0);
        let weights = |path: &[Step]| path.iter().map(|step| step.weight).collect::<Vec<_>>();
        assert_eq!(weights(&path), [0.125, 0.5]);
        for one in [0.0, 1.0] {
            let longer = extended(&path, Some(4), 0.5, one);
            let shorter = unwound(&longer, 2);
            assert_eq!(weights(&shorter), weights(&path), "{one}");
            assert_eq!(shorter[1].class, Some(3));
            let first = unwound(&longer, 1);
            assert_eq!((first[1].class, first[1].zero), (Some(4), 0.5));
        }
    }

    #[test]
    fn a_weight_next_to_nothing_is_nothing() {
        assert!(is_zero(0.0) && is_zero(1e-14) && is_zero(-1e-14));
        assert!(!is_zero(1e-12) && !is_zero(1.0));
    }
}
