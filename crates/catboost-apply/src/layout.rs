//! IR → tables: which group each feature becomes, and what the evaluation of a row looks up.
//!
//! [`catboost_runtime::compiled`] says what the tables mean.

mod bags;
mod bayes;
mod blocks;
mod bm25;
mod categories;
mod combinations;
mod crosses;
mod embeddings;
mod estimates;
pub mod explain;
mod groups;
mod keys;
mod letters;
mod odds;
mod room;
mod texts;
mod trees;

use catboost_model::ir::Model;
use catboost_runtime::{
    block::Blocks,
    compiled::{self, Dynamic},
    storage::Owned,
};

use categories::Categories;
pub(crate) use crosses::hash_of;
use groups::{Groups, Numbers};
pub use room::{Room, TooLarge};

/// A model laid out, and which of its features a row has in which place.
pub struct Layout {
    /// The tables.
    pub model: compiled::Model<Owned, Dynamic>,
    /// The tables for blocks of rows; `None` if rows are evaluated one by one.
    pub blocks: Option<Blocks<Owned>>,
    /// Float features by place in [`compiled::Row::floats`]; `None` for a place that fills up a block.
    pub floats: Vec<Option<usize>>,
    /// Categorical features by place in [`compiled::Row::cats`].
    pub cats: Vec<usize>,
    /// By the same place, whether all values that the training data had are known: a CTR counts by the feature alone.
    pub counted: Vec<bool>,
    /// Text features by place in [`compiled::Row::texts`].
    pub texts: Vec<usize>,
    /// Embedding features by place in [`compiled::Row::embeddings`].
    pub embeddings: Vec<usize>,
}

/// Lays a model out, however much memory its tables take.
#[must_use]
pub fn lay_out(model: &Model) -> Layout {
    lay_out_in(model, Room::UNBOUNDED).expect("there is room for everything")
}

/// Lays a model out.
///
/// # Errors
/// If its tables would take more than there is room for.
pub fn lay_out_in(model: &Model, mut room: Room) -> Result<Layout, TooLarge> {
    let rows = trees::Rows::plan(model, &mut room);
    let mut groups = Groups::new(model, rows.is_none());
    let numbers = Numbers::lay_out(model, &mut groups);
    groups.add_estimates(model);
    let categories = Categories::lay_out(model, &mut groups, &mut room)?;
    let answers = groups.add_answers(model);
    let trees = trees::lay_out(rows, model, &mut groups);
    let texts = texts::lay_out(model, &groups, &trees, &mut room)?;
    let (used_embeddings, embeddings) = embeddings::lay_out(model, &groups);
    let blocks = blocks::lay_out(model, &groups, &numbers, &mut room);
    let initial: Box<[u16]> = groups.initial().into();
    Ok(Layout {
        model: compiled::Model {
            shape: Dynamic {
                dimension: model.dimension,
                slots: initial.len(),
                lines: trees.lines(),
                bits: trees.bits,
            },
            scale: model.scale,
            bias: bias(model),
            blocks: numbers.blocks.into(),
            wides: numbers.wides.into(),
            one_hots: categories.one_hots,
            digits: categories.digits,
            crosses: categories.crosses,
            projections: categories.projections,
            texts: texts.texts,
            embeddings,
            answers,
            initial,
            trees: trees.trees,
        },
        blocks,
        floats: numbers.places,
        cats: categories.used,
        counted: categories.counted,
        texts: texts.used,
        embeddings: used_embeddings,
    })
}

/// What is added to the scaled sums. CatBoost adds nothing if no bias is different from 0; to add 0 would turn -0 into 0, to
/// add -0 changes nothing.
fn bias(model: &Model) -> Box<[f64]> {
    if model.bias.iter().all(|&bias| bias == 0.0) {
        vec![-0.0; model.dimension].into()
    } else {
        model.bias.as_slice().into()
    }
}

#[cfg(test)]
mod tests;
