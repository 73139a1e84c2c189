//! Crosses: combinations that are looked up together.
//!
//! For walked trees, combinations of the same features differ in their splits alone. A cross computes the
//! answers of all of them for every combination of known values beforehand. At run time the values' digits
//! address a cell, and masks of the splits select the answers within it; nothing is hashed but single values.
//!
//! A combination is left to a [`Projection`](catboost_runtime::compiled::Projection) if a value of its
//! features cannot be numbered, or if its cells or masks would be large.

use std::collections::BTreeMap;

use catboost_model::ir::{CatIdx, Model};
use catboost_runtime::{
    compiled::{
        Answer, Bin, Condition, Cross, Digit, Digits, Group, Keys, Masks, Numbered, Select, Slot,
    },
    hash,
    storage::Owned,
};

use super::{combinations::Combination, groups::Groups, keys, room::Room};

/// Upper bound on cells per key; above it the dense table is not worth its memory.
const CELLS_PER_KEY: usize = 4;
/// Upper bound on the size of a combination's cells, in bits.
const CELLS_BITS: usize = 1 << 24;
/// Upper bound on the size of the masks of splits, in bytes.
const MASKS_BYTES: usize = 4 << 20;
/// Number of answers per word.
const AT_ONCE: usize = Cross::AT_ONCE;

/// Lays out the combinations that can be looked up together, and returns the rest, which have no groups yet.
/// Combinations of the same features must be adjacent, those with fewer splits first. `place` returns the index of a
/// feature among the used ones.
pub(super) fn lay_out<'a>(
    model: &Model,
    combinations: Vec<Combination<'a>>,
    place: impl Fn(CatIdx) -> u32 + Copy,
    groups: &mut Groups,
    room: &mut Room,
) -> (Digits<Owned>, Box<[Cross<Owned>]>, Vec<Combination<'a>>) {
    let values = Values::of(&combinations);
    let (together, mut rest): (Vec<_>, Vec<_>) = combinations
        .into_iter()
        .partition(|each| groups.are_walked() && values.fit(each, room));
    let masks_bytes = masks_bytes(&together);
    let fit = masks_bytes <= MASKS_BYTES && room.spare(masks_bytes);
    let (together, split): (Vec<_>, Vec<_>) = together
        .into_iter()
        .partition(|each| fit || each.conditions.is_empty());
    rest.extend(split);

    let mut numbers: BTreeMap<CatIdx, Slot> = BTreeMap::new();
    for &cat in together.iter().flat_map(|each| &each.projection.cats) {
        numbers.entry(cat).or_insert_with(|| groups.add_slots(1));
    }
    let cats = numbers.iter().map(|(&cat, &slot)| Numbered {
        cat: place(cat),
        slot,
        numbers: values.keys(cat),
    });
    let cats = cats.collect();
    let alike = |one: &Combination, other: &Combination| {
        one.projection.cats == other.projection.cats
            && one.conditions.len() == other.conditions.len()
    };
    let words = together.chunk_by(alike).map(|alike| {
        let answers = alike.iter().map(|each| each.len).sum::<usize>();
        answers.div_ceil(AT_ONCE) * alike[0].conditions.len()
    });
    let len = words.sum::<usize>().next_multiple_of(AT_ONCE);
    let mut masks = Words {
        first: groups.add_slots(len),
        splits: Vec::new(),
    };
    let mut crosses = Vec::new();
    let mut together = together.into_iter().peekable();
    while let Some(first) = together.next() {
        let cats = &first.projection.cats;
        let mut members = vec![first];
        while let Some(next) = together.next_if(|next| next.projection.cats == *cats) {
            members.push(next);
        }
        let selects = selects(model, &mut members, &mut masks, groups);
        let count = values.cells(cats).expect("they fit");
        let cells: Box<[u16]> = (0..count)
            .flat_map(|cell| cell_words(&members, values.key(cats, cell)))
            .collect();
        let mut worth = 1;
        let digits = cats.iter().map(|cat| {
            let (slot, known) = (numbers[cat], values.0[cat].len() as u32);
            let digit = Digit { slot, worth };
            worth *= known;
            digit
        });
        crosses.push(Cross {
            digits: digits.collect(),
            count: count as u32,
            len: (cells.len() / count.max(1)) as u32,
            cells,
            selects,
            projections: members
                .into_iter()
                .map(|member| member.lay_out(place))
                .collect(),
        });
    }
    let digits = Digits {
        cats,
        first: masks.first,
        len: len as u32,
        masks: masks.lay_out(len),
    };
    (digits, crosses.into(), rest)
}

