//! The trees.

use std::collections::HashMap;

use catboost_model::ir::{self, Child, EstimatedIdx, Model, ObliviousTree, Split};
use catboost_runtime::compiled::Condition;

use super::{Groups, Part, groups::presence};
use crate::tables::{Tables, put};

/// Rows of bits may always take this much.
const ROWS_BYTES: usize = 4 << 20;
/// Leaf indices go on the stack: no more lines than this.
const MOST_LINES: usize = 512;

/// The trees of a model, laid out.
pub(crate) enum Trees {
    Rows {
        /// `LINES` lines.
        initial: Vec<[u64; 8]>,
        /// Of `lines`.
        rows: Part,
        /// Of `u32s`.
        starts: Part,
        /// How many bits a leaf index takes.
        bits: usize,
        /// Of `u32s`.
        offsets: Part,
        /// Of `f64s`.
        values: Part,
        /// The bits that a number of a bag of words sets when it becomes 1: (word, bits).
        present: HashMap<EstimatedIdx, Vec<(u32, u64)>>,
    },
    Levels {
        /// Of `u64s`.
        splits: Part,
        /// Of `u8s`.
        depths: Part,
        /// Of `f64s`.
        values: Part,
    },
    Nodes {
        /// Of `i32s`.
        roots: Part,
        /// Of `u64s`.
        splits: Part,
        /// Of `i32s`: pairs.
        children: Part,
        /// Of `u32s`.
        offsets: Part,
        /// Of `f64s`.
        values: Part,
    },
}

impl Trees {
    pub(super) fn lay_out(model: &Model, groups: &mut Groups, tables: &mut Tables) -> Self {
        match &model.trees {
            ir::Trees::Oblivious(trees) => match Rows::plan(model, trees, groups) {
                Some(rows) => rows.lay_out(model, trees, groups, tables),
                None => {
                    groups.number_presences(model);
                    levels(model, trees, groups, tables)
                }
            },
            ir::Trees::NonSymmetric(trees) => {
                groups.number_presences(model);
                nodes(model, trees, groups, tables)
            }
        }
    }

    /// How many lines the leaf indices take; 0 if the trees are walked.
    pub(crate) fn lines(&self) -> usize {
        match self {
            Self::Rows { initial, .. } => initial.len(),
            Self::Levels { .. } | Self::Nodes { .. } => 0,
        }
    }

    /// How many bits of the lines a leaf index takes.
    pub(crate) fn bits(&self) -> usize {
        match self {
            Self::Rows { bits, .. } => *bits,
            Self::Levels { .. } | Self::Nodes { .. } => 1,
        }
    }
}

fn levels(model: &Model, trees: &[ObliviousTree], groups: &Groups, tables: &mut Tables) -> Trees {
    let splits = trees
        .iter()
        .flat_map(|tree| &tree.splits)
        .map(|&split| word(groups, model.splits[split.at()]));
    Trees::Levels {
        splits: put(&mut tables.u64s, splits),
        depths: put(
            &mut tables.u8s,
            trees.iter().map(|tree| tree.splits.len() as u8),
        ),
        values: put(
            &mut tables.f64s,
            trees.iter().flat_map(|tree| tree.values.iter().copied()),
        ),
    }
}

fn nodes(
    model: &Model,
    trees: &[ir::NonSymmetricTree],
    groups: &Groups,
    tables: &mut Tables,
) -> Trees {
    let (mut node_count, mut leaf_count) = (0, 0);
    let (mut roots, mut splits, mut children, mut offsets) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
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
        offsets.push(leaf_count as u32);
        for node in &tree.nodes {
            splits.push(word(groups, model.splits[node.split.at()]));
            children.extend([place(node.no), place(node.yes)]);
        }
        node_count += tree.nodes.len() as i32;
        leaf_count += (tree.values.len() / model.dimension) as i32;
    }
    Trees::Nodes {
        roots: put(&mut tables.i32s, roots),
        splits: put(&mut tables.u64s, splits),
        children: put(&mut tables.i32s, children),
        offsets: put(&mut tables.u32s, offsets),
        values: put(
            &mut tables.f64s,
            trees.iter().flat_map(|tree| tree.values.iter().copied()),
        ),
    }
}

