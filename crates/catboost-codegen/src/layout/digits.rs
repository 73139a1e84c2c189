//! Combinations of categories that are found without hashing them.

use std::collections::BTreeMap;

use catboost_model::ir::{CatIdx, Model};
use catboost_runtime::{compiled, hash};

use super::{Groups, Keys, Part, categories::Combination};
use crate::tables::{Tables, put};

/// A combination may have so many times as many cells as keys: they take a third of its hash table at most.
const CELLS_PER_KEY: usize = 4;

/// See [`compiled::Digits`].
pub(crate) struct Digits {
    pub(crate) cats: Vec<Numbered>,
    /// Of `u64s`.
    pub(crate) conditions: Part,
    pub(crate) group: u32,
}

/// See [`compiled::Numbered`].
pub(crate) struct Numbered {
    pub(crate) cat: u32,
    pub(crate) group: u32,
    pub(crate) numbers: Keys,
}

impl Digits {
    /// Gives digits and cells to those of the combinations that can be found by them. `place` is that of a feature among
    /// those that are used.
    pub(super) fn lay_out(
        model: &Model,
        combinations: &mut [Combination],
        place: impl Fn(CatIdx) -> u32,
        groups: &mut Groups,
        tables: &mut Tables,
    ) -> Self {
        let values = known_values(model);
        let mut found: Vec<&mut Combination> = combinations
            .iter_mut()
            .filter(|combination| cells(combination, &values).is_some())
            .collect();
        let mut places: BTreeMap<CatIdx, u32> = BTreeMap::new();
        for cat in found.iter().flat_map(|found| &found.projection.cats) {
            places.entry(*cat).or_insert_with(|| groups.add_places(1));
        }
        let mut conditions: Vec<u64> = found
            .iter()
            .flat_map(|found| &found.conditions)
            .copied()
            .collect();
        conditions.sort_unstable();
        conditions.dedup();
        let group = groups.add_places(conditions.len());
        for combination in &mut found {
            let cats = combination.projection.cats.iter();
            let cats = cats.map(|cat| (places[cat], values[cat].len() + 1));
            let answers = combination.conditions.iter().map(|condition| {
                (
                    group + conditions.partition_point(|other| other < condition) as u32,
                    2,
                )
            });
            let mut worth = 1;
            let digits = cats.chain(answers).map(|(place, many)| {
                let digit = [place, worth];
                worth *= many as u32;
                digit
            });
            combination.digits = digits.collect();
            combination.cells = (0..worth as usize)
                .map(|cell| combination.cell(cell, &values))
                .collect();
        }
        let cats = places.into_iter().map(|(cat, group)| {
            let numbers = (1..).zip(&values[&cat]);
            let numbers = numbers
                .map(|(number, &value)| (value.into(), number))
                .collect();
            Numbered {
                cat: place(cat),
                group,
                numbers: Keys::lay_out(numbers, tables),
            }
        });
        Self {
            cats: cats.collect(),
            conditions: put(&mut tables.u64s, conditions.iter().copied()),
            group,
        }
    }
}

/// The hashes of the values that CTRs know which count by a feature alone.
fn known_values(model: &Model) -> BTreeMap<CatIdx, Vec<u32>> {
    let mut values: BTreeMap<CatIdx, Vec<u32>> = BTreeMap::new();
    for table in &model.ctr_tables {
        if let Some(cat) = table.projection.only_cat() {
            let hashes = table.keys.iter().filter_map(|&key| hash_of(key));
            values.entry(cat).or_default().extend(hashes);
        }
    }
    for values in values.values_mut() {
        values.sort_unstable();
        values.dedup();
    }
    values
}

/// The hash of a value, from the key of the value alone.
fn hash_of(key: u64) -> Option<u32> {
    let factor = hash::ctr_key_cat(0, 1);
    // Each step doubles the low bits that are right, from three on.
    let inverse = (0..5).fold(factor, |inverse, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(factor.wrapping_mul(inverse)))
    });
    let value = key.wrapping_mul(inverse) as u32;
    (hash::ctr_key_cat(0, value) == key).then_some(value)
}

/// How many cells a combination has, if it is to have any.
fn cells(combination: &Combination, values: &BTreeMap<CatIdx, Vec<u32>>) -> Option<usize> {
    let most = CELLS_PER_KEY * combination.keys.len();
    let cats = combination.projection.cats.iter().map(|cat| {
        let known = values.get(cat)?.len();
        (known <= usize::from(u16::MAX)).then_some(known + 1)
    });
    let answers = combination.conditions.iter().map(|_| Some(2));
    let mut cells = 1_usize;
    for many in cats.chain(answers) {
        cells = cells.checked_mul(many?).filter(|&cells| cells <= most)?;
    }
    let is_combination = combination.projection.cats.len() + combination.conditions.len() > 1;
    let rows = combination.keys.iter().map(|&(_, row)| row);
    (is_combination && rows.max() < Some(compiled::Projection::BY_HASH.into())).then_some(cells)
}

impl Combination<'_> {
    /// What a cell says.
    fn cell(&self, cell: usize, values: &BTreeMap<CatIdx, Vec<u32>>) -> u16 {
        let (mut rest, mut key) = (cell, 0);
        for cat in &self.projection.cats {
            let values = &values[cat];
            let number = rest % (values.len() + 1);
            rest /= values.len() + 1;
            if number == 0 {
                return compiled::Projection::BY_HASH;
            }
            key = hash::ctr_key_cat(key, values[number - 1]);
        }
        for _ in &self.conditions {
            key = hash::ctr_key_split(key, rest % 2 == 1);
            rest /= 2;
        }
        let place = self.keys.binary_search_by_key(&key, |&(key, _)| key);
        place.map_or(0, |place| self.keys[place].1 as u16)
    }
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

    /// Two features, of which two values and one are known, and a split.
    #[test]
    fn cells_say_what_the_hash_finds_unless_a_value_is_unknown() {
        let projection = Projection {
            cats: vec![CatIdx(4), CatIdx(2)],
            floats: vec![(FloatIdx(0), 0)],
            one_hots: Vec::new(),
        };
        let key = |first, second, answer| {
            ctr_key_split(ctr_key_cat(ctr_key_cat(0, first), second), answer)
        };
        let mut keys = vec![
            (key(10, 30, false), 1),
            (key(20, 30, false), 2),
            (key(20, 30, true), 3),
        ];
        keys.sort_unstable();
        let mut combination = Combination {
            projection: &projection,
            conditions: vec![0],
            keys,
            bins: Vec::new(),
            len: 0,
            group: 0,
            digits: Vec::new(),
            cells: Vec::new(),
        };
        let mut values = BTreeMap::from([(CatIdx(4), vec![10, 20]), (CatIdx(2), vec![30])]);
        assert_eq!(cells(&combination, &values), Some(12));
        let found: Vec<u16> = (0..12)
            .map(|cell| combination.cell(cell, &values))
            .collect();
        const NOT: u16 = compiled::Projection::BY_HASH;
        assert_eq!(found, [NOT, NOT, NOT, NOT, 1, 2, NOT, NOT, NOT, NOT, 0, 3]);

        values.insert(CatIdx(2), (30..41).collect());
        assert_eq!(cells(&combination, &values), None, "72 cells for 3 keys");
        values.remove(&CatIdx(2));
        assert_eq!(cells(&combination, &values), None, "no value is known");
        combination.conditions.clear();
        let alone = Projection {
            cats: vec![CatIdx(4)],
            floats: Vec::new(),
            one_hots: Vec::new(),
        };
        combination.projection = &alone;
        assert_eq!(cells(&combination, &values), None, "one hash either way");
    }
}
