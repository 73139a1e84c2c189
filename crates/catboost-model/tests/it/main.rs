//! Tests of the readers and the writer on whole files.

mod foreign;
mod formats;
mod heads;
mod hostile;
mod limits;
mod metadata;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Models of the zoo: files in `fixtures/models` with this extension.
fn zoo(extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let files = fs::read_dir(folder).expect("fixtures/models is a folder");
    let mut paths: Vec<PathBuf> = files
        .map(|file| file.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "fixtures/models has no .{extension}");
    paths
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Folder of the customer's files, which is not part of the repository.
fn customer() -> Option<PathBuf> {
    let folder = env::var_os("CUSTOMER_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/customer"),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

/// Reads a file of the zoo.
fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    read(&folder.join(name))
}
