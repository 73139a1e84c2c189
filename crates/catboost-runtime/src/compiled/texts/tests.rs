use std::{vec, vec::Vec};

use super::*;
use crate::{
    calcer,
    compiled::{Estimate, Group, Limits, Odds},
    math,
    storage::Static,
    text::{Dictionary, NumberPolicy, Tokenizer},
};

fn counts(ids: &[u32]) -> Vec<(u32, u32)> {
    let counts = super::count(ids.iter().copied());
    assert_eq!(counts, sort_and_count(ids.into()));
    counts.to_vec()
}

#[test]
fn ids_are_counted_by_ascending_id() {
    assert_eq!(counts(&[]), []);
    assert_eq!(counts(&[5, 0, 63, 5, 5]), [(0, 1), (5, 3), (63, 1)]);
    assert_eq!(counts(&[64, 0, 64, 5, 0]), [(0, 2), (5, 1), (64, 2)]);
}

#[test]
fn a_bag_knows_what_each_id_sets() {
    let bag: BagOfWords = BagOfWords {
        first: 5,
        starts: &[0, 1, 1, 3],
        at: &[2, 0, 3],
        to: &[4, 1, 2],
    };
    let of = |id| bag.of(id).collect::<Vec<_>>();
    assert_eq!(of(5), [(2, 4)]);
    assert_eq!(of(6), []);
    assert_eq!(of(7), [(0, 1), (3, 2)]);
    for other in [0, 4, 8, 9, u32::MAX] {
        assert_eq!(of(other), [], "{other}");
    }

    let mut bins = [9; 4];
    bag.set([7, 4].into_iter(), &mut bins, &mut []);
    assert_eq!(bins, [1, 9, 9, 2]);
    let mut indices = [Line([1; 16])];
    bag.set([5, 7].into_iter(), &mut bins, &mut indices);
    let mut expected = [1; 16];
    (expected[2], expected[3]) = (5, 3);
    assert_eq!(indices[0].0, expected);
    assert_eq!(bins, [1, 9, 9, 2]);
}

/// Estimates whose borders are the expected number and the one just below it: the bin is 1 if the number is the same to
/// the bit. The groups are those of the classes.
fn exactly(expected: &[f64]) -> &'static [Estimate] {
    let estimates = (0..).zip(expected).map(|(class, &number)| {
        let number = number as f32;
        Estimate::<Static> {
            class,
            borders: vec![number.next_down(), number].leak(),
            group: Group(class),
        }
    });
    estimates.collect::<Vec<_>>().leak()
}

/// Count of the tokens 2 to 5 per class.
const CLASSES: [[u32; 4]; 3] = [[5, 1, 0, 14], [0, 0, 11, 1], [30, 0, 10, 0]];
const DOCS: [u32; 3] = [7, 3, 12];

/// Count of a token in a class; `None` if the class lacks it.
fn count(class: usize, token: u32) -> Option<u32> {
    let counts = CLASSES[class];
    let count = *counts.get(token.checked_sub(2)? as usize)?;
    (count > 0).then_some(count)
}

fn total(class: usize) -> u64 {
    CLASSES[class].iter().map(|&count| u64::from(count)).sum()
}

/// Tokens of a text, by id: none, one, one that occurs twice, some that no class has, more of these than are tabulated.
const TEXTS: [&[u32]; 6] = [
    &[],
    &[2],
    &[3, 5, 3],
    &[9, 2, 9, 70],
    &[6, 7, 8, 9, 10],
    &[1, 4],
];

#[test]
fn naive_bayes_is_that_of_the_interpreter() {
    let bayes = calcer::NaiveBayes {
        class_prior: 0.5,
        token_prior: 0.3,
        seen_tokens: 6,
    };
    let token_prior = f64::from(bayes.token_prior);
    for classes in [2, 3] {
        let log_priors = (0..classes).map(|class| math::ln(f64::from(DOCS[class]) + 0.5));
        // Tokens 2 to 5 and one that no class has.
        let rows = (0..classes).flat_map(|class| (2..7).map(move |token| count(class, token)));
        let log_counts = rows.clone().map(|count| match count {
            Some(count) => math::ln(token_prior + f64::from(count)),
            None => math::ln(token_prior),
        });
        let lacks = rows.map(|count| u8::from(count.is_none()));
        let totals = (0..classes).map(|class| total(class) as f64 + token_prior * 7.0);
        // Of texts with three tokens at most that a class lacks.
        let log_totals = totals.clone().flat_map(|total| {
            let lacking = [
                total,
                total + token_prior,
                total + token_prior + token_prior,
            ];
            lacking.map(math::ln)
        });
        for text in TEXTS {
            let mut expected: Vec<f64> = (0..classes)
                .map(|class| {
                    let count = |token| count(class, token);
                    bayes.log_probability(&counts(text), DOCS[class], total(class), count)
                })
                .collect();
            calcer::bayes_softmax(&mut expected);
            let compiled: NaiveBayes = NaiveBayes {
                log_priors: log_priors.clone().collect::<Vec<_>>().leak(),
                first: 2,
                log_counts: log_counts.clone().collect::<Vec<_>>().leak(),
                lacks: lacks.clone().collect::<Vec<_>>().leak(),
                log_totals: log_totals.clone().collect::<Vec<_>>().leak(),
                totals: totals.clone().collect::<Vec<_>>().leak(),
                token_prior,
                estimates: exactly(&expected),
                odds: None,
            };
            let mut bins = vec![0; classes];
            compiled.compute(&counts(text), &mut bins);
            assert_eq!(bins, vec![1; classes], "{text:?}: {expected:?}");
        }
    }
}

