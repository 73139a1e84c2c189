//! The trees.
//!
//! Oblivious trees become [`Trees::Rows`], whose leaf indices take one OR per group, if that table is small
//! and cheaper than walking; else [`Trees::Levels`]. Non-symmetric trees become [`Trees::Nodes`]. Leaf values
//! are those of the file in every form: `dimension` per leaf, leaf by leaf, tree by tree.

use std::collections::HashMap;

use catboost_model::ir::{self, Child, EstimatedIdx, Model, ObliviousTree, Split};
use catboost_runtime::{
    compiled::{Answer, Line, Trees},
    storage::Owned,
};

use super::{
    groups::{Groups, presence},
    room::Room,
};

/// Size of the rows of bits that is always acceptable, in bytes.
const ROWS_BYTES: usize = 4 << 20;
/// Cost of OR-ing a line of a group, in splits of walked trees. It is higher if the table exceeds the first-level
/// cache.
const QUESTIONS_PER_LINE: usize = 3;
/// Cost of looking up a combination of categories and splits on its own, in splits of walked trees. With walked trees,
/// combinations that differ only in their splits are looked up together.
const QUESTIONS_PER_COMBINATION: usize = 20;
/// Upper bound on the lines of leaf indices, which are on the stack.
const MOST_LINES: usize = 512;

/// Words of leaf indices, and the bits that are set in them.
pub(super) type WordBits = Vec<(u32, u32)>;

/// Tables of the trees.
pub(super) struct Laid {
    pub(super) trees: Trees<Owned>,
    /// Number of bits of a leaf index.
    pub(super) bits: usize,
    /// Bits that a number of a bag of words sets when it becomes 1. Empty if the trees are walked.
    pub(super) present: HashMap<EstimatedIdx, WordBits>,
}

/// Lays out the trees. `rows` is the result of [`Rows::plan`].
pub(super) fn lay_out(rows: Option<Rows>, model: &Model, groups: &mut Groups) -> Laid {
    match (&model.trees, rows) {
        (ir::Trees::Oblivious(trees), Some(rows)) => rows.lay_out(model, trees, groups),
        (ir::Trees::Oblivious(trees), None) => levels(model, trees, groups),
        (ir::Trees::NonSymmetric(trees), _) => nodes(model, trees, groups),
    }
}

impl Laid {
    /// Number of lines of the leaf indices; 0 if the trees are walked.
    pub(super) fn lines(&self) -> usize {
        match &self.trees {
            Trees::Rows { initial, .. } => initial.len(),
            Trees::Levels { .. } | Trees::Nodes { .. } => 0,
        }
    }
}

/// Lays out oblivious trees that are walked: the slots of their answers, shallow trees padded to the deepest.
fn levels(model: &Model, trees: &[ObliviousTree], groups: &mut Groups) -> Laid {
    let bits = bits(trees);
    // The answer that pads shallow trees, always 0.
    let no = Answer(groups.add_slots(1).0);
    let splits = trees.iter().flat_map(|tree| {
        let answers = tree.splits.iter();
        let answers = answers.map(|split| groups.answer(model.splits[split.at()]));
        answers.chain(std::iter::repeat(no)).take(bits)
    });
    Laid {
        trees: Trees::Levels {
            splits: splits.collect(),
            offsets: offsets(trees).collect(),
            values: values(trees.iter().map(|tree| &tree.values)),
        },
        bits,
        present: HashMap::new(),
    }
}

/// Lays out non-symmetric trees. A child that is not negative is a node; a negative one is `!leaf`, both
/// counted over all trees.
fn nodes(model: &Model, trees: &[ir::NonSymmetricTree], groups: &Groups) -> Laid {
    let (mut node_count, mut leaf_count) = (0, 0);
    let (mut roots, mut splits, mut children) = (Vec::new(), Vec::new(), Vec::new());
    for tree in trees {
        let place = |child| match child {
            Child::Node(node) => node_count + node as i32,
            Child::Leaf(leaf) => !(leaf_count + leaf as i32),
        };
        roots.push(place(if tree.nodes.is_empty() {
            Child::Leaf(0)
        } else {
            Child::Node(0)
        }));
        for node in &tree.nodes {
            splits.push(groups.answer(model.splits[node.split.at()]));
            children.push([place(node.no), place(node.yes)]);
        }
        node_count += tree.nodes.len() as i32;
        leaf_count += (tree.values.len() / model.dimension) as i32;
    }
    Laid {
        trees: Trees::Nodes {
            roots: roots.into(),
            splits: splits.into(),
            children: children.into(),
            values: values(trees.iter().map(|tree| &tree.values)),
        },
        bits: 1,
        present: HashMap::new(),
    }
}

