//! Combinations of the same categorical features → answers.

use core::array;

use super::{Answer, Bin, Group, Keys, Observer, Projection, Slot};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// Keys that crosses are looked up by, both in slots: digits of categorical values, and masks of the splits of
/// combinations.
pub struct Digits<S: Storage = Static> {
    /// Categorical features of crosses.
    pub cats: S::Slice<Numbered<S>>,
    /// Groups that the splits test.
    pub masks: S::Slice<Masks<S>>,
    /// Slot of the first word of masks.
    pub first: Slot,
    /// Number of words of masks, a multiple of [`Cross::AT_ONCE`].
    pub len: u32,
}

/// Categorical feature with numbered values.
pub struct Numbered<S: Storage = Static> {
    /// Index into [`super::Row::cats`].
    pub cat: u32,
    /// Slot of the value's number.
    pub slot: Slot,
    /// Hashes of known values → their numbers.
    pub numbers: Keys<S>,
}

/// Answers to splits, by the bin of a group.
pub struct Masks<S: Storage = Static> {
    /// The group.
    pub group: Group,
    /// Last bin with a row of its own; greater bins use its row.
    pub last: Bin,
    /// [`Digits::len`] words per bin, with the bits of the splits that hold.
    pub rows: S::Slice<u16>,
}

impl<S: Storage> Digits<S> {
    #[inline(always)]
    pub(super) fn find(&self, cats: &[u32], bins: &mut [u16]) {
        for Numbered { cat, slot, numbers } in &*self.cats {
            let number = numbers.find(cats[*cat as usize].into());
            bins[slot.index()] = number.map_or(Cross::UNKNOWN, |number| number as u16);
        }
        let (first, len) = (self.first.index(), self.len as usize);
        for masks in &*self.masks {
            let Bin(bin) = masks.group.bin(bins).min(masks.last);
            let row = &masks.rows[usize::from(bin) * len..][..len];
            let (row, _) = row.as_chunks::<{ Cross::AT_ONCE }>();
            let (words, _) = bins[first..first + len].as_chunks_mut::<{ Cross::AT_ONCE }>();
            for (words, row) in words.iter_mut().zip(row) {
                // Handled separately, so that the compiler knows that the length is fixed.
                let both: [u16; Cross::AT_ONCE] = array::from_fn(|at| words[at] | row[at]);
                *words = both;
            }
        }
    }
}

/// All combinations of the same categorical features, which differ in their splits, for walked trees.
///
/// The digits of the features' values address a cell. It has the answers of the trees' splits on the combinations'
/// CTRs, as bits, for each outcome of the combinations' splits.
pub struct Cross<S: Storage = Static> {
    /// Categorical features.
    pub digits: S::Slice<Digit>,
    /// Number of cells, less than [`Cross::UNKNOWN`].
    pub count: u32,
    /// Length of a cell in words.
    pub len: u32,
    /// Cells: for each of `selects`, a word per outcome.
    pub cells: S::Slice<u16>,
    /// Parts of a cell, in order.
    pub selects: S::Slice<Select>,
    /// Single combinations, in the order of their answers: the fallback for unknown values.
    pub projections: S::Slice<Projection<S>>,
}

/// Categorical feature of a [`Cross`].
#[derive(Clone, Copy, Debug)]
pub struct Digit {
    /// Slot of the value's number.
    pub slot: Slot,
    /// Distance in cells between consecutive numbers.
    pub worth: u32,
}

/// Answers of combinations that have the same number of splits.
#[derive(Debug)]
pub struct Select {
    /// Number of splits, at most [`Cross::MOST_SPLITS`]. Bit `k` of an outcome's index is the answer to split `k`.
    pub splits: u32,
    /// Slot of the first mask, one mask per split. Bit `n` of a mask is the split's answer for the combination that
    /// answer `n` belongs to.
    pub masks: Slot,
    /// Slot of the first of [`Cross::AT_ONCE`] answers.
    pub answers: Answer,
}

impl Cross {
    /// Number of an unknown value. It addresses no cell, whatever its weight.
    pub const UNKNOWN: u16 = u16::MAX;
    /// Number of answers per word.
    pub const AT_ONCE: usize = u16::BITS as usize;
    /// Upper bound on the splits of a combination.
    pub const MOST_SPLITS: usize = 4;
}

