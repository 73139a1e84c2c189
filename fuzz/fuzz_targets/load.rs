//! Loading at run time: any file is loaded or refused in bounded memory. A loaded model answers synthetic rows with the
//! interpreter's bits.

#![no_main]

use catboost_apply::Model;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let loaded = pick_regno_fuzz::bounded_by(pick_regno_fuzz::LOADING, bytes, Model::from_bytes);
    let Ok(loaded) = loaded else {
        return;
    };
    let model = catboost_model::parse(bytes).expect("it was loaded");
    pick_regno_fuzz::evaluate(&model, |row, expected| {
        let raw = loaded.raw(row).expect("the row is the model's");
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(raw.len() == expected.len() && raw.iter().zip(expected).all(same));
    });
});
