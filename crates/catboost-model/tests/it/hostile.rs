//! Damaged and hostile files: errors say where and what, nothing panics, and every model that is read can be used.

mod ctrs;
mod damaged;

use catboost_model::{
    eval::{self, Row},
    ir::Model,
    parse, to_json,
};

use crate::fixture;

/// Model with a feature of each kind.
pub(crate) const SMALL: &str = include_str!("small.json");
/// Part of [`SMALL`] that tests of other trees replace.
const TREES: &str = "\"oblivious_trees\": [";

pub(crate) fn small_with(old: &str, new: &str) -> String {
    assert_eq!(SMALL.matches(old).count(), 1, "{old}");
    SMALL.replace(old, new)
}

/// [`SMALL`] with other trees. Its own are renamed to a key that is not read.
fn small_with_trees(trees: &str) -> String {
    small_with(TREES, &format!("\"trees\": {trees}, \"not_read\": ["))
}

pub(crate) fn error(json: &str) -> String {
    parse(json.as_bytes())
        .expect_err("the file is damaged")
        .to_string()
}

#[test]
fn the_small_model_is_sound() {
    let model = parse(SMALL.as_bytes()).expect("nothing is wrong with it");
    assert_eq!(answers(&model), [[2.5], [4.5]]);
}

#[test]
fn an_error_says_where_and_what() {
    let cases = [
        (
            "[2, [0.5]]",
            "[2, [\"much\"]]",
            "scale_and_bias[1][0]: invalid value: string \"much\", expected a number, or `inf`, `-inf` or `nan` at line 3 column 31",
        ),
        (
            "\"borders\": [0.5, 1.5]",
            "\"borders\": 0.5",
            "features_info.float_features[0].borders: invalid type: floating point `0.5`, expected a list of numbers at line 8 column 74",
        ),
        (
            "\"borders\": [0.5, 1.5]",
            "\"borders\": [1.5, 0.5]",
            "the borders of float feature 0 `age` do not ascend",
        ),
        (
            "\"AsFalse\"",
            "\"AsTold\"",
            "features_info.float_features[0].nan_value_treatment: unknown variant `AsTold`, expected one of `AsIs`, `AsFalse`, `AsTrue` at line 8 column 57",
        ),
        (
            "\"values\": [-1706589142]",
            "\"values\": [17065891420]",
            "features_info.categorical_features[0].values[0]: invalid value: integer `17065891420`, expected i32 at line 12 column 96",
        ),
        (
            "{\"cat_feature_index\": 0, \"combination_element\"",
            "{\"combination_element\"",
            "features_info.ctrs[0].elements: missing field `cat_feature_index` at line 18 column 92",
        ),
        (
            "\\\"type\\\":\\\"Borders\\\"",
            "\\\"type\\\":\\\"Buckets\\\"",
            "CTR 0 has no table of counts",
        ),
        (
            "\"hash_stride\": 3",
            "\"hash_stride\": 0",
            "\"type\":\"Borders\"}: `hash_stride` is 0 at line 44 column 3",
        ),
        (
            "\"hash_stride\": 3",
            "\"hash_stride\": -9223372036854775808",
            "\"type\":\"Borders\"}: `hash_stride` is -9223372036854775808 at line 44 column 3",
        ),
        (
            "\"hash_stride\": 3",
            "\"hash_stride\": 4",
            "\"type\":\"Borders\"}: `hash_stride` is 4, but not so many elements of `hash_map` belong together at line 44 column 3",
        ),
        (
            "\"4\", 5, 6]",
            "\"4\", 5]",
            "hash_map: expected as many numbers after each hash at line 41 column 56",
        ),
        (
            "\"4\", 5, 6]",
            "\"4\", 5.5, 6]",
            "\"type\":\"Borders\"}: a count in `hash_map` is not a whole number of 32 bits at line 44 column 3",
        ),
        (
            "\"4\", 5, 6]",
            "\"four\", 5, 6]",
            "hash_map[3]: invalid value: string \"four\", expected a hash (a string of digits) or a number at line 41 column 55",
        ),
        (
            "{\"BagOfWords\": {\"tokens\": 1}}",
            "{\"BagOfLetters\": {\"tokens\": 1}}",
            "text_processing.calcers[0].kind.BagOfLetters: unknown variant `BagOfLetters`, expected one of `BagOfWords`, `NaiveBayes`, `Bm25` at line 35 column 55",
        ),
        (
            "\"skip_empty\": true",
            "\"skip_emtpy\": true",
            "text_processing.tokenizers[0].skip_emtpy: unknown field `skip_emtpy`, expected one of",
        ),
        (
            "\"active\": [0]",
            "\"active\": [4294967295]",
            "text calcer 0 speaks of tokens that its dictionary does not have",
        ),
        (
            "{\"tokens\": 1}",
            "{\"tokens\": 4294967295}",
            "text calcer 0 speaks of tokens that its dictionary does not have",
        ),
        (
            "\"size\": 1",
            "\"size\": 4294967295",
            "dictionary 0 says that it has 4294967295 entries, but has 1",
        ),
        (
            "[\"9223372036854775807\", 0]",
            "[\"9223372036854775807\", 1]",
            "dictionary 0 has an id beyond its entries",
        ),
        (
            "\"order\": 1",
            "\"order\": 0",
            "dictionary 0 is of n-grams of nothing",
        ),
        (
            "\"local\": 0",
            "\"local\": 1",
            "estimated feature 0 is number 1 of its calcer, which has fewer",
        ),
        (
            "{\"split_index\": 4}",
            "{\"split_index\": 5}",
            "tree 0 asks for split 5 of 5",
        ),
        (
            "{\"split_index\": 4}",
            "{\"split\": 4}",
            "oblivious_trees[0].splits[2]: missing field `split_index` at line 48 column 69",
        ),
        (
            "[1, 2, 3, 4, 5, 6, 7, 8]",
            "[1, 2, 3, 4, 5, 6, 7, 8, 9]",
            "tree 0 has 8 leaves, but 9 leaf values and 8 leaf weights",
        ),
        (
            "[1, 2, 3, 4, 5, 6, 7, 8]",
            "[1, 2, 3, 4, 5, 6, 7, 1e999]",
            "oblivious_trees[0].leaf_values[7]: number out of range at line 47 column 48",
        ),
        (
            "[1, 2, 3, 4, 5, 6, 7, 8]",
            "[1, 2, 3, 4, 5, 6, 7, \"inf\"]",
            "tree 0 has a leaf value that is not finite",
        ),
        (
            "\"written_by\": \"hand\"",
            "\"written_by\": \"hand",
            "model_info.written_by: control character (\\u0000-\\u001F) found while parsing a string at line 3 column 0",
        ),
    ];
    for (old, new, expected) in cases {
        let found = error(&small_with(old, new));
        assert!(found.contains(expected), "{new}: {found}");
    }
}

