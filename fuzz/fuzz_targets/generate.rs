//! Code generator: an accepted model of either format can be compiled, and its outputs described, without a panic and
//! in bounded memory.

#![no_main]

use catboost_codegen::{Config, Origin};
use catboost_model::output::Output;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = pick_regno_fuzz::bounded(bytes, catboost_model::parse) else {
        return;
    };
    pick_regno_fuzz::bounded(bytes, |_| drop(Output::of(&model)));
    pick_regno_fuzz::bounded_by(pick_regno_fuzz::GENERATING, bytes, |_| {
        drop(Config::new().generate(&model, &Origin::default()));
    });
});
