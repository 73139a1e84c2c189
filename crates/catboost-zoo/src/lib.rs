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

/// A compiled model.
#[derive(Clone, Copy, Debug)]
pub struct Compiled {
    /// The file's name without its extension.
    pub name: &'static str,
    /// The raw values of a row: the features of each kind, in the model's order.
    pub raw: fn(&[f32], &[&str], &[&str], &[&[f32]]) -> Vec<f64>,
    /// The leaves of a row, counted over all the trees.
    pub leaves: fn(&[f32], &[&str], &[&str], &[&[f32]]) -> Vec<usize>,
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
