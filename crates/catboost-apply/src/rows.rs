//! Rows in the order of the layout's features.
//!
//! A [`Row`] has the values of each kind in the model's order, used or not. Evaluation takes the used ones,
//! in the order of [`Layout::floats`], [`Layout::cats`], [`Layout::texts`] and [`Layout::embeddings`].
//! Categorical values are hashed here. Up to 64 numbers, 32 categories, 8 texts and 8 embeddings are kept on
//! the stack; more are allocated per row.

use catboost_runtime::{block, compiled, hash::cat_hash, predict::Row};
use smallvec::SmallVec;

use crate::layout::Layout;

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
    let indices = layout.floats.iter();
    // Extended where it is: `collect` would copy the whole array.
    let mut floats = SmallVec::<[f32; 64]>::new();
    floats.extend(indices.map(|index| index.map_or(0.0, |index| row.floats[index])));
    others_in_places(layout, row, &floats, then)
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
