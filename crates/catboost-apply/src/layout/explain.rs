//! Tables of explanations: classes, weights, and optionally the contribution of every leaf.

use std::collections::HashMap;

use catboost_model::{
    explain::{ExplainError, Explainer},
    ir::{Model, ObliviousTree, Trees},
};
use catboost_runtime::{
    explain::{Explain, Term, Tree},
    storage::Owned,
};

/// Upper bound on the entries in the tables of all leaves: 1 GiB.
const MAX_ENTRIES: usize = (1 << 30) / size_of::<f64>();

/// Support for explanations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Explanations {
    /// No explanations.
    #[default]
    None,
    /// Contributions of a row's leaves are computed for each row.
    Computed,
    /// Contributions of all leaves are in tables: a row takes additions alone. The tables take 8 bytes per leaf and
    /// feature of its tree.
    Tables,
}

/// Lays out the tables that explain a model; `None` for [`Explanations::None`].
///
/// # Errors
/// If the model cannot be explained (see [`Explainer::new`]), or its trees are not oblivious.
pub fn lay_out(
    model: &Model,
    explanations: Explanations,
) -> Result<Option<Explain<Owned>>, ExplainError> {
    if explanations == Explanations::None {
        return Ok(None);
    }
    let Trees::Oblivious(trees) = &model.trees else {
        return Err(ExplainError::new(
            "only oblivious trees are explained by compiled and loaded models: `catboost_model::explain` explains all",
        ));
    };
    if model.flat_features() > usize::from(u16::MAX) {
        return Err(ExplainError::new(
            "rows of more than 65535 columns are not explained",
        ));
    }
    let explainer = Explainer::new(model)?;
    let mut tables = Tables::default();
    for (tree, &average) in trees.iter().zip(explainer.averages()) {
        tables.add(tree, average, &explainer);
    }
    let mut explain = Explain {
        dimension: model.dimension,
        base: explainer.base().into(),
        features: model.flat_features(),
        trees: tables.trees.into(),
        levels: tables.levels.into(),
        terms: tables.terms.into(),
        slots: tables.slots.into(),
        weighty: tables.weighty.into(),
        weights: tables.weights.into(),
        distinct: tables.distinct.into(),
        tables: [].into(),
    };
    if explanations == Explanations::Tables {
        if tables.entries > MAX_ENTRIES {
            return Err(ExplainError::new(
                "the tables of all leaves would take more than 1 GiB: explain without them",
            ));
        }
        let values: Vec<f64> = trees
            .iter()
            .flat_map(|tree| tree.values.iter().copied())
            .collect();
        explain.tables = explain.compute_tables(&values).into();
    }
    Ok(Some(explain))
}

#[derive(Default)]
struct Tables {
    trees: Vec<Tree>,
    levels: Vec<u8>,
    terms: Vec<Term>,
    slots: Vec<u16>,
    weighty: Vec<u64>,
    weights: Vec<u32>,
    distinct: Vec<f64>,
    places: HashMap<u64, u32>,
    leaves: usize,
    entries: usize,
}

impl Tables {
    fn add(&mut self, tree: &ObliviousTree, average: f64, explainer: &Explainer) {
        let (levels, order) = classes(tree, explainer);
        let (first_term, first_slot) = (self.terms.len(), self.slots.len());
        for (class, &of) in order.iter().enumerate() {
            let features = explainer.class_features(of);
            for &feature in features {
                let feature = feature as u16;
                let known = self.slots[first_slot..]
                    .iter()
                    .position(|&other| other == feature);
                let slot = known.unwrap_or_else(|| {
                    self.slots.push(feature);
                    self.slots.len() - 1 - first_slot
                });
                self.terms.push(Term {
                    class: class as u8,
                    slot: slot as u16,
                    among: features.len() as u16,
                });
            }
        }
        let slots = self.slots.len() - first_slot;
        self.trees.push(Tree {
            first_leaf: self.leaves as u32,
            first_weight: self.weights.len() as u32,
            first_level: self.levels.len() as u32,
            first_term: first_term as u32,
            first_slot: first_slot as u32,
            first_entry: u32::try_from(self.entries).unwrap_or(u32::MAX),
            depth: levels.len() as u8,
            classes: order.len() as u8,
            terms: (self.terms.len() - first_term) as u16,
            slots: slots as u16,
            average,
        });
        self.levels.extend(levels);
        self.add_weights(&tree.weights);
        self.entries += tree.weights.len() * slots * explainer.base().len();
    }

    fn add_weights(&mut self, weights: &[f64]) {
        for &weight in weights {
            if self.leaves.is_multiple_of(64) {
                self.weighty.push(0);
            }
            if weight != 0.0 {
                let next = self.distinct.len() as u32;
                let place = *self.places.entry(weight.to_bits()).or_insert(next);
                if place == next {
                    self.distinct.push(weight);
                }
                self.weights.push(place);
                self.weighty[self.leaves / 64] |= 1 << (self.leaves % 64);
            }
            self.leaves += 1;
        }
    }
}

/// Returns the class of each level from the root down, as an index into the tree's classes, and these classes, in the
/// order of a path to a leaf: a class that is met again moves to the end.
fn classes(tree: &ObliviousTree, explainer: &Explainer) -> (Vec<u8>, Vec<usize>) {
    let of_levels = tree.splits.iter().rev();
    let of_levels: Vec<usize> = of_levels.map(|&split| explainer.class_of(split)).collect();
    let mut order: Vec<usize> = Vec::new();
    for &class in &of_levels {
        order.retain(|&other| other != class);
        order.push(class);
    }
    let index = |class: &usize| order.iter().position(|other| other == class);
    let levels = of_levels
        .iter()
        .map(|class| index(class).expect("every class was put in order") as u8);
    (levels.collect(), order)
}
