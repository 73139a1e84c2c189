//! Interface that compiled and loaded models share.

#[doc(hidden)]
pub use alloc::vec::Vec;
use alloc::{borrow::ToOwned as _, string::String, vec};
use core::{fmt, ops::Range};

use crate::block::Scratch;

/// A row: the values of the features of each kind, in the model's order.
///
/// ```
/// use catboost_runtime::predict::Row;
///
/// let row = Row { floats: &[8.5, f32::NAN], cats: &["rain"], ..Row::default() };
/// assert!(row.texts.is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row<'a> {
    /// Numeric features. NaN is a missing value.
    pub floats: &'a [f32],
    /// Categorical features.
    pub cats: &'a [&'a str],
    /// Text features.
    pub texts: &'a [&'a str],
    /// Embedding features, each as long as its dimension.
    pub embeddings: &'a [&'a [f32]],
}

/// A model that can be evaluated, compiled into the program or loaded at run time.
pub trait Predict {
    /// Number of raw values per row.
    fn dimension(&self) -> usize;

    /// SHA-256 of the model file, in lower-case hexadecimal.
    fn sha256(&self) -> &str;

    /// Features, in the order of the training data's columns.
    fn features(&self) -> Vec<Feature<'_>>;

    /// Computes the raw values of a row: CatBoost's `RawFormulaVal`, except that classes which the training data lacked
    /// have no value.
    ///
    /// # Errors
    /// If the row has another number of features than the model, an embedding another length than its feature, or `raw`
    /// another length than [`Predict::dimension`].
    fn raw_into(&self, row: &Row<'_>, raw: &mut [f64]) -> Result<(), RowError>;

    /// Computes the raw values of many rows, row by row: the bits of [`Predict::raw_into`] at a fraction of the time.
    ///
    /// Allocates nothing once `scratch` has been used for as many rows. One `scratch` serves any models.
    ///
    /// # Errors
    /// As [`Predict::raw_into`]; `raw` must have room for all rows. On an error its contents are unspecified.
    fn raw_block(
        &self,
        rows: &[Row<'_>],
        _scratch: &mut Scratch,
        raw: &mut [f64],
    ) -> Result<(), RowError> {
        let dimension = self.dimension();
        check_room(rows.len() * dimension, raw.len())?;
        let mut rest = raw;
        for row in rows {
            let (values, others) = rest.split_at_mut(dimension);
            self.raw_into(row, values)?;
            rest = others;
        }
        Ok(())
    }

    /// Computes the raw values after every `period` of some trees: CatBoost's `staged_predict`. One stage of all of them
    /// is CatBoost's `predict` with `ntree_start` and `ntree_end`. The bias belongs to the first tree.
    ///
    /// # Errors
    /// As [`Predict::raw_into`].
    ///
    /// # Panics
    /// If `trees` is out of the range of the model's trees, or `period` is 0.
    fn stages(
        &self,
        row: &Row<'_>,
        trees: Range<usize>,
        period: usize,
    ) -> Result<Vec<Vec<f64>>, RowError>;

    /// Names of the classes. Empty if the model does not classify.
    fn classes(&self) -> Vec<Label<'_>> {
        Vec::new()
    }

    /// Probabilities of the [classes](Predict::classes); `None` if the model does not classify.
    ///
    /// `raw` is a row's raw values. This and the following methods return `None` if its length is not
    /// [`Predict::dimension`].
    fn probability(&self, _raw: &[f64]) -> Option<Vec<f64>> {
        None
    }

    /// Indices of the predicted classes among the [classes](Predict::classes): one, or any number if labels are
    /// predicted independently. `None` if the model does not classify.
    fn class(&self, _raw: &[f64]) -> Option<Vec<usize>> {
        None
    }

    /// Exponential of the raw value; `None` if the model classifies, or has several raw values.
    fn exponent(&self, _raw: &[f64]) -> Option<f64> {
        None
    }

    /// Mean and variance; `None` unless the loss is `RMSEWithUncertainty`.
    fn mean_and_variance(&self, _raw: &[f64]) -> Option<(f64, f64)> {
        None
    }

    /// Returns the raw values of a row in a new vector.
    ///
    /// # Errors
    /// As [`Predict::raw_into`].
    fn raw(&self, row: &Row<'_>) -> Result<Vec<f64>, RowError> {
        let mut raw = vec![0.0; self.dimension()];
        self.raw_into(row, &mut raw)?;
        Ok(raw)
    }
}

/// A feature of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Feature<'a> {
    /// Name; empty if the training data had none.
    pub name: &'a str,
    /// Index among all columns of the training data.
    pub index: u32,
    /// Kind of its values.
    pub kind: FeatureKind,
    /// True if any tree depends on the feature.
    pub used: bool,
}

impl<'a> Feature<'a> {
    /// Creates a feature.
    #[must_use]
    pub const fn new(name: &'a str, index: u32, kind: FeatureKind, used: bool) -> Self {
        Self {
            name,
            index,
            kind,
            used,
        }
    }
}

/// Kind of a feature's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FeatureKind {
    /// A number.
    Numeric,
    /// A string, compared as a whole.
    Categorical,
    /// A string, cut into words.
    Text,
    /// A list of numbers.
    Embedding,
}

