//! Files beyond the limits.

use catboost_model::parse;

use crate::hostile::{SMALL, error, small_with, small_with_bayes};

/// [`small_with_bayes`] with many calcers.
fn small_with_calcers(classes: usize, count: usize) -> String {
    let json = small_with_bayes("0.5", 0, classes);
    let (before, rest) = json.split_once("\"calcers\": [{").expect("it has calcers");
    let (calcer, after) = rest.split_once("}],\n").expect("the list ends");
    let calcers = vec![format!("{{{calcer}}}"); count].join(",");
    let places: Vec<String> = (0..count).map(|place| place.to_string()).collect();
    format!("{before}\"calcers\": [{calcers}],\n{after}").replace(
        "\"calcers\": [0]",
        &format!("\"calcers\": [{}]", places.join(",")),
    )
}

/// Adds a dictionary of 4,096 tokens that is used `lookups` times.
fn with_tokens(json: &str, lookups: usize) -> String {
    let tokens: Vec<String> = (0..4096).map(|id| format!("\"{id}\", {id}")).collect();
    let lookup = "{\"text\": 0, \"tokenizer\": 0, \"dictionary\": 0, \"calcers\": []},";
    json.replace("\"size\": 1", "\"size\": 4096")
        .replace("{\"tokens\": 1}", "{\"tokens\": 4096}")
        .replace(
            "[\"9223372036854775807\", 0]",
            &format!("[{}]", tokens.join(",")),
        )
        .replace(
            "\"tokenized\": [",
            &format!("\"tokenized\": [{}", lookup.repeat(lookups - 1)),
        )
}

/// Returns [`SMALL`] with CTRs whose table of counts has 8,192 keys.
fn small_with_ctrs(count: usize) -> String {
    let keys: Vec<String> = (0..8192).map(|key| format!("\"{key}\", 5, 6")).collect();
    let json = small_with(
        "\"18446744073709551615\", 3, 1, \"4\", 5, 6",
        &keys.join(","),
    );
    let (before, rest) = json.split_once("\"ctrs\": [").expect("it has CTRs");
    let (ctr, after) = rest.split_once("\n    ]").expect("the list ends");
    let ctrs = vec![ctr; count].join(",");
    format!("{before}\"ctrs\": [{ctrs}]{after}")
}

#[test]
fn what_asks_for_too_much_is_refused_by_name() {
    let numbers = |count: i64| {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        numbers.join(",")
    };
    let one_hots = |count: i64| {
        small_with(
            "\"values\": [-1706589142], \"string_values\": [\"a\"]",
            &format!("\"values\": [{}]", numbers(count)),
        )
    };
    parse(one_hots(65_535).as_bytes()).expect("as many as there are bins");
    let cases = [
        (
            one_hots(65_536),
            "65536 one-hot values of categorical feature 1 `city`; at most 65535 are",
        ),
        (
            small_with(
                "\"borders\": [0.5, 1.5]",
                &format!("\"borders\": [{}]", numbers(65_536)),
            ),
            "65536 borders of float feature 0 `age`; at most 65535 are, as in CatBoost",
        ),
        (
            small_with("\"order\": 1", "\"order\": 6"),
            "n-grams of 6 words, in dictionary 0; at most 5 are, as in CatBoost",
        ),
        (
            with_tokens(&small_with_calcers(4096, 1), 1),
            "16785408 pairs of a text calcer's class and a token of its dictionary; at most 16777216 are",
        ),
        (
            with_tokens(&small_with_calcers(64, 64), 1),
            "16785408 pairs of a text calcer's class and a token of its dictionary; at most 16777216 are",
        ),
        (
            with_tokens(SMALL, 4097),
            "16781312 entries of dictionaries, each time that a text is looked up in them; at most 16777216 are",
        ),
        (
            small_with_ctrs(8193),
            "67117056 pairs of a CTR and a key that it looks up; at most 67108864 are in a file with 8192 keys",
        ),
    ];
    for json in [
        small_with_ctrs(8192),
        with_tokens(SMALL, 4096),
        with_tokens(&small_with_calcers(64, 63), 1),
    ] {
        parse(json.as_bytes()).expect("as many as may be");
    }
    for (json, expected) in cases {
        assert_eq!(error(&json), format!("not supported: {expected}"));
    }
}
