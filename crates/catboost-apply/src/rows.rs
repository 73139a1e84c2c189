//! Rows in the order of the layout's features, and blocks of them.
//!
//! A [`Row`] has the values of each kind in the model's order, used or not. Evaluation takes the used ones,
//! in the order of [`Layout::floats`], [`Layout::cats`], [`Layout::texts`] and [`Layout::embeddings`].
//! Categorical values are hashed here. Up to 64 numbers, 32 categories, 8 texts and 8 embeddings are kept on
//! the stack; more are allocated per row.

use catboost_runtime::{
    block, compiled,
    hash::cat_hash,
    predict::{self, Row, RowError},
};
use smallvec::SmallVec;

use crate::{layout::Layout, model::Model};

/// Rows of a block, whose counts and lengths the caller has checked.
pub(crate) struct Rows<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) rows: &'a [Row<'a>],
}

impl block::Rows for Rows<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn with_row<R>(&self, row: usize, then: impl FnOnce(compiled::Row<'_>) -> R) -> R {
        in_places(self.layout, &self.rows[row], then)
    }

    fn with_other_features<R>(&self, row: usize, then: impl FnOnce(compiled::Row<'_>) -> R) -> R {
        others_in_places(self.layout, &self.rows[row], &[], then)
    }

    fn push_floats(&self, row: usize, floats: &mut Vec<f32>) {
        floats.extend(ordered_floats(self.layout, &self.rows[row]));
    }

    fn read_column(&self, input: usize, first: usize, values: &mut [f32]) -> bool {
        let index = self.layout.floats[input].expect("a column is made of a feature");
        for (value, row) in values.iter_mut().zip(&self.rows[first..]) {
            *value = row.floats[index];
        }
        true
    }
}

/// Maps a row's features to the order of the layout.
/// A number that pads a block of features is 0.
///
/// # Panics
/// If the row has fewer features of a kind than the layout refers to.
#[inline]
pub(crate) fn in_places<R>(
    layout: &Layout,
    row: &Row<'_>,
    then: impl FnOnce(compiled::Row<'_>) -> R,
) -> R {
    // Extended where it is: `collect` would copy the whole array.
    let mut floats = SmallVec::<[f32; 64]>::new();
    floats.extend(ordered_floats(layout, row));
    others_in_places(layout, row, &floats, then)
}

/// Returns a row's numbers in the order of the layout.
#[inline]
fn ordered_floats<'a>(layout: &'a Layout, row: &'a Row<'_>) -> impl Iterator<Item = f32> + 'a {
    let indices = layout.floats.iter();
    indices.map(|index| index.map_or(0.0, |index| row.floats[index]))
}

/// Orders a row's other features as the layout; `floats` are in its order already.
#[inline]
fn others_in_places<R>(
    layout: &Layout,
    row: &Row<'_>,
    floats: &[f32],
    then: impl FnOnce(compiled::Row<'_>) -> R,
) -> R {
    let mut cats = SmallVec::<[u32; 32]>::new();
    cats.extend(layout.cats.iter().map(|&index| cat_hash(row.cats[index])));
    let mut texts = SmallVec::<[&str; 8]>::new();
    texts.extend(layout.texts.iter().map(|&index| row.texts[index]));
    let mut embeddings = SmallVec::<[&[f32]; 8]>::new();
    embeddings.extend(layout.embeddings.iter().map(|&index| row.embeddings[index]));
    then(compiled::Row {
        floats,
        cats: &cats,
        texts: &texts,
        embeddings: &embeddings,
    })
}

impl Model {
    /// Computes the raw values of many rows: `raw` gets [`Model::dimension`] values per row, row by row. The
    /// bits are those of [`Model::raw_into`]. Fewer than 24 rows are evaluated one by one. See
    /// [`Predict::raw_block`](predict::Predict::raw_block).
    ///
    /// # Errors
    /// As [`Predict::raw_block`](predict::Predict::raw_block). All rows are checked before the first is evaluated, so `raw` is then
    /// unchanged.
    ///
    /// ```
    /// use catboost_apply::{Row, Scratch};
    ///
    /// # use catboost_apply::Model;
    /// # let model = Model::from_bytes(
    /// #     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
    /// #     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias":
    /// #     [1, [0.5]], "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2]}]}"#,
    /// # )?;
    /// let ages = [[41.0], [7.0]];
    /// let rows = ages.each_ref().map(|age| Row { floats: age, ..Row::default() });
    /// let mut raw = [0.0; 2];
    /// model.raw_block(&rows, &mut Scratch::default(), &mut raw)?;
    /// assert_eq!(raw, [2.5, 1.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw_block(
        &self,
        rows: &[Row<'_>],
        scratch: &mut block::Scratch,
        raw: &mut [f64],
    ) -> Result<(), RowError> {
        let all = self.checked(rows, raw)?;
        let (model, blocks) = (&all.layout.model, all.layout.blocks.as_ref());
        model.raw_block(blocks, &all, scratch, raw);
        Ok(())
    }

    /// [`Model::raw_block`], which also reports to `observer` what the evaluation meets, as
    /// [`Model::raw_observed`] does, except for leaves.
    ///
    /// # Errors
    /// As [`Model::raw_block`].
    pub fn raw_block_observed(
        &self,
        rows: &[Row<'_>],
        scratch: &mut block::Scratch,
        raw: &mut [f64],
        observer: &mut dyn compiled::Observer,
    ) -> Result<(), RowError> {
        let all = self.checked(rows, raw)?;
        let (model, blocks) = (&all.layout.model, all.layout.blocks.as_ref());
        model.raw_block_observed(blocks, &all, scratch, raw, observer);
        Ok(())
    }

    /// Checks the rows of a block, and that `raw` has room for their values.
    fn checked<'a>(&'a self, rows: &'a [Row<'a>], raw: &[f64]) -> Result<Rows<'a>, RowError> {
        predict::check_room(rows.len() * self.dimension(), raw.len())?;
        rows.iter().try_for_each(|row| self.check(row))?;
        let layout = self.layout();
        Ok(Rows { layout, rows })
    }

    /// [`Model::raw_block`] on all threads of rayon's pool, in tasks of 1,024 rows. Scratch memory is
    /// allocated per call, for each thread that takes part.
    ///
    /// # Errors
    /// As [`Model::raw_block`], but the contents of `raw` are unspecified on an error of a row, and any one
    /// of several errors is returned.
    #[cfg(feature = "rayon")]
    pub fn raw_block_on_all_cores(
        &self,
        rows: &[Row<'_>],
        raw: &mut [f64],
    ) -> Result<(), RowError> {
        use rayon::prelude::*;

        /// Number of rows per task: as many as stay in a thread's caches.
        const ROWS: usize = 1024;
        let dimension = self.dimension();
        predict::check_room(rows.len() * dimension, raw.len())?;
        let raws = raw.par_chunks_mut(ROWS * dimension.max(1));
        rows.par_chunks(ROWS)
            .zip(raws)
            .try_for_each_init(block::Scratch::default, |scratch, (rows, raw)| {
                self.raw_block(rows, scratch, raw)
            })
    }
}
