//! The two readers against each other: whatever file a model comes from, the JSON that is written of it reads back as the
//! same model. (Compared as text, in which NaN is equal to itself.)

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = catboost_model::parse(bytes) else {
        return;
    };
    let json = catboost_model::to_json(&model);
    match catboost_model::parse(json.as_bytes()) {
        Ok(again) => assert_eq!(catboost_model::to_json(&again), json),
        // JSON does not say how many values a row of a model without trees and biases gets.
        Err(error) => assert!(error.is_unsupported(), "{error}"),
    }
});
