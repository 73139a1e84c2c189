//! SHAP values of a loaded model.
//!
//! An [`Explainer`] holds a [`Model`] and the tables of TreeSHAP. A row is evaluated first, which gives its
//! leaf in each tree; the contributions of those leaves are then looked up or computed.

use std::{borrow::Cow, path::Path};

use catboost_model::ir;
use catboost_runtime::{
    explain::{Explain, Leaves, Node, Tree},
    predict::{Row, RowError},
    storage::Owned,
};

use crate::{
    Error, Model,
    layout::explain::{Explanations, lay_out},
};

/// Model that explains its rows: the contribution of each feature to the raw values, with the bits of CatBoost's SHAP
/// values. Supports models with leaf weights.
///
/// ```
/// use catboost_apply::{Explainer, Row};
///
/// let explainer = Explainer::from_bytes(
///     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0, "feature_id": "age",
///     "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias": [1, [0.5]],
///     "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2], "leaf_weights": [3, 1]}]}"#,
///     true,
/// )?;
/// let mut values = vec![0.0; explainer.len()];
/// explainer.explain(&Row { floats: &[41.0], ..Row::default() }, &mut values)?;
/// assert_eq!((explainer.base(), values), (&[1.75][..], vec![0.75]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Explainer {
    model: Model,
    explain: Explain<Owned>,
    /// CatBoost's number of each leaf in its tree, indexed by leaf over all the trees. Empty if the trees are oblivious.
    numbers: Vec<u32>,
}

