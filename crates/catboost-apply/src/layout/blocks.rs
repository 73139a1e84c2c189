//! Tables for the evaluation of blocks of rows.
//!
//! A block needs the bins of a feature as a column of bytes, so a feature with more than 254 borders has
//! several columns. Columns of float features are searched for among borders ([`Number`]); those of one-hot
//! features, CTRs and estimated features come from the slots of single rows ([`Fill`]), and those of tokens without
//! slots from the bits of leaf indices that they set ([`Occurrences`]). Leaf values are stored a second time, value by value, if
//! leaves have several.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use catboost_model::ir::{
    Child, EstimatedIdx, Model, NonSymmetricTree, Split as Asked, SplitIdx, Trees,
};
use catboost_runtime::{
    block::{AskedNumber, Blocks, Fill, Number, Occurrences, Paths, Run, Split},
    compiled::Slot,
    storage::Owned,
};

use super::{
    Groups, Numbers, Room,
    groups::{nan_value, presence},
    trees,
};

/// Columns, and the splits that test them.
struct Columns {
    numbers: Vec<Number>,
    borders: Vec<f32>,
    fills: Vec<Fill>,
    tokens: Vec<Occurrences>,
    token_count: usize,
    maps: Vec<u8>,
    asked: Vec<AskedNumber>,
    splits: HashMap<SplitIdx, Split>,
}

/// With tokens that have no slots, and fewer trees, rows one by one are faster: the tokens' bits are there already.
const FEWEST_TREES: usize = 256;
/// Upper bound on the leaves of a tree: a leaf index has two bytes.
const MOST_LEAVES: usize = 1 << 16;

/// Lays out the tables of a model with groups and trees. `None` if its rows are evaluated one by one: if that is faster,
/// or if the model is larger than any trained one.
pub(super) fn lay_out(
    model: &Model,
    groups: &Groups,
    numbers: &Numbers,
    laid: &trees::Laid,
    room: &mut Room,
) -> Option<Blocks<Owned>> {
    let mut estimated = 0..model.estimated.len();
    let has_tokens =
        !groups.are_walked() && estimated.any(|index| presence(model, index).is_some());
    if has_tokens && matches!(&model.trees, Trees::Oblivious(trees) if trees.len() < FEWEST_TREES) {
        return None;
    }
    let dimension = model.dimension.max(1);
    let values = by_place(model);
    if !room.spare(size_of_val(&*values)) {
        return None;
    }
    if let Trees::NonSymmetric(trees) = &model.trees {
        let leaves = |tree: &NonSymmetricTree| tree.values.len() / dimension;
        let choices = trees
            .iter()
            .map(|tree| tree.nodes.len() * depth_of(leaves(tree)));
        let bytes = choices.sum::<usize>() * size_of::<[u32; 3]>();
        if trees.iter().any(|tree| leaves(tree) > MOST_LEAVES) || !room.spare(bytes) {
            return None;
        }
    }
    if model.splits.len() >= Split::MOST_COLUMNS {
        return None;
    }
    let mut columns = Columns::new(model, numbers, groups);
    columns.add_fills(model, groups);
    if has_tokens {
        columns.add_tokens(model, laid);
    }
    let of_floats = |place: &&Option<usize>| place.is_some();
    let skipped = numbers.places.iter().filter(of_floats).count();
    let mut trees = Laid::default();
    let paths = match &model.trees {
        Trees::Oblivious(all) => {
            for tree in all {
                trees.add(tree.splits.len(), tree.values.len() / dimension);
            }
            let splits = all.iter().flat_map(|tree| &tree.splits);
            let splits = splits.map(|split| columns.splits[split]).collect();
            Paths::Oblivious { splits }
        }
        Trees::NonSymmetric(all) => {
            let mut choices = Choices::new(all);
            for tree in all {
                let depth = choices.add(tree, tree.values.len() / dimension);
                trees.add(depth, tree.values.len() / dimension);
            }
            choices.finish(&columns)
        }
    };
    Some(Blocks {
        numbers: columns.numbers.into(),
        borders: columns.borders.into(),
        fills: columns.fills.into(),
        tokens: columns.tokens.into(),
        token_count: columns.token_count,
        maps: columns.maps.into(),
        asked: columns.asked.into(),
        skipped_answers: if groups.are_walked() { skipped } else { 0 },
        runs: trees.runs.into(),
        paths,
        offsets: trees.offsets.into(),
        values,
    })
}

/// Returns the first value of all leaves, then the second, and so on; nothing if leaves have one value.
fn by_place(model: &Model) -> Box<[f64]> {
    let of_trees: Vec<&[f64]> = match &model.trees {
        _ if model.dimension < 2 => Vec::new(),
        Trees::Oblivious(trees) => trees.iter().map(|tree| &tree.values[..]).collect(),
        Trees::NonSymmetric(trees) => trees.iter().map(|tree| &tree.values[..]).collect(),
    };
    let of_place = |place| {
        let trees = of_trees.iter();
        trees.flat_map(move |values| values.iter().skip(place).step_by(model.dimension))
    };
    (0..model.dimension).flat_map(of_place).copied().collect()
}