/// Naive Bayes of tokens that no class has.
fn of_lacking(odds: Option<Odds>) -> NaiveBayes {
    NaiveBayes {
        log_priors: &[0.0, 0.0],
        first: 2,
        log_counts: &[0.0, 0.0],
        lacks: &[1, 1],
        // Not the logarithms of the totals: far from each other if no token is lacking, and otherwise the other way round.
        log_totals: &[0.0, 100.0, 100.0, 0.0],
        totals: &[1.0, 1.0],
        token_prior: 0.0,
        estimates: &[Estimate::<Static> {
            class: 0,
            borders: &[0.25, 0.75],
            group: Group(0),
        }],
        odds,
    }
}

#[test]
fn naive_bayes_looks_up_the_totals_that_are_tabulated() {
    let compiled = of_lacking(None);
    let bin = |ids: &[u32]| {
        let mut bins = [9];
        compiled.compute(&counts(ids), &mut bins);
        bins[0]
    };
    assert_eq!(bin(&[]), 1, "there is no token to be lacking");
    assert_eq!(bin(&[7]), 0, "the second class's total is the smaller");
    assert_eq!(bin(&[7, 8]), 1, "both totals are computed, and the same");
}

/// The odds imply other bins than the logarithms, to show which of them were used.
#[test]
fn naive_bayes_is_computed_where_its_odds_leave_a_doubt() {
    let odds = Odds::<Static> {
        prior: 0.5,
        weights: &[1.0, -1.0],
        by_code: None,
        limits: &[Limits::<Static> {
            above: &[0.0, 1.0],
            below: &[-0.25, 0.75, f64::INFINITY],
        }],
    };
    let words = Tokenized::<Static> {
        dictionary: Dictionary::Words {
            words: Tokens::of(&[]),
            end_of_sentence: None,
        },
        by_letter: None,
        tells_unknown: false,
        bag: BagOfWords {
            first: 0,
            starts: &[],
            at: &[],
            to: &[],
        },
        calcers: vec![Calcer::NaiveBayes(of_lacking(Some(odds)))].leak(),
    };
    let bin = |ids: &[u32]| {
        let mut bins = [9];
        words.compute(ids.iter().copied(), None, &mut bins);
        bins[0]
    };
    assert_eq!(bin(&[2]), 2, "odds of 1.5");
    assert_eq!(bin(&[3]), 0, "odds of -0.5: one of a token");
    assert_eq!(bin(&[7]), 0, "no weight");
    assert_eq!(
        bin(&[2, 3, 7, 8]),
        1,
        "no weight, and both totals are computed"
    );
}

#[test]
fn bm25_is_that_of_the_interpreter() {
    let bm25 = calcer::Bm25 {
        k: 1.5,
        b: 0.75,
        truncate_border: 1e-3,
        total_tokens: 72,
        classes: 3,
    };
    let share = |class, token| {
        let having = (0..3).filter(|&class| count(class, token).is_some());
        let weight = bm25.inverse_class_frequency(having.count() as u32);
        bm25.term(weight, count(class, token).unwrap_or(0), total(class))
    };
    let shares = (2..7).flat_map(|token| (0..3).map(move |class| (class, token)));
    let shares: Vec<f64> = shares.map(|(class, token)| share(class, token)).collect();
    for text in TEXTS {
        let score = |class| {
            let counts = counts(text);
            let shares = counts.iter().map(|&(token, _)| share(class, token));
            shares.fold(0.0, |score, share| score + share)
        };
        let expected = [0, 1, 2].map(score);
        let compiled: Bm25 = Bm25 {
            first: 2,
            classes: 3,
            shares: shares.clone().leak(),
            estimates: exactly(&expected),
        };
        let mut bins = [0; 3];
        compiled.compute(&counts(text), &mut bins);
        assert_eq!(bins, [1; 3], "{text:?}: {expected:?}");
    }
}

static CODES: [u8; 0x800] = {
    let mut codes = [0; 0x800];
    codes[' ' as usize] = Letters::NO_TOKEN;
    codes['a' as usize] = 1;
    codes['ж' as usize] = 2;
    codes
};

