//! Blocks of rows from an `ndarray` of numbers.

use catboost_runtime::{
    block::{self, Scratch},
    compiled,
    predict::{self, FeatureKind, RowError},
};
use ndarray::ArrayView2;
use smallvec::SmallVec;

use crate::{Model, layout::Layout};

impl Model {
    /// Computes the raw values of the rows of an array. The array has a column per numeric feature, in the order of the
    /// training data; its numbers are read in place, with any strides. NaN is a missing value.
    ///
    /// # Errors
    /// If the model has features of other kinds, the number of columns is not that of the features, or `raw` does not have
    /// room for exactly the rows' raw values.
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
