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

use std::{fs, path::Path};

pub use error::Error;
use ir::Model;
pub use text_number::text_number;

/// Reads a model file, a `.cbm` or a JSON export. The first bytes decide which.
///
/// # Errors
/// If the file cannot be read, is not a model, is inconsistent, or has unsupported content ([`Error::is_unsupported`]).
pub fn load(path: &Path) -> Result<Model, Error> {
    parse(&fs::read(path)?)
}

/// Reads a model from the bytes of its file. A UTF-8 byte-order mark before JSON is skipped.
///
/// # Errors
/// As [`load`].
pub fn parse(file: &[u8]) -> Result<Model, Error> {
    if file.starts_with(cbm::MAGIC) {
        return lower::lower(cbm::read(file)?);
    }
    let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let text = text.trim_ascii_start();
    if !text.starts_with(b"{") {
        return Err(Error::foreign(foreign::describe(file)));
    }
    match json::read(text) {
        Ok(raw) => lower::lower(raw),
        Err(error) => Err(foreign::describe_json(text).map_or(error, Error::foreign)),
    }
}

/// Writes a model as JSON, in the schema of CatBoost's export with additions for content that the export lacks.
/// [`parse`] gives the same model back.
#[must_use]
pub fn to_json(model: &Model) -> String {
    json::write(lower::raise(model))
}
