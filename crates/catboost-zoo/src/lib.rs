//! The models of `fixtures/models`, compiled. For tests: see `tests/parity`.

// Generated code has to compile without a warning; only what is asked of the crate as a whole it cannot allow itself.
#![deny(warnings)]
#![forbid(unsafe_code)]
#![allow(
    uncommon_codepoints,
    mixed_script_confusables,
    confusable_idents,
    unused_variables,
    reason = "the zoo has feature names of every sort, and does not hand embeddings to models that have none"
)]

/// Computes something of a row: of the features of each kind, in the model's order.
pub type OfRow<T> = fn(floats: &[f32], cats: &[&str], texts: &[&str], embeddings: &[&[f32]]) -> T;

/// Computes something of raw values.
pub type OfRaw<T> = fn(raw: &[f64]) -> T;

fn of<const DIMENSION: usize>(raw: &[f64]) -> &[f64; DIMENSION] {
    raw.try_into().expect("as many raw values as the model has")
}

/// The name of a class, whatever its type is in the generated code.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the types say it all")]
pub enum Label {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'static str),
}

/// What a generated `class` returns: the label of one class, or a truth for each of many.
trait Labels {
    fn labels(self) -> Vec<Label>;
}

impl<const LABELS: usize> Labels for [bool; LABELS] {
    fn labels(self) -> Vec<Label> {
        self.map(Label::Bool).to_vec()
    }
}

macro_rules! label {
    ($($kind:ident of $type:ty),*) => {$(
        impl From<$type> for Label {
            fn from(label: $type) -> Self {
                Self::$kind(label)
            }
        }
        impl Labels for $type {
            fn labels(self) -> Vec<Label> {
                vec![self.into()]
            }
        }
    )*};
}

label!(Bool of bool, Int of i64, Float of f64, Text of &'static str);

/// A compiled model.
#[derive(Clone, Copy, Debug)]
pub struct Compiled {
    /// The file's name without its extension.
    pub name: &'static str,
    /// The raw values.
    pub raw: OfRow<Vec<f64>>,
    /// The leaves, counted over all the trees.
    pub leaves: OfRow<Vec<usize>>,
    /// The generated function of this name, if there is one; as those below, of raw values.
    pub probability: Option<OfRaw<Vec<f64>>>,
    /// The predicted class; for models that predict every label on its own, whether each is.
    pub class: Option<OfRaw<Vec<Label>>>,
    /// e to the power of the raw value.
    pub exponent: Option<OfRaw<f64>>,
    /// Of the loss `RMSEWithUncertainty`.
    pub mean_and_variance: Option<OfRaw<(f64, f64)>>,
    /// The generated `CLASSES`; none if the model does not classify.
    pub classes: fn() -> Vec<Label>,
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

/// The examples in the crates' READMEs.
#[cfg(doctest)]
#[doc = include_str!("../../catboost-codegen/README.md")]
#[doc = include_str!("../../catboost-runtime/README.md")]
#[doc = include_str!("../../catboost-model/README.md")]
pub struct Readmes;
