//! A model with a feature of each kind.

use std::{vec, vec::Vec};

use super::*;
use crate::{
    hash::combine,
    storage::Static,
    text::{Dictionary, NumberPolicy, Tokenizer},
};

/// The groups of a block are the first eight.
const WIDE: Group = Group(8);
const ONE_HOT: Group = Group(9);
const LDA: Group = Group(10);
const WORD: u32 = 11;
/// Bins after it are overwritten.
const CTR: u32 = 12;
/// First answer of the groups' questions.
const ANSWERS: u32 = CTR + 16;
const ROOM: u32 = Answers::AT_ONCE as u32;
const EQUAL: u32 = ANSWERS + 4 * ROOM;
const DIGITS: u32 = EQUAL + 2;
const MASKS: u32 = DIGITS + 2;
const GROUPS: usize = MASKS as usize + 16;

/// Each tree has one split. A positive answer is worth a power of two in the first raw value and three times that in
/// the second, so that the sums tell the answers apart.
fn model<P: Shape>(shape: P) -> Model<Static, P> {
    let values =
        (0..7).flat_map(|tree| [0.0, 0.0, f64::from(1 << tree), 3.0 * f64::from(1 << tree)]);
    Model {
        shape,
        scale: 2.0,
        bias: &[0.5, -1.0],
        blocks: vec![Block::<Static> {
            borders: vec![[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]].leak(),
            nan: [f32::INFINITY; 8],
            group: Group(0),
            pairs: None,
        }]
        .leak(),
        wides: vec![Wide::<Static> {
            borders: &[1.0, 2.0, 3.0],
            nan: f32::NAN,
            group: WIDE,
        }]
        .leak(),
        one_hots: vec![OneHot::<Static> {
            cat: 0,
            group: ONE_HOT,
            values: &[4, 5],
        }]
        .leak(),
        digits: Digits::<Static> {
            cats: vec![
                Numbered::<Static> {
                    cat: 0,
                    slot: Slot(DIGITS),
                    numbers: Keys::of(&[(5, 0)]),
                },
                Numbered::<Static> {
                    cat: 1,
                    slot: Slot(DIGITS + 1),
                    numbers: Keys::of(&[(6, 0)]),
                },
            ]
            .leak(),
            // A CTR may count by numbers and one-hot values: their bins are there already.
            masks: vec![Masks::<Static> {
                group: ONE_HOT,
                last: Bin(2),
                rows: const {
                    &{
                        let mut rows = [0; 3 * 16];
                        rows[2 * 16] = 1;
                        rows
                    }
                },
            }]
            .leak(),
            first: Slot(MASKS),
            len: 16,
        },
        crosses: vec![Cross::<Static> {
            digits: &[
                Digit {
                    slot: Slot(DIGITS),
                    worth: 1,
                },
                Digit {
                    slot: Slot(DIGITS + 1),
                    worth: 1,
                },
            ],
            count: 1,
            len: 2,
            cells: &[0, 1],
            selects: &[Select {
                splits: 1,
                masks: Slot(MASKS),
                answers: Answer(CTR),
            }],
            projections: vec![Projection::<Static> {
                cats: &[0, 1],
                conditions: vec![Condition::at_least(ONE_HOT.0, 2)].leak(),
                keys: Keys::of(&[]),
                bins: &[0, 0, 0, 0],
                len: 1,
                first: Slot(CTR),
            }]
            .leak(),
        }]
        .leak(),
        projections: vec![Projection::<Static> {
            cats: &[1],
            conditions: &[],
            keys: Keys::of(&[(combine(0, 6), 0)]),
            bins: &[0; Projection::AT_ONCE - 1],
            len: 0,
            first: Slot(CTR),
        }]
        .leak(),
        texts: vec![Text::<Static> {
            text: 0,
            tokenizer: Tokenizer {
                delimiter: " ",
                split_by_set: false,
                skip_empty: true,
                lowercasing: false,
                numbers: NumberPolicy::LeaveAsIs,
            },
            letters: None,
            tokenized: vec![Tokenized::<Static> {
                dictionary: Dictionary::Words {
                    words: Tokens::of(&[("word", 0)]),
                    end_of_sentence: None,
                },
                by_letter: None,
                tells_unknown: true,
                bag: BagOfWords {
                    first: 0,
                    starts: &[0, 1],
                    at: &[WORD],
                    to: &[1],
                },
                calcers: &[],
            }]
            .leak(),
        }]
        .leak(),
        embeddings: vec![Embedding::<Static> {
            embedding: 0,
            calcer: EmbeddingCalcer::Lda {
                directions: &[1.0, -1.0],
                dimension: 2,
            },
            estimates: vec![Estimate::<Static> {
                class: 0,
                borders: &[0.0],
                group: LDA,
            }]
            .leak(),
        }]
        .leak(),
        answers: vec![
            above(Group(0), ANSWERS),
            above(Group(7), ANSWERS + ROOM),
            above(WIDE, ANSWERS + 2 * ROOM),
            above(LDA, ANSWERS + 3 * ROOM),
            Answers {
                group: ONE_HOT,
                first: Answer(EQUAL),
                asked: Asked::Equal,
            },
        ]
        .leak(),
        initial: &[0; GROUPS],
        trees: Trees::Levels {
            splits: &[
                Answer(ANSWERS),
                Answer(ANSWERS + ROOM),
                Answer(ANSWERS + 2 * ROOM + 1),
                Answer(EQUAL),
                Answer(CTR),
                Answer(ANSWERS + 3 * ROOM),
                Answer(WORD),
            ],
            offsets: &[0, 2, 4, 6, 8, 10, 12],
            values: values.collect::<Vec<_>>().leak(),
        },
    }
}

