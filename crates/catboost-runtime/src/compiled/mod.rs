//! A compiled model: tables laid out at build time, and the loops that walk them.
//!
//! Evaluation has two steps for every model:
//!
//! 1. **Bins.** Every *group* (a numeric feature, a one-hot feature, a CTR, an occurrence of a token) has a small
//!    state, its *bin*. The bin of a numeric feature is the number of its borders below the value. A split of a tree
//!    tests bins only, so nothing else of the row is needed afterwards.
//! 2. **Leaves.** For oblivious trees, a table holds for every bin of every group the bits that it sets in the leaf
//!    indices of all trees. One OR per group gives all the indices: a vector operation per group in place of a load and
//!    a comparison per split. If the table would be too large or mostly zeros (many groups that few trees test), and
//!    for non-symmetric trees, the trees are walked ([`Trees`]). Then every split is answered once beforehand
//!    ([`Answers`]), so that a walk only reads answers, and the tables of CTRs hold answers in place of bins.
//!
//! For walked trees, all combinations of the same categorical features are looked up together ([`Cross`]). The
//! features' values are numbered, and the numbers address a cell with the answers for each outcome of the combinations'
//! splits, computed for all known values when the model was compiled. If a value is unknown, or if there would be too
//! many cells, each combination is looked up by its hash ([`Projection`]). Both give the same answers.
//!
//! The tables contain whatever the model alone determines: the value of a CTR for every key of the training data, as a
//! bin; the logarithms of naive Bayes, and the weight of a token in its odds ([`Odds`]); the bits that a token sets.
//! Small groups are merged: numeric features in pairs, and the CTRs of a combination.
//!
//! `catboost-codegen` prints values of these types. Raise [`crate::LAYOUT`] whenever their fields or the meaning of a
//! field change.
//!
//! Leaf values are added up in the order of the trees, in f64, from 0, as CatBoost does: floating-point addition is not
//! associative.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use crate::{
    emit::emit,
    storage::{Owned, Storage},
};

mod answers;
mod bayes;
mod bins;
mod bm25;
mod categories;
mod crosses;
mod embeddings;
mod estimates;
mod keys;
mod letters;
mod line;
mod shape;
mod slots;
mod texts;
mod tokens;
mod trees;

pub use answers::{Answers, Asked};
pub use bayes::{Limits, NaiveBayes, Odds};
pub use bins::{Block, Condition, LANES, Wide, count_above};
pub use bm25::Bm25;
pub use categories::{OneHot, Projection};
pub use crosses::{Cross, Digit, Digits, Masks, Numbered, Select};
pub use embeddings::{Embedding, EmbeddingCalcer, Knn, Targets};
pub use estimates::Estimate;
pub use keys::Keys;
pub use letters::{Letters, Steps};
pub use line::Line;
pub use shape::{Const, Dynamic, Shape, WithLines, WithSizes};
pub use slots::{Answer, Bin, Group, Slot};
pub use texts::{BagOfWords, Calcer, Text, Tokenized, Tokens};
pub use trees::Trees;

/// Laid-out model. Whoever builds one guarantees that every index in it is in range.
pub struct Model<S: Storage, P: Shape> {
    /// Sizes that evaluation depends on.
    pub shape: P,
    /// Factor in `raw = sum * scale + bias`.
    pub scale: f64,
    /// Bias per dimension.
    pub bias: S::Slice<f64>,
    /// Numeric features with few borders, eight at a time.
    pub blocks: S::Slice<Block<S>>,
    /// Numeric features with many borders.
    pub wides: S::Slice<Wide<S>>,
    /// Categorical features that are compared with single values.
    pub one_hots: S::Slice<OneHot<S>>,
    /// Digits and masks that crosses are looked up by.
    pub digits: Digits<S>,
    /// Combinations of categorical features that CTRs count by, looked up together.
    pub crosses: S::Slice<Cross<S>>,
    /// Combinations that are looked up one by one.
    pub projections: S::Slice<Projection<S>>,
    /// Text features.
    pub texts: S::Slice<Text<S>>,
    /// Calcers of embedding features.
    pub embeddings: S::Slice<Embedding<S>>,
    /// Questions of the splits on each group. Empty unless the trees are walked.
    pub answers: S::Slice<Answers>,
    /// Slots of a row without tokens; 0 for every group that is always computed. Long enough for a whole [`Block`].
    pub initial: S::Slice<u16>,
    /// The trees.
    pub trees: Trees<S>,
}