impl FeatureKind {
    /// Name of the kind, as an adjective.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Categorical => "categorical",
            Self::Text => "text",
            Self::Embedding => "embedding",
        }
    }
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Name of a class in the training data.
///
/// ```
/// use catboost_runtime::predict::Label;
///
/// assert_eq!(Label::from("green").to_string(), "green");
/// assert_eq!(Label::from(3), Label::Int(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Label<'a> {
    /// `False` or `True`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(&'a str),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(label) => label.fmt(f),
            Self::Int(label) => label.fmt(f),
            Self::Float(label) => label.fmt(f),
            Self::Text(label) => f.write_str(label),
        }
    }
}

macro_rules! label {
    ($($kind:ident $type:ty),*) => {$(
        impl<'a> From<$type> for Label<'a> {
            fn from(label: $type) -> Self {
                Self::$kind(label)
            }
        }
    )*};
}

label!(Bool bool, Int i64, Float f64, Text &'a str);

/// Reason why a row was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowError {
    /// The row has another number of features of a kind than the model.
    Count {
        /// The kind.
        kind: FeatureKind,
        /// Number of features that the model has.
        expected: usize,
        /// Number of features that the row has.
        found: usize,
    },
    /// The output has another length than the number of raw values.
    Dimension {
        /// Number of raw values that the model has.
        expected: usize,
        /// Length of the output.
        found: usize,
    },
    /// An embedding has another length than its feature.
    Length {
        /// The feature, by name, or by index if it has none.
        feature: String,
        /// Length of the feature's embeddings.
        expected: usize,
        /// Length of the row's embedding.
        found: usize,
    },
    /// A feature that the model uses has no value.
    Missing {
        /// The feature, by name, or by index if it has none.
        feature: String,
    },
    /// The model has no such feature.
    Unknown {
        /// Name or index that was looked up.
        feature: String,
    },
    /// The value is not of the feature's kind.
    Kind {
        /// The feature, by name, or by index if it has none.
        feature: String,
        /// The kind of its values.
        expected: FeatureKind,
    },
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count {
                kind,
                expected,
                found,
            } => write!(
                f,
                "the row has {found} {kind} features, expected {expected}"
            ),
            Self::Dimension { expected, found } => write!(
                f,
                "there is room for {found} raw values, expected {expected}"
            ),
            Self::Length {
                feature,
                expected,
                found,
            } => write!(
                f,
                "feature `{feature}`: expected {expected} numbers, found {found}"
            ),
            Self::Missing { feature } => write!(f, "feature `{feature}` has no value"),
            Self::Unknown { feature } => write!(f, "the model has no feature `{feature}`"),
            Self::Kind { feature, expected } => {
                let value = match expected {
                    FeatureKind::Numeric => "a number",
                    FeatureKind::Categorical | FeatureKind::Text => "a string",
                    FeatureKind::Embedding => "a list of numbers",
                };
                write!(f, "feature `{feature}`: expected {value}")
            }
        }
    }
}

impl core::error::Error for RowError {}

/// Checks the length of the output for raw values.
///
/// # Errors
/// If it is not `expected`.
#[doc(hidden)]
pub fn check_room(expected: usize, found: usize) -> Result<(), RowError> {
    if expected == found {
        Ok(())
    } else {
        Err(RowError::Dimension { expected, found })
    }
}

/// Checks the number of features of a kind.
///
/// # Errors
/// If it is not `expected`.
#[doc(hidden)]
pub fn check_count(kind: FeatureKind, expected: usize, found: usize) -> Result<(), RowError> {
    if expected == found {
        return Ok(());
    }
    Err(RowError::Count {
        kind,
        expected,
        found,
    })
}

/// Converts the features of a kind to an array.
///
/// # Errors
/// If their number is not `N`.
#[doc(hidden)]
pub fn array<T, const N: usize>(kind: FeatureKind, values: &[T]) -> Result<&[T; N], RowError> {
    check_count(kind, N, values.len())?;
    Ok(values.try_into().expect("they were counted"))
}

/// Converts the embedding of a feature to an array.
///
/// # Errors
/// If its length is not `N`.
#[doc(hidden)]
pub fn embedding<'a, const N: usize>(
    feature: &str,
    numbers: &'a [f32],
) -> Result<&'a [f32; N], RowError> {
    let array = numbers.try_into();
    array.map_err(|_| length_error(feature, N, numbers.len()))
}

/// Converts the output for raw values to an array.
///
/// # Errors
/// If its length is not `N`.
#[doc(hidden)]
pub fn raw_array<const N: usize>(raw: &mut [f64]) -> Result<&mut [f64; N], RowError> {
    let found = raw.len();
    let expected = N;
    raw.try_into()
        .map_err(|_| RowError::Dimension { expected, found })
}

/// Error of an embedding that has another length than its feature.
#[cold]
#[doc(hidden)]
#[must_use]
pub fn length_error(feature: &str, expected: usize, found: usize) -> RowError {
    let feature = feature.to_owned();
    RowError::Length {
        feature,
        expected,
        found,
    }
}
