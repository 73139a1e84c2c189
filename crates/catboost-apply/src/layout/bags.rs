//! Bags of words.
//!
//! A number of a bag of words is 1 if the text has a token, else 0, so that only the tokens of a text need
//! work. The table lists, by token id, what each sets; everything else keeps its value for a text without
//! tokens.

use std::collections::BTreeMap;

use catboost_model::ir::{self, EstimatedIdx, Model};
use catboost_runtime::{
    compiled::{BagOfWords, Trees},
    storage::Owned,
};

use super::{
    groups::{Groups, presence},
    trees::Laid,
};

/// Slots or bits that the occurrence of each token id sets: words and bits, or, if the trees are walked, answers and 1.
pub(super) type TokenBits = BTreeMap<u32, Vec<(u32, u32)>>;

/// Adds the slots or bits of a bag of words.
/// `numbers` are the estimated features of `calcer` that the model compares with borders.
pub(super) fn add(
    bag: &mut TokenBits,
    model: &Model,
    calcer: &ir::TextCalcer,
    numbers: &[EstimatedIdx],
    groups: &Groups,
    trees: &Laid,
) {
    for &number in numbers {
        let token = bag
            .entry(calcer.active[model.estimated[number.at()].local as usize])
            .or_default();
        match &trees.trees {
            Trees::Rows { .. } => token.extend(trees.present.get(&number).into_iter().flatten()),
            Trees::Levels { .. } | Trees::Nodes { .. } => {
                let group = groups
                    .of_estimated(number.at())
                    .expect("when trees are walked, every number has a group");
                let presence =
                    presence(model, number.at()).expect("a number of a bag of words is 0 or 1");
                let yes = u32::from(presence.absent)..u32::from(presence.present);
                token.extend(yes.map(|border| (group.0 + border, 1)));
            }
        }
    }
}

/// Lays out the slots or bits of all tokens.
pub(super) fn lay_out(bag: &TokenBits) -> BagOfWords<Owned> {
    let first = bag.keys().next().copied().unwrap_or(0);
    let ids = bag.keys().next_back().map_or(0, |last| last - first + 1);
    let (mut starts, mut at, mut to) = (vec![0], Vec::new(), Vec::new());
    for id in 0..ids {
        for &(place, value) in bag.get(&(first + id)).into_iter().flatten() {
            at.push(place);
            to.push(value);
        }
        starts.push(at.len() as u32);
    }
    BagOfWords {
        first,
        starts: starts.into(),
        at: at.into(),
        to: to.into(),
    }
}