impl<S: Storage> Cross<S> {
    /// Writes the answers of the row's combinations.
    #[inline(always)]
    pub(super) fn quantize<O: Observer>(&self, cats: &[u32], bins: &mut [u16], observer: &mut O) {
        let cell: u64 = self
            .digits
            .iter()
            .map(|digit| u64::from(bins[digit.slot.index()]) * u64::from(digit.worth))
            .sum();
        if cell >= self.count.into() {
            for projection in &*self.projections {
                projection.quantize(cats, bins, observer);
            }
            return;
        }
        let len = self.len as usize;
        let mut cell = &self.cells[cell as usize * len..][..len];
        for select in &*self.selects {
            let (outcomes, others) = cell.split_at(1 << select.splits);
            cell = others;
            let masks = &bins[select.masks.index()..][..select.splits as usize];
            let word = choose(outcomes, masks);
            let answers = &mut bins[select.answers.index()..][..Cross::AT_ONCE];
            for (bit, answer) in answers.iter_mut().enumerate() {
                *answer = u16::from(word & (1 << bit) != 0);
            }
        }
    }
}

/// Chooses each bit from the outcome that the bit's splits select.
#[inline(always)]
fn choose(outcomes: &[u16], masks: &[u16]) -> u16 {
    let [chosen] = match *masks {
        [] => outcomes_of(outcomes),
        [a] => half::<2, 1>(a, outcomes_of(outcomes)),
        [a, b] => half(a, half::<4, 2>(b, outcomes_of(outcomes))),
        [a, b, c] => half(a, half::<4, 2>(b, half::<8, 4>(c, outcomes_of(outcomes)))),
        [a, b, c, d] => {
            let eight = half::<16, 8>(d, outcomes_of(outcomes));
            half(a, half::<4, 2>(b, half::<8, 4>(c, eight)))
        }
        _ => unreachable!("at most {} splits", Cross::MOST_SPLITS),
    };
    chosen
}

#[inline(always)]
fn outcomes_of<const N: usize>(words: &[u16]) -> [u16; N] {
    *words.first_chunk().expect("a word an outcome")
}

/// Applies the mask of the last split: takes each bit from the upper half where the mask has it set, else from the
/// lower half.
#[inline(always)]
fn half<const N: usize, const HALF: usize>(mask: u16, outcomes: [u16; N]) -> [u16; HALF] {
    let (no, yes) = outcomes.split_at(HALF);
    array::from_fn(|at| no[at] ^ (no[at] ^ yes[at]) & mask)
}