/// Input row of a compiled model.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Numeric features in the order of the model's blocks, then of its wide features.
    pub floats: &'a [f32],
    /// [`crate::hash::cat_hash`] of the categorical features that the model uses.
    pub cats: &'a [u32],
    /// Text features that the model uses.
    pub texts: &'a [&'a str],
    /// Embedding features that the model uses, each as long as its dimension.
    pub embeddings: &'a [&'a [f32]],
}

/// Receives what an evaluation meets. `()` receives nothing and costs nothing.
pub trait Observer {
    /// Called with the row before its evaluation.
    #[inline(always)]
    fn row(&mut self, _row: &Row<'_>) {}
    /// Called for a categorical value (index into [`Row::cats`]) that the training data did not have. Detected for
    /// features that a CTR counts by on their own.
    #[inline(always)]
    fn unseen(&mut self, _cat: usize) {}
    /// Called for a word of a text (index into [`Row::texts`]) that the dictionary with [`Tokenized::tells_unknown`]
    /// lacks.
    #[inline(always)]
    fn unknown_token(&mut self, _text: usize) {}
    /// Called with a tree's leaf, indexed over all the trees.
    #[inline(always)]
    fn leaf(&mut self, _leaf: usize) {}
}

impl Observer for () {}

impl<S: Storage, const DIMENSION: usize, const SLOTS: usize, const LINES: usize, const BITS: usize>
    Model<S, Const<DIMENSION, SLOTS, LINES, BITS>>
{
    /// Returns the raw values of a row.
    #[inline]
    pub fn raw(&self, row: Row<'_>) -> [f64; DIMENSION] {
        self.raw_observed(row, &mut ())
    }

    /// Returns the raw values of a row, and reports to `observer` what its evaluation meets.
    pub fn raw_observed<O: Observer>(&self, row: Row<'_>, observer: &mut O) -> [f64; DIMENSION] {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.raw_avx2(row, observer) };
        }
        self.raw_portable::<O, false>(row, observer)
    }

    /// [`Self::raw_portable`] compiled for AVX2. It is the same source, in which no floating-point operation may be
    /// fused or reordered, so the bits are the same.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
    fn raw_avx2<O: Observer>(&self, row: Row<'_>, observer: &mut O) -> [f64; DIMENSION] {
        self.raw_portable::<O, true>(row, observer)
    }

    /// `AVX2` states that the CPU has AVX2.
    #[inline(always)]
    fn raw_portable<O: Observer, const AVX2: bool>(
        &self,
        row: Row<'_>,
        observer: &mut O,
    ) -> [f64; DIMENSION] {
        let (mut slots, mut indices) = ([0; SLOTS], [Line([0; 16]); LINES]);
        let mut raw = [0.0; DIMENSION];
        observer.row(&row);
        self.find_slots::<O, AVX2>(row, None, 0, &mut slots, &mut indices, observer);
        self.trees
            .sum::<O, AVX2>(self.shape, &slots, &mut indices, &mut raw, observer);
        self.scale(&mut raw);
        raw
    }
}

/// Scratch memory of an evaluation, reused from row to row. Serves any models.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    slots: Vec<u16>,
    indices: Vec<Line>,
}

impl Scratch {
    /// Resizes the memory for a model. Returns the slots and the leaf indices.
    fn parts(&mut self, shape: impl Shape) -> (&mut [u16], &mut [Line]) {
        self.slots.resize(shape.slots(), 0);
        self.indices.resize(shape.lines(), Line([0; 16]));
        (&mut self.slots, &mut self.indices)
    }

    /// Returns the last row's answer to a split of walked trees.
    pub(crate) fn is_yes(&self, answer: Answer) -> bool {
        self.slots[answer.index()] == 1
    }
}

