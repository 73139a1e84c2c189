//! What is generated for the models of `fixtures/models`. That it computes the right values is `catboost-zoo`'s to test.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use catboost_codegen::{Error, Generated, Origin, compile, generate};

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let entries = fs::read_dir(folder).expect("there is a folder of models");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let models: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "cbm"))
        .collect();
    assert!(!models.is_empty());
    models
}

fn generated(path: &Path) -> Generated {
    let model =
        catboost_model::load(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let origin = Origin {
        name: "a model".to_owned(),
        sha256: "0".repeat(64),
    };
    generate(&model, &origin, "module")
}

/// Each time from the file on, so that maps whose order differs from one to the next would show.
#[test]
fn the_same_model_gives_the_same_bytes() {
    for path in models() {
        assert!(generated(&path) == generated(&path), "{}", path.display());
    }
}

#[test]
fn the_source_includes_every_table_and_no_other() {
    for path in models() {
        let mut files = generated(&path).files;
        let (name, source) = files.pop().expect("the source comes last");
        assert_eq!(name, "module.rs");
        let source = String::from_utf8(source).expect("Rust is UTF-8");
        let included: BTreeSet<&str> = source
            .split('"')
            .filter_map(|literal| literal.strip_prefix('/'))
            .filter(|literal| literal.starts_with("module/") && literal.ends_with(".bin"))
            .collect();
        let tables: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(included, tables, "{}", path.display());
    }
}

/// `catboost-zoo` has to run each of them.
#[test]
fn the_models_need_every_way_of_walking_trees() {
    let mut missing = BTreeSet::from(["Trees::Rows", "Trees::Levels", "Trees::Nodes"]);
    for path in models() {
        let mut files = generated(&path).files;
        let (_, source) = files.pop().expect("the source comes last");
        let source = String::from_utf8(source).expect("Rust is UTF-8");
        missing.retain(|way| !source.contains(way));
    }
    assert!(missing.is_empty(), "no model needs {missing:?}");
}

#[test]
fn a_file_that_has_the_right_contents_is_left_alone() {
    let folder = env::temp_dir().join(format!("catboost-codegen-{}", std::process::id()));
    let generated = Generated {
        files: vec![
            ("module/same.bin".to_owned(), vec![1]),
            ("module.rs".to_owned(), vec![2]),
        ],
    };
    generated.write(&folder).expect("a temporary folder");
    let same = folder.join("module/same.bin");
    let before = fs::metadata(&same).and_then(|file| file.modified());
    fs::write(folder.join("module.rs"), [3]).expect("it was written before");
    generated.write(&folder).expect("a temporary folder");
    let after = fs::metadata(&same).and_then(|file| file.modified());
    assert_eq!(before.expect("it is there"), after.expect("it is there"));
    assert_eq!(
        fs::read(folder.join("module.rs")).expect("it is there"),
        [2]
    );
    fs::remove_dir_all(folder).expect("it is there");
}

#[test]
fn errors_say_which_file() {
    // Cargo sets OUT_DIR for tests of packages with a build script only.
    let error = compile(Path::new("none.cbm"), "module").expect_err("no OUT_DIR");
    assert!(matches!(error, Error::NoOutDir));
    assert_eq!(
        error.to_string(),
        "OUT_DIR is not set: this is to be called from a build script"
    );
    let blocked = Generated {
        files: vec![("Cargo.toml/module.rs".to_owned(), vec![1])],
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let error = blocked
        .write(folder)
        .expect_err("a file is no folder")
        .to_string();
    assert!(error.contains("Cargo.toml/module.rs: "), "{error}");
}
