//! One-hot features and CTRs.

use std::collections::{BTreeMap, HashMap};

use catboost_model::ir::{self, Model, Split};
use catboost_runtime::compiled;

use super::{Groups, Part};
use crate::tables::{Tables, put};

/// The categorical features of a model, laid out.
pub(crate) struct Categories {
    /// The features that the model uses.
    pub(crate) used: Vec<usize>,
    /// Whether all values that the training data had are known: a CTR counts by the feature alone.
    pub(crate) counted: Vec<bool>,
    pub(crate) one_hots: Vec<OneHot>,
    pub(crate) projections: Vec<Projection>,
}

/// A categorical feature that is compared with single values.
pub(crate) struct OneHot {
    pub(crate) cat: u32,
    pub(crate) group: u32,
    /// Of `u32s`: the values' hashes, ascending.
    pub(crate) values: Part,
}

/// A combination that CTRs count by.
pub(crate) struct Projection {
    /// Of `u32s`.
    pub(crate) cats: Part,
    /// Of `u64s`.
    pub(crate) conditions: Part,
    pub(crate) keys: Keys,
    /// Of `u16s`: rows of `ctrs` bins.
    pub(crate) bins: Part,
    pub(crate) ctrs: usize,
    pub(crate) group: u32,
}

/// A hash table.
pub(crate) struct Keys {
    /// Of `u64s`.
    pub(crate) slots: Part,
    /// Of `u32s`.
    pub(crate) numbers: Part,
}

impl Categories {
    pub(super) fn lay_out(model: &Model, groups: &mut Groups, tables: &mut Tables) -> Self {
        let mut used: Vec<usize> = model
            .one_hots
            .iter()
            .map(|one_hot| one_hot.cat.at())
            .collect();
        used.extend(
            model
                .ctr_tables
                .iter()
                .flat_map(|table| table.projection.cats.iter().map(|cat| cat.at())),
        );
        used.sort_unstable();
        used.dedup();
        let place = |cat: ir::CatIdx| used.partition_point(|&index| index < cat.at()) as u32;

        let one_hots = model.one_hots.iter().map(|one_hot| {
            let mut values: Vec<u32> = one_hot.values.iter().map(|&value| value as u32).collect();
            values.sort_unstable();
            let bin =
                |&value: &i32| values.partition_point(|&other| other < value as u32) as u16 + 1;
            OneHot {
                cat: place(one_hot.cat),
                group: groups.add_one_hot(one_hot.values.iter().map(bin).collect()),
                values: put(&mut tables.u32s, values),
            }
        });
        let one_hots = one_hots.collect();

        let mut by_projection: Vec<(&ir::Projection, Vec<usize>)> = Vec::new();
        for (index, ctr) in model.ctrs.iter().enumerate() {
            let projection = &model.ctr_tables[ctr.table.at()].projection;
            match by_projection
                .iter_mut()
                .find(|(other, _)| *other == projection)
            {
                Some((_, ctrs)) => ctrs.push(index),
                None => by_projection.push((projection, vec![index])),
            }
        }
        let projections = by_projection.iter().map(|(projection, ctrs)| {
            let first = groups.bins().len() as u32;
            for &ctr in ctrs {
                groups.ctrs[ctr] = groups.add(model.ctrs[ctr].borders.len() + 1);
            }
            let (keys, bins) = ctr_bins(model, ctrs);
            Projection {
                cats: put(
                    &mut tables.u32s,
                    projection.cats.iter().map(|&cat| place(cat)),
                ),
                conditions: put(&mut tables.u64s, conditions(projection, groups)),
                keys: Keys::lay_out(keys, tables),
                bins: put(&mut tables.u16s, bins),
                ctrs: ctrs.len(),
                group: first,
            }
        });
        let projections = projections.collect();
        let counted = |&index: &usize| {
            by_projection.iter().any(|(of, _)| {
                matches!(of.cats[..], [cat] if cat.at() == index)
                    && of.floats.is_empty()
                    && of.one_hots.is_empty()
            })
        };
        Self {
            counted: used.iter().map(counted).collect(),
            used,
            one_hots,
            projections,
        }
    }
}

/// The splits of a combination, in the order of hashing.
fn conditions(projection: &ir::Projection, groups: &Groups) -> Vec<u64> {
    let floats = projection
        .floats
        .iter()
        .map(|&(feature, border)| Split::Float { feature, border });
    let one_hots = projection
        .one_hots
        .iter()
        .map(|&(feature, value)| Split::OneHot { feature, value });
    let condition = |split| {
        groups
            .condition(split)
            .expect("a float or one-hot feature with splits has a group")
    };
    floats
        .chain(one_hots)
        .map(|split| condition(split).to_word())
        .collect()
}

/// Each key of the CTRs' tables with its row, and the rows: the bin of each of `ctrs`. Row 0 is that of an unknown key.
fn ctr_bins(model: &Model, ctrs: &[usize]) -> (Vec<(u64, u32)>, Vec<u16>) {
    let bin = |ctr: usize, entry: Option<usize>| {
        let ctr = &model.ctrs[ctr];
        let value = ctr.value(&model.ctr_tables[ctr.table.at()], entry);
        compiled::count_above(value, &ctr.borders)
    };
    let unknown: Vec<u16> = ctrs.iter().map(|&ctr| bin(ctr, None)).collect();
    let mut by_key: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
    for (place, &ctr) in ctrs.iter().enumerate() {
        for (entry, &key) in model.ctr_tables[model.ctrs[ctr].table.at()]
            .keys
            .iter()
            .enumerate()
        {
            by_key.entry(key).or_insert_with(|| unknown.clone())[place] = bin(ctr, Some(entry));
        }
    }
    let mut bins = unknown;
    let mut rows: HashMap<Vec<u16>, u32> = HashMap::new();
    let keys = by_key.into_iter().map(|(key, row)| {
        let next = (bins.len() / ctrs.len()) as u32;
        let number = *rows.entry(row).or_insert_with_key(|row| {
            bins.extend(row);
            next
        });
        (key, number)
    });
    let keys = keys.collect();
    (keys, bins)
}

impl Keys {
    /// Lays a hash table out, at most half full.
    pub(super) fn lay_out(entries: Vec<(u64, u32)>, tables: &mut Tables) -> Self {
        let capacity = (entries.len() * 2 + 1).next_power_of_two();
        let mut slots = vec![compiled::Keys::EMPTY; capacity];
        let mut numbers = vec![0; capacity];
        for (key, number) in entries {
            let mut slot = key as usize & (capacity - 1);
            while slots[slot] != compiled::Keys::EMPTY {
                slot = (slot + 1) & (capacity - 1);
            }
            (slots[slot], numbers[slot]) = (key, number);
        }
        Self {
            slots: put(&mut tables.u64s, slots),
            numbers: put(&mut tables.u32s, numbers),
        }
    }
}
