// Its examples are tested by `catboost-zoo`, which has what their build scripts would make.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
//! # How it works
//!
//! Beside `raw` the module has `raw_observed`, which tells an observer what a row meets on its way (values and words that
//! the training data did not have, leaves that little of it had reached), and `self_check`, which computes rows that were
//! made up when the model was compiled, and compares them to the bit with what the plain interpreter made of them then.
//!
//! The stages: `catboost_model` reads the file into its intermediate representation; `layout` numbers what a row is
//! reduced to and computes every table; `emit` writes them down. [`generate`] has no side effects: the same model gives
//! the same bytes.

mod card;
mod emit;
mod light;
mod names;
mod self_check;

use std::{
    env,
    fmt::{self, Display, Formatter},
    fs, io,
    path::{Path, PathBuf},
    process,
};

use catboost_apply::layout;
use catboost_model::ir::Model;
use emit::Outputs;
use light::Light;
use self_check::SelfCheck;
use sha2::{Digest, Sha256};

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file's name, without its folder.
    pub name: String,
    /// Of the file, in lower-case hexadecimal.
    pub sha256: String,
}

/// Generated source and the files that it includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// What to write: paths below `OUT_DIR`, and contents. The source comes last.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Why a build script could not compile a model.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The model file could not be read, or its tables not written.
    Io(PathBuf, io::Error),
    /// The file is not a model that can be compiled.
    Model(PathBuf, catboost_model::Error),
    /// Cargo did not say where to write.
    NoOutDir,
    /// The module has a name that is none.
    Module(String),
}

/// Compiles the model file at `path` into `$OUT_DIR/model.rs`, for a build script: tells Cargo to run again when the
/// file changes, and ends the build with a sentence if it cannot be done.
pub fn build(path: impl AsRef<Path>) {
    build_as(path, "model");
}

/// [`build`] into `$OUT_DIR/<module>.rs`, for a build script that has several models.
pub fn build_as(path: impl AsRef<Path>, module: &str) {
    if let Err(error) = compile(path.as_ref(), module) {
        println!("cargo::error={error}");
        process::exit(1);
    }
}

/// Compiles the model file at `path` into `$OUT_DIR/<module>.rs` and tables in `$OUT_DIR/<module>/`, and tells Cargo to run
/// the build script again when the file changes: [`build_as`] for a build script that goes on after an error.
///
/// # Errors
/// If the file cannot be read, is not a model or is one that is not supported, nothing can be written, or `module` is not
/// made of ASCII letters, digits and `_`.
pub fn compile(path: &Path, module: &str) -> Result<(), Error> {
    println!("cargo::rerun-if-changed={}", path.display());
    let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
    if module.is_empty() || !module.bytes().all(is_plain) {
        return Err(Error::Module(module.to_owned()));
    }
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or(Error::NoOutDir)?);
    let bytes = fs::read(path).map_err(|error| Error::Io(path.to_owned(), error))?;
    let model =
        catboost_model::parse(&bytes).map_err(|error| Error::Model(path.to_owned(), error))?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    let sha256 = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if let Err(why) = Outputs::of(&model) {
        println!(
            "cargo::warning={}: compiled for raw values alone: {why}",
            path.display()
        );
    }
    generate(&model, &Origin { name, sha256 }, module).write(&out_dir)
}

/// Compiles a model into the source `<module>.rs` and the tables that it includes, in `<module>/`.
#[must_use]
pub fn generate(model: &Model, origin: &Origin, module: &str) -> Generated {
    let fields = names::fields(model);
    let outputs = Outputs::of(model);
    let (source, pools) = emit::Module {
        model,
        origin,
        layout: &layout::lay_out(model),
        light: &Light::new(model),
        check: &SelfCheck::new(model),
        fields: &fields,
        outputs: outputs.as_ref().map_err(String::as_str),
        module,
    }
    .write();
    let tables = pools
        .into_iter()
        .map(|(name, pool)| (table_path(module, name), pool.bytes));
    Generated {
        files: tables
            .chain([(format!("{module}.rs"), source.into_bytes())])
            .collect(),
    }
}

impl Generated {
    /// Writes the files below a folder. A file that has the right contents is left alone, so that nothing is compiled
    /// again for it.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            write_if_changed(&path, bytes).map_err(|error| Error::Io(path, error))?;
        }
        Ok(())
    }
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, bytes)
}

/// The file of a table, below `OUT_DIR`.
fn table_path(module: &str, name: &str) -> String {
    format!("{module}/{}.bin", name.to_lowercase())
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Model(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoOutDir => {
                f.write_str("OUT_DIR is not set: this is to be called from a build script")
            }
            Self::Module(name) => write!(
                f,
                "{name:?} cannot be a module's name: expected ASCII letters, digits and `_`"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Model(_, error) => Some(error),
            Self::NoOutDir | Self::Module(_) => None,
        }
    }
}
