//! Compares the two readers: a model of either format, written as JSON, reads back as the same model. The comparison is
//! by text, in which NaN equals itself.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = catboost_model::parse(bytes) else {
        return;
    };
    let json = catboost_model::to_json(&model);
    match catboost_model::parse(json.as_bytes()) {
        Ok(again) => assert_eq!(catboost_model::to_json(&again), json),
        // JSON does not state the number of raw values of a model without trees and biases.
        Err(error) => assert!(error.is_unsupported(), "{error}"),
    }
});
