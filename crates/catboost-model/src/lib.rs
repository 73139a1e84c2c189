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
#[must_use]
pub fn to_json(model: &Model) -> String {
    json::write(lower::raise(model))
}