#[test]
fn what_is_no_model_is_told_what_a_model_is() {
    let expected = "not a CatBoost model: expected a .cbm file, which begins with CBM1, or a JSON export, which begins with {";
    for file in [" ", "CBM2", "[]", "null", "\"\""] {
        assert_eq!(error(file), expected, "{file:?}");
    }
    assert_eq!(
        error(&format!("{SMALL}x")),
        ".: trailing characters at line 52 column 1"
    );
}

#[test]
fn a_model_of_unknown_dimension_is_refused() {
    let expected = "not supported: a model without trees and biases: its JSON does not say how many values a row gets; use the .cbm file";
    assert_eq!(error("{\"features_info\": {}}"), expected);
    let sound = parse(b" {\"features_info\": {}, \"scale_and_bias\": [1, 0.25]}")
        .expect("one bias without a list is how old files have it");
    assert_eq!(eval::raw(&sound, &Row::default()), [0.25]);
}

#[test]
fn trees_may_be_deep_but_not_too_deep() {
    let leaf = "{\"value\": 1}";
    let nested = |depth: usize| {
        let node = "{\"split\": {\"split_index\": 0}, \"left\": {\"value\": 0}, \"right\": ";
        small_with_trees(&format!(
            "[{}{leaf}{}]",
            node.repeat(depth),
            "}".repeat(depth)
        ))
    };
    let deep = parse(nested(100).as_bytes()).expect("a tree of depth 100 is supported");
    assert_eq!(
        parse(to_json(&deep).as_bytes()).expect("it reads back"),
        deep
    );
    for depth in [101, 200, 10_000] {
        assert_eq!(
            error(&nested(depth)),
            "not supported: non-symmetric trees of a depth above 100"
        );
    }
    for opening in ["[", "{\"a\":"] {
        for place in ["trees", "model_info", "ctr_data", "unknown"] {
            let nested = opening.repeat(1_000_000);
            let found = error(&format!("{{\"features_info\": {{}}, \"{place}\": {nested}"));
            assert!(!found.is_empty());
        }
    }
}

/// [`SMALL`] with naive Bayes in place of its bag of words.
pub(crate) fn small_with_bayes(token_prior: &str, token: u32, classes: usize) -> String {
    let class = format!("{{\"docs\": 1, \"total_tokens\": 1, \"counts\": [[{token}, 1]]}}");
    let classes = vec![class; classes].join(",");
    small_with(
        "{\"BagOfWords\": {\"tokens\": 1}}",
        &format!(
            "{{\"NaiveBayes\": {{\"class_prior\": 1, \"token_prior\": {token_prior}, \"seen_tokens\": 1, \"classes\": [{classes}]}}}}"
        ),
    )
}

/// Found by damaging a file: tables are laid out from the least token id to the greatest.
#[test]
fn a_calcer_counts_tokens_of_its_dictionary() {
    for token in 0..3 {
        parse(small_with_bayes("0.5", token, 2).as_bytes()).expect("its dictionary has these");
    }
    for token in [3, 2_130_706_432, u32::MAX] {
        assert_eq!(
            error(&small_with_bayes("0.5", token, 2)),
            "text calcer 0 speaks of tokens that its dictionary does not have"
        );
    }
    // The least id is arbitrary.
    let start = "\"start_token_id\": 0";
    let shifted = |start: u32| format!("\"start_token_id\": {start}");
    let last = small_with_bayes("0.5", u32::MAX, 2).replace(start, &shifted(u32::MAX));
    parse(last.as_bytes()).expect("ids may begin anywhere");
}