emit!(struct Digits Digits<Owned> { cats, masks, first, len });
emit!(struct Numbered Numbered<Owned> { cat, slot, numbers });
emit!(struct Masks Masks<Owned> { group, last, rows });
emit!(struct Cross Cross<Owned> { digits, count, len, cells, selects, projections });
emit!(struct Digit Digit { slot, worth });
emit!(struct Select Select { splits, masks, answers });

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;
    use crate::{compiled::Condition, hash::combine};

    const fn digit(slot: u32, worth: u32) -> Digit {
        let slot = Slot(slot);
        Digit { slot, worth }
    }

    #[test]
    fn each_bit_is_of_the_outcome_that_its_splits_say() {
        let outcomes: [u16; 16] =
            core::array::from_fn(|outcome| (outcome as u16 + 1).wrapping_mul(0x9e35));
        // Bit `n` of the masks is bit `k` of `n`: so each outcome is chosen by one bit.
        let masks = [0xaaaa, 0xcccc, 0xf0f0, 0xff00];
        for splits in 0..=Cross::MOST_SPLITS {
            let outcomes = &outcomes[..1 << splits];
            let chosen = choose(outcomes, &masks[..splits]);
            for bit in 0..16 {
                let outcome = bit % outcomes.len();
                let expected = outcomes[outcome] >> bit & 1;
                assert_eq!(chosen >> bit & 1, expected, "{splits} splits, bit {bit}");
            }
        }
    }

    #[test]
    fn values_have_numbers_and_bins_have_masks() {
        let row = |bits: u16| (0..16).map(move |word| bits << (word / 8));
        let rows = |bits: [u16; 3]| bits.into_iter().flat_map(row).collect::<Vec<_>>().leak();
        let digits = Digits::<Static> {
            cats: vec![
                Numbered::<Static> {
                    cat: 1,
                    slot: Slot(2),
                    numbers: Keys::of(&[(6, 1), (7, 0)]),
                },
                Numbered::<Static> {
                    cat: 0,
                    slot: Slot(3),
                    numbers: Keys::of(&[(6, 2)]),
                },
            ]
            .leak(),
            masks: vec![
                Masks::<Static> {
                    group: Group(0),
                    last: Bin(2),
                    rows: rows([0, 1, 3]),
                },
                Masks::<Static> {
                    group: Group(1),
                    last: Bin(1),
                    rows: rows([4, 8, 0]),
                },
            ]
            .leak(),
            first: Slot(4),
            len: 16,
        };
        for (cats, numbers, given, word) in [
            ([6, 6], [1, 2], [0, 0], 4),
            ([7, 7], [0, Cross::UNKNOWN], [1, 1], 9),
            ([6, 9], [Cross::UNKNOWN, 2], [2, 9], 11),
            ([6, 9], [Cross::UNKNOWN, 2], [u16::MAX, 0], 7),
        ] {
            let mut bins = [0; 21];
            (bins[0], bins[1], bins[20]) = (given[0], given[1], 99);
            digits.find(&cats, &mut bins);
            assert_eq!(bins[2..4], numbers, "{cats:?}");
            assert!(bins[4..20].iter().copied().eq(row(word)), "{given:?}");
            assert_eq!([bins[0], bins[1], bins[20]], [given[0], given[1], 99]);
        }
    }

    /// The cells differ from the fallback's table, to show which of them was read.
    #[test]
    fn known_values_are_found_by_their_numbers() {
        const NUMBERS: usize = 1;
        const MASK: usize = 3;
        const ANSWERS: usize = 4;
        let projections: Vec<Projection> = vec![
            Projection::<Static> {
                cats: &[0, 1],
                conditions: &[],
                keys: Keys::of(&[(combine(combine(0, 5), 8), 1)]),
                bins: &[0, 0, 1, 0, 0, 0, 0],
                len: 2,
                first: Slot(ANSWERS as u32),
            },
            Projection::<Static> {
                cats: &[0, 1],
                conditions: vec![Condition::at_least(0, 4)].leak(),
                keys: Keys::of(&[(combine(combine(combine(0, 5), 8), 1), 1)]),
                bins: &[1, 0, 0, 0, 0],
                len: 1,
                first: Slot(ANSWERS as u32 + 16),
            },
        ];
        let cross = Cross::<Static> {
            digits: const { &[digit(1, 1), digit(2, 2)] },
            count: 4,
            len: 3,
            // For each cell: the first combination's answers, then the second's for both answers of its split.
            cells: &[0b00, 0, 1, 0b10, 1, 0, 0b01, 0, 0, 0b11, 1, 1],
            selects: &[
                Select {
                    splits: 0,
                    masks: Slot(0),
                    answers: Answer(ANSWERS as u32),
                },
                Select {
                    splits: 1,
                    masks: Slot(MASK as u32),
                    answers: Answer(ANSWERS as u32 + 16),
                },
            ],
            projections: projections.leak(),
        };
        const UNKNOWN: u16 = Cross::UNKNOWN;
        for (numbers, cats, holds, expected) in [
            ([0, 0], [5, 7], false, [0, 0, 0]),
            ([0, 0], [5, 7], true, [0, 0, 1]),
            ([1, 0], [6, 7], false, [0, 1, 1]),
            ([1, 0], [6, 7], true, [0, 1, 0]),
            ([0, 1], [5, 9], true, [1, 0, 0]),
            ([1, 1], [6, 9], false, [1, 1, 1]),
            ([0, UNKNOWN], [5, 8], true, [1, 0, 0]),
            ([0, UNKNOWN], [5, 8], false, [1, 0, 1]),
            ([UNKNOWN, 0], [8, 7], true, [0, 0, 1]),
            ([UNKNOWN, UNKNOWN], [5, 8], true, [1, 0, 0]),
        ] {
            let mut bins = [7; ANSWERS + 36];
            bins[0] = if holds { 4 } else { 3 };
            bins[NUMBERS..NUMBERS + 2].copy_from_slice(&numbers);
            bins[MASK] = u16::from(holds);
            cross.quantize(&cats, &mut bins, &mut ());
            let found = [bins[ANSWERS], bins[ANSWERS + 1], bins[ANSWERS + 16]];
            assert_eq!(found, expected, "{numbers:?}, {holds}");
            assert_eq!(bins[ANSWERS + 32..], [7; 4], "what follows");
        }
    }

    /// The index exceeds 32 bits, which the sum over several digits can reach.
    #[test]
    fn unknown_values_name_no_cell_whatever_they_are_worth() {
        let cross = Cross::<Static> {
            digits: const { &[digit(0, u32::MAX), digit(0, 2)] },
            count: 60_000,
            len: 1,
            cells: &[1; 60_000],
            selects: &[Select {
                splits: 0,
                masks: Slot(0),
                answers: Answer(1),
            }],
            projections: &[],
        };
        let mut bins = [Cross::UNKNOWN; 17];
        cross.quantize(&[], &mut bins, &mut ());
        assert_eq!(bins, [Cross::UNKNOWN; 17]);
    }
}