impl<S: Storage, P: Shape> Model<S, P> {
    /// Evaluates a row, using `slots` and `indices` as scratch memory.
    pub(crate) fn raw_into<O: Observer>(
        &self,
        row: Row<'_>,
        slots: &mut [u16],
        indices: &mut [Line],
        raw: &mut [f64],
        observer: &mut O,
    ) {
        observer.row(&row);
        self.state(row, None, 0, slots, indices, observer);
        self.sum(slots, indices, raw, observer);
    }

    /// Adds up the trees' values of a row whose slots were found.
    fn sum<O: Observer>(
        &self,
        slots: &[u16],
        indices: &mut [Line],
        raw: &mut [f64],
        observer: &mut O,
    ) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.sum_avx2(slots, indices, raw, observer) };
        }
        self.trees
            .sum::<O, false>(self.shape, slots, indices, raw, observer);
        self.scale(raw);
    }

    /// [`Self::sum`], compiled for AVX2.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
    fn sum_avx2<O: Observer>(
        &self,
        slots: &[u16],
        indices: &mut [Line],
        raw: &mut [f64],
        observer: &mut O,
    ) {
        self.trees
            .sum::<O, true>(self.shape, slots, indices, raw, observer);
        self.scale(raw);
    }

    /// Finds the leaf indices of a row whose rows of bits are OR-ed.
    pub(crate) fn indices(
        &self,
        row: Row<'_>,
        slots: &mut [u16],
        indices: &mut [Line],
        observer: &mut impl Observer,
    ) {
        observer.row(&row);
        self.state(row, None, 0, slots, indices, observer);
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.put_together_avx2(slots, indices) };
        }
        self.trees.put_together(self.shape, slots, indices);
    }

    /// [`Trees::put_together`], compiled for AVX2.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
    fn put_together_avx2(&self, slots: &[u16], indices: &mut [Line]) {
        self.trees.put_together(self.shape, slots, indices);
    }

    /// Computes the raw values of several rows from their leaf indices, which follow each other. For models with one
    /// value per leaf.
    pub(crate) fn sum_together<const ROWS: usize>(&self, indices: &[Line], raw: &mut [f64; ROWS]) {
        self.trees.sum_together(self.shape, indices, raw);
        for raw in raw {
            self.scale(core::slice::from_mut(raw));
        }
    }

    /// Writes the raw values of a row to `raw`, and reports its leaves to `observer`. Slower than [`Self::raw_into`], but
    /// only the sum is compiled for the observer.
    pub(crate) fn raw_and_leaves(
        &self,
        row: Row<'_>,
        scratch: &mut Scratch,
        raw: &mut [f64],
        observer: &mut impl Observer,
    ) {
        let (slots, indices) = scratch.parts(self.shape);
        self.state(row, None, 0, slots, indices, &mut ());
        self.trees
            .sum::<_, false>(self.shape, slots, indices, raw, observer);
        self.scale(raw);
    }

    /// [`Self::find_slots`], compiled once for each observer, with AVX2 and without.
    pub(crate) fn state<O: Observer>(
        &self,
        row: Row<'_>,
        numbers: Option<&[(Group, Bin)]>,
        skipped: usize,
        slots: &mut [u16],
        indices: &mut [Line],
        observer: &mut O,
    ) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.state_avx2(row, numbers, skipped, slots, indices, observer) };
        }
        self.find_slots::<O, false>(row, numbers, skipped, slots, indices, observer);
    }

    /// [`Self::state`], compiled for AVX2.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
    fn state_avx2<O: Observer>(
        &self,
        row: Row<'_>,
        numbers: Option<&[(Group, Bin)]>,
        skipped: usize,
        slots: &mut [u16],
        indices: &mut [Line],
        observer: &mut O,
    ) {
        self.find_slots::<O, true>(row, numbers, skipped, slots, indices, observer);
    }
}

impl<S: Storage> Model<S, Dynamic> {
    /// Writes the raw values of a row to `raw`, and reports to `observer` what its evaluation meets.
    ///
    /// # Panics
    /// If the length of `raw` is not the model's dimension.
    pub fn raw_observed<O: Observer>(
        &self,
        row: Row<'_>,
        scratch: &mut Scratch,
        raw: &mut [f64],
        observer: &mut O,
    ) {
        let (slots, indices) = scratch.parts(self.shape);
        self.raw_into(row, slots, indices, raw, observer);
    }
}

