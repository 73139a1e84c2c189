//! Blocks of rows from an `ndarray` of numbers.
//!
//! An array may be stored row by row or column by column, or be a slice of a larger one. A block reads it
//! feature by feature; where rows are evaluated one by one, each row is copied.

use catboost_runtime::{
    block::{self, Scratch},
    compiled,
    predict::{self, FeatureKind, RowError},
};
use ndarray::ArrayView2;
use smallvec::SmallVec;

use crate::{Model, layout::Layout};

impl Model {
    /// Computes the raw values of the rows of an array. The array has a column per numeric feature, used or
    /// not, in the order of the training data; its numbers are read in place, with any strides. NaN is a
    /// missing value. `raw` gets [`Model::dimension`] values per row, row by row.
    ///
    /// # Errors
    /// If the model has features of other kinds, the number of columns is not that of the features, or `raw`
    /// does not have room for exactly the rows' raw values. `raw` is then unchanged.
    ///
    /// ```
    /// use catboost_apply::Scratch;
    /// use ndarray::arr2;
    ///
    /// # use catboost_apply::Model;
    /// # let model = Model::from_bytes(
    /// #     br#"{"features_info": {"float_features": [{"feature_index": 0, "flat_feature_index": 0,
    /// #     "feature_id": "age", "nan_value_treatment": "AsIs", "borders": [30.0]}]}, "scale_and_bias":
    /// #     [1, [0.5]], "oblivious_trees": [{"splits": [{"split_index": 0}], "leaf_values": [1, 2]}]}"#,
    /// # )?;
    /// let array = arr2(&[[41.0], [7.0], [f32::NAN]]);
    /// let mut raw = vec![0.0; array.nrows() * model.dimension()];
    /// model.raw_of_array(array.view(), &mut Scratch::default(), &mut raw)?;
    /// assert_eq!(raw, [2.5, 1.5, 1.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw_of_array(
        &self,
        array: ArrayView2<'_, f32>,
        scratch: &mut Scratch,
        raw: &mut [f64],
    ) -> Result<(), RowError> {
        predict::check_room(array.nrows() * self.dimension(), raw.len())?;
        for (kind, found) in [
            (FeatureKind::Numeric, array.ncols()),
            (FeatureKind::Categorical, 0),
            (FeatureKind::Text, 0),
            (FeatureKind::Embedding, 0),
        ] {
            predict::check_count(kind, self.schema().count(kind), found)?;
        }
        let layout = self.layout();
        let rows = Rows { layout, array };
        layout
            .model
            .raw_block(layout.blocks.as_ref(), &rows, scratch, raw);
        Ok(())
    }
}

struct Rows<'a> {
    layout: &'a Layout,
    array: ArrayView2<'a, f32>,
}

impl block::Rows for Rows<'_> {
    fn len(&self) -> usize {
        self.array.nrows()
    }

    fn with_row<R>(&self, row: usize, then: impl FnOnce(compiled::Row<'_>) -> R) -> R {
        let floats = self.layout.floats.iter();
        let floats = floats.map(|index| index.map_or(0.0, |index| self.array[[row, index]]));
        let floats: SmallVec<[f32; 64]> = floats.collect();
        then(compiled::Row {
            floats: &floats,
            cats: &[],
            texts: &[],
            embeddings: &[],
        })
    }

    fn read_column(&self, input: usize, first: usize, values: &mut [f32]) -> bool {
        let index = self.layout.floats[input].expect("a column is made of a feature");
        let column = self.array.column(index);
        for (value, &number) in values.iter_mut().zip(column.iter().skip(first)) {
            *value = number;
        }
        true
    }
}
