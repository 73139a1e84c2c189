//! Compiles the models that `MODELS` names, separated by colons, or the one of `examples/tea`, for the benchmark
//! `compiled`.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=MODELS");
    let models = env::var_os("MODELS").unwrap_or_else(|| "../examples/tea/tea.cbm".into());
    let mut list = String::new();
    for (index, path) in env::split_paths(&models).enumerate() {
        println!("cargo::rerun-if-changed={}", path.display());
        let module = format!("model_{index}");
        if let Err(error) = catboost_codegen::Config::new()
            .module(&module)
            .compile(&path)
        {
            println!("cargo::error={error}");
        }
        list += &format!("{module}: {:?},\n", stem(&path));
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("models.rs"), format!("models! {{\n{list}}}\n"))
        .expect("OUT_DIR can be written");
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().expect("a file");
    stem.to_string_lossy().into_owned()
}