/// Assigns groups to the combinations, and returns the parts of a cell.
fn selects(
    model: &Model,
    members: &mut [Combination],
    masks: &mut Words,
    groups: &mut Groups,
) -> Box<[Select]> {
    let mut selects = Vec::new();
    for alike in members.chunk_by_mut(|one, other| one.conditions.len() == other.conditions.len()) {
        let first = groups.next();
        for member in alike.iter_mut() {
            member.place(model, groups);
        }
        let len = groups.next().index() - first.index();
        groups.add_slots(len.next_multiple_of(AT_ONCE) - len);
        let owners: Vec<&Combination> = alike
            .iter()
            .flat_map(|member| std::iter::repeat_n(member, member.len))
            .collect();
        for (answers, owners) in (first.0..).step_by(AT_ONCE).zip(owners.chunks(AT_ONCE)) {
            selects.push(Select {
                splits: owners[0].conditions.len() as u32,
                masks: masks.add(owners),
                answers: Answer(answers),
            });
        }
    }
    selects.into()
}

/// Returns the words of a cell whose values have this key.
fn cell_words(members: &[Combination], key: u64) -> Vec<u16> {
    let mut words = Vec::new();
    for alike in members.chunk_by(|one, other| one.conditions.len() == other.conditions.len()) {
        let splits = alike[0].conditions.len();
        let outcomes = (0..1 << splits).map(|outcome| {
            let answers = alike.iter().flat_map(|member| member.row(key, outcome));
            let answers: Vec<u16> = answers.copied().collect();
            answers
        });
        let outcomes: Vec<Vec<u16>> = outcomes.collect();
        for first in (0..outcomes[0].len()).step_by(AT_ONCE) {
            words.extend(outcomes.iter().map(|answers| {
                let answers = answers[first..].iter().take(AT_ONCE).enumerate();
                answers.fold(0, |word, (bit, answer)| word | answer << bit)
            }));
        }
    }
    words
}

/// Upper bound on the size of the masks of splits, in bytes.
/// A group has a row per bin up to the last that splits tell apart. A row has, per split, a word for every 16
/// answers.
fn masks_bytes(combinations: &[Combination]) -> usize {
    let mut rows: BTreeMap<Group, usize> = BTreeMap::new();
    let mut words = 0;
    for each in combinations {
        words += each.conditions.len() * (each.len / AT_ONCE + 1);
        for &condition in &each.conditions {
            let condition = Condition::from_word(condition);
            let many = rows.entry(condition.group).or_default();
            *many = usize::from(last(condition).0).max(*many);
        }
    }
    let rows: usize = rows.values().map(|last| last + 1).sum();
    rows.saturating_mul(words.next_multiple_of(AT_ONCE))
        .saturating_mul(size_of::<u16>())
}

/// First bin from which on the condition's answer does not change.
fn last(condition: Condition) -> Bin {
    match condition.from.0.checked_add(condition.count) {
        Some(end) => Bin(end),
        None => condition.from,
    }
}

/// Words of masks: the split of each bit.
struct Words {
    first: Slot,
    splits: Vec<Vec<Condition>>,
}

impl Words {
    /// Adds a word per split. Returns the slot of the first.
    fn add(&mut self, owners: &[&Combination]) -> Slot {
        let place = self.first + self.splits.len() as u32;
        for split in 0..owners[0].conditions.len() {
            let splits = owners.iter().map(|owner| owner.conditions[split]);
            self.splits.push(splits.map(Condition::from_word).collect());
        }
        place
    }

