//! Combinations of categorical features and splits that CTRs count by, before their layout.
//!
//! CatBoost computes a CTR from counts and a prior, for each row. Here the value of every CTR is computed
//! once for every key of the training data and reduced to its bin; keys with equal bins share a row.

use std::{collections::HashMap, rc::Rc};

use catboost_model::ir::{self, Model, Split};
use catboost_runtime::{
    compiled::{Projection, Slot, count_above},
    hash,
    storage::Owned,
};

use super::{
    groups::{Groups, Member},
    keys,
    room::{Room, TooLarge},
};

/// Splits of a combination, in the order of hashing.
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

/// Combination before its layout.
pub(super) struct Combination<'a> {
    pub(super) projection: &'a ir::Projection,
    ctrs: Vec<usize>,
    /// Splits in the order of hashing, as words of `Condition`.
    pub(super) conditions: Vec<u64>,
    /// Keys, ascending, with their rows.
    pub(super) keys: Vec<(u64, u32)>,
    /// Rows of `len` bins, or answers if the trees are walked; row 0 is for unknown keys.
    /// [`Projection::AT_ONCE`] - 1 zeros follow the last row.
    bins: Vec<u16>,
    /// Bins or answers per row.
    pub(super) len: usize,
    /// First group or answer; 0 until assigned.
    first: Slot,
}

impl<'a> Combination<'a> {
    /// Computes the bins of `ctrs`, which all count by `projection`, for every key of their tables.
    ///
    /// # Errors
    /// If keys or bins would exceed `room`.
    pub(super) fn new(
        model: &Model,
        projection: &'a ir::Projection,
        ctrs: Vec<usize>,
        groups: &Groups,
        room: &mut Room,
    ) -> Result<Self, TooLarge> {
        let (keys, rows) = ctr_bins(model, &ctrs, room)?;
        let borders = |&ctr: &usize| model.ctrs[ctr].borders.len();
        let len = match groups.are_walked() {
            true => ctrs.iter().map(borders).sum(),
            false => ctrs.len(),
        };
        let count = rows.len().saturating_mul(len) + Projection::AT_ONCE - 1;
        room.need(count, size_of::<u16>(), || bins_of(&ctrs))?;
        let mut bins: Vec<u16> = Vec::with_capacity(count);
        for row in &rows {
            for (&bin, ctr) in row.iter().zip(&ctrs) {
                bins.extend(groups.of_ctr(bin, borders(ctr)));
            }
        }
        bins.extend([0; Projection::AT_ONCE - 1]);
        Ok(Self {
            projection,
            conditions: conditions(projection, groups),
            keys,
            bins,
            len,
            ctrs,
            first: Slot(0),
        })
    }

    #[cfg(test)]
    pub(super) fn of(
        projection: &'a ir::Projection,
        conditions: Vec<u64>,
        keys: Vec<(u64, u32)>,
        bins: Vec<u16>,
        len: usize,
    ) -> Self {
        Self {
            projection,
            ctrs: Vec::new(),
            conditions,
            keys,
            bins,
            len,
            first: Slot(0),
        }
    }

    /// Assigns groups: a single one if it needs no more bins than several would. The bin of a single group is
    /// the number of its row, so that no bins are stored.
    pub(super) fn place(&mut self, model: &Model, groups: &mut Groups) {
        self.first = groups.next();
        let rows = (self.bins.len() - Projection::AT_ONCE + 1) / self.len.max(1);
        let borders = self
            .ctrs
            .iter()
            .map(|&ctr| model.ctrs[ctr].borders.len() + 1);
        if !groups.are_walked() && rows <= borders.sum() && rows <= usize::from(u16::MAX) {
            let members = self.ctrs.iter().enumerate().map(|(nth, &ctr)| {
                let own = self.bins[nth..].iter().step_by(self.len).take(rows);
                (Member::Ctr(ctr), own.copied().collect())
            });
            groups.add_shared(rows, &members.collect::<Vec<_>>());
            // The row's number is the bin.
            self.bins = Vec::new();
            self.len = 1;
            return;
        }
        for &ctr in &self.ctrs {
            groups.add_ctr(ctr, model.ctrs[ctr].borders.len());
        }
    }

