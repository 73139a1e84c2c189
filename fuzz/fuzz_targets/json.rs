//! Reader of JSON models: no panic, bounded memory, and every accepted model can be interpreted.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"CBM1") {
        return;
    }
    if let Ok(model) = pick_regno_fuzz::bounded(bytes, catboost_model::parse) {
        pick_regno_fuzz::evaluate(&model, |_, _| {});
    }
});
