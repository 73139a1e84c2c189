//! Groups: assigns them to features, and translates splits into conditions on them.
//!
//! A *group* is anything that has a bin: a numeric feature, an estimated feature, a one-hot feature or a CTR.
//! Two small numeric features, or the CTRs of a combination, may share a group. Its bin then stands for their
//! bins together.
//!
//! | trees are | a group has | a split becomes |
//! | --- | --- | --- |
//! | not walked | one slot, and a row of bits per bin | the bins that answer yes ([`Groups::yes_bins`]) |
//! | walked | one slot, and slots for answers | the slot of its answer ([`Groups::answer`]) |
//!
//! CTRs and tokens of walked trees have answers alone; their "group" is the first of them.

use std::collections::HashMap;

use catboost_model::ir::{EstimatedSource, Model, NanTreatment, Split, TextCalcerKind};
use catboost_runtime::{
    compiled::{
        Answer, Answers, Asked, Bin, Block, Condition, Group, LANES, Slot, Wide, count_above,
    },
    storage::Owned,
};

/// Number of borders above which binary search is cheaper than a share in a block's comparisons.
const WIDE: usize = 128;
/// Upper bound on the bins of a shared group: rows that are rarely read displace others from caches.
const MOST_SHARED: usize = 32;

/// Groups of a model.
pub(super) struct Groups {
    /// Number of bins per group, if the trees are not walked.
    bins: Vec<usize>,
    /// Slots of a row without tokens: the bin of each group, followed by intermediate results.
    initial: Vec<u16>,
    /// True if the trees are walked: then there are slots with answers to their splits, 0 or 1.
    are_walked: bool,
    /// Group of each float feature, by index; `None` for one without borders.
    floats: Vec<Option<Group>>,
    one_hots: Vec<Group>,
    /// For each one-hot feature, the bin of each value, in the model's order.
    one_hot_bins: Vec<Vec<Bin>>,
    ctrs: Vec<Group>,
    estimated: Vec<Option<Group>>,
    /// For a member of a shared group, its own bin in each of the group's bins.
    shared: HashMap<Member, Vec<u16>>,
    /// First answer of each group that is not itself the first of its answers.
    answers: HashMap<Group, Answer>,
}

/// Feature that may share a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Member {
    /// A float feature, by index.
    Float(usize),
    /// A CTR, by index.
    Ctr(usize),
}

/// Bins of a number of a bag of words, which is 0 or 1.
#[derive(Clone, Copy)]
pub(super) struct Presence {
    /// Number of borders below 0: the bin of a text without the token.
    pub(super) absent: u16,
    /// Number of borders below 1: the bin of a text with the token.
    pub(super) present: u16,
}

impl Groups {
    pub(super) fn new(model: &Model, are_walked: bool) -> Self {
        Self {
            bins: Vec::new(),
            initial: Vec::new(),
            are_walked,
            floats: vec![None; model.float_features.len()],
            one_hots: Vec::new(),
            one_hot_bins: Vec::new(),
            ctrs: vec![Group(0); model.ctrs.len()],
            estimated: vec![None; model.estimated.len()],
            shared: HashMap::new(),
            answers: HashMap::new(),
        }
    }

    /// Number of bins of each computed group, if the trees were not walked.
    pub(super) fn count_bins(model: &Model) -> Vec<usize> {
        let floats = model
            .float_features
            .iter()
            .map(|feature| feature.borders.len());
        let one_hots = model.one_hots.iter().map(|one_hot| one_hot.values.len());
        let ctrs = model.ctrs.iter().map(|ctr| ctr.borders.len());
        let estimated = model.estimated.iter().enumerate();
        let estimated = estimated.filter(|&(index, _)| presence(model, index).is_none());
        let estimated = estimated.map(|(_, number)| number.borders.len());
        let borders = floats.chain(one_hots).chain(ctrs).chain(estimated);
        borders
            .filter(|&count| count > 0)
            .map(|count| count + 1)
            .collect()
    }

    /// Adds a group of `bins` bins.
    ///
    /// # Panics
    /// If slots that are no groups were added before, and the trees are not walked.
    pub(super) fn add(&mut self, bins: usize) -> Group {
        if !self.are_walked {
            assert_eq!(
                self.bins.len(),
                self.initial.len(),
                "places come after groups"
            );
            self.bins.push(bins);
        }
        Group(self.add_slots(1).0)
    }

