// Its examples are tested by `catboost-zoo`, which has what their build scripts would make.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
//! # How it works
//!
//! Beside `raw` the module has `raw_observed`, which tells an observer what a row meets on its way (values and words that
//! the training data did not have, leaves that little of it had reached), and `self_check`, which computes rows that were
//! made up when the model was compiled, and compares them to the bit with what the plain interpreter made of them then.
//!
//! The stages: `catboost_model` reads the file into its intermediate representation; `catboost_apply::layout` numbers what a
//! row is reduced to and computes every table; `emit` writes them down. [`Config::generate`] has no side effects: the same
//! model gives the same bytes.

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
pub use catboost_apply::layout::explain::Explanations;
use catboost_model::ir::Model;
use emit::Outputs;
use light::Light;
use self_check::SelfCheck;
use sha2::{Digest, Sha256};

/// Where a model comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file's name, without its folder.
    pub name: String,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
}

/// Generated source and the files that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Generated {
    /// What to write: paths below `OUT_DIR`, and contents. The source comes last.
    pub files: Vec<(String, Vec<u8>)>,
    /// The functions that make predictions of raw values.
    pub predictions: Vec<Prediction>,
    /// Why there are none: what the file says of the model's classes does not fit. `None` if there are some, or the model's loss
    /// has none.
    pub without_predictions: Option<String>,
}

/// A function of the generated module that makes predictions of raw values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Prediction {
    /// `by_class`, of models whose training data lacked some of the classes.
    ByClass,
    /// `probability`, of models that classify.
    Probability,
    /// `class`, of models that classify.
    Class,
    /// `exponent`, of models with one raw value that do not.
    Exponent,
    /// `mean_and_variance`, of the loss `RMSEWithUncertainty`.
    MeanAndVariance,
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
/// file changes, and ends the build with a sentence if it cannot be done. [`Config`] has what can be chosen.
pub fn build(path: impl AsRef<Path>) {
    Config::new().build(path);
}

/// How a model is compiled.
#[derive(Clone, Debug)]
pub struct Config {
    module: String,
    visibility: String,
    out_dir: Option<PathBuf>,
    self_check: bool,
    explanations: Explanations,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults: `model.rs` in `OUT_DIR`, public, with its check.
    #[must_use]
    pub fn new() -> Self {
        Self {
            module: "model".to_owned(),
            visibility: "pub".to_owned(),
            out_dir: None,
            self_check: true,
            explanations: Explanations::None,
        }
    }

    /// Names the source `<module>.rs` and the folder of its tables: ASCII letters, digits and `_`. Default: `model`.
    #[must_use]
    pub fn module(mut self, module: impl Into<String>) -> Self {
        self.module = module.into();
        self
    }

    /// Sets the visibility of what the source has, as Rust writes it: `pub(crate)`, for one. Default: `pub`.
    #[must_use]
    pub fn visibility(mut self, visibility: impl Into<String>) -> Self {
        self.visibility = visibility.into();
        self
    }

    /// Sets the folder that files are written to. Source elsewhere than in `OUT_DIR` does not find its tables. Default: `OUT_DIR`,
    /// which Cargo sets for build scripts.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Leaves `self_check` out, and its rows. Default: it is there.
    #[must_use]
    pub fn self_check(mut self, self_check: bool) -> Self {
        self.self_check = self_check;
        self
    }

    /// Adds `explain`, SHAP values of rows, and chooses how they come about. A model that cannot be explained says why in
    /// `UNEXPLAINED`. Default: none.
    #[must_use]
    pub fn explain(mut self, explanations: Explanations) -> Self {
        self.explanations = explanations;
        self
    }

    /// Compiles the model file at `path`, for a build script: tells Cargo to run again when the file changes, and ends the build
    /// with a sentence if it cannot be done.
    pub fn build(&self, path: impl AsRef<Path>) {
        if let Err(error) = self.compile(path) {
            println!("cargo::error={}", one_line(&error));
            process::exit(1);
        }
    }

    /// Compiles the model file at `path`, and tells Cargo to run the build script again when the file changes:
    /// [`Config::build`] for a build script that goes on after an error.
    ///
    /// # Errors
    /// If the file cannot be read, is not a model or is one that is not supported, nothing can be written, or the module's name
    /// is none.
    pub fn compile(&self, path: impl AsRef<Path>) -> Result<Generated, Error> {
        let path = path.as_ref();
        println!("cargo::rerun-if-changed={}", one_line(&path.display()));
        let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'_';
        if self.module.is_empty() || !self.module.bytes().all(is_plain) {
            return Err(Error::Module(self.module.clone()));
        }
        let out_dir = self.out_dir.clone();
        let out_dir = out_dir.or_else(|| env::var_os("OUT_DIR").map(PathBuf::from));
        let out_dir = out_dir.ok_or(Error::NoOutDir)?;
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
        let generated = self.generate(&model, &Origin { name, sha256 });
        if let Some(why) = &generated.without_predictions {
            println!(
                "cargo::warning={}: compiled for raw values alone: {}",
                one_line(&path.display()),
                one_line(why)
            );
        }
        generated.write(&out_dir)?;
        Ok(generated)
    }

    /// Compiles a model into the source `<module>.rs` and the tables that it includes, in `<module>/`. The same model gives the
    /// same bytes.
    #[must_use]
    pub fn generate(&self, model: &Model, origin: &Origin) -> Generated {
        let fields = names::fields(model);
        let outputs = Outputs::of(model);
        let check = self.self_check.then(|| SelfCheck::new(model));
        let explaining = match layout::explain::lay_out(model, self.explanations) {
            Ok(explain) => explain.map(Ok),
            Err(error) => Some(Err(error.to_string())),
        };
        let (source, pools) = emit::Module {
            model,
            origin,
            layout: &layout::lay_out(model),
            light: &Light::new(model),
            check: check.as_ref(),
            fields: &fields,
            explaining: explaining.as_ref(),
            outputs: outputs.as_ref().map_err(String::as_str),
            config: self,
        }
        .write();
        let tables = pools
            .into_iter()
            .map(|(name, pool)| (table_path(&self.module, name), pool.bytes));
        Generated {
            files: tables
                .chain([(format!("{}.rs", self.module), source.into_bytes())])
                .collect(),
            predictions: outputs
                .as_ref()
                .map_or_else(|_| Vec::new(), Outputs::predictions),
            without_predictions: outputs.err(),
        }
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

/// Escapes what would end a line of a build script's output, or turn its direction: Cargo takes each line that begins with
/// `cargo::` for an instruction, and a sentence can name features and classes of a model that somebody else has made.
#[must_use]
pub fn one_line(text: &dyn Display) -> String {
    let mut line = String::new();
    for letter in text.to_string().chars() {
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter.is_control() || turns {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_name_is_no_instruction_of_cargo() {
        assert_eq!(
            one_line(&"a\ncargo::rustc-env=B=c\r\u{2028}\u{202e}\u{85}\u{1b}[2J"),
            r"a\ncargo::rustc-env=B=c\r\u{2028}\u{202e}\u{85}\u{1b}[2J"
        );
        assert_eq!(one_line(&"`А939`, \"x\" 日"), "`А939`, \"x\" 日");
    }
}
