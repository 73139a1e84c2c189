//! A compiled model: tables laid out at build time, and the few loops that walk them.
//!
//! Evaluation has two steps, whatever the model:
//!
//! 1. **Bins.** Every *group* — a numeric feature, a one-hot feature, a CTR, an occurrence of a token — is in one of a
//!    few states, its *bin*. A numeric feature's bin is the number of its borders below the value. A split of a tree
//!    asks only which bins a group is in, so nothing else of the row is needed any more.
//! 2. **Leaves.** For oblivious trees a table has, for every bin of every group, which bits of all the trees' leaf
//!    indices it sets. OR-ing one row a group gives all the indices at once: the cost is a vector OR a group, not a load
//!    and a comparison a split. Where such a table would be too large, or would be mostly zeros since there are many groups
//!    of which a tree asks few, and for non-symmetric trees, the trees are walked ([`Trees`]). What splits ask is answered
//!    once each before ([`Answers`]), so that a walk only looks answers up. The table of a CTR has answers in place of bins
//!    then.
//!
//! What trees that are walked ask of CTRs is answered for all combinations of the same categorical features together
//! ([`Cross`]): the features' values are numbered, and the numbers name a cell, which has the answers for each outcome of
//! the combinations' splits. They were looked up for all known values when the model was compiled. Where a value is
//! unknown, and where there would be too many cells, each combination's hash itself is looked up ([`Projection`]): so the
//! answer is the hash's always.
//!
//! What can be computed from the model alone is in the tables: the value of a CTR for every key of the training data,
//! as a bin; the logarithms of naive Bayes, and what a token adds to its odds ([`Odds`]); the bits that a token sets. Groups
//! that are small are put together: numbers two by two, and the CTRs of a combination.
//!
//! `catboost-codegen` writes these types' values down: a change of what they hold or mean raises [`crate::LAYOUT`].
//!
//! Leaf values are added up in the order of the trees, in f64, from 0, as CatBoost does: floating-point addition is
//! not associative.

use alloc::vec::Vec;

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

/// A model, laid out. Whoever puts one together has seen to it that every index in it is right.
pub struct Model<S: Storage, P: Shape> {
    /// The sizes that evaluation depends on.
    pub shape: P,
    /// `raw = sum * scale + bias`.
    pub scale: f64,
    /// One a dimension.
    pub bias: S::Slice<f64>,
    /// Numeric features with few borders, eight at a time.
    pub blocks: S::Slice<Block<S>>,
    /// Numeric features with many borders.
    pub wides: S::Slice<Wide<S>>,
    /// Categorical features that are compared with single values.
    pub one_hots: S::Slice<OneHot<S>>,
    /// What crosses are looked up by.
    pub digits: Digits<S>,
    /// Combinations of categorical features that CTRs count by, looked up together.
    pub crosses: S::Slice<Cross<S>>,
    /// Those that are looked up one by one.
    pub projections: S::Slice<Projection<S>>,
    /// Text features.
    pub texts: S::Slice<Text<S>>,
    /// What is computed from embeddings.
    pub embeddings: S::Slice<Embedding<S>>,
    /// What the splits on each group ask; nothing unless the trees are walked.
    pub answers: S::Slice<Answers>,
    /// The slots of a row in which no token occurs; 0 for every group that is always computed. There is room for a whole
    /// [`Block`].
    pub initial: S::Slice<u16>,
    /// The trees.
    pub trees: Trees<S>,
}

/// A row: what a compiled model is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The numeric features in the order of the model's blocks, then of its wide features.
    pub floats: &'a [f32],
    /// [`crate::hash::cat_hash`] of the categorical features that the model uses.
    pub cats: &'a [u32],
    /// The text features that the model uses.
    pub texts: &'a [&'a str],
    /// The embedding features that the model uses, each as long as its dimension.
    pub embeddings: &'a [&'a [f32]],
}

/// Is told what an evaluation meets. `()` is told nothing and costs nothing.
pub trait Observer {
    /// The row, before anything is made of it.
    #[inline(always)]
    fn row(&mut self, _row: &Row<'_>) {}
    /// A categorical value (index into [`Row::cats`]) that the training data did not have. Known of the features that a
    /// CTR counts by on their own.
    #[inline(always)]
    fn unseen(&mut self, _cat: usize) {}
    /// A word of a text (index into [`Row::texts`]) that the dictionary with [`Tokenized::tells_unknown`] does not have.
    #[inline(always)]
    fn unknown_token(&mut self, _text: usize) {}
    /// A tree's leaf, counted over all the trees.
    #[inline(always)]
    fn leaf(&mut self, _leaf: usize) {}
}

impl Observer for () {}

impl<S: Storage, const DIMENSION: usize, const SLOTS: usize, const LINES: usize, const BITS: usize>
    Model<S, Const<DIMENSION, SLOTS, LINES, BITS>>
{
    /// The raw values of a row.
    #[inline]
    pub fn raw(&self, row: Row<'_>) -> [f64; DIMENSION] {
        self.raw_observed(row, &mut ())
    }

    /// The raw values of a row; `observer` is told what was met on the way.
    pub fn raw_observed<O: Observer>(&self, row: Row<'_>, observer: &mut O) -> [f64; DIMENSION] {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.raw_avx2(row, observer) };
        }
        self.raw_portable::<O, false>(row, observer)
    }

