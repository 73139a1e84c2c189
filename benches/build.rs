//! Compiles the model that `MODEL` names, or that of `examples/tea`, for the benchmark `compiled`.

use std::env;

fn main() {
    println!("cargo::rerun-if-env-changed=MODEL");
    let model = env::var_os("MODEL").unwrap_or_else(|| "../examples/tea/tea.cbm".into());
    catboost_codegen::build(model);
}
