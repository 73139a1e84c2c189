// The README's examples are tested by `catboost-zoo`, which has the output of their build scripts.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]
//! # How it works
//!
//! A reader per format makes a mirror of the file. `lower` checks it and resolves every index, so that an [`ir::Model`]
//! is always consistent. Unsupported content is an error that names it, never a wrong answer.

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

/// Reads a model from the bytes of its file. A UTF-8 byte-order mark before JSON is skipped.
///
/// # Errors
/// As [`load`].
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

/// Writes a model as JSON, in the schema of CatBoost's export with additions for content that the export lacks.
/// [`parse`] gives the same model back.
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
