use catboost_runtime::hash::combine;

use super::*;
use crate::ir::{
    CatIdx, Child, CtrIdx, Feature, FloatFeature, Node, NonSymmetricTree, NumberPolicy,
    ObliviousTree, OneHot, TableIdx, Text, Tokenized, Tokenizer, Trees,
};

fn feature(name: &str) -> Feature {
    Feature {
        flat_index: 0,
        name: name.to_owned(),
        used: true,
    }
}

/// Model without trees: three numeric features with a border at 1, each with another treatment of NaN, and a
/// categorical feature.
fn model() -> Model {
    let number = |nan, has_nans| FloatFeature {
        feature: feature("number"),
        has_nans,
        nan,
        borders: vec![1.0],
    };
    Model {
        info: std::collections::BTreeMap::new(),
        dimension: 1,
        scale: 1.0,
        bias: vec![0.0],
        float_features: vec![
            number(NanTreatment::AsIs, true),
            number(NanTreatment::AsFalse, true),
            number(NanTreatment::AsTrue, true),
            number(NanTreatment::AsTrue, false),
        ],
        cat_features: vec![feature("category")],
        text_features: Vec::new(),
        embedding_features: Vec::new(),
        one_hots: vec![OneHot {
            cat: CatIdx(0),
            values: vec![
                cat_hash("red").cast_signed(),
                cat_hash("blue").cast_signed(),
            ],
            strings: Vec::new(),
        }],
        ctrs: Vec::new(),
        ctr_tables: Vec::new(),
        text: Text::default(),
        embedding_calcers: Vec::new(),
        estimated: Vec::new(),
        splits: (0..4)
            .map(|n| Split::Float {
                feature: FloatIdx(n),
                border: 0,
            })
            .collect(),
        trees: Trees::Oblivious(Vec::new()),
    }
}

/// Tree whose leaf values are the leaves' numbers.
fn tree(splits: &[u32]) -> ObliviousTree {
    ObliviousTree {
        splits: splits.iter().map(|&split| SplitIdx(split)).collect(),
        values: (0..1 << splits.len()).map(f64::from).collect(),
        weights: Vec::new(),
    }
}

fn row<'a>(floats: &'a [f32], cats: &'a [&'a str]) -> Row<'a> {
    Row {
        floats,
        cats,
        ..Row::default()
    }
}

#[test]
fn a_border_is_not_above_itself() {
    let mut model = model();
    model.trees = Trees::Oblivious(vec![tree(&[0, 1])]);
    let score = |a, b| raw(&model, &row(&[a, b, 0.0, 0.0], &[""]));
    assert_eq!(score(1.0, 1.0), [0.0]);
    assert_eq!(score(1.0_f32.next_up(), 1.0), [1.0]);
    assert_eq!(score(0.0, f32::INFINITY), [2.0]);
}

#[test]
fn nan_is_what_its_feature_says() {
    let mut model = model();
    model.trees = Trees::Oblivious(vec![tree(&[0, 1, 2, 3])]);
    assert_eq!(raw(&model, &row(&[f32::NAN; 4], &[""])), [4.0]);
}

#[test]
fn one_hot_compares_hashes() {
    let mut model = model();
    let one_hot = |value| Split::OneHot {
        feature: OneHotIdx(0),
        value,
    };
    model.splits = vec![one_hot(0), one_hot(1)];
    model.trees = Trees::Oblivious(vec![tree(&[0, 1])]);
    let score = |cat| raw(&model, &row(&[], &[cat]))[0];
    assert_eq!(
        (score("red"), score("blue"), score("green")),
        (1.0, 2.0, 0.0)
    );
}