    pub(super) fn are_walked(&self) -> bool {
        self.are_walked
    }

    /// Returns the next slot.
    pub(super) fn next(&self) -> Slot {
        Slot(self.initial.len() as u32)
    }

    /// Adds slots that are 0 at first. Returns the first.
    pub(super) fn add_slots(&mut self, count: usize) -> Slot {
        let first = self.next();
        self.initial.resize(first.index() + count, 0);
        first
    }

    /// Adds the group of the next one-hot feature. `bins` has the bin of each of its values, in the model's
    /// order; bin 0 is for all other values.
    pub(super) fn add_one_hot(&mut self, bins: Vec<Bin>) -> Group {
        let group = self.add(bins.len() + 1);
        self.one_hots.push(group);
        self.one_hot_bins.push(bins);
        group
    }

    /// Assigns a group to each estimated feature. Numbers of bags of words have groups only for the answers of walked
    /// trees.
    pub(super) fn add_estimates(&mut self, model: &Model) {
        for (index, estimated) in model.estimated.iter().enumerate() {
            let borders = estimated.borders.len();
            self.estimated[index] = match presence(model, index) {
                None => Some(self.add(borders + 1)),
                Some(presence) if self.are_walked => {
                    let first = self.add_slots(borders);
                    let yes = first.index()..first.index() + usize::from(presence.absent);
                    self.initial[yes].fill(1);
                    Some(Group(first.0))
                }
                Some(_) => None,
            };
        }
    }

    /// Assigns a group to a CTR, or one to each of its answers. The CTR's table has rows of [`Groups::of_ctr`].
    pub(super) fn add_ctr(&mut self, ctr: usize, borders: usize) {
        self.ctrs[ctr] = if self.are_walked {
            Group(self.add_slots(borders).0)
        } else {
            self.add(borders + 1)
        };
    }

    /// Adds a group for all members together. `members` has each member's own bin in each bin of the group.
    pub(super) fn add_shared(&mut self, bins: usize, members: &[(Member, Vec<u16>)]) -> Group {
        let group = self.add(bins);
        for (member, of_group) in members {
            match *member {
                Member::Float(index) => self.floats[index] = Some(group),
                Member::Ctr(index) => self.ctrs[index] = group,
            }
            self.shared.insert(*member, of_group.clone());
        }
        group
    }

    /// Returns the bins of a CTR's groups if its value is above `bin` of its borders.
    pub(super) fn of_ctr(&self, bin: u16, borders: usize) -> Vec<u16> {
        if self.are_walked {
            (0..borders as u16)
                .map(|border| u16::from(bin > border))
                .collect()
        } else {
            vec![bin]
        }
    }

    /// Reserves answer slots for every split (walked trees only).
    /// Numeric and estimated features take a multiple of [`Answers::AT_ONCE`] slots. CTRs and tokens have
    /// answers already.
    pub(super) fn add_answers(&mut self, model: &Model) -> Box<[Answers]> {
        if !self.are_walked {
            return [].into();
        }
        const AT_ONCE: usize = Answers::AT_ONCE;
        let floats = model.float_features.iter().map(|feature| &feature.borders);
        let floats = self.floats.iter().zip(floats);
        let estimated = model.estimated.iter().enumerate();
        let estimated = estimated.filter(|&(index, _)| presence(model, index).is_none());
        let estimated = estimated.map(|(index, number)| (&self.estimated[index], &number.borders));
        let above = floats.chain(estimated).filter_map(|(group, borders)| {
            let times = borders.len().div_ceil(AT_ONCE);
            Some(((*group)?, Asked::Above(times as u32), borders.len()))
        });
        let equal = self.one_hots.iter().zip(&self.one_hot_bins);
        let equal = equal.map(|(&group, bins)| (group, Asked::Equal, bins.len()));
        let asked: Vec<_> = above.chain(equal).collect();
        let answers = asked.into_iter().map(|(group, asked, count)| {
            let room = match asked {
                Asked::Above(_) => count.next_multiple_of(AT_ONCE),
                Asked::Equal => count,
            };
            let first = Answer(self.add_slots(room).0);
            self.answers.insert(group, first);
            Answers {
                group,
                first,
                asked,
            }
        });
        answers.collect()
    }