    /// [`Self::raw_portable`], compiled for AVX2. The same source, so the same bits: no floating-point operation in it
    /// may be fused or reordered.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
    fn raw_avx2<O: Observer>(&self, row: Row<'_>, observer: &mut O) -> [f64; DIMENSION] {
        self.raw_portable::<O, true>(row, observer)
    }

    /// `AVX2` is whether the processor has it.
    #[inline(always)]
    fn raw_portable<O: Observer, const AVX2: bool>(
        &self,
        row: Row<'_>,
        observer: &mut O,
    ) -> [f64; DIMENSION] {
        let (mut slots, mut indices) = ([0; SLOTS], [Line([0; 16]); LINES]);
        let mut raw = [0.0; DIMENSION];
        self.evaluate::<O, AVX2>(row, &mut slots, &mut indices, &mut raw, observer);
        raw
    }
}

/// Memory that rows are evaluated in, kept from row to row, of any models whose sizes are known only once they are loaded.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    slots: Vec<u16>,
    indices: Vec<Line>,
}

impl<S: Storage, P: Shape> Model<S, P> {
    /// Evaluates a row in `slots` and `indices`, whatever is in them.
    pub(crate) fn raw_into<O: Observer>(
        &self,
        row: Row<'_>,
        slots: &mut [u16],
        indices: &mut [Line],
        raw: &mut [f64],
        observer: &mut O,
    ) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.evaluate_avx2(row, slots, indices, raw, observer) };
        }
        self.evaluate::<O, false>(row, slots, indices, raw, observer);
    }

    /// [`Self::evaluate`], compiled for AVX2.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
    fn evaluate_avx2<O: Observer>(
        &self,
        row: Row<'_>,
        slots: &mut [u16],
        indices: &mut [Line],
        raw: &mut [f64],
        observer: &mut O,
    ) {
        self.evaluate::<O, true>(row, slots, indices, raw, observer);
    }

    /// [`Self::find_slots`], which nobody observes.
    pub(crate) fn state(
        &self,
        row: Row<'_>,
        numbers_are_asked: bool,
        skipped: usize,
        slots: &mut [u16],
        indices: &mut [Line],
    ) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if has_avx2() {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.state_avx2(row, numbers_are_asked, skipped, slots, indices) };
        }
        self.find_slots::<(), false>(row, numbers_are_asked, skipped, slots, indices, &mut ());
    }

    /// [`Self::state`], compiled for AVX2.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
    fn state_avx2(
        &self,
        row: Row<'_>,
        numbers_are_asked: bool,
        skipped: usize,
        slots: &mut [u16],
        indices: &mut [Line],
    ) {
        self.find_slots::<(), true>(row, numbers_are_asked, skipped, slots, indices, &mut ());
    }
}

impl<S: Storage> Model<S, Dynamic> {
    /// Puts in `raw` the raw values of a row; `observer` is told what was met on the way.
    ///
    /// # Panics
    /// If `raw` is not as long as the model has raw values.
    pub fn raw_observed<O: Observer>(
        &self,
        row: Row<'_>,
        scratch: &mut Scratch,
        raw: &mut [f64],
        observer: &mut O,
    ) {
        let Scratch { slots, indices } = scratch;
        slots.resize(self.shape.slots(), 0);
        indices.resize(self.shape.lines(), Line([0; 16]));
        self.raw_into(row, slots, indices, raw, observer);
    }
}

impl<S: Storage, P: Shape> Model<S, P> {
    /// Evaluates a row in `slots` and `indices`, whatever is in them. `AVX2` is whether the processor has it.
    #[inline(always)]
    fn evaluate<O: Observer, const AVX2: bool>(
        &self,
        row: Row<'_>,
        slots: &mut [u16],
        indices: &mut [Line],
        raw: &mut [f64],
        observer: &mut O,
    ) {
        observer.row(&row);
        self.find_slots::<O, AVX2>(row, true, 0, slots, indices, observer);
        self.trees.sum(self.shape, slots, indices, raw, observer);
        self.scale(raw);
    }

    /// `sum * scale + bias`.
    #[inline(always)]
    pub(crate) fn scale(&self, raw: &mut [f64]) {
        for (raw, bias) in raw.iter_mut().zip(&*self.bias) {
            *raw = *raw * self.scale + bias;
        }
    }

    /// Finds the state of a row: all that trees ask of, but for numbers if they are not `asked`. The first answers are
    /// `skipped`.
    #[inline(always)]
    fn find_slots<O: Observer, const AVX2: bool>(
        &self,
        row: Row<'_>,
        numbers_are_asked: bool,
        skipped: usize,
        slots: &mut [u16],
        indices: &mut [Line],
        observer: &mut O,
    ) {
        slots.copy_from_slice(&self.initial);
        self.trees.begin(indices);
        if numbers_are_asked {
            bins::quantize::<S, AVX2>(&self.blocks, &self.wides, row.floats, slots);
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

/// Whether the processor has what the fast path is compiled for.
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
