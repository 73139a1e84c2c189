// The README's examples are tested by `catboost-zoo`, which has the output of their build scripts.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]
//! # How it works
//!
//! A reader per format makes a mirror of the file. `lower` checks it and resolves every index, so that an
//! [`ir::Model`] is always consistent. Unsupported content is an error that names it, never a wrong answer.
//!
//! | task | entry point | result |
//! | --- | --- | --- |
//! | read a model | [`load`], [`load_into`], [`read`], [`parse`] | [`ir::Model`] |
//! | look into a `.cbm` that cannot be loaded | [`head`] | [`Head`] |
//! | evaluate a row | [`eval::raw`], [`eval::stages`], [`eval::leaves`] | raw values, leaf indices |
//! | convert raw values | [`output::Output`] | probabilities, classes, exponents |
//! | estimate uncertainty | [`output::Ensembles`] | virtual ensembles |
//! | explain | [`explain::Explainer`], [`explain::importance()`] | SHAP values, feature importance |
//! | write a model | [`to_json`] | JSON that [`parse`] reads |

mod cbm;
mod error;
pub mod eval;
pub mod explain;
mod file;
mod foreign;
pub mod ir;
mod json;
mod limits;
mod lower;
pub mod output;
#[cfg(test)]
mod parity;
mod raw;
mod text_number;

use cbm::Budget;
pub use error::Error;
use file::Format;
pub use file::{Head, head, load, load_into, read};
use ir::Model;
pub use text_number::text_number;

/// Reads a model from the bytes of its file. The first bytes decide the format: `CBM1` begins a `.cbm`, `{`
/// begins JSON. A UTF-8 byte-order mark and blanks before JSON are skipped.
///
/// Bytes after the last part of a `.cbm` are ignored, as in CatBoost.
///
/// # Errors
/// If the file is in another format (the error names it, if known), is damaged or inconsistent, or has
/// unsupported content ([`Error::is_unsupported`]).
///
/// ```
/// let model = catboost_model::parse(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
/// )?;
/// assert_eq!(model.float_features[0].borders, [30.0]);
///
/// let error = catboost_model::parse(b"tree\nend of trees\n").unwrap_err();
/// assert!(!error.is_unsupported());
/// # Ok::<(), catboost_model::Error>(())
/// ```
pub fn parse(file: &[u8]) -> Result<Model, Error> {
    match Format::of(file) {
        Format::Cbm => {
            let budget = Budget::new(file.len().min(cbm::core_end(file)));
            let core = cbm::read_core(file, &budget)?;
            cbm::check_parts(&core)?;
            lower::lower(core, |model| cbm::read_parts(file, model, &budget))
        }
        Format::Json(text) => match json::read(text) {
            Ok(raw) => lower::lower(raw, |_| Ok(())),
            Err(error) => Err(foreign::describe_json(text).map_or(error, Error::foreign)),
        },
        Format::Other => Err(Error::foreign(foreign::describe(file))),
    }
}

/// Writes a model as JSON, in the schema of CatBoost's export with additions for content that the export
/// lacks. [`parse`] gives the same model back.
///
/// A feature, the leaf values of a tree and the counts of a table have a line each, so that two documents can
/// be compared line by line. Floats have the fewest digits that read back to the same bits.
///
/// # Panics
/// If the model breaks an invariant of [`ir`], for example by an index that is out of range.
///
/// ```
/// use catboost_model::{parse, to_json};
///
/// let model = parse(br#"{"features_info": {}, "scale_and_bias": [1, [0.5]], "oblivious_trees": []}"#)?;
/// assert_eq!(parse(to_json(&model).as_bytes())?, model);
/// # Ok::<(), catboost_model::Error>(())
/// ```
#[must_use]
pub fn to_json(model: &Model) -> String {
    json::write(lower::raise(model))
}