    fn lay_out(self, len: usize) -> Box<[Masks<Owned>]> {
        let mut groups: BTreeMap<Group, Bin> = BTreeMap::new();
        for &condition in self.splits.iter().flatten() {
            let most = groups.entry(condition.group).or_insert(Bin(0));
            *most = last(condition).max(*most);
        }
        let word = |splits: &Vec<Condition>, group, bin| {
            let bits = splits.iter().enumerate().map(|(bit, &split)| {
                let holds = split.group == group && split.has(bin);
                u16::from(holds) << bit
            });
            bits.fold(0, |word, bit| word | bit)
        };
        let masks = groups.into_iter().map(|(group, last)| {
            let rows = (0..=last.0).map(Bin).flat_map(|bin| {
                let words = self
                    .splits
                    .iter()
                    .map(move |splits| word(splits, group, bin));
                words.chain(std::iter::repeat(0)).take(len)
            });
            Masks {
                group,
                last,
                rows: rows.collect(),
            }
        });
        masks.collect()
    }
}

/// Hashes of the values of each feature that a CTR counts by alone.
struct Values(BTreeMap<CatIdx, Vec<u32>>);

impl Values {
    /// Collects the hashes, in the order of their keys. The index of a hash is its digit.
    fn of(combinations: &[Combination]) -> Self {
        let values = combinations.iter().filter_map(|alone| {
            let hashes = alone.keys.iter().filter_map(|&(key, _)| hash_of(key));
            Some((alone.projection.only_cat()?, hashes.collect()))
        });
        Self(values.collect())
    }

    /// Number of cells for the values of these features: the product of the numbers of known values. `None`
    /// if the values of a feature are not known, or if there would be [`Cross::UNKNOWN`] or more.
    fn cells(&self, cats: &[CatIdx]) -> Option<usize> {
        let mut cells = 1_usize;
        for cat in cats {
            let known = self.0.get(cat)?.len();
            cells = cells.checked_mul(known)?;
        }
        (cells < Cross::UNKNOWN.into()).then_some(cells)
    }

    /// Returns true if a combination can be looked up by the numbers of its values.
    fn fit(&self, combination: &Combination, room: &mut Room) -> bool {
        let Some(cells) = self.cells(&combination.projection.cats) else {
            return false;
        };
        let splits = combination.conditions.len();
        splits <= Cross::MOST_SPLITS
            && cells << splits <= CELLS_PER_KEY * combination.keys.len()
            && (cells << splits) * combination.len.next_multiple_of(AT_ONCE) <= CELLS_BITS
            && room.spare((cells << splits) * combination.len.next_multiple_of(AT_ONCE) / 8)
    }

    /// Returns the CTR key of a cell's values. The first feature's digit is the lowest.
    fn key(&self, cats: &[CatIdx], cell: usize) -> u64 {
        let mut rest = cell;
        cats.iter().fold(0, |key, cat| {
            let values = &self.0[cat];
            let value = values[rest % values.len()];
            rest /= values.len();
            hash::ctr_key_cat(key, value)
        })
    }

    fn keys(&self, cat: CatIdx) -> Keys<Owned> {
        let numbers = self.0[&cat].iter().zip(0..);
        let numbers = numbers.map(|(&value, number)| (value.into(), number));
        keys::lay_out(&numbers.collect::<Vec<_>>())
    }
}

/// Recovers the hash of a value from the key of the value alone, `M * (M * x)` for the sign-extended hash
/// `x`: `M` is odd, so the product is inverted modulo 2^64. `None` if the key is of no 32-bit hash.
pub(crate) fn hash_of(key: u64) -> Option<u32> {
    let factor = hash::ctr_key_cat(0, 1);
    // Each step doubles the number of correct low bits, starting from three.
    let inverse = (0..5).fold(factor, |inverse, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(factor.wrapping_mul(inverse)))
    });
    let value = key.wrapping_mul(inverse) as u32;
    (hash::ctr_key_cat(0, value) == key).then_some(value)
}

#[cfg(test)]
mod tests {
    use catboost_model::ir::{FloatIdx, Projection};
    use hash::{ctr_key_cat, ctr_key_split};

    use super::*;

    #[test]
    fn the_hash_of_a_value_is_told_by_its_key() {
        for value in [0, 1, 7, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            assert_eq!(hash_of(ctr_key_cat(0, value)), Some(value));
            assert_eq!(hash_of(ctr_key_cat(ctr_key_cat(0, 3), value)), None);
        }
    }