fn above(group: Group, first: u32) -> Answers {
    let (first, asked) = (Answer(first), Asked::Above(1));
    Answers {
        group,
        first,
        asked,
    }
}

/// Records every call.
#[derive(Debug, Default, PartialEq)]
struct Told {
    rows: Vec<f32>,
    unseen: Vec<usize>,
    unknown: Vec<usize>,
    leaves: Vec<usize>,
}

impl Observer for Told {
    fn row(&mut self, row: &Row<'_>) {
        self.rows.push(row.floats[0]);
    }

    fn unseen(&mut self, cat: usize) {
        self.unseen.push(cat);
    }

    fn unknown_token(&mut self, text: usize) {
        self.unknown.push(text);
    }

    fn leaf(&mut self, leaf: usize) {
        self.leaves.push(leaf);
    }
}

#[test]
fn every_feature_has_its_say() {
    // First and last of the block, wide feature; categories; text; embedding.
    let nothing = ([0.0, 7.0, 1.5], [9, 9], "other", [1.0, 1.0]);
    let cases = [
        (nothing, 0b000_0000),
        (([0.5, 7.0, 1.5], [9, 9], "other", [1.0, 1.0]), 0b000_0001),
        (([0.0, 7.5, 1.5], [9, 9], "other", [1.0, 1.0]), 0b000_0010),
        (([0.0, 7.0, 2.5], [9, 9], "other", [1.0, 1.0]), 0b000_0100),
        (([0.0, 7.0, 1.5], [4, 6], "other", [1.0, 1.0]), 0b000_1000),
        (([0.0, 7.0, 1.5], [5, 6], "other", [1.0, 1.0]), 0b001_0000),
        (([0.0, 7.0, 1.5], [9, 9], "other", [1.5, 1.0]), 0b010_0000),
        (([0.0, 7.0, 1.5], [9, 9], "a word", [1.0, 1.0]), 0b100_0000),
        (([9.0, 9.0, 9.0], [5, 6], "word", [9.0, 1.0]), 0b111_0111),
        (([f32::NAN; 3], [9, 9], "", [1.0, 1.0]), 0b000_0011),
    ];
    let compiled = model(Const::<2, GROUPS, 0, 1>);
    let loaded = model(Dynamic {
        dimension: 2,
        slots: GROUPS,
        lines: 0,
        bits: 1,
    });
    let mut scratch = Scratch::default();
    for (row, answers) in cases {
        let ([first, last, wide], cats, text, embedding) = row;
        let floats = [first, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, last, wide];
        let row = Row {
            floats: &floats,
            cats: &cats,
            texts: &[text],
            embeddings: &[&embedding],
        };
        let sum = f64::from(answers);
        let expected = [2.0 * sum + 0.5, 6.0 * sum - 1.0];
        assert_eq!(compiled.raw(row), expected, "{row:?}");

        let mut told = Told::default();
        assert_eq!(compiled.raw_observed(row, &mut told), expected, "{row:?}");
        let words = text.split(' ').filter(|&word| !word.is_empty());
        let leaves = (0..7).map(|tree| 2 * tree + (answers as usize >> tree & 1));
        assert_eq!(told.leaves, leaves.collect::<Vec<_>>(), "{row:?}");
        assert_eq!(told.rows.len(), 1);
        assert_eq!(told.rows[0].to_bits(), first.to_bits());
        assert_eq!(told.unseen, vec![1; usize::from(cats[1] != 6)], "{row:?}");
        let unknown = words.filter(|&word| word != "word").count();
        assert_eq!(told.unknown, vec![0; unknown], "{row:?}");

        let (mut raw, mut told_dynamically) = ([7.0; 2], Told::default());
        loaded.raw_observed(row, &mut scratch, &mut raw, &mut told_dynamically);
        assert_eq!(raw, expected, "{row:?}");
        assert_eq!(told_dynamically.leaves, told.leaves);

        let mut told_portably = Told::default();
        assert_eq!(
            compiled.raw_portable::<_, false>(row, &mut told_portably),
            expected
        );
        assert_eq!(told_portably.leaves, told.leaves);
    }
}

#[test]
fn known_bins_take_the_place_of_numbers() {
    let model = model(Dynamic {
        dimension: 2,
        slots: GROUPS,
        lines: 0,
        bits: 1,
    });
    let state = |floats: &[f32], numbers| {
        let row = Row {
            floats,
            cats: &[9, 9],
            texts: &["other"],
            embeddings: &[&[1.0, 1.0]],
        };
        let mut slots = [7; GROUPS];
        model.state(row, numbers, 0, &mut slots, &mut [], &mut ());
        slots
    };
    let quantized = state(&[0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.5], None);
    // Two columns count the borders of the wide feature.
    let known = [(Group(0), Bin(1)), (WIDE, Bin(1)), (WIDE, Bin(1))];
    assert_eq!(state(&[], Some(&known)), quantized);
}
