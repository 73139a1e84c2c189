// The README's examples are tested by `catboost-zoo`, which has the output of their build scripts.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]
//! # How it works
//!
//! Besides `raw`, the module has `raw_observed` and `self_check`. `raw_observed` reports to an observer what the
//! evaluation of a row meets: values and words that the training data did not have, and leaves that little of it
//! reached. `self_check` evaluates synthetic rows and compares the bits with the plain interpreter's, which were
//! recorded when the model was compiled.
//!
//! Stages: `catboost_model` reads the file into its intermediate representation; `catboost_apply::layout` assigns
//! groups and computes every table; `emit` prints the tables. [`Config::generate`] has no side effects, and gives the
//! same bytes for the same model.
//!
//! | instruction to Cargo | printed by [`Config::build`] and [`Config::compile`] |
//! | --- | --- |
//! | `cargo::rerun-if-changed` | always, for the model file |
//! | `cargo::warning` | if the metadata about classes is inconsistent, so that there are raw values only |
//! | `cargo::error` | on an error, by [`Config::build`] alone |

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

/// Origin of a model, for the header, the constants `SHA256` and `CARD` of the generated module. The default
/// is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file's name, without its folder.
    /// Special characters are escaped where it is printed.
    pub name: String,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
}

/// Generated source and the files that it includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Generated {
    /// Files to write: paths below `OUT_DIR`, with `/` between folder and file, and contents. First the
    /// tables (`<module>/u16s.bin` and the like, one per type of little-endian elements), last the source
    /// (`<module>.rs`).
    pub files: Vec<(String, Vec<u8>)>,
    /// Generated functions that turn raw values into predictions. Empty if the model has raw values only.
    pub predictions: Vec<Prediction>,
    /// Reason why there are no predictions: the metadata about classes is inconsistent. `None` if there are
    /// predictions, or the model's loss has none.
    pub without_predictions: Option<String>,
}

/// Function of the generated module that turns raw values into predictions. Each takes the raw values of one
/// row, `&[f64; DIMENSION]`. `CLASSES` has the names of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Prediction {
    /// `by_class`, for models whose training data lacked some of the classes.
    /// Returns `[f64; N]`, CatBoost's `RawFormulaVal`: the raw values in the order of `CLASSES`, minus
    /// infinity for classes that the training data lacked.
    ByClass,
    /// `probability`, for models that classify.
    /// Returns `[f64; N]`, CatBoost's `Probability`: in the order of `CLASSES`, or both probabilities of a
    /// model that names one class.
    Probability,
    /// `class`, for models that classify.
    /// Returns one of `CLASSES`, or `[bool; N]` if labels are predicted independently: CatBoost's `Class`.
    Class,
    /// `exponent`, for models with one raw value that do not classify.
    /// Returns `f64`, CatBoost's `Exponent`.
    Exponent,
    /// `mean_and_variance`, for the loss `RMSEWithUncertainty`.
    /// Returns `(f64, f64)`, CatBoost's `RMSEWithUncertainty`.
    MeanAndVariance,
}

/// Keys that a model's CTRs look up, counted for each CTR: the compiler of Rust takes many times the memory of tables.
const MAX_CTR_KEYS: usize = 1 << 26;

/// Error of compiling a model in a build script.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The model file could not be read, or its tables could not be written.
    Io(PathBuf, io::Error),
    /// The file is not a model that can be compiled.
    Model(PathBuf, catboost_model::Error),
    /// The model's CTRs look up this many keys, more than 67,108,864, too many for tables in a program. It
    /// can be loaded at run time.
    TooLarge(PathBuf, usize),
    /// Cargo did not set `OUT_DIR`, and [`Config::out_dir`] was not called.
    NoOutDir,
    /// The module's name, which is empty or has a character other than ASCII letters, digits and `_`.
    Module(String),
}

/// Compiles the model file at `path` into `$OUT_DIR/model.rs`, for a build script. Tells Cargo to run the script again
/// when the file changes, and ends the build with a sentence on an error. [`Config`] has the options.
///
/// `path` is relative to the folder of the package, in which Cargo runs build scripts.
///
/// ```no_run
/// catboost_codegen::build("model.cbm");
/// ```
pub fn build(path: impl AsRef<Path>) {
    Config::new().build(path);
}

