//! Compiles the model into Rust: `model/model.json`, or the file that `PICK_REGNO_MODEL` names.

use std::{env, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=PICK_REGNO_MODEL");
    let model = env::var_os("PICK_REGNO_MODEL").filter(|path| !path.is_empty());
    catboost_codegen::build(model.map_or_else(|| PathBuf::from("model/model.json"), PathBuf::from));
}
