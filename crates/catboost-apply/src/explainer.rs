//! Why a model said so: SHAP values of a model that was loaded.

use std::{fs, path::Path};

use catboost_runtime::{
    explain::{Explain, Leaves},
    predict::{Row, RowError},
    storage::Owned,
};

use crate::{
    Error, Model,
    layout::explain::{Explanations, lay_out},
};

/// A model that explains its rows: what each feature adds to the raw values, as CatBoost's SHAP values to the bit. Only models of
/// oblivious trees with leaf weights are explained.
pub struct Explainer {
    model: Model,
    explain: Explain<Owned>,
}

impl Explainer {
    /// Loads a model file; `tables` computes the contributions of all its leaves at once: a row then takes additions alone.
    /// [`Explainer::table_bytes`] says what they take.
    ///
    /// # Errors
    /// As [`Model::load`]; if the model cannot be explained.
    pub fn load(path: impl AsRef<Path>, tables: bool) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| Error::Io(None, error).at(path))?;
        Self::from_bytes(&bytes, tables).map_err(|error| error.at(path))
    }

    /// Loads a model from the bytes of its file.
    ///
    /// # Errors
    /// As [`Explainer::load`].
    pub fn from_bytes(file: &[u8], tables: bool) -> Result<Self, Error> {
        let explanations = if tables {
            Explanations::Tables
        } else {
            Explanations::Computed
        };
        // This refuses files that take too much memory.
        let model = Model::from_bytes(file)?;
        let parsed = catboost_model::parse(file).map_err(|error| Error::Model(None, error))?;
        let explain = lay_out(&parsed, explanations);
        let explain = explain.map_err(|error| Error::Explain(None, error))?;
        Ok(Self {
            model,
            explain: explain.unwrap_or_else(Explain::nothing),
        })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Raw value of the mean training row, one per explained dimension: all of them, but one for `RMSEWithUncertainty`.
    #[must_use]
    pub fn base(&self) -> &[f64] {
        &self.explain.base
    }

    /// Number of values of an explanation: a value per column of the training data, dimension by dimension.
    #[must_use]
    pub fn len(&self) -> usize {
        self.explain.len()
    }

    /// Whether explanations have no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.explain.is_empty()
    }

    /// Size of the tables of all leaves; 0 without them.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        size_of_val(&*self.explain.tables)
    }

    /// Whether any tree has a split.
    #[must_use]
    pub fn uses_features(&self) -> bool {
        self.explain.trees.iter().any(|tree| tree.depth > 0)
    }

    /// Puts in `values` what each column adds for a row, dimension by dimension. Base and values of a dimension add up to its raw value,
    /// up to rounding.
    ///
    /// # Errors
    /// As [`Model::raw_into`].
    ///
    /// # Panics
    /// If `values` has not the length [`Explainer::len`].
    pub fn explain(&self, row: &Row<'_>, values: &mut [f64]) -> Result<(), RowError> {
        self.explain_block(std::slice::from_ref(row), values)
    }

    /// [`Explainer::explain`] for several rows, one after the other in `values`.
    ///
    /// # Errors
    /// As [`Model::raw_into`], of the first row that is wrong.
    ///
    /// # Panics
    /// If `values` has not the length [`Explainer::len`] for each row.
    pub fn explain_block(&self, rows: &[Row<'_>], values: &mut [f64]) -> Result<(), RowError> {
        let mut leaves = Leaves::with_capacity(rows.len() * self.explain.trees.len());
        let mut raw = vec![0.0; self.model.dimension()];
        for row in rows {
            self.model.raw_observed(row, &mut raw, &mut leaves)?;
        }
        let leaf_values = self.model.layout().model.trees.values();
        self.explain.explain_block(leaf_values, &leaves.0, values);
        Ok(())
    }

    /// Number of the leaf that a row comes to in each tree: CatBoost's `calc_leaf_indexes`.
    ///
    /// # Errors
    /// As [`Model::raw_into`].
    pub fn leaves(&self, row: &Row<'_>) -> Result<Vec<u32>, RowError> {
        let mut leaves = Leaves::default();
        let mut raw = vec![0.0; self.model.dimension()];
        self.model.raw_observed(row, &mut raw, &mut leaves)?;
        let all = leaves.0.iter().zip(&*self.explain.trees);
        Ok(all.map(|(leaf, tree)| leaf - tree.first_leaf).collect())
    }
}
