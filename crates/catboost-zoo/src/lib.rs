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
    /// Explains a row; `None` if the module was generated without explanations, or the model cannot be explained.
    pub explain: Option<Explain>,
    /// Generated bitmap of light leaves.
    pub light_leaves: &'static [u64],
    /// Generated function `self_check`.
    pub self_check: fn() -> Result<(), usize>,
}

/// Calls the generated `explain`, and reads `BASE`.
pub type Explain = fn(row: &Row<'_>) -> Explanation;

/// Explanation of a row, and the size of the tables that it was looked up in.
pub struct Explanation {
    /// Contribution of each column, dimension by dimension.
    pub values: Vec<Vec<f64>>,
    /// Base of each dimension.
    pub base: Vec<f64>,
    /// Size of the tables of all leaves in bytes.
    pub table_bytes: usize,
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
