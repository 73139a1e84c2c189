//! Compiles the model into Rust: `model/model.json`, or the file that `PICK_REGNO_MODEL` names.

#[path = "build/inputs.rs"]
mod inputs;
#[path = "build/output.rs"]
mod output;

use std::{env, fs, path::PathBuf, process};

fn main() {
    println!("cargo::rerun-if-env-changed=PICK_REGNO_MODEL");
    let model = env::var_os("PICK_REGNO_MODEL").filter(|path| !path.is_empty());
    let path = model.map_or_else(|| PathBuf::from("model/model.json"), PathBuf::from);
    // A file that is no model is told by what compiles it.
    let read = fs::read(&path).ok();
    let parsed = read.and_then(|bytes| catboost_model::parse(&bytes).ok());
    let fault = |model| inputs::mismatch(model).or_else(|| output::unfit(model));
    if let Some(fault) = parsed.as_ref().and_then(fault) {
        let fault = format!("{}: {fault}", path.display());
        println!("cargo::error={}", catboost_codegen::one_line(&fault));
        process::exit(1);
    }
    catboost_codegen::build(path);
}
