//! Compiles the model into Rust: `model/model.json`, or the file that `PICK_REGNO_MODEL` names.
//! `PICK_REGNO_EXPLAIN=tables` adds tables of the contributions of all leaves, so that an explanation takes additions
//! alone.

#[path = "build/inputs.rs"]
mod inputs;
#[path = "build/output.rs"]
mod output;
#[path = "build/parsed.rs"]
mod parsed;

use std::{env, fs, path::PathBuf, process};

use catboost_codegen::{Config, Explanations};

fn main() {
    println!("cargo::rerun-if-env-changed=PICK_REGNO_MODEL");
    let model = env::var_os("PICK_REGNO_MODEL").filter(|path| !path.is_empty());
    let path = model.map_or_else(|| PathBuf::from("model/model.json"), PathBuf::from);
    // The compilation below reports a file that is not a model.
    let read = fs::read(&path).ok();
    let parsed = read.and_then(|bytes| catboost_model::parse(&bytes).ok());
    let fault = |model| parsed::mismatch(model).or_else(|| parsed::unfit(model));
    if let Some(fault) = parsed.as_ref().and_then(fault) {
        let fault = format!("{}: {fault}", path.display());
        println!("cargo::error={}", catboost_codegen::one_line(&fault));
        process::exit(1);
    }
    println!("cargo::rerun-if-env-changed=PICK_REGNO_EXPLAIN");
    let explanations = match env::var("PICK_REGNO_EXPLAIN").as_deref() {
        Err(_) | Ok("" | "computed") => Explanations::Computed,
        Ok("tables") => Explanations::Tables,
        Ok(other) => {
            println!("cargo::error=PICK_REGNO_EXPLAIN is {other:?}: expected computed or tables");
            process::exit(1);
        }
    };
    Config::new().explain(explanations).build(path);
}