/// Values of all leaves.
fn values<'a>(trees: impl Iterator<Item = &'a Vec<f64>> + Clone) -> Box<[f64]> {
    let mut values = Vec::with_capacity(trees.clone().map(Vec::len).sum());
    for tree in trees {
        values.extend_from_slice(tree);
    }
    values.into()
}

/// Number of bits of a leaf index.
fn bits(trees: &[ObliviousTree]) -> usize {
    let depths = trees.iter().map(|tree| tree.splits.len());
    depths.max().unwrap_or(0).max(1)
}

/// First leaf of each tree.
fn offsets(trees: &[ObliviousTree]) -> impl Iterator<Item = u32> {
    trees.iter().scan(0, |leaves, tree| {
        let offset = *leaves;
        *leaves += 1_u32 << tree.splits.len();
        Some(offset)
    })
}

/// Layout of the rows of bits of oblivious trees.
pub(super) struct Rows {
    bits: usize,
    lines: usize,
}

impl Rows {
    /// Returns `None` if the rows would take too much memory (more than twice the leaf values), or too much time: a row
    /// per group is OR-ed, however few trees test the group. With bags of words, a row per letter makes up for that.
    pub(super) fn plan(model: &Model, room: &mut Room) -> Option<Self> {
        let ir::Trees::Oblivious(trees) = &model.trees else {
            return None;
        };
        let bits = bits(trees);
        let lines = trees.len().div_ceil(32 / bits * 16);
        let groups = Groups::count_bins(model);
        let bytes = groups.iter().sum::<usize>() * lines * size_of::<Line>();
        let values: usize = trees.iter().map(|tree| tree.values.len()).sum();
        let fits = bytes <= ROWS_BYTES.max(2 * values * size_of::<f64>())
            && (1..=MOST_LINES).contains(&lines);
        let tables = model.ctr_tables.iter();
        let combinations = tables.filter(|table| table.projection.splits() > 0).count();
        let questions =
            groups.len() * lines * QUESTIONS_PER_LINE + combinations * QUESTIONS_PER_COMBINATION;
        let is_worth_it = questions <= trees.len() * bits
            || (0..model.estimated.len()).any(|index| presence(model, index).is_some());
        (fits && is_worth_it && model.dimension > 0 && room.spare(bytes))
            .then_some(Self { bits, lines })
    }

    /// Sets, for each split, its bit in the rows of the bins for which its answer is yes.
    fn lay_out(self, model: &Model, trees: &[ObliviousTree], groups: &Groups) -> Laid {
        let lines = self.lines;
        let mut starts: Vec<u32> = Vec::new();
        let mut bins = 0;
        for &count in groups.bins() {
            starts.push(bins as u32);
            bins += count;
        }
        let mut rows = vec![Line([0; 16]); bins * lines];
        let mut initial = vec![Line([0; 16]); lines];
        let mut present: HashMap<EstimatedIdx, WordBits> = HashMap::new();
        for (tree, level, &split) in trees.iter().enumerate().flat_map(|(tree, t)| {
            t.splits
                .iter()
                .enumerate()
                .map(move |(level, split)| (tree, level, split))
        }) {
            let (word, bit) = self.place(tree, level);
            let split = model.splits[split.at()];
            if let Some((group, bins)) = groups.yes_bins(split) {
                for bin in bins {
                    rows[(starts[group] as usize + bin) * lines + word / 16].0[word % 16] |= bit;
                }
            } else if let Split::Estimated { feature, border } = split {
                let presence =
                    presence(model, feature.at()).expect("only a bag of words has no group");
                if presence.absent as u32 > border {
                    initial[word / 16].0[word % 16] |= bit;
                } else if presence.present as u32 > border {
                    let set = present.entry(feature).or_default();
                    match set.iter_mut().find(|(other, _)| *other == word as u32) {
                        Some((_, bits)) => *bits |= bit,
                        None => set.push((word as u32, bit)),
                    }
                }
            }
        }
        Laid {
            trees: Trees::Rows {
                initial: initial.into(),
                rows: rows.into(),
                starts: starts.into(),
                offsets: offsets(trees).collect(),
                values: values(trees.iter().map(|tree| &tree.values)),
            },
            bits: self.bits,
            present,
        }
    }

    /// Word and bit of a tree's level.
    fn place(&self, tree: usize, level: usize) -> (usize, u32) {
        let per_word = 32 / self.bits;
        let (line, tree) = (tree / (per_word * 16), tree % (per_word * 16));
        (line * 16 + tree % 16, 1 << (tree / 16 * self.bits + level))
    }
}
