//! One-hot features and CTRs.
//!
//! A categorical value enters evaluation as the low 32 bits of CityHash64 of its UTF-8 bytes; the strings
//! themselves are not needed. CTRs over the same combination are laid out together: one look-up gives the
//! bins of all of them. [`Cross`] looks up by the digits of known values, [`Projection`] by a hash.

use catboost_model::ir::{self, Model};
use catboost_runtime::{
    compiled::{Bin, Cross, Digits, OneHot, Projection},
    storage::Owned,
};

use super::{
    combinations::Combination,
    crosses,
    groups::Groups,
    room::{Room, TooLarge},
};

/// Tables of categorical features.
pub(super) struct Categories {
    /// Categorical features that the model uses, ascending. Tables refer to them by their index in this list.
    pub(super) used: Vec<usize>,
    /// True, by the same index, if a CTR counts by the feature alone, so that all values of the training data are
    /// known.
    pub(super) counted: Vec<bool>,
    pub(super) one_hots: Box<[OneHot<Owned>]>,
    /// Numbers of values and masks of splits, by which crosses are looked up.
    pub(super) digits: Digits<Owned>,
    pub(super) crosses: Box<[Cross<Owned>]>,
    /// Combinations that are in no cross.
    pub(super) projections: Box<[Projection<Owned>]>,
}

impl Categories {
    /// Lays out one-hot features and CTRs, and assigns their groups. The groups of numeric features must have
    /// been assigned: combinations may test their splits.
    ///
    /// # Errors
    /// If the tables that CTRs need would exceed `room`.
    pub(super) fn lay_out(
        model: &Model,
        groups: &mut Groups,
        room: &mut Room,
    ) -> Result<Self, TooLarge> {
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
            let place_of = |value: u32| values.partition_point(|&other| other < value);
            let bin = |&value: &i32| Bin(place_of(value as u32) as u16 + 1);
            OneHot {
                cat: place(one_hot.cat),
                group: groups.add_one_hot(one_hot.values.iter().map(bin).collect()),
                values: values.into(),
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
        // Similar projections are adjacent, so that the processor can predict the number of a loop's iterations.
        by_projection.sort_by_cached_key(|(projection, _)| {
            let cats = projection.cats.clone();
            (cats.len(), cats, projection.splits())
        });
        let counted = |&index: &usize| {
            by_projection
                .iter()
                .any(|(of, _)| of.only_cat().is_some_and(|cat| cat.at() == index))
        };
        let counted = used.iter().map(counted).collect();
        let all = by_projection
            .into_iter()
            .map(|(projection, ctrs)| Combination::new(model, projection, ctrs, groups, room))
            .collect::<Result<_, _>>()?;
        let (digits, crosses, mut rest) = crosses::lay_out(model, all, place, groups, room);
        for combination in &mut rest {
            combination.place(model, groups);
        }
        // Slots after the last bins may be overwritten.
        groups.add_slots(Projection::AT_ONCE - 1);
        Ok(Self {
            counted,
            one_hots,
            digits,
            crosses,
            projections: rest
                .into_iter()
                .map(|combination| combination.lay_out(place))
                .collect(),
            used,
        })
    }
}