    /// Slot of the answer to a split, if the trees are walked.
    pub(super) fn answer(&self, split: Split) -> Answer {
        let condition = self
            .condition(split)
            .expect("when trees are walked, every split has a group");
        let group = condition.group;
        let first = self.answers.get(&group).copied();
        first.unwrap_or(Answer(group.0)) + (u32::from(condition.from.0) - 1)
    }

    /// Number of bins per group, if the trees are not walked.
    pub(super) fn bins(&self) -> &[usize] {
        &self.bins
    }

    pub(super) fn initial(self) -> Vec<u16> {
        self.initial
    }

    /// Group of a float feature, which may share it; `None` if the feature has no borders.
    pub(super) fn of_float(&self, index: usize) -> Option<Group> {
        self.floats[index]
    }

    /// Group of an estimated feature, or its first answer if it is a token of walked trees; `None` for a
    /// token otherwise.
    pub(super) fn of_estimated(&self, index: usize) -> Option<Group> {
        self.estimated[index]
    }

    /// Returns the group that a split tests, and the bins for which the answer is yes, if the trees are not walked;
    /// `None` if the split tests a token's occurrence, which has no group of its own.
    pub(super) fn yes_bins(&self, split: Split) -> Option<(usize, Vec<usize>)> {
        let condition = self.condition(split)?;
        let member = match split {
            Split::Float { feature, .. } => self.shared.get(&Member::Float(feature.at())),
            Split::Ctr { feature, .. } => self.shared.get(&Member::Ctr(feature.at())),
            Split::OneHot { .. } | Split::Estimated { .. } => None,
        };
        let group = condition.group.index();
        let is_yes = |&bin: &usize| {
            let own = member.map_or(bin as u16, |bins| bins[bin]);
            condition.has(Bin(own))
        };
        Some((group, (0..self.bins[group]).filter(is_yes).collect()))
    }

    /// Returns the condition of a split, or `None` if it tests a token's occurrence, which has no group of its own.
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
            from: Bin(from),
            count: from.wrapping_neg(),
        })
    }
}

/// Returns the bins of a number that is 0 or 1, or `None` if it can have other values.
pub(super) fn presence(model: &Model, index: usize) -> Option<Presence> {
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

/// Tables of numeric features.
pub(super) struct Numbers {
    /// Float feature at each index of a row's numbers; `None` pads a block.
    pub(super) places: Vec<Option<usize>>,
    /// Features with at most 128 borders, eight at a time.
    pub(super) blocks: Vec<Block<Owned>>,
    /// Features with more borders.
    pub(super) wides: Vec<Wide<Owned>>,
}

impl Numbers {
    /// Lays out the features that have borders and assigns their groups: blocks of eight, then wide features,
    /// each by descending number of borders.
    pub(super) fn lay_out(model: &Model, groups: &mut Groups) -> Self {
        let features = &model.float_features;
        let mut used: Vec<usize> = (0..features.len())
            .filter(|&index| !features[index].borders.is_empty())
            .collect();
        // Features with similar numbers of borders share a block: a block has as many rows as its longest feature.
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
            let row = |row| std::array::from_fn(|column| border(row, column));
            let borders = (0..rows).map(row).collect();
            let nan = std::array::from_fn(|column| lane(column).map_or(f32::NAN, nan_value));
            let group = Group(groups.next().0);
            let bins: [usize; LANES] =
                std::array::from_fn(|place| lane(place).map_or(1, |lane| lane.borders.len() + 1));
            let pairs = pairs(model, groups, lanes, &bins);
            if pairs.is_some() {
                for (bins, place) in bins.as_chunks::<2>().0.iter().zip((0..).step_by(2)) {
                    add_pair(
                        groups,
                        *bins,
                        [place, place + 1].map(|place| lanes.get(place).copied()),
                    );
                }
            } else {
                for (place, &bins) in bins.iter().enumerate() {
                    let group = groups.add(bins);
                    if let Some(&index) = lanes.get(place) {
                        groups.floats[index] = Some(group);
                    }
                }
            }
            numbers
                .places
                .extend((0..LANES).map(|place| lanes.get(place).copied()));
            numbers.blocks.push(Block {
                borders,
                nan,
                group,
                pairs,
            });
        }
        for &index in wide {
            let group = groups.add(features[index].borders.len() + 1);
            groups.floats[index] = Some(group);
            numbers.places.push(Some(index));
            numbers.wides.push(Wide {
                borders: features[index].borders.as_slice().into(),
                nan: nan_value(&features[index]),
                group,
            });
        }
        numbers
    }
}

