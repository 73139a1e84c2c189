//! The models of `fixtures/models`, compiled. For tests: see `tests/parity`.

#![allow(
    missing_docs,
    dead_code,
    unused_variables,
    unused_imports,
    non_snake_case,
    uncommon_codepoints,
    mixed_script_confusables,
    confusable_idents,
    reason = "the zoo has feature names of every sort, and does not look at all that a module has"
)]

/// Computes something of a row: of the features of each kind, in the model's order.
pub type OfRow<T> = fn(floats: &[f32], cats: &[&str], texts: &[&str], embeddings: &[&[f32]]) -> T;

/// A compiled model.
#[derive(Clone, Copy, Debug)]
pub struct Compiled {
    /// The file's name without its extension.
    pub name: &'static str,
    /// The raw values.
    pub raw: OfRow<Vec<f64>>,
    /// The leaves, counted over all the trees.
    pub leaves: OfRow<Vec<usize>>,
    /// The generated bits of light leaves.
    pub light_leaves: &'static [u64],
    /// The generated function of this name.
    pub self_check: fn() -> Result<(), usize>,
}

/// Notes leaves.
#[derive(Default)]
struct Leaves(Vec<usize>);

impl catboost_runtime::compiled::Observer for Leaves {
    fn leaf(&mut self, leaf: usize) {
        self.0.push(leaf);
    }
}

include!(concat!(env!("OUT_DIR"), "/zoo.rs"));
