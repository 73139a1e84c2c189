//! Layout: IR → tables. Assigns a group to each feature, and computes every table that evaluation looks up.
//!
//! [`catboost_runtime::compiled`] documents the tables.
//!
//! | modules | tables |
//! | --- | --- |
//! | `groups` | groups, their slots, and numeric features |
//! | `categories`, `combinations`, `crosses` | one-hot features and CTRs |
//! | `texts`, `letters`, `bags`, `bayes`, `bm25`, `odds` | text features |
//! | `embeddings` | embedding features |
//! | `estimates` | borders of the numbers that calcers compute |
//! | `trees` | leaf indices and leaf values |
//! | `blocks` | evaluation of many rows at once |
//! | `explain` | SHAP values |
//! | `keys`, `room` | hash tables, and the memory limit of all tables |
//!
//! Groups are assigned in this order: numeric features, estimated features, one-hot features, CTRs. Unless
//! the trees are walked, no other slot comes before them, so that the number of a group is its slot.

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

/// Model tables, with the mapping of the model's features to the row's.
pub struct Layout {
    /// Tables for single rows.
    pub model: compiled::Model<Owned, Dynamic>,
    /// Tables for blocks of rows; `None` if rows are evaluated one by one.
    pub blocks: Option<Blocks<Owned>>,
    /// Float feature at each index of [`compiled::Row::floats`]; `None` for an index that pads a block.
    pub floats: Vec<Option<usize>>,
    /// Categorical feature at each index of [`compiled::Row::cats`].
    pub cats: Vec<usize>,
    /// True, by the same index, if a CTR counts by the feature alone, so that all values of the training data are
    /// known.
    pub counted: Vec<bool>,
    /// Text feature at each index of [`compiled::Row::texts`].
    pub texts: Vec<usize>,
    /// Embedding feature at each index of [`compiled::Row::embeddings`].
    pub embeddings: Vec<usize>,
}

/// Lays out a model without a limit of memory.
/// A small file can describe large tables: [`lay_out_in`] is for files of others.
#[must_use]
pub fn lay_out(model: &Model) -> Layout {
    lay_out_in(model, Room::UNBOUNDED).expect("there is room for everything")
}

/// Lays out a model. `room` limits the memory of its tables. The same model and the same room give the same
/// tables.
///
/// # Errors
/// If its tables would exceed `room`.
/// The text names the table. Tables that only save time are never the reason: they are left out.
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
    let blocks = blocks::lay_out(model, &groups, &numbers, &trees, &mut room);
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

/// Returns the bias per dimension. CatBoost adds nothing if all biases are 0; adding -0 has the same effect, while
/// adding 0 would turn -0 into 0.
fn bias(model: &Model) -> Box<[f64]> {
    if model.bias.iter().all(|&bias| bias == 0.0) {
        vec![-0.0; model.dimension].into()
    } else {
        model.bias.as_slice().into()
    }
}

#[cfg(test)]
mod tests;
