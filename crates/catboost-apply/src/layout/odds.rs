//! Naive Bayes of two classes: odds for which a bin is certain.
//!
//! Naive Bayes of two classes is decided by the difference of two logarithms, a sum over the tokens. This
//! module computes, for each border, the odds beyond which CatBoost's probability is certainly on one side of
//! it, whatever the rounding. Texts in between, and those with a token that a class lacks, take the full
//! computation. [`Odds`] documents the look-up.

use catboost_runtime::{
    calcer::bayes_softmax_of_two,
    compiled::{Estimate, Limits, Odds, Steps},
    storage::Owned,
};

/// Relative tolerance of a probability: far more than the error of an `exp`, a sum and a quotient.
const TOLERANCE: f64 = 1.0 / (1_u64 << 40) as f64;
/// Odds (as a logarithm) at which a probability is 0 or 1 as an `f32`.
const CERTAIN: f64 = 1000.0;
/// Number of bisections that reduce `CERTAIN` below its rounding error.
const HALVINGS: usize = 64;

/// Lays out the odds. `tokens` are each token's logarithms in the two classes, or `None` if one class lacks it.
///
/// `log_priors` and `log_totals` are per class: ln(docs + class prior), and ln(total) of a class that lacks
/// no token of the text. Infinite or NaN logarithms give limits that leave every text in doubt.
pub(super) fn lay_out(
    log_priors: [f64; 2],
    tokens: impl Iterator<Item = Option<[f64; 2]>>,
    log_totals: [f64; 2],
    estimates: &[Estimate<Owned>],
) -> Odds<Owned> {
    let tokens: Vec<_> = tokens.collect();
    let difference = |[a, b]: [f64; 2]| a - b;
    let absolute = |[a, b]: [f64; 2]| a.abs() + b.abs();
    let weight = |token: &Option<[f64; 2]>| {
        token.map_or(f64::NAN, |[a, b]| {
            difference([a - log_totals[0], b - log_totals[1]])
        })
    };
    // No partial sum is greater, neither here nor in CatBoost's order. Each of 64 tokens causes fewer than 16 roundings
    // of at most 2^-53 of that, so `error` is at least eight times as much.
    let greatest = tokens
        .iter()
        .flatten()
        .map(|&logarithms| absolute(logarithms));
    let greatest = greatest.fold(0.0, f64::max) + absolute(log_totals);
    let sum = absolute(log_priors) + Odds::MOST_TOKENS as f64 * greatest;
    let error = sum / (1_u64 << 40) as f64;
    let limits = estimates.iter().map(|estimate| {
        let borders = estimate.borders.iter();
        let above = borders.clone().map(|&border| above(border) + error);
        let below = borders.map(|&border| below(border) - error);
        Limits {
            above: above.collect(),
            below: below.chain([f64::INFINITY]).collect(),
        }
    });
    Odds {
        limits: limits.collect(),
        prior: difference(log_priors),
        weights: tokens.iter().map(weight).collect(),
        by_code: None,
    }
}

/// Adds the weights by code. `ids` are the codes' ids; `first` is the id of the first weight.
pub(super) fn add_codes(odds: &mut Odds<Owned>, first: u32, ids: &[u32]) {
    let mut by_code = Box::new([f64::NAN; 256]);
    for (of_code, &id) in by_code.iter_mut().zip(ids) {
        *of_code = match id {
            Steps::NO_ID => 0.0,
            id => odds
                .weights
                .get(id.wrapping_sub(first) as usize)
                .copied()
                .unwrap_or(f64::NAN),
        };
    }
    odds.by_code = Some(by_code);
}

/// Least odds for which a probability is certainly above a border.
fn above(border: f32) -> f64 {
    let is_above = |odds| (probability(odds) * (1.0 - TOLERANCE)) as f32 > border;
    match is_above(CERTAIN) {
        true => turn(is_above)[1],
        false => f64::INFINITY,
    }
}

/// Greatest odds for which a probability is certainly not above a border.
fn below(border: f32) -> f64 {
    let may_be_above = |odds| (probability(odds) * (1.0 + TOLERANCE)) as f32 > border;
    match may_be_above(-CERTAIN) {
        true => f64::NEG_INFINITY,
        false => turn(may_be_above)[0],
    }
}

fn probability(odds: f64) -> f64 {
    bayes_softmax_of_two([odds, 0.0])[0]
}

/// Returns adjacent odds, the first for which a condition does not hold and the second for which it does.
fn turn(holds: impl Fn(f64) -> bool) -> [f64; 2] {
    let (mut no, mut yes) = (-CERTAIN, CERTAIN);
    for _ in 0..HALVINGS {
        let middle = (no + yes) / 2.0;
        match holds(middle) {
            true => yes = middle,
            false => no = middle,
        }
    }
    [no, yes]
}

#[cfg(test)]
mod tests {
    use catboost_runtime::{calcer::NaiveBayes, compiled::Group};

    use super::*;

    /// From 0 and less, where every probability is above, to 1 and more, where none is.
    const BORDERS: [f32; 15] = [
        f32::MIN,
        -1.0,
        0.0,
        1e-45,
        1e-30,
        1e-7,
        0.1,
        0.5,
        0.625,
        0.9,
        0.999_999,
        1.0_f32.next_down(),
        1.0,
        2.0,
        f32::INFINITY,
    ];