#[test]
fn priors_are_numbers() {
    for prior in ["\"nan\"", "\"inf\"", "\"-inf\""] {
        assert_eq!(
            error(&small_with_bayes(prior, 0, 2)),
            "text calcer 0 has a prior that is not finite"
        );
    }
}

/// CatBoost trains and applies such models.
#[test]
fn long_n_grams_of_letters_and_long_steps_are_read() {
    let words = "{\"Words\": {\"order\": 1, \"skip_step\": 0}}";
    for gram in [
        "{\"Letters\": {\"order\": 4294967295, \"end_of_word\": true}}",
        "{\"Words\": {\"order\": 1, \"skip_step\": 4294967295}}",
    ] {
        let model = parse(small_with(words, gram).as_bytes()).expect("it is sound");
        assert_eq!(answers(&model).len(), 2);
    }
    let grams = small_with(
        words,
        "{\"Words\": {\"order\": 5, \"skip_step\": 4294967295}}",
    );
    let grams = grams.replace(
        "\"grams\": null",
        "\"grams\": {\"seed\": \"7\", \"entries\": [\"1\", 0]}",
    );
    let model = parse(grams.as_bytes()).expect("it is sound");
    assert_eq!(answers(&model).len(), 2);
}

#[test]
fn what_follows_a_cbm_is_not_read() {
    let mut file = fixture("text_bow.cbm");
    let sound = parse(&file).expect("it is of the zoo");
    file.extend(b"more");
    assert!(parse(&file).expect("CatBoost loads it") == sound);
}

/// CatBoost keeps names and texts as bytes.
#[test]
fn names_that_are_not_utf8_are_not_supported() {
    let mut file = fixture("text_bow.cbm");
    let name = b"model_guid";
    let place = file.windows(name.len()).position(|bytes| bytes == name);
    file[place.expect("it is in every file")] = 0xFF;
    let error = parse(&file).expect_err("no text of Rust can hold it");
    assert!(error.is_unsupported(), "{error}");
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

#[test]
fn a_number_of_a_text_that_no_tree_asks_for_plays_no_part() {
    let sound = parse(SMALL.as_bytes()).expect("nothing is wrong with it");
    let begin = "\"estimated_features\": [";
    let unasked = "{\"calcer\": {\"Text\": 0}, \"local\": 7, \"borders\": []}, ";
    let model = parse(small_with(begin, &format!("{begin}{unasked}")).as_bytes());
    assert_eq!(model.expect("CatBoost writes such"), sound);
}

#[test]
fn a_node_is_a_leaf_or_a_question() {
    let expected = "trees[0]: expected a leaf, which has a `value`, or a node, which has `split`, `left` and `right` at line";
    for node in [
        "{}",
        "{\"weight\": 1}",
        "{\"split\": {\"split_index\": 0}, \"left\": {\"value\": 0}}",
        "{\"value\": 1, \"left\": {\"value\": 0}}",
    ] {
        let found = error(&small_with_trees(&format!("[{node}]")));
        assert!(found.starts_with(expected), "{node}: {found}");
    }
    assert_eq!(
        error(&small_with_trees("[{\"value\": 1}, {\"value\": [1, 2]}]")),
        "tree 1 has a leaf of 2 values for 1 dimensions"
    );
    assert_eq!(
        error(&small_with(
            TREES,
            "\"trees\": [{\"value\": 1}], \"oblivious_trees\": ["
        )),
        "trees: the model has `oblivious_trees` too"
    );
}

/// Found by fuzzing: -0 was lost on the way through JSON.
#[test]
fn a_bias_of_minus_zero_is_no_bias() {
    let model = |bias| {
        let json = small_with("[2, [0.5]]", &format!("[2, [{bias}]]"));
        parse(json.as_bytes()).expect("a sound model")
    };
    let json = to_json(&model("-0.0"));
    assert_eq!(json, to_json(&model("0.0")));
    let again = parse(json.as_bytes()).expect("what is written can be read");
    assert_eq!(to_json(&again), json);
}

/// Returns the raw values of two rows.
fn answers(model: &Model) -> [Vec<f64>; 2] {
    [(f32::NAN, "", "one two"), (1.0, "a", "unknown")].map(|(float, cat, text)| {
        let embeddings = model.embedding_features.iter();
        let embeddings: Vec<Vec<f32>> = embeddings
            .map(|embedding| vec![float; embedding.dimension.min(1_000)])
            .collect();
        eval::raw(
            model,
            &Row {
                floats: &vec![float; model.float_features.len()],
                cats: &vec![cat; model.cat_features.len()],
                texts: &vec![text; model.text_features.len()],
                embeddings: &embeddings.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            },
        )
    })
}
