//! Numbers the groups, and says what a split asks of them.

use catboost_model::ir::{EstimatedSource, Model, NanTreatment, Split, TextCalcerKind};
use catboost_runtime::compiled::{Condition, LANES, count_above};

use super::Part;
use crate::tables::{Tables, put};

/// With more borders than this, halving is cheaper than a share in a block's comparisons.
const WIDE: usize = 128;

/// The groups of a model, as they are numbered.
pub(crate) struct Groups {
    /// How many bins each group has.
    bins: Vec<usize>,
    /// Each group's bin in a row in which no token occurs.
    initial: Vec<u16>,
    floats: Vec<Option<u32>>,
    one_hots: Vec<u32>,
    /// For each one-hot feature: the bin of each value, in the model's order.
    one_hot_bins: Vec<Vec<u16>>,
    pub(super) ctrs: Vec<u32>,
    estimated: Vec<Option<u32>>,
}

/// What a number of a model's bag of words can be: it is 0 or 1, and this is the bin of each.
#[derive(Clone, Copy)]
pub(crate) struct Presence {
    pub(crate) absent: u16,
    pub(crate) present: u16,
}

impl Groups {
    pub(super) fn new(model: &Model) -> Self {
        Self {
            bins: Vec::new(),
            initial: Vec::new(),
            floats: vec![None; model.float_features.len()],
            one_hots: Vec::new(),
            one_hot_bins: Vec::new(),
            ctrs: vec![0; model.ctrs.len()],
            estimated: vec![None; model.estimated.len()],
        }
    }

    /// A new group.
    pub(super) fn add(&mut self, bins: usize) -> u32 {
        self.add_at(bins, 0)
    }

    fn add_at(&mut self, bins: usize, initial: u16) -> u32 {
        self.bins.push(bins);
        self.initial.push(initial);
        self.bins.len() as u32 - 1
    }

    pub(super) fn add_one_hot(&mut self, bins: Vec<u16>) -> u32 {
        let group = self.add(bins.len() + 1);
        self.one_hots.push(group);
        self.one_hot_bins.push(bins);
        group
    }

    /// Gives a group to each number that is computed from a text, but for those of bags of words.
    pub(super) fn number_estimates(&mut self, model: &Model) {
        for (index, estimated) in model.estimated.iter().enumerate() {
            if presence(model, index).is_none() {
                self.estimated[index] = Some(self.add(estimated.borders.len() + 1));
            }
        }
    }

    /// Gives a group to each number of a bag of words: trees that are walked need one.
    pub(super) fn number_presences(&mut self, model: &Model) {
        for (index, estimated) in model.estimated.iter().enumerate() {
            if let Some(presence) = presence(model, index) {
                self.estimated[index] =
                    Some(self.add_at(estimated.borders.len() + 1, presence.absent));
            }
        }
    }

    /// How many bins each group has.
    pub(super) fn bins(&self) -> &[usize] {
        &self.bins
    }

    pub(super) fn initial(self) -> Vec<u16> {
        self.initial
    }

    /// The group of a number that is computed from a text.
    pub(super) fn of_estimated(&self, index: usize) -> Option<u32> {
        self.estimated[index]
    }

    /// What a split asks, or `None` if it asks whether a token occurs, which has no group of its own.
    pub(super) fn condition(&self, split: Split) -> Option<Condition> {
        let (group, border) = match split {
            Split::Float { feature, border } => (self.floats[feature.at()], border),
            Split::Estimated { feature, border } => (self.estimated[feature.at()], border),
            Split::Ctr { feature, border } => (Some(self.ctrs[feature.at()]), border),
            Split::OneHot { feature, value } => {
                let from = self.one_hot_bins[feature.at()][value as usize];
                return Some(Condition {
                    group: self.one_hots[feature.at()],
                    from,
                    count: 1,
                });
            }
        };
        let from = border as u16 + 1;
        group.map(|group| Condition {
            group,
            from,
            count: from.wrapping_neg(),
        })
    }
}