/// Trees in order.
struct Laid {
    runs: Vec<Run>,
    offsets: Vec<u32>,
}

impl Default for Laid {
    fn default() -> Self {
        let (runs, offsets) = (Vec::new(), vec![0]);
        Self { runs, offsets }
    }
}

impl Laid {
    fn add(&mut self, depth: usize, leaves: usize) {
        let depth = depth as u32;
        match self.runs.last_mut() {
            Some(run) if run.depth == depth => run.trees += 1,
            _ => self.runs.push(Run { depth, trees: 1 }),
        }
        let last = self.offsets[self.offsets.len() - 1];
        self.offsets.push(last + leaves as u32);
    }
}

impl Columns {
    /// Creates the columns of float features.
    fn new(model: &Model, numbers: &Numbers, groups: &Groups) -> Self {
        let projections = model.ctr_tables.iter().map(|table| &table.projection);
        let asked = projections.flat_map(|projection| &projection.floats);
        let asked: HashSet<usize> = asked.map(|(feature, _)| feature.at()).collect();
        let mut columns = Self {
            numbers: Vec::new(),
            borders: Vec::new(),
            fills: Vec::new(),
            tokens: Vec::new(),
            token_count: 0,
            maps: Vec::new(),
            asked: Vec::new(),
            splits: HashMap::new(),
        };
        let mut first_column = HashMap::new();
        for (input, index) in (0..).zip(&numbers.places) {
            let Some(index) = *index else { continue };
            let feature = &model.float_features[index];
            first_column.insert(index, columns.numbers.len());
            let group = groups.of_float(index).filter(|_| asked.contains(&index));
            for borders in feature.borders.chunks(Number::MOST_BORDERS) {
                let column = columns.numbers.len() as u32;
                let number = group.map(|group| AskedNumber { column, group });
                columns.asked.extend(number);
                columns.numbers.push(Number {
                    input,
                    nan: nan_value(feature),
                    first: columns.borders.len() as u32,
                    levels: Number::levels(borders.len()),
                });
                Number::search_tree(borders, |border| columns.borders.push(border));
            }
        }
        for (index, split) in (0..).map(SplitIdx).zip(&model.splits) {
            if let Asked::Float { feature, border } = *split {
                let column = first_column[&feature.at()];
                let split = split_of(column, border as usize);
                columns.splits.insert(index, split);
            }
        }
        columns
    }

    /// Adds the columns of everything else that has slots.
    fn add_fills(&mut self, model: &Model, groups: &Groups) {
        // By source, except for one-hot features: each of their values has a column.
        let mut first_column = HashMap::new();
        for (index, split) in (0..).map(SplitIdx).zip(&model.splits) {
            let (of, borders, border) = match *split {
                Asked::Float { .. } => continue,
                Asked::OneHot { feature, value } => ((0, feature.0, value), 1, 0),
                Asked::Ctr { feature, border } => (
                    (1, feature.0, 0),
                    model.ctrs[feature.at()].borders.len(),
                    border,
                ),
                Asked::Estimated { feature, .. }
                    if !groups.are_walked() && presence(model, feature.at()).is_some() =>
                {
                    continue;
                }
                Asked::Estimated { feature, border } => (
                    (2, feature.0, 0),
                    model.estimated[feature.at()].borders.len(),
                    border,
                ),
            };
            let next = self.numbers.len() + self.fills.len();
            let column = *first_column.entry(of).or_insert_with(|| {
                let all: Vec<usize> = (0..borders).collect();
                for part in all.chunks(Number::MOST_BORDERS) {
                    let split_at = |border: usize| with_border(*split, border as u32);
                    self.fill(
                        groups,
                        &part.iter().map(|&at| split_at(at)).collect::<Vec<_>>(),
                    );
                }
                next
            });
            self.splits.insert(index, split_of(column, border as usize));
        }
    }

    /// Adds the columns of tokens without slots.
    fn add_tokens(&mut self, model: &Model, laid: &trees::Laid) {
        // A token's bits answer the same question in all trees, so one is enough. The fewer words have them all, the
        // faster they are found.
        let mut by_word: BTreeMap<u32, Vec<(EstimatedIdx, u32)>> = BTreeMap::new();
        for (&token, bits) in &laid.present {
            for &(word, bits) in bits {
                let bit = bits & bits.wrapping_neg();
                by_word.entry(word).or_default().push((token, bit));
            }
        }
        let mut words: Vec<_> = by_word.into_iter().collect();
        words.sort_by_key(|(word, tokens)| (Reverse(tokens.len()), *word));
        let mut columns = HashMap::new();
        for (word, mut tokens) in words {
            tokens.retain(|(token, _)| !columns.contains_key(token));
            tokens.sort_by_key(|&(_, bit)| bit);
            let first = columns.len() as u32;
            let mask = tokens.iter().fold(0, |mask, (_, bit)| mask | bit);
            let tokens = (columns.len()..).zip(tokens);
            columns.extend(tokens.map(|(column, (token, _))| (token, column)));
            if mask != 0 {
                self.tokens.push(Occurrences { word, mask, first });
            }
        }
        // Splits that no token decides ask another column.
        let undecided = columns.len();
        self.token_count = undecided + 1;
        let before = self.numbers.len() + self.fills.len();
        for (index, split) in (0..).map(SplitIdx).zip(&model.splits) {
            let Asked::Estimated { feature, border } = *split else {
                continue;
            };
            let Some(presence) = presence(model, feature.at()) else {
                continue;
            };
            let column = columns.get(&feature).copied().unwrap_or(undecided);
            let border = match border {
                border if border < presence.absent.into() => 0,
                border if border < presence.present.into() => Occurrences::ABSENT,
                _ => Occurrences::PRESENT,
            };
            let split = Split::new((before + column) as u32, border);
            self.splits.insert(index, split);
        }
    }