/// Options of compiling a model.
///
/// ```no_run
/// use catboost_codegen::{Config, Explanations};
///
/// let config = Config::new().visibility("pub(crate)");
/// config.clone().module("churn").build("models/churn.cbm");
/// config.module("fraud").explain(Explanations::Computed).build("models/fraud.json");
/// ```
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
    /// Creates the defaults: `model.rs` in `OUT_DIR`, public, with a self-check, without explanations.
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

    /// Names the source `<module>.rs` and the folder of its tables: ASCII letters, digits and `_`. Default:
    /// `model`. Each model of a package needs a name of its own. [`Config::compile`] checks the name,
    /// [`Config::generate`] does not.
    #[must_use]
    pub fn module(mut self, module: impl Into<String>) -> Self {
        self.module = module.into();
        self
    }

    /// Sets the visibility of the generated items, as Rust source such as `pub(crate)`. Default: `pub`. It is
    /// not checked: a mistake shows when the source is compiled.
    #[must_use]
    pub fn visibility(mut self, visibility: impl Into<String>) -> Self {
        self.visibility = visibility.into();
        self
    }

    /// Sets the folder that files are written to. Source outside `OUT_DIR` does not find its tables. Default:
    /// `OUT_DIR`, which Cargo sets for build scripts.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Includes or leaves out `self_check` with its 16 rows, which the interpreter answers while the model is
    /// compiled. Default: included.
    #[must_use]
    pub fn self_check(mut self, self_check: bool) -> Self {
        self.self_check = self_check;
        self
    }

    /// Adds `explain`, SHAP values of rows, and chooses how they are computed. For a model that cannot be
    /// explained, `UNEXPLAINED` has the reason, and the build succeeds. The constant `EXPLANATION_BYTES` is
    /// the size that [`Explanations::Tables`] adds to the program. Default: none.
    #[must_use]
    pub fn explain(mut self, explanations: Explanations) -> Self {
        self.explanations = explanations;
        self
    }

    /// Compiles the model file at `path`, for a build script. Tells Cargo to run the script again when the
    /// file changes. On an error, prints a sentence for Cargo and exits the process with code 1.
    pub fn build(&self, path: impl AsRef<Path>) {
        if let Err(error) = self.compile(path) {
            println!("cargo::error={}", one_line(&error));
            process::exit(1);
        }
    }

    /// Compiles the model file at `path`, and tells Cargo to run the build script again when the file changes. Use it
    /// in place of [`Config::build`] in a build script that handles errors.
    ///
    /// # Errors
    /// If the file cannot be read, is not a supported model, its CTRs look up more than 67,108,864 keys,
    /// output cannot be written, there is no folder for it, or the module's name is invalid.
    ///
    /// ```no_run
    /// use catboost_codegen::{Config, Prediction};
    ///
    /// let generated = Config::new().compile("model.cbm")?;
    /// assert!(generated.predictions.contains(&Prediction::Probability), "a classifier is expected");
    /// # Ok::<(), catboost_codegen::Error>(())
    /// ```
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
        let mut bytes = Vec::new();
        let model = catboost_model::load_into(path, &mut bytes).map_err(|error| {
            let io = |error| Error::Io(path.to_owned(), error);
            let other = |error| Error::Model(path.to_owned(), error);
            error.into_io().map_or_else(other, io)
        })?;
        let keys = model.ctrs.iter();
        let keys = keys.map(|ctr| model.ctr_tables[ctr.table.at()].keys.len());
        match keys.sum::<usize>() {
            keys if keys > MAX_CTR_KEYS => {
                return Err(Error::TooLarge(path.to_owned(), keys));
            }
            _ => {}
        }
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

    /// Compiles a model into the source `<module>.rs` and the tables that it includes, in `<module>/`. The
    /// same model, origin and options give the same bytes. Nothing is printed or written. Neither the number
    /// of CTR keys nor the memory of tables is limited.
    ///
    /// ```
    /// use catboost_codegen::{Config, Origin};
    ///
    /// let model = catboost_model::parse(
    ///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
    ///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
    ///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
    /// )?;
    /// let generated = Config::new().module("age").generate(&model, &Origin::default());
    /// let (path, _) = generated.files.last().expect("the source is the last file");
    /// assert_eq!(path, "age.rs");
    /// # Ok::<(), catboost_model::Error>(())
    /// ```
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
    /// Writes the files below a folder, which is created if necessary. A file with the right contents is left
    /// alone, so that nothing is recompiled because of it. Files of an earlier model are not removed.
    ///
    /// # Errors
    /// If a file cannot be written. Files before it, in the order of [`Generated::files`], have been written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            write_if_changed(&path, bytes).map_err(|error| Error::Io(path, error))?;
        }
        Ok(())
    }
}

/// Writes a file unless it has these bytes already. Creates its folder.
fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, bytes)
}

/// Path of a table's file, below `OUT_DIR`.
fn table_path(module: &str, name: &str) -> String {
    format!("{module}/{}.bin", name.to_lowercase())
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Model(path, error) => write!(f, "{}: {error}", path.display()),
            Self::TooLarge(path, keys) => write!(
                f,
                "{}: the model's CTRs look up {keys} keys, too many to be compiled; at most {MAX_CTR_KEYS} are: load the model at run time, with catboost-apply",
                path.display()
            ),
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
            Self::NoOutDir | Self::TooLarge(..) | Self::Module(_) => None,
        }
    }
}

/// Escapes characters that would end a line of a build script's output or change its direction. Cargo takes each line
/// that begins with `cargo::` for an instruction, and a sentence can contain names of features and classes of an
/// untrusted model.
///
/// ```
/// assert_eq!(catboost_codegen::one_line(&"a\ncargo::b"), r"a\ncargo::b");
/// ```
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
