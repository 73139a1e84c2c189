//! Compiles every model of a folder into a module of its own, and lists them: `fixtures/models`, or `ZOO`, where
//! `fixtures/models/hunt.py` leaves models that are tried only once. There what is not supported is passed over.

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo::rerun-if-env-changed=ZOO");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let hunted = env::var_os("ZOO").map(PathBuf::from);
    let folder = hunted.as_ref().unwrap_or(&fixtures);
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).expect("there is a folder of models");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cbm"));
    files.sort();

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    // What the examples in the READMEs include.
    let tea = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tea/tea.cbm");
    catboost_codegen::build(tea);

    let mut modules = String::new();
    let mut list = String::new();
    for path in files {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path
            .file_stem()
            .expect("it has an extension")
            .to_string_lossy()
            .into_owned();
        let model = match catboost_model::load(&path) {
            Ok(model) => model,
            Err(error) if hunted.is_some() && error.is_unsupported() => {
                println!("cargo::warning={name}: {error}");
                continue;
            }
            Err(error) => {
                println!("cargo::error={name}: {error}");
                continue;
            }
        };
        let module = format!(
            "m_{}",
            name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_")
        );
        if let Err(error) = catboost_codegen::Config::new()
            .module(&module)
            .compile(&path)
        {
            println!("cargo::error={error}");
            continue;
        }
        writeln!(
            modules,
            "mod {module} {{ #![deny(warnings, clippy::pedantic)] include!(concat!(env!(\"OUT_DIR\"), \"/{module}.rs\")); }}"
        )
        .expect("text");
        writeln!(
            list,
            "    Compiled {{ name: {name:?}, model: &{module}::Model,"
        )
        .expect("text");
        let embeddings = embeddings(model.embedding_features.len());
        writeln!(
            list,
            "        leaves: |row| {{
            let kind = \"as many features as the model has\";
            let row = {module}::Features::from_kinds(row.floats.try_into().expect(kind), row.cats.try_into().expect(kind), row.texts.try_into().expect(kind){embeddings});
            let mut leaves = Leaves::default();
            {module}::raw_observed(&row, &mut leaves);
            leaves.0
        }},
        light_leaves: {module}::LIGHT_LEAVES, self_check: {module}::self_check }},"
        )
        .expect("text");
    }
    let zoo = format!(
        "{modules}\n/// Every model of the folder.\npub static ZOO: &[Compiled] = &[\n{list}];\n/// The folder.\npub const FOLDER: &str = {folder:?};\n"
    );
    fs::write(out.join("zoo.rs"), zoo).expect("OUT_DIR can be written");
}

/// The argument for the embeddings: a tuple, as they may differ in length; none if the model has none.
fn embeddings(count: usize) -> String {
    let each: String = (0..count)
        .map(|index| format!("row.embeddings[{index}].try_into().expect(kind), "))
        .collect();
    if each.is_empty() {
        each
    } else {
        format!(", ({each})")
    }
}