    /// Adds a column whose bin is the number of these splits that hold.
    fn fill(&mut self, groups: &Groups, splits: &[Asked]) {
        if groups.are_walked() {
            let slot = Slot(groups.answer(splits[0]).0);
            let answers = splits.len() as u32;
            return self.fills.push(Fill {
                slot,
                answers,
                map: 0,
            });
        }
        let mut bins = Vec::new();
        let mut slot = Slot(0);
        for &split in splits {
            let (group, yes) = groups.yes_bins(split).expect("no token is asked for");
            slot = Slot(group as u32);
            bins.resize(groups.bins()[group], 0);
            yes.into_iter().for_each(|bin| bins[bin] += 1);
        }
        let map = self.maps.len() as u32;
        self.maps.extend(bins);
        self.fills.push(Fill {
            slot,
            answers: 0,
            map,
        });
    }
}

/// Number of bits of a tree's leaf index.
fn depth_of(leaves: usize) -> usize {
    leaves.max(1).next_power_of_two().ilog2() as usize
}

/// Split of a feature at one of its borders. `column` is the feature's first column.
fn split_of(column: usize, border: usize) -> Split {
    const MOST: usize = Number::MOST_BORDERS;
    let column = column + border / MOST;
    Split::new(column as u32, (border % MOST) as u8)
}

/// Split of the same feature at another border.
fn with_border(split: Asked, border: u32) -> Asked {
    match split {
        Asked::Ctr { feature, .. } => Asked::Ctr { feature, border },
        Asked::Estimated { feature, .. } => Asked::Estimated { feature, border },
        other => other,
    }
}

/// Splits of non-symmetric trees, and the expressions that compute the bits of leaf indices from them.
struct Choices {
    /// Word of each split in use.
    words: HashMap<SplitIdx, u32>,
    splits: Vec<SplitIdx>,
    /// Choices of all trees: by the first word between the second, if it is 1, and the third. Word 0 is 0,
    /// word 1 is 1, the answers to `splits` follow, then the results of the tree's own choices.
    choices: Vec<[u32; 3]>,
    counts: Vec<u32>,
    bits: Vec<u32>,
}

impl Choices {
    fn new(trees: &[NonSymmetricTree]) -> Self {
        let mut splits: Vec<SplitIdx> = trees
            .iter()
            .flat_map(|tree| &tree.nodes)
            .map(|node| node.split)
            .collect();
        splits.sort_unstable();
        splits.dedup();
        let words = splits.iter().copied().zip(2..).collect();
        let (choices, counts, bits) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            words,
            splits,
            choices,
            counts,
            bits,
        }
    }

    /// Adds a tree. Returns the number of bits of its leaf indices.
    fn add(&mut self, tree: &NonSymmetricTree, leaves: usize) -> usize {
        let depth = depth_of(leaves);
        let free = self.splits.len() as u32 + 2;
        let first = self.choices.len();
        let mut known: HashMap<[u32; 3], u32> = HashMap::new();
        // Words of each node's bits, from the last node, which has leaves only, to the root.
        let mut words: Vec<Vec<u32>> = vec![Vec::new(); tree.nodes.len()];
        for (place, node) in tree.nodes.iter().enumerate().rev() {
            let when = self.words[&node.split];
            let of_child = |child, bit: usize| match child {
                Child::Leaf(leaf) => leaf >> bit & 1,
                Child::Node(node) => words[node as usize][bit],
            };
            let chosen =
                (0..depth).map(
                    |bit| match (of_child(node.yes, bit), of_child(node.no, bit)) {
                        (yes, no) if yes == no => yes,
                        (1, 0) => when,
                        (yes, no) => *known.entry([when, yes, no]).or_insert_with(|| {
                            self.choices.push([when, yes, no]);
                            free + (self.choices.len() - 1 - first) as u32
                        }),
                    },
                );
            words[place] = chosen.collect();
        }
        let root = words.into_iter().next();
        self.bits.extend(root.unwrap_or_else(|| vec![0; depth]));
        self.counts.push((self.choices.len() - first) as u32);
        depth
    }

    fn finish(self, columns: &Columns) -> Paths<Owned> {
        Paths::NonSymmetric {
            splits: self
                .splits
                .iter()
                .map(|split| columns.splits[split])
                .collect(),
            choices: self.choices.into(),
            counts: self.counts.into(),
            bits: self.bits.into(),
        }
    }
}