#[test]
fn a_ctr_is_found_by_category_and_answers() {
    let mut model = model();
    let key = combine(ctr_key_cat(0, cat_hash("red")), 1);
    let key = combine(key, 0);
    model.ctr_tables = vec![CtrTable {
        projection: Projection {
            cats: vec![CatIdx(0)],
            floats: vec![(FloatIdx(0), 0)],
            one_hots: vec![(OneHotIdx(0), 1)],
        },
        ctr_type: CtrType::Borders,
        keys: vec![key],
        values: CtrValues::Classes {
            classes: 2,
            counts: vec![1, 3],
        },
    }];
    model.ctrs = vec![Ctr {
        table: TableIdx(0),
        target_border: 0,
        prior_num: 0.5,
        prior_denom: 1.0,
        shift: 0.0,
        scale: 1.0,
        borders: vec![0.6, 0.7],
    }];
    let ctr = |border| Split::Ctr {
        feature: CtrIdx(0),
        border,
    };
    model.splits = vec![ctr(0), ctr(1)];
    model.trees = Trees::Oblivious(vec![tree(&[0, 1])]);
    let score = |number, cat| raw(&model, &row(&[number], &[cat]))[0];
    // 3.5 / 5 is not above 0.7 in f32
    assert_eq!(score(2.0, "red"), 1.0);
    assert_eq!(score(0.0, "red"), 0.0);
    assert_eq!(score(2.0, "blue"), 0.0);
}

#[test]
fn each_node_asks_its_own_question() {
    let mut model = model();
    let node = |split, no, yes| Node {
        split: SplitIdx(split),
        no,
        yes,
    };
    let branching = NonSymmetricTree {
        nodes: vec![
            node(0, Child::Leaf(0), Child::Node(1)),
            node(1, Child::Leaf(1), Child::Leaf(2)),
        ],
        values: vec![10.0, 20.0, 30.0],
        weights: Vec::new(),
    };
    let leaf = NonSymmetricTree {
        nodes: Vec::new(),
        values: vec![0.5],
        weights: Vec::new(),
    };
    model.trees = Trees::NonSymmetric(vec![branching, leaf]);
    let score = |a, b| raw(&model, &row(&[a, b, 0.0, 0.0], &[""]))[0];
    assert_eq!(
        (score(0.0, 2.0), score(2.0, 0.0), score(2.0, 2.0)),
        (10.5, 20.5, 30.5)
    );
}

#[test]
fn trees_add_up_in_order_then_scale_then_bias() {
    let mut model = model();
    let constant = |value| ObliviousTree {
        splits: Vec::new(),
        values: vec![value, 1.0],
        weights: Vec::new(),
    };
    model.dimension = 2;
    model.bias = vec![0.0, 0.25];
    model.trees = Trees::Oblivious([1e16, 1.0, 1.0, -1e16].map(constant).into());
    model.scale = 3.0;
    // Added one by one, both ones are lost next to 1e16.
    assert_eq!(raw(&model, &row(&[], &[])), [0.0, 12.25]);
}

#[test]
fn a_text_becomes_token_counts() {
    let mut model = model();
    let hash = |word: &str| catboost_runtime::hash::murmur2_64a(word.as_bytes(), 0);
    let mut entries = vec![(hash("a"), 0), (hash("b"), 1)];
    entries.sort_unstable();
    model.text_features = vec![feature("text")];
    model.text = Text {
        tokenizers: vec![Tokenizer {
            lowercasing: true,
            numbers: NumberPolicy::LeaveAsIs,
            delimiter: " ".to_owned(),
            split_by_set: false,
            skip_empty: true,
        }],
        dictionaries: vec![Dictionary {
            gram: Gram::Words {
                order: 1,
                skip_step: 0,
            },
            size: 2,
            start_token_id: 0,
            unknown_token_id: 2,
            end_of_sentence_token_id: 3,
            end_of_sentence: false,
            tokens: TokenTable { seed: 0, entries },
            grams: None,
        }],
        tokenized: vec![Tokenized {
            text: crate::ir::TextIdx(0),
            tokenizer: crate::ir::TokenizerIdx(0),
            dictionary: crate::ir::DictionaryIdx(0),
        }],
        calcers: Vec::new(),
    };
    let texts = ["B x  a b"];
    let row = Row {
        texts: &texts,
        ..Row::default()
    };
    assert_eq!(
        token_counts(&model, &row, TokenizedIdx(0)),
        [(0, 1), (1, 2)]
    );
}
