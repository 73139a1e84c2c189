//! IR → tables: which group each feature becomes, and what the compiled model looks up.
//!
//! `catboost_runtime::compiled` says what the tables mean.

mod categories;
mod crosses;
mod embeddings;
mod groups;
mod letters;
mod light;
mod odds;
mod texts;
mod trees;

use std::ops::Range;

use catboost_model::ir::Model;

pub(crate) use categories::{Categories, Keys, Projection};
pub(crate) use crosses::{Cross, Select};
pub(crate) use embeddings::{EmbeddingCalcer, EmbeddingKind, Embeddings, Targets};
pub(crate) use groups::{Answers, Block, Groups, Numbers, Wide};
pub(crate) use letters::{Letters, Steps};
pub(crate) use light::{LIGHT, Light};
pub(crate) use odds::{Limits, Odds};
pub(crate) use texts::{Calcer, Estimate, Text, Tokenized};
pub(crate) use trees::Trees;

use crate::{self_check::SelfCheck, tables::Tables};

/// A part of a table: a range of its elements.
pub(crate) type Part = Range<usize>;

/// A model laid out.
pub(crate) struct Layout {
    pub(crate) tables: Tables,
    pub(crate) numbers: Numbers,
    pub(crate) categories: Categories,
    pub(crate) answers: Vec<Answers>,
    /// The text features that the model uses.
    pub(crate) used_texts: Vec<usize>,
    pub(crate) texts: Vec<Text>,
    pub(crate) embeddings: Embeddings,
    /// Each group's bin in a row in which no token occurs.
    pub(crate) initial: Vec<u16>,
    pub(crate) trees: Trees,
    pub(crate) light: Light,
    pub(crate) self_check: SelfCheck,
}

/// Lays a model out.
pub(crate) fn lay_out(model: &Model) -> Layout {
    let mut tables = Tables::default();
    let rows = trees::Rows::plan(model);
    let mut groups = Groups::new(model, rows.is_none());
    let numbers = Numbers::lay_out(model, &mut groups, &mut tables);
    groups.add_estimates(model);
    let categories = Categories::lay_out(model, &mut groups, &mut tables);
    let answers = groups.add_answers(model);
    let trees = Trees::lay_out(rows, model, &mut groups, &mut tables);
    let (used_texts, texts) = texts::lay_out(model, &groups, &trees, &mut tables);
    let embeddings = Embeddings::lay_out(model, &groups, &mut tables);
    let light = Light::lay_out(model, &mut tables);
    let self_check = SelfCheck::make(model, &mut tables);
    Layout {
        tables,
        numbers,
        categories,
        answers,
        used_texts,
        texts,
        embeddings,
        initial: groups.initial(),
        trees,
        light,
        self_check,
    }
}