    #[test]
    fn limits_are_on_their_sides_of_a_border_and_near_it() {
        let mut limits = Vec::new();
        for border in BORDERS {
            let is_above = |odds: f64| probability(odds) as f32 > border;
            let [above, below] = [above(border), below(border)];
            assert!(below < above, "{border}");
            assert!(
                above - below < 1e-4 || !(0.0..1.0).contains(&border),
                "{border}: {below} to {above}"
            );
            for step in 0..2000 {
                // Step by step, in roundings that grow.
                let [mut no, mut yes] = [below, above];
                for _ in 0..step % 100 {
                    (no, yes) = (no.next_down(), yes.next_up());
                }
                let further = f64::from(step) * 0.37;
                assert!(
                    no.is_infinite() || !is_above(no - further),
                    "{border}, {step}"
                );
                assert!(
                    is_above(yes + further) || yes.is_infinite(),
                    "{border}, {step}"
                );
            }
            limits.push([above, below]);
        }
        assert!(limits.is_sorted());
    }

    const DOCS: [u32; 2] = [70, 31];
    const TOTALS: [u64; 2] = [523, 210];
    const COUNTS: [[u32; 2]; 4] = [[400, 3], [12, 101], [55, 56], [56, 50]];
    const BAYES: NaiveBayes = NaiveBayes {
        class_prior: 0.5,
        token_prior: 0.3,
        seen_tokens: 4,
    };

    /// CatBoost's probabilities of a text with these counts of tokens.
    fn expected(text: [u32; 4]) -> [f32; 2] {
        let text: Vec<(u32, u32)> = (0..).zip(text).filter(|&(_, occurs)| occurs > 0).collect();
        let logarithms = [0, 1].map(|class| {
            let count = |token: u32| Some(COUNTS[token as usize][class]);
            BAYES.log_probability(&text, DOCS[class], TOTALS[class], count)
        });
        bayes_softmax_of_two(logarithms).map(|number| number as f32)
    }

    /// Bins that [`Odds`] find for borders of the first class and of the second, or `None` if they are in doubt.
    fn undoubted(text: [u32; 4], borders: [&[f32]; 2]) -> Option<[usize; 2]> {
        let ln = |count: f64| catboost_runtime::math::ln(count);
        let prior = f64::from(BAYES.token_prior);
        let estimates = [0, 1].map(|class| Estimate {
            class,
            borders: borders[class as usize].into(),
            group: Group(class),
        });
        let odds = lay_out(
            DOCS.map(|docs| ln(f64::from(docs) + f64::from(BAYES.class_prior))),
            COUNTS
                .iter()
                .map(|counts| Some(counts.map(|count| ln(prior + f64::from(count))))),
            TOTALS.map(|total| ln(total as f64 + prior * 5.0)),
            &estimates,
        );
        let weights = odds.weights.iter().zip(text);
        let odds_of = weights.fold(odds.prior, |sum, (weight, occurs)| {
            sum + f64::from(occurs) * weight
        });
        let bins = odds
            .limits
            .iter()
            .zip([odds_of, -odds_of])
            .map(|(limits, odds)| {
                let above = limits.above.iter();
                let bin = above.filter(|&&limit| odds > limit).count();
                (odds < limits.below[bin]).then_some(bin)
            });
        let bins: Option<Vec<usize>> = bins.collect();
        bins.map(|bins| [bins[0], bins[1]])
    }

    #[test]
    fn bins_without_doubt_are_those_of_catboost() {
        let (mut sure, mut unsure) = (0, 0);
        for nth in 0..400_u32 {
            let text = [nth % 3, nth / 3 % 7, nth / 21 % 5, nth / 105 * 16];
            let numbers = expected(text);
            // On both sides of the number, and on it.
            let near = numbers.map(|number| [number.next_down(), number, number.next_up()]);
            let far = numbers.map(|number| [number * 0.999, (number * 1.001).min(2.0)]);
            for (borders, is_far) in [
                ([&near[0][..], &[0.5][..]], false),
                ([&[0.5], &near[1]], false),
                ([&far[0], &far[1]], true),
            ] {
                let bins = [0, 1].map(|class| {
                    let number = numbers[class];
                    borders[class]
                        .iter()
                        .filter(|&&border| number > border)
                        .count()
                });
                match undoubted(text, borders) {
                    Some(found) => {
                        assert_eq!(found, bins, "{text:?}, {borders:?}");
                        sure += 1;
                    }
                    None => {
                        assert!(!is_far, "{text:?}, {borders:?}");
                        unsure += 1;
                    }
                }
            }
        }
        assert!(sure >= 400 && unsure > 0, "{sure} and {unsure}");
    }

    #[test]
    fn codes_have_the_weights_of_their_ids() {
        let mut odds = Odds {
            prior: 0.0,
            weights: [1.0, 2.0, f64::NAN].into(),
            by_code: None,
            limits: [].into(),
        };
        let no_id = Steps::NO_ID;
        add_codes(&mut odds, 5, &[no_id, 5, 6, 7, 8, 4, 5]);
        let by_code = odds.by_code.expect("it was added");
        let (known, rest) = by_code.split_at(7);
        let shown: Vec<String> = known.iter().map(f64::to_string).collect();
        assert_eq!(shown, ["0", "1", "2", "NaN", "NaN", "NaN", "1"]);
        assert!(rest.len() == 249 && rest.iter().all(|weight| weight.is_nan()));
    }

    #[test]
    fn infinite_logarithms_leave_no_text_without_doubt() {
        let estimates = [Estimate {
            class: 0,
            borders: [0.5].into(),
            group: Group(0),
        }];
        for log_totals in [[0.0, f64::NEG_INFINITY], [f64::NAN, 0.0]] {
            let odds = lay_out(
                [0.0; 2],
                [Some([1.0, 2.0])].into_iter(),
                log_totals,
                &estimates,
            );
            let [limits] = &odds.limits[..] else {
                panic!("one estimate");
            };
            let above = limits.above.iter().any(|&limit| 1e300 > limit);
            let not_above = -1e300 < limits.below[0];
            assert!(!above && !not_above, "{log_totals:?}");
        }
    }
}
