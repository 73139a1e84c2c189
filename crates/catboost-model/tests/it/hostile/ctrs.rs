//! CTRs whose tables a JSON document does not tell apart, or that refer to a missing entry.

use catboost_model::parse;

use super::{SMALL, answers, error, small_with};

/// [`SMALL`] with another `model_info`. Its own is [`PARAMS`].
fn small_with_info(info: &str) -> String {
    small_with(
        &format!("\"model_info\": {{\"params\": {PARAMS}, \"written_by\": \"hand\"}}"),
        &format!("\"model_info\": {{{info}}}"),
    )
}

/// Training parameters of [`SMALL`].
const PARAMS: &str = "{\"loss_function\": {\"type\": \"RMSE\"}, \"cat_feature_params\": {\"simple_ctrs\": [{\"ctr_type\": \"Borders\"}]}}";

#[test]
fn ctrs_that_catboosts_json_mixes_up_are_refused() {
    let expected = "not supported: CTRs of a loss with several targets: CatBoost's JSON does not say which of them a table of counts belongs to; use the .cbm file";
    let several_targets = small_with_info(&format!(
        "\"params\": {}",
        PARAMS.replace("RMSE", "MultiRMSE")
    ));
    assert_eq!(error(&several_targets), expected);

    let described = |simple: &str, of_one: &str| {
        let ctr = |count: &str| {
            format!(
                "[{{\"ctr_type\": \"Borders\", \"target_binarization\": {{\"border_count\": {count}}}}}]"
            )
        };
        small_with_info(&format!(
            "\"params\": {{\"loss_function\": {{\"type\": \"RMSE\"}}, \"cat_feature_params\": {{\"simple_ctrs\": {}, \"per_feature_ctrs\": {{\"0\": {}}}}}}}",
            ctr(simple),
            ctr(of_one)
        ))
    };
    parse(described("4", "4").as_bytes()).expect("one binarization can be told");
    let expected = "not supported: CTRs of type Borders with several binarizations of the target: CatBoost's JSON does not say which of them a table of counts belongs to; use the .cbm file";
    assert_eq!(error(&described("1", "4")), expected);
    // A file of our own names the table.
    let said = several_targets.replace(
        "\"target_border_idx\"",
        "\"target_classifier\": 0, \"target_border_idx\"",
    );
    parse(said.as_bytes()).expect("the CTR says which table is its own");
}

/// Removing metadata from a document removes the only hint at such a mix-up.
#[test]
fn ctrs_of_a_training_that_is_not_described_are_refused() {
    let expected = "not supported: CTRs without the parameters of the training (model_info.params): only these say whether the target was binarized in one way, as CatBoost's JSON takes for granted; use the .cbm file";
    let loss = "\"loss_function\": {\"type\": \"RMSE\"}";
    let other_ctrs = PARAMS.replace("Borders", "Buckets");
    let undescribed = [
        String::new(),
        "\"params\": \"\"".to_owned(),
        "\"params\": {}".to_owned(),
        format!("\"params\": {{{loss}}}"),
        format!("\"params\": {{{loss}, \"cat_feature_params\": {{}}}}"),
        format!("\"params\": {other_ctrs}"),
        format!("\"class_params\": {PARAMS}"),
        format!("\"model0:params\": {PARAMS}, \"model1:model_guid\": \"1\""),
    ];
    for info in undescribed {
        assert_eq!(error(&small_with_info(&info)), expected, "{info}");
    }
    let described = [
        format!("\"params\": {PARAMS}"),
        format!(
            "\"model_guid\": \"0\", \"model0:model_guid\": \"1\", \"model0:params\": {PARAMS}, \"model1:model_guid\": \"2\", \"model1:params\": {PARAMS}"
        ),
        format!("\"model0:model_guid\": \"1\", \"model0:model0:params\": {PARAMS}"),
    ];
    let small = parse(SMALL.as_bytes()).expect("nothing is wrong with it");
    for info in described {
        let model = parse(small_with_info(&info).as_bytes());
        let model = model.unwrap_or_else(|error| panic!("{info}: {error}"));
        assert_eq!(answers(&model), answers(&small), "{info}");
    }
    // Counts of rows do not depend on the target.
    let counter = small_with_info("").replace("Borders", "Counter");
    let counter = counter.replace("3, 1, \"4\", 5, 6", "3, \"4\", 5");
    let counter = counter.replace("\"hash_stride\": 3", "\"hash_stride\": 2");
    parse(counter.as_bytes()).expect("the CTR does not depend on the target");
}

/// CatBoost's `sum_models` joins CTRs with tables that know fewer classes than those that they were trained with.
#[test]
fn a_target_border_means_what_it_means_to_catboost() {
    let border = |border: i64| format!("\"target_border_idx\": {border}");
    let two_classes = |of: i64| small_with(&border(0), &border(of));
    let sound = parse(SMALL.as_bytes()).expect("nothing is wrong with it");
    for of in [1, 4_294_967_295, -1] {
        let model = parse(two_classes(of).as_bytes());
        assert_eq!(model.expect("with two classes there is one border"), sound);
    }
    let three_classes = |of: i64| {
        let counts = ("3, 1, \"4\", 5, 6]", "3, 1, 9, \"4\", 5, 6, 7]");
        let json = two_classes(of).replace(counts.0, counts.1);
        json.replace("\"hash_stride\": 3", "\"hash_stride\": 4")
    };
    for of in 0..3 {
        parse(three_classes(of).as_bytes()).expect("what it adds up is in the table");
    }
    for of in [3, 4_294_967_295] {
        assert_eq!(
            error(&three_classes(of)),
            format!(
                "not supported: a CTR of target border {of} with a table of 3 classes (CTR 0), where CatBoost reads what is next in memory"
            )
        );
    }
    let buckets = two_classes(2).replace("Borders", "Buckets");
    assert!(
        error(&buckets).starts_with("not supported: a CTR of target border 2 with a table of 2")
    );
    assert_eq!(
        error(&three_classes(-1)),
        "CTR 0 asks for target border -1, which no table has"
    );
}