fn word(groups: &Groups, split: Split) -> u64 {
    groups
        .condition(split)
        .expect("when trees are walked, every split has a group")
        .to_word()
}

/// How the rows of bits of oblivious trees are laid out.
struct Rows {
    bits: usize,
    lines: usize,
}

impl Rows {
    /// `None` if they would take too much: more than the leaf values twice over.
    fn plan(model: &Model, trees: &[ObliviousTree], groups: &Groups) -> Option<Self> {
        let deepest = trees.iter().map(|tree| tree.splits.len()).max()?;
        let bits = deepest.max(1);
        let lines = trees.len().div_ceil(64 / bits).div_ceil(8);
        let bytes = groups.bins().iter().sum::<usize>() * lines * 64;
        let values: usize = trees.iter().map(|tree| tree.values.len()).sum();
        let fits = bytes <= ROWS_BYTES.max(2 * values * size_of::<f64>())
            && (1..=MOST_LINES).contains(&lines);
        (fits && model.dimension > 0).then_some(Self { bits, lines })
    }

    fn lay_out(
        self,
        model: &Model,
        trees: &[ObliviousTree],
        groups: &Groups,
        tables: &mut Tables,
    ) -> Trees {
        let lines = self.lines;
        let mut starts: Vec<u32> = Vec::new();
        let mut bins = 0;
        for &count in groups.bins() {
            starts.push(bins as u32);
            bins += count;
        }
        let mut rows = vec![[0_u64; 8]; bins * lines];
        let mut initial = vec![[0_u64; 8]; lines];
        let mut present: HashMap<EstimatedIdx, Vec<(u32, u64)>> = HashMap::new();
        for (tree, level, &split) in trees.iter().enumerate().flat_map(|(tree, t)| {
            t.splits
                .iter()
                .enumerate()
                .map(move |(level, split)| (tree, level, split))
        }) {
            let (word, bit) = self.place(tree, level);
            let split = model.splits[split.at()];
            if let Some(condition) = groups.condition(split) {
                let group = condition.group as usize;
                for bin in yes_bins(condition, groups.bins()[group]) {
                    rows[(starts[group] as usize + bin) * lines + word / 8][word % 8] |= bit;
                }
            } else if let Split::Estimated { feature, border } = split {
                let presence =
                    presence(model, feature.at()).expect("only a bag of words has no group");
                if presence.absent as u32 > border {
                    initial[word / 8][word % 8] |= bit;
                } else if presence.present as u32 > border {
                    let set = present.entry(feature).or_default();
                    match set.iter_mut().find(|(other, _)| *other == word as u32) {
                        Some((_, bits)) => *bits |= bit,
                        None => set.push((word as u32, bit)),
                    }
                }
            }
        }
        let mut leaves = 0;
        let offsets = trees.iter().map(|tree| {
            let offset = leaves;
            leaves += 1_u32 << tree.splits.len();
            offset
        });
        Trees::Rows {
            initial,
            rows: put(&mut tables.lines, rows),
            starts: put(&mut tables.u32s, starts),
            bits: self.bits,
            offsets: put(&mut tables.u32s, offsets),
            values: put(
                &mut tables.f64s,
                trees.iter().flat_map(|tree| tree.values.iter().copied()),
            ),
            present,
        }
    }

    /// The word and the bit of a tree's level.
    fn place(&self, tree: usize, level: usize) -> (usize, u64) {
        let per_word = 64 / self.bits;
        (tree / per_word, 1 << (tree % per_word * self.bits + level))
    }
}

/// The bins of a group in which a condition holds.
fn yes_bins(condition: Condition, bins: usize) -> std::ops::Range<usize> {
    let from = condition.from as usize;
    from..(from + condition.count as usize).min(bins)
}
