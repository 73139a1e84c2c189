//! Reader of `.cbm` files: no panic, bounded memory, and every accepted model can be interpreted.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut file = b"CBM1".to_vec();
    file.extend(bytes.strip_prefix(b"CBM1").unwrap_or(bytes));
    if let Ok(model) = pick_regno_fuzz::bounded(&file, catboost_model::parse) {
        pick_regno_fuzz::evaluate(&model, |_, _| {});
    }
});
