//! The models of `fixtures/models`, compiled, for tests: see `tests/parity`.

// Generated code must compile without a warning. Lints of a whole crate are beyond its control.
#![deny(warnings)]
#![forbid(unsafe_code)]
#![allow(
    uncommon_codepoints,
    mixed_script_confusables,
    confusable_idents,
    unused_variables,
    reason = "the zoo has feature names of every sort, and does not hand embeddings to models that have none"
)]

use catboost_runtime::{
    compiled::Observer,
    predict::{Predict, Row},
};

/// A compiled model.
#[derive(Clone, Copy)]
pub struct Compiled {
    /// Name of the file without its extension.
    pub name: &'static str,
    /// The model.
    pub model: &'static (dyn Predict + Sync),
    /// Returns the leaves of a row, indexed over all the trees.
    pub leaves: fn(row: &Row<'_>) -> Vec<usize>,
    /// Generated bitmap of light leaves.
    pub light_leaves: &'static [u64],
    /// Generated function `self_check`.
    pub self_check: fn() -> Result<(), usize>,
}

/// Collects leaves.
#[derive(Default)]
pub struct Leaves(pub Vec<usize>);

impl Observer for Leaves {
    fn leaf(&mut self, leaf: usize) {
        self.0.push(leaf);
    }
}

include!(concat!(env!("OUT_DIR"), "/zoo.rs"));

/// Examples in the crates' READMEs.
#[cfg(doctest)]
#[doc = include_str!("../../catboost-apply/README.md")]
#[doc = include_str!("../../catboost-codegen/README.md")]
#[doc = include_str!("../../catboost-runtime/README.md")]
#[doc = include_str!("../../catboost-model/README.md")]
pub struct Readmes;