impl<S: Storage, P: Shape> Model<S, P> {
    /// Computes `sum * scale + bias`.
    #[inline(always)]
    pub(crate) fn scale(&self, raw: &mut [f64]) {
        for (raw, bias) in raw.iter_mut().zip(&*self.bias) {
            *raw = *raw * self.scale + bias;
        }
    }

    /// Returns the raw values after every `period` of some trees, for a row whose leaves were collected: CatBoost's
    /// `staged_predict`. Every stage adds its own trees' values, scaled, to those of the stage before. The bias belongs to
    /// the first tree.
    ///
    /// # Panics
    /// If `trees` is out of the range of the model's trees, `period` is 0, or `leaves` are not those of one row.
    #[must_use]
    pub fn stages(
        &self,
        leaves: &impl AsRef<[u32]>,
        trees: Range<usize>,
        period: usize,
    ) -> Vec<Vec<f64>> {
        let (values, dimension) = (self.trees.values(), self.shape.dimension());
        let mut stages: Vec<Vec<f64>> = Vec::new();
        let starts = trees.clone().step_by(period);
        for (start, leaves) in starts.zip(leaves.as_ref()[trees].chunks(period)) {
            let mut stage = vec![0.0; dimension];
            for &leaf in leaves {
                let values = &values[leaf as usize * dimension..];
                for (sum, value) in stage.iter_mut().zip(values) {
                    *sum += value;
                }
            }
            for (sum, bias) in stage.iter_mut().zip(&*self.bias) {
                *sum *= self.scale;
                if start == 0 {
                    *sum += bias;
                }
            }
            if let Some(before) = stages.last() {
                for (sum, before) in stage.iter_mut().zip(before) {
                    *sum += before;
                }
            }
            stages.push(stage);
        }
        stages
    }

    /// Computes the state of a row: all slots that trees read. `numbers` are bins that are known already, to be added to
    /// those of their groups; `None` if the row's numbers are to be quantized. Skips the first `skipped` items of
    /// [`Model::answers`], whose slots it leaves as they are.
    #[inline(always)]
    fn find_slots<O: Observer, const AVX2: bool>(
        &self,
        row: Row<'_>,
        numbers: Option<&[(Group, Bin)]>,
        skipped: usize,
        slots: &mut [u16],
        indices: &mut [Line],
        observer: &mut O,
    ) {
        // Nothing stands between them.
        let (begin, end) = match &self.answers[..skipped] {
            [] => (0, 0),
            [first, ..] => (first.first.index(), self.answers[skipped - 1].end()),
        };
        slots[..begin].copy_from_slice(&self.initial[..begin]);
        slots[end..].copy_from_slice(&self.initial[end..]);
        self.trees.begin(indices);
        match numbers {
            None => bins::quantize::<S, AVX2>(&self.blocks, &self.wides, row.floats, slots),
            Some(numbers) => {
                for (group, Bin(bin)) in numbers {
                    slots[group.index()] += bin;
                }
            }
        }
        for one_hot in &*self.one_hots {
            slots[one_hot.group.index()] = one_hot.bin(row.cats);
        }
        for text in &*self.texts {
            text.quantize(row.texts, slots, indices, observer);
        }
        for embedding in &*self.embeddings {
            embedding.quantize(row.embeddings, slots);
        }
        self.digits.find(row.cats, slots);
        for cross in &*self.crosses {
            cross.quantize(row.cats, slots, observer);
        }
        for projection in &*self.projections {
            projection.quantize(row.cats, slots, observer);
        }
        for answers in self.answers.iter().skip(skipped) {
            answers.give(slots);
        }
    }
}

/// Returns true if the CPU has every feature that the fast path is compiled for.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("popcnt")
}

emit!(struct Model Model<Owned, Dynamic> {
    shape, scale, bias, blocks, wides, one_hots, digits, crosses, projections, texts, embeddings,
    answers, initial, trees,
});

#[cfg(test)]
mod tests;