/// The bins of a number that is 0 or 1, or `None` if it can be anything.
pub(crate) fn presence(model: &Model, index: usize) -> Option<Presence> {
    let estimated = &model.estimated[index];
    match estimated.source {
        EstimatedSource::Text { calcer, .. } => match model.text.calcers[calcer.at()].kind {
            TextCalcerKind::BagOfWords { .. } => Some(Presence {
                absent: count_above(0.0, &estimated.borders),
                present: count_above(1.0, &estimated.borders),
            }),
            TextCalcerKind::NaiveBayes { .. } | TextCalcerKind::Bm25 { .. } => None,
        },
        EstimatedSource::Embedding { .. } => None,
    }
}

/// The numeric features of a model, laid out.
pub(crate) struct Numbers {
    /// Where each place of a row's numbers comes from: a float feature, or nothing (it fills up a block).
    pub(crate) places: Vec<Option<usize>>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) wides: Vec<Wide>,
}

/// Eight features side by side.
pub(crate) struct Block {
    /// Of `f32s`: rows of eight.
    pub(crate) borders: Part,
    /// Of `f32s`.
    pub(crate) nan: Part,
    pub(crate) group: u32,
}

/// A feature with many borders.
pub(crate) struct Wide {
    /// Of `f32s`.
    pub(crate) borders: Part,
    /// Of `f32s`: one.
    pub(crate) nan: Part,
    pub(crate) group: u32,
}

impl Numbers {
    pub(super) fn lay_out(model: &Model, groups: &mut Groups, tables: &mut Tables) -> Self {
        let features = &model.float_features;
        let mut used: Vec<usize> = (0..features.len())
            .filter(|&index| !features[index].borders.is_empty())
            .collect();
        // Features with about as many borders go together: a block has as many rows as the longest of its features.
        used.sort_by_key(|&index| std::cmp::Reverse(features[index].borders.len()));
        let wide_count = used
            .iter()
            .take_while(|&&index| features[index].borders.len() > WIDE)
            .count();
        let (wide, narrow) = used.split_at(wide_count);

        let mut numbers = Self {
            places: Vec::new(),
            blocks: Vec::new(),
            wides: Vec::new(),
        };
        for lanes in narrow.chunks(LANES) {
            let lane = |lane: usize| lanes.get(lane).map(|&index| &features[index]);
            let rows = lanes
                .iter()
                .map(|&index| features[index].borders.len())
                .max()
                .unwrap_or(0);
            let border = |row: usize, column: usize| {
                lane(column)
                    .and_then(|feature| feature.borders.get(row).copied())
                    .unwrap_or(f32::INFINITY)
            };
            let borders = (0..rows).flat_map(|row| (0..LANES).map(move |column| (row, column)));
            let borders = put(
                &mut tables.f32s,
                borders.map(|(row, column)| border(row, column)),
            );
            let nan = put(
                &mut tables.f32s,
                (0..LANES).map(|column| lane(column).map_or(f32::NAN, nan_value)),
            );
            let first = groups.bins.len() as u32;
            for place in 0..LANES {
                let group = groups.add(lane(place).map_or(1, |feature| feature.borders.len() + 1));
                if let Some(&index) = lanes.get(place) {
                    groups.floats[index] = Some(group);
                }
                numbers.places.push(lanes.get(place).copied());
            }
            numbers.blocks.push(Block {
                borders,
                nan,
                group: first,
            });
        }
        for &index in wide {
            let group = groups.add(features[index].borders.len() + 1);
            groups.floats[index] = Some(group);
            numbers.places.push(Some(index));
            numbers.wides.push(Wide {
                borders: put(&mut tables.f32s, features[index].borders.iter().copied()),
                nan: put(&mut tables.f32s, [nan_value(&features[index])]),
                group,
            });
        }
        numbers
    }
}

/// What stands in for NaN.
fn nan_value(feature: &catboost_model::ir::FloatFeature) -> f32 {
    match feature.nan {
        _ if !feature.has_nans => f32::NAN,
        NanTreatment::AsIs => f32::NAN,
        NanTreatment::AsFalse => f32::NEG_INFINITY,
        NanTreatment::AsTrue => f32::INFINITY,
    }
}
