// The README's example is tested by `catboost-zoo`.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]
//! # How it works
//!
//! `catboost_model` reads the file into its intermediate representation; [`layout`] assigns groups and computes every
//! table; `catboost_runtime::compiled` evaluates rows. The code generator prints the same tables as Rust source.
//!
//! Cargo features, all off by default: `rayon` adds `Model::raw_block_on_all_cores`, `ndarray` adds
//! `Model::raw_of_array`, `arrow` adds `Model::raw_of_batch`.

#[cfg(feature = "ndarray")]
mod array;
#[cfg(feature = "arrow")]
mod batch;
mod error;
mod explainer;
mod input;
#[doc(hidden)]
pub mod layout;
mod model;
mod rows;
mod schema;

pub use catboost_runtime::block::{Instructions, Scratch};
pub use catboost_runtime::predict::{FeatureKind, Label, Predict, Row, RowError};
pub use error::Error;
pub use explainer::Explainer;
pub use input::{Input, Key, Value};
pub use model::Model;
pub use schema::{Feature, Position};