/// Text with the words `a`, `ж` and `bb`, which set 1, 2 and 4 in group or word 0, and the pair `a ж`, which sets 8 in
/// group or word 3. The score that sets group 1 counts the words `a` and `ж`, each once. `by_letter` enables the fast
/// path for single letters.
fn text(by_letter: bool, lines: usize) -> Text {
    let line = |bits: [u32; 2]| {
        let mut lines = vec![Line([0; 16]); lines];
        if let Some(Line(words)) = lines.first_mut() {
            (words[0], words[3]) = (bits[0], bits[1]);
        }
        lines
    };
    const NO_ID: u32 = Steps::NO_ID;
    let letters: Letters = Letters {
        delimiter: b' ',
        codes: &CODES,
        unknown: 1,
        rows: Steps {
            stride: 3,
            table: &[0, 1, 2, 0, 1, 3, 0, 1, 2],
        },
        lines: [line([0, 0]), line([1, 0]), line([2, 0]), line([2, 8])]
            .concat()
            .leak(),
    };
    let words = Tokenized::<Static> {
        dictionary: Dictionary::Words {
            words: Tokens::of(&[("a", 5), ("ж", 6), ("bb", 7)]),
            end_of_sentence: None,
        },
        by_letter: by_letter.then_some(Steps {
            stride: 0,
            table: &[NO_ID, 5, 6],
        }),
        tells_unknown: true,
        bag: BagOfWords {
            first: 5,
            starts: &[0, 1, 2, 3],
            at: &[0, 0, 0],
            to: &[1, 2, 4],
        },
        calcers: &[Calcer::Bm25(Bm25 {
            first: 5,
            classes: 1,
            shares: &[1.0, 1.0, 0.0],
            estimates: &[Estimate::<Static> {
                class: 0,
                borders: &[0.5, 1.5],
                group: Group(1),
            }],
        })],
    };
    let pairs = Tokenized::<Static> {
        dictionary: Dictionary::Grams {
            order: 2,
            skip_step: 0,
            end_of_sentence: false,
            words: Tokens::of(&[("a", 0), ("ж", 1)]),
            grams: Tokens::of_grams(&[(&[0, 1], 3)]),
        },
        by_letter: by_letter.then_some(Steps {
            stride: 3,
            table: &[NO_ID, NO_ID, NO_ID, NO_ID, NO_ID, 3, NO_ID, NO_ID, NO_ID],
        }),
        tells_unknown: false,
        bag: BagOfWords {
            first: 3,
            starts: &[0, 1],
            at: &[3],
            to: &[8],
        },
        calcers: &[],
    };
    Text::<Static> {
        text: 1,
        tokenizer: Tokenizer {
            delimiter: " ",
            split_by_set: false,
            skip_empty: true,
            lowercasing: false,
            numbers: NumberPolicy::LeaveAsIs,
        },
        letters: by_letter.then_some(letters),
        tokenized: vec![words, pairs].leak(),
    }
}

/// Counts unknown words.
#[derive(Default)]
struct Unknown(usize);

impl Observer for Unknown {
    fn unknown_token(&mut self, text: usize) {
        assert_eq!(text, 1);
        self.0 += 1;
    }
}

/// Returns groups or words 0 and 3, the bin of the score, and the number of unknown words.
fn quantized(lines: usize, by_letter: bool, words: &str) -> (u64, u64, u16, usize) {
    let (mut bins, mut unknown) = ([0; 4], Unknown::default());
    let mut indices = vec![Line([0; 16]); lines];
    let texts = ["a", words];
    text(by_letter, lines).quantize(&texts, &mut bins, &mut indices, &mut unknown);
    let (first, fourth) = match indices.first() {
        Some(Line(words)) => {
            assert_eq!([bins[0], bins[3]], [0, 0]);
            (words[0].into(), words[3].into())
        }
        None => (bins[0].into(), bins[3].into()),
    };
    (first, fourth, bins[1], unknown.0)
}

#[test]
fn texts_set_what_their_words_and_pairs_set() {
    for (text, expected) in [
        ("", (0, 0, 0, 0)),
        ("a", (1, 0, 1, 0)),
        ("a a", (1, 0, 1, 0)),
        ("ж a", (3, 0, 2, 0)),
        ("a ж", (3, 8, 2, 0)),
        ("a  ж", (3, 8, 2, 0)),
        ("x a x ж", (3, 0, 2, 2)),
        ("x a ж x", (3, 8, 2, 2)),
        ("a bb ж", (7, 0, 2, 0)),
        ("xx yy a", (1, 0, 1, 2)),
    ] {
        for by_letter in [false, true] {
            let in_lines = quantized(1, by_letter, text);
            assert_eq!(in_lines, expected, "{text:?}, by letter: {by_letter}");
        }
    }
    // Where trees are walked, a bin is that of the last word.
    for (text, expected) in [
        ("", (0, 0, 0, 0)),
        ("ж", (2, 0, 1, 0)),
        ("x a ж", (2, 8, 2, 1)),
        ("ж  a", (1, 0, 2, 0)),
    ] {
        for by_letter in [false, true] {
            let in_bins = quantized(0, by_letter, text);
            assert_eq!(in_bins, expected, "{text:?}, by letter: {by_letter}");
        }
    }
}