/// Returns the factors by which the features of a block share groups in pairs, if they do; `bins` are their numbers of
/// bins.
fn pairs(
    model: &Model,
    groups: &Groups,
    features: &[usize],
    bins: &[usize; LANES],
) -> Option<[u16; LANES / 2]> {
    let pairs = bins.as_chunks::<2>().0;
    let are_small = pairs.iter().all(|[a, b]| a * b <= MOST_SHARED);
    let mut projections = model.ctr_tables.iter().map(|table| &table.projection);
    // A combination that tests the feature needs the feature's own group.
    let is_asked = projections.any(|projection| {
        let mut floats = projection.floats.iter();
        floats.any(|(feature, _)| features.contains(&feature.at()))
    });
    (are_small && !is_asked && !groups.are_walked())
        .then(|| std::array::from_fn(|pair| pairs[pair][0] as u16))
}

/// Adds a group for two features with these numbers of bins.
fn add_pair(groups: &mut Groups, bins: [usize; 2], features: [Option<usize>; 2]) {
    let both = (0..bins[1]).flat_map(|second| (0..bins[0]).map(move |first| [first, second]));
    let both: Vec<[usize; 2]> = both.collect();
    let members = [0, 1].into_iter().filter_map(|nth| {
        let bins = both.iter().map(|bins| bins[nth] as u16).collect();
        Some((Member::Float(features[nth]?), bins))
    });
    let members: Vec<_> = members.collect();
    groups.add_shared(both.len(), &members);
}

/// Replacement for NaN.
pub(super) fn nan_value(feature: &catboost_model::ir::FloatFeature) -> f32 {
    match feature.nan {
        _ if !feature.has_nans => f32::NAN,
        NanTreatment::AsIs => f32::NAN,
        NanTreatment::AsFalse => f32::NEG_INFINITY,
        NanTreatment::AsTrue => f32::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use catboost_model::ir::{CtrIdx, FloatIdx};

    use super::*;

    fn groups() -> Groups {
        Groups {
            bins: Vec::new(),
            initial: Vec::new(),
            are_walked: false,
            floats: vec![None; 3],
            one_hots: Vec::new(),
            one_hot_bins: Vec::new(),
            ctrs: vec![Group(0); 2],
            estimated: Vec::new(),
            shared: HashMap::new(),
            answers: HashMap::new(),
        }
    }

    #[test]
    fn two_features_share_a_group() {
        let mut groups = groups();
        groups.floats[1] = Some(groups.add(3));
        add_pair(&mut groups, [2, 3], [Some(2), Some(0)]);
        add_pair(&mut groups, [2, 1], [None, None]);
        assert_eq!(groups.bins(), [3, 6, 2]);
        let yes = |feature, border| {
            let feature = FloatIdx(feature);
            groups.yes_bins(Split::Float { feature, border })
        };
        assert_eq!(yes(1, 0), Some((0, vec![1, 2])));
        assert_eq!(yes(2, 0), Some((1, vec![1, 3, 5])));
        assert_eq!(yes(0, 0), Some((1, vec![2, 3, 4, 5])));
        assert_eq!(yes(0, 1), Some((1, vec![4, 5])));
    }

    #[test]
    fn ctrs_share_a_group() {
        let mut groups = groups();
        let members = [
            (Member::Ctr(0), vec![1, 0, 2]),
            (Member::Ctr(1), vec![0, 1, 1]),
        ];
        groups.add(5);
        assert_eq!(groups.add_shared(3, &members), Group(1));
        let yes = |feature, border| {
            let feature = CtrIdx(feature);
            groups.yes_bins(Split::Ctr { feature, border })
        };
        assert_eq!(yes(0, 0), Some((1, vec![0, 2])));
        assert_eq!(yes(0, 1), Some((1, vec![2])));
        assert_eq!(yes(1, 0), Some((1, vec![1, 2])));
    }
}