    fn projection(splits: u32) -> Projection {
        Projection {
            cats: vec![CatIdx(4), CatIdx(2)],
            floats: (0..splits).map(|border| (FloatIdx(0), border)).collect(),
            one_hots: Vec::new(),
        }
    }

    /// Two features, with two values and one known value.
    #[test]
    fn a_combination_fits_if_its_values_are_known_and_its_cells_few() {
        let mut values = Values(BTreeMap::from([
            (CatIdx(4), vec![10, 20]),
            (CatIdx(2), vec![30]),
        ]));
        let keys = |count| (0..count).map(|key| (key, 1)).collect();
        let fits = |values: &Values, splits, keys, len| {
            let projection = projection(splits);
            let conditions = vec![0; splits as usize];
            let combination = Combination::of(&projection, conditions, keys, Vec::new(), len);
            values.fit(&combination, &mut Room::UNBOUNDED.clone())
        };
        assert!(fits(&values, 1, keys(1), 1));
        assert!(!fits(&values, 2, keys(1), 1), "8 cells for 1 key");
        assert!(fits(&values, 4, keys(8), 1));
        assert!(!fits(&values, 5, keys(16), 1), "too many splits");
        assert!(fits(&values, 0, keys(1), 1 << 23));
        assert!(!fits(&values, 0, keys(1), (1 << 23) + 1), "large cells");
        values.0.insert(CatIdx(2), (0..32_767).collect());
        assert!(fits(&values, 0, keys(1 << 16), 1));
        values.0.insert(CatIdx(2), (0..32_768).collect());
        assert!(
            !fits(&values, 0, keys(1 << 16), 1),
            "an unknown value could name one of 65,536 cells"
        );
        values.0.remove(&CatIdx(2));
        assert!(!fits(&values, 0, keys(1 << 16), 1), "no value is known");
    }

    #[test]
    fn cells_have_what_the_hash_finds() {
        let values = Values(BTreeMap::from([
            (CatIdx(4), vec![10, 20]),
            (CatIdx(2), vec![30]),
        ]));
        let (alone, split) = (projection(0), projection(1));
        let key = |first| ctr_key_cat(ctr_key_cat(0, first), 30);
        // Seventeen answers: those of an unknown key, then those of the second cell.
        let mut bins = vec![0; 34];
        (bins[0], bins[17 + 1], bins[17 + 16]) = (1, 1, 1);
        let mut keys = vec![
            (ctr_key_split(key(10), false), 1),
            (ctr_key_split(key(20), true), 2),
        ];
        keys.sort_unstable();
        let members = [
            Combination::of(&alone, vec![], vec![(key(20), 1)], bins, 17),
            Combination::of(&split, vec![0], keys, vec![0, 1, 1, 0, 1, 1], 2),
        ];
        let cells = [0, 1].map(|cell| {
            let key = values.key(&alone.cats, cell);
            cell_words(&members, key)
        });
        assert_eq!(cells, [[0b1, 0, 0b01, 0b10], [0b10, 1, 0b10, 0b11]]);
    }

    #[test]
    fn masks_have_the_bits_of_the_splits_that_hold() {
        let split = projection(1);
        let condition = |group, from, count| {
            let (group, from) = (Group(group), Bin(from));
            Condition { group, from, count }.to_word()
        };
        let owner = |condition| Combination::of(&split, vec![condition], vec![], vec![], 1);
        let owners = [
            owner(condition(5, 2, 2_u16.wrapping_neg())),
            owner(condition(3, 1, 1)),
            owner(condition(5, 1, 1_u16.wrapping_neg())),
        ];
        let mut words = Words {
            first: Slot(70),
            splits: Vec::new(),
        };
        assert_eq!(words.add(&[&owners[0], &owners[1]]), Slot(70));
        assert_eq!(words.add(&[&owners[2]]), Slot(71));
        let masks = words.lay_out(3);
        let rows = masks
            .iter()
            .map(|masks| (masks.group.0, masks.last.0, masks.rows.to_vec()));
        let expected = [
            (3, 2, vec![0, 0, 0, 0b10, 0, 0, 0, 0, 0]),
            (5, 2, vec![0, 0, 0, 0, 1, 0, 1, 1, 0]),
        ];
        assert!(rows.eq(expected));
    }
}