impl Explainer {
    /// Loads a model file. With `tables`, the contributions of all leaves of oblivious trees are computed at
    /// once, and a row then takes additions alone. The tables take 8 bytes per leaf, feature of its tree and
    /// explained dimension ([`Explainer::table_bytes`]). Non-symmetric trees have none.
    ///
    /// # Errors
    /// As [`Model::load`]; if the model cannot be explained, for a reason of
    /// [`catboost_model::explain::Explainer::new`], more than 65,535 columns, non-symmetric trees with more
    /// than 16 features on the way to a leaf, or `tables` of more than 1 GiB.
    pub fn load(path: impl AsRef<Path>, tables: bool) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut file = Vec::new();
        catboost_model::load_into(path, &mut file)
            .map_err(Error::of_model)
            .and_then(|model| Self::of_file(&model, Cow::Owned(file), tables))
            .map_err(|error| error.at(path))
    }

    /// Loads a model from the bytes of its file.
    ///
    /// # Errors
    /// As [`Explainer::load`].
    pub fn from_bytes(file: &[u8], tables: bool) -> Result<Self, Error> {
        let model = catboost_model::parse(file).map_err(Error::of_model)?;
        Self::of_file(&model, Cow::Borrowed(file), tables)
    }

    fn of_file(model: &ir::Model, file: Cow<'_, [u8]>, tables: bool) -> Result<Self, Error> {
        // Refuses files that would take too much memory.
        Self::with_model(Model::of_file(model, file)?, model, tables)
    }

    /// Prepares a model that was parsed already, as [`Model::new`] does.
    ///
    /// # Errors
    /// If the model cannot be explained, as for [`Explainer::load`]. The memory of the model's own tables is
    /// not limited.
    pub fn new(model: &ir::Model, tables: bool) -> Result<Self, Error> {
        Self::with_model(Model::new(model), model, tables)
    }

    fn with_model(model: Model, parsed: &ir::Model, tables: bool) -> Result<Self, Error> {
        let explanations = if tables {
            Explanations::Tables
        } else {
            Explanations::Computed
        };
        let explain = lay_out(parsed, explanations);
        let explain = explain.map_err(|error| Error::Explain(None, error))?;
        let explain = explain.unwrap_or_else(Explain::nothing);
        let numbers = numbers(&explain);
        Ok(Self {
            model,
            explain,
            numbers,
        })
    }

    /// Returns the model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Raw value of the mean training row, per explained dimension: all dimensions, but only the first for
    /// `RMSEWithUncertainty`.
    #[must_use]
    pub fn base(&self) -> &[f64] {
        &self.explain.base
    }

    /// Number of values in an explanation: one per column of the training data and explained dimension,
    /// dimension by dimension. With `columns` columns, the contribution of column `c` to dimension `d` is
    /// value `d * columns + c`. A column is a feature by its [`index`](crate::Feature::index); columns that
    /// no tree uses have 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.explain.len()
    }

    /// Returns true if explanations have no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.explain.is_empty()
    }

    /// Size in bytes of the tables of all leaves; 0 without them.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        size_of_val(&*self.explain.tables)
    }

    /// Returns true if any tree has a split. Otherwise every value of an explanation is 0.
    #[must_use]
    pub fn uses_features(&self) -> bool {
        self.explain.trees.iter().any(|tree| tree.classes > 0)
    }

    /// Writes the contribution of each column for a row to `values`, dimension by dimension. Per dimension, base and
    /// values add up to the raw value, up to rounding.
    ///
    /// # Errors
    /// As [`Model::raw_into`].
    ///
    /// # Panics
    /// If the length of `values` is not [`Explainer::len`].
    pub fn explain(&self, row: &Row<'_>, values: &mut [f64]) -> Result<(), RowError> {
        self.explain_block(std::slice::from_ref(row), values)
    }

    /// [`Explainer::explain`] for several rows, whose `values` are concatenated. Faster per row, since each
    /// tree is prepared once per call. Allocates at least 4 bytes per row and tree.
    ///
    /// # Errors
    /// As [`Model::raw_into`], for the first row with an error. `values` is then unchanged.
    ///
    /// # Panics
    /// If the length of `values` is not [`Explainer::len`] times the number of rows.
    pub fn explain_block(&self, rows: &[Row<'_>], values: &mut [f64]) -> Result<(), RowError> {
        let mut leaves = Leaves::with_capacity(rows.len() * self.explain.trees.len());
        let mut raw = vec![0.0; self.model.dimension()];
        for row in rows {
            self.model.push_leaves(row, &mut leaves, &mut raw)?;
        }
        let leaf_values = self.model.layout().model.trees.values();
        self.explain.explain(leaf_values, &leaves, values);
        Ok(())
    }

    /// Returns the row's leaf in each tree, in the order of the trees: CatBoost's `calc_leaf_indexes`. Bit
    /// `k` of the leaf of an oblivious tree is the answer to the tree's split `k`. Leaves of a non-symmetric
    /// tree are numbered in file order.
    ///
    /// # Errors
    /// As [`Model::raw_into`].
    pub fn leaves(&self, row: &Row<'_>) -> Result<Vec<u32>, RowError> {
        let mut leaves = Leaves::default();
        let mut raw = vec![0.0; self.model.dimension()];
        self.model.push_leaves(row, &mut leaves, &mut raw)?;
        let all = leaves.as_slice().iter().zip(&*self.explain.trees);
        let number = |(&leaf, tree): (&u32, &Tree)| {
            let own = self.numbers.get(leaf as usize).copied();
            own.unwrap_or(leaf - tree.first_leaf)
        };
        Ok(all.map(number).collect())
    }
}

/// Returns CatBoost's number of each leaf of non-symmetric trees: its index among the tree's leaves in file order.
fn numbers(explain: &Explain<Owned>) -> Vec<u32> {
    let mut numbers = Vec::new();
    // Levels of oblivious trees are no nodes.
    let trees = explain.trees.iter().filter(|tree| tree.nodes > 0);
    for tree in trees {
        let nodes = &explain.nodes[tree.first_class as usize..][..tree.nodes as usize];
        let leaves = nodes
            .iter()
            .map(|node| node.leaf)
            .filter(|&leaf| leaf != Node::NONE);
        for (number, leaf) in (0..).zip(leaves) {
            let leaf = leaf as usize;
            numbers.resize(numbers.len().max(leaf + 1), 0);
            numbers[leaf] = number;
        }
    }
    numbers
}
