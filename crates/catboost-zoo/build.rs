//! Compiles every model of a folder into a module of its own, and lists the modules. The folder is `fixtures/models`,
//! or `ZOO`, where `fixtures/models/hunt.py` leaves models that are tried only once. In `ZOO`, unsupported models are
//! skipped.

use std::{
    collections::HashSet,
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use catboost_codegen::{Config, Explanations, Origin};
use catboost_model::ir::{Model, Trees};

/// Leaves of a model whose explanations are looked up in tables, at most.
const MOST_LEAVES_IN_TABLES: usize = 10_000;

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
    // The READMEs' examples include this model.
    let tea = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tea/tea.cbm");
    catboost_codegen::build(tea);

    let mut zoo = Modules::new("m");
    for path in files {
        let name = stem(&path);
        match catboost_model::load(&path) {
            Ok(model) => zoo.add(&path, &name, &model),
            Err(error) if hunted.is_some() && error.is_unsupported() => {
                println!("cargo::warning={name}: {error}");
            }
            Err(error) => println!("cargo::error={name}: {error}"),
        }
    }
    let mut field = Modules::new("field");
    let mut metadata = Modules::new("metadata");
    let mut cases = Vec::new();
    if hunted.is_none() {
        add_field(&fixtures.with_file_name("field"), &mut field);
        cases = add_metadata(&fixtures.with_file_name("metadata"), &mut metadata, &out);
    }
    let mut source = zoo.list("ZOO", "Every model of the folder");
    source += &field.list("FIELD", "Every model of `fixtures/field`");
    source += &metadata.list("METADATA", "Models with texts of `fixtures/metadata`");
    write!(
        source,
        "/// Cases of `fixtures/metadata`, from 0, and their places in [`METADATA`].
pub static METADATA_CASES: &[(usize, usize)] = &{cases:?};
/// The folder.
pub const FOLDER: &str = {folder:?};
"
    )
    .expect("text");
    fs::write(out.join("zoo.rs"), source).expect("OUT_DIR can be written");
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().expect("it has an extension");
    stem.to_string_lossy().into_owned()
}

/// Compiles small models that failed in the field.
fn add_field(folder: &Path, field: &mut Modules) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).expect("there is a folder");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    files.sort();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_model = name.ends_with(".cbm") || name.ends_with(".json");
        if is_model && !name.ends_with(".expected.json") {
            let model =
                catboost_model::load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            field.add(&path, &stem(&path), &model);
        }
    }
}

/// Compiles models with texts that metadata may have. Returns the case and the index of its module for each. Of cases
/// that differ only in the names of classes and the threshold, one is compiled: hundreds of modules would take minutes.
fn add_metadata(folder: &Path, metadata: &mut Modules, out: &Path) -> Vec<(usize, usize)> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let cases = fs::read_to_string(folder.join("cases.ndjson")).expect("there are cases");
    let mut known = HashSet::new();
    let mut places = Vec::new();
    for (nth, case) in cases.lines().enumerate() {
        let case: serde_json::Value = serde_json::from_str(case).expect("a case is JSON");
        let name = case["model"].as_str().expect("a case has a model");
        let path = folder.join(format!("{name}.cbm"));
        let mut model = catboost_model::load(&path).expect("the model can be read");
        for (key, text) in case["info"].as_object().expect("a case has texts") {
            match text.as_str() {
                Some(text) => model.info.insert(key.clone(), text.to_owned()),
                None => model.info.remove(key),
            };
        }
        let output = catboost_model::output::Output::of(&model).map(|output| {
            let kinds = output.classes.iter().map(std::mem::discriminant);
            let kinds: Vec<_> = kinds.collect();
            (
                format!("{kinds:?}"),
                output.places,
                output.dimension,
                format!("{:?}", output.link),
            )
        });
        if !known.insert((name.to_owned(), output.ok())) {
            continue;
        }
        let origin = Origin {
            name: name.to_owned(),
            sha256: String::new(),
        };
        let module = metadata.next();
        let generated = Config::new().module(&module).generate(&model, &origin);
        generated.write(out).expect("OUT_DIR can be written");
        places.push((nth, metadata.count));
        metadata.list_module(&module, name, 0, false);
    }
    places
}

/// Modules of compiled models, and a list of them. They are numbered, since a file may have any name.
struct Modules {
    prefix: &'static str,
    count: usize,
    modules: String,
    list: String,
}

impl Modules {
    fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            count: 0,
            modules: String::new(),
            list: String::new(),
        }
    }

    /// Returns the name of the next module.
    fn next(&self) -> String {
        format!("{}_{}", self.prefix, self.count)
    }

    /// Compiles a model file.
    fn add(&mut self, path: &Path, name: &str, model: &Model) {
        println!("cargo::rerun-if-changed={}", path.display());
        let module = self.next();
        let leaves = match &model.trees {
            Trees::Oblivious(trees) => trees.iter().map(|tree| tree.values.len()).sum(),
            Trees::NonSymmetric(_) => 0,
        };
        // Every other model has tables, but where they would take long to compute in a debug build.
        let explanations = if self.count.is_multiple_of(2) && leaves < MOST_LEAVES_IN_TABLES {
            Explanations::Tables
        } else {
            Explanations::Computed
        };
        let config = Config::new().module(&module).explain(explanations);
        match config.compile(path) {
            Ok(_) => self.list_module(&module, name, model.embedding_features.len(), true),
            Err(error) => println!("cargo::error={error}"),
        }
    }

    /// Declares a module, and lists it under a name.
    fn list_module(&mut self, module: &str, name: &str, embedding_count: usize, explains: bool) {
        self.count += 1;
        writeln!(
            self.modules,
            "mod {module} {{ #![deny(warnings, clippy::pedantic)] include!(concat!(env!(\"OUT_DIR\"), \"/{module}.rs\")); }}"
        )
        .expect("text");
        writeln!(
            self.list,
            "    Compiled {{ name: {name:?}, model: &{module}::Model,"
        )
        .expect("text");
        let embeddings = embeddings(embedding_count);
        let features = format!(
            "let kind = \"as many features as the model has\";
            let row = {module}::Features::from_kinds(row.floats.try_into().expect(kind), row.cats.try_into().expect(kind), row.texts.try_into().expect(kind){embeddings});"
        );
        let explain = if explains {
            format!(
                "if {module}::UNEXPLAINED.is_some() {{ None }} else {{ Some(|row| {{
            {features}
            let mut values = [[f64::NAN; {module}::COLUMNS.len()]; {module}::BASE.len()];
            {module}::explain(&row, &mut values);
            Explanation {{ values: values.map(Vec::from).into(), base: {module}::BASE.into(), table_bytes: {module}::EXPLANATION_BYTES }}
        }}) }}"
            )
        } else {
            "None".to_owned()
        };
        writeln!(
            self.list,
            "        leaves: |row| {{
            {features}
            let mut leaves = Leaves::default();
            {module}::raw_observed(&row, &mut leaves);
            leaves.0
        }},
        explain: {explain},
        light_leaves: {module}::LIGHT_LEAVES, self_check: {module}::self_check }},"
        )
        .expect("text");
    }

    /// Returns the modules, and a static list of them.
    fn list(&self, name: &str, what: &str) -> String {
        let Self { modules, list, .. } = self;
        format!("{modules}\n/// {what}.\npub static {name}: &[Compiled] = &[\n{list}];\n")
    }
}

/// Argument for embeddings: a tuple, since they may differ in length; empty if the model has none.
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