    /// Returns the row of `bins` for values with this key and an outcome of the splits: bit `k` is the answer to split
    /// `k`.
    pub(super) fn row(&self, mut key: u64, outcome: usize) -> &[u16] {
        for split in 0..self.conditions.len() {
            key = hash::ctr_key_split(key, outcome >> split & 1 == 1);
        }
        let place = self.keys.binary_search_by_key(&key, |&(key, _)| key);
        let row = place.map_or(0, |place| self.keys[place].1 as usize);
        &self.bins[row * self.len..][..self.len]
    }

    pub(super) fn lay_out(self, place: impl Fn(ir::CatIdx) -> u32) -> Projection<Owned> {
        Projection {
            cats: self.projection.cats.iter().map(|&cat| place(cat)).collect(),
            conditions: self.conditions.into(),
            keys: keys::lay_out(&self.keys),
            bins: self.bins.into(),
            len: self.len as u32,
            first: self.first,
        }
    }
}

/// Keys and rows.
type Keyed = (Vec<(u64, u32)>, Vec<Rc<[u16]>>);

/// Returns each key of the CTRs' tables with the index of its row, and the distinct rows: the bin of each of `ctrs`.
/// Row 0 is for unknown keys.
fn ctr_bins(model: &Model, ctrs: &[usize], room: &mut Room) -> Result<Keyed, TooLarge> {
    let bin = |ctr: usize, entry: Option<usize>| {
        let ctr = &model.ctrs[ctr];
        let value = ctr.value(&model.ctr_tables[ctr.table.at()], entry);
        count_above(value, &ctr.borders)
    };
    let mut tables: Vec<usize> = ctrs.iter().map(|&ctr| model.ctrs[ctr].table.at()).collect();
    tables.sort_unstable();
    tables.dedup();
    let keys_of = |table: usize| &model.ctr_tables[table].keys;
    let all: usize = tables.iter().map(|&table| keys_of(table).len()).sum();
    // The key with its row, and an entry in a hash table that is at least a quarter full.
    let size =
        size_of::<u64>() + size_of::<(u64, u32)>() + 4 * (size_of::<u64>() + size_of::<u32>());
    room.need(all, size, || format!("the keys of {}", bins_of(ctrs)))?;
    let mut keys: Vec<u64> = Vec::with_capacity(all);
    for &table in &tables {
        keys.extend(keys_of(table));
    }
    keys.sort_unstable();
    keys.dedup();

    // Each CTR's entries are visited in order.
    let mut next = vec![0; ctrs.len()];
    let mut row: Vec<u16> = ctrs.iter().map(|&ctr| bin(ctr, None)).collect();
    let unknown = row.clone();
    let mut rows: Vec<Rc<[u16]>> = vec![unknown.as_slice().into()];
    let mut numbers: HashMap<Rc<[u16]>, u32> = HashMap::new();
    let mut numbered = Vec::with_capacity(keys.len());
    for key in keys {
        for (place, &ctr) in ctrs.iter().enumerate() {
            let entry = next[place];
            let is_next = keys_of(model.ctrs[ctr].table.at()).get(entry) == Some(&key);
            next[place] += usize::from(is_next);
            row[place] = match is_next {
                true => bin(ctr, Some(entry)),
                false => unknown[place],
            };
        }
        let number = match numbers.get(row.as_slice()) {
            Some(&number) => number,
            None => {
                // Includes its entries in a list and in a hash table.
                room.need(row.len() + 40, size_of::<u16>(), || bins_of(ctrs))?;
                let (new, number) = (Rc::<[u16]>::from(row.as_slice()), rows.len() as u32);
                rows.push(Rc::clone(&new));
                numbers.insert(new, number);
                number
            }
        };
        numbered.push((key, number));
    }
    Ok((numbered, rows))
}

/// Name of the tables in error texts.
fn bins_of(ctrs: &[usize]) -> String {
    format!("the bins of {} CTRs of one combination", ctrs.len())
}
