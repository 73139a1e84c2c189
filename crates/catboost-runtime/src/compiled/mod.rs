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

mod answers;
mod bayes;
mod bins;
mod categories;
mod crosses;
mod embeddings;
mod keys;
mod letters;
mod texts;
mod tokens;
mod trees;

pub use answers::{Answers, Asked};
pub use bayes::{Limits, NaiveBayes, Odds};
pub use bins::{Block, Condition, LANES, Wide, count_above};
pub use categories::{OneHot, Projection};
pub use crosses::{Cross, Digits, Masks, Numbered, Select};
pub use embeddings::{Embedding, EmbeddingCalcer};
pub use keys::Keys;
pub use letters::{Letters, Steps};
pub use texts::{BagOfWords, Bm25, Calcer, Estimate, Text, Tokenized, Tokens};
pub use trees::Trees;

/// 64 bytes of the trees' leaf indices: one cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Line(pub [u32; 16]);

/// A compiled model. `catboost-codegen` writes one as a `static`; every index in it was checked when it was written.
///
/// `DIMENSION` is the number of raw values a row, `GROUPS` the number of bins: one a group, with room for a whole [`Block`],
/// and what else has its place among them. `LINES` is the number of [`Line`]s that the leaf indices take (0 if the trees are
/// walked), `BITS` how many bits of them each takes.
#[derive(Debug)]
pub struct Model<const DIMENSION: usize, const GROUPS: usize, const LINES: usize, const BITS: usize>
{
    /// `raw = sum * scale + bias`.
    pub scale: f64,
    /// One a dimension.
    pub bias: [f64; DIMENSION],
    /// Numeric features with few borders, eight at a time.
    pub blocks: &'static [Block],
    /// Numeric features with many borders.
    pub wides: &'static [Wide],
    /// Categorical features that are compared with single values.
    pub one_hots: &'static [OneHot],
    /// What crosses are looked up by.
    pub digits: Digits,
    /// Combinations of categorical features that CTRs count by, looked up together.
    pub crosses: &'static [Cross],
    /// Those that are looked up one by one.
    pub projections: &'static [Projection],
    /// Text features.
    pub texts: &'static [Text<LINES>],
    /// What is computed from embeddings.
    pub embeddings: &'static [Embedding],
    /// What the splits on each group ask; nothing unless the trees are walked.
    pub answers: &'static [Answers],
    /// The bins of a row in which no token occurs; 0 for every group that is always computed. Digits and answers have their
    /// places among them, too.
    pub initial: [u16; GROUPS],
    /// The trees.
    pub trees: Trees<LINES, BITS>,
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

impl<const DIMENSION: usize, const GROUPS: usize, const LINES: usize, const BITS: usize>
    Model<DIMENSION, GROUPS, LINES, BITS>
{
    /// The raw values of a row.
    #[inline]
    pub fn raw(&self, row: Row<'_>) -> [f64; DIMENSION] {
        self.raw_observed(row, &mut ())
    }

    /// The raw values of a row; `observer` is told what was met on the way.
    pub fn raw_observed<O: Observer>(&self, row: Row<'_>, observer: &mut O) -> [f64; DIMENSION] {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("popcnt")
        {
            // SAFETY: the CPU has all five features that the function is compiled for.
            return unsafe { self.raw_avx2(row, observer) };
        }
        self.raw_portable::<O, false>(row, observer)
    }

    /// [`Self::raw_portable`], compiled for AVX2. The same source, so the same bits: no floating-point operation in it
    /// is reordered or fused by the compiler.
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
        observer.row(&row);
        let mut bins = self.initial;
        let mut present = self.trees.initial();
        bins::quantize::<AVX2>(self.blocks, self.wides, row.floats, &mut bins);
        for one_hot in self.one_hots {
            bins[one_hot.group as usize] = one_hot.bin(row.cats);
        }
        for text in self.texts {
            text.quantize(row.texts, &mut bins, &mut present, observer);
        }
        for embedding in self.embeddings {
            embedding.quantize(row.embeddings, &mut bins);
        }
        self.digits.find(row.cats, &mut bins);
        for cross in self.crosses {
            cross.quantize(row.cats, &mut bins, observer);
        }
        for projection in self.projections {
            projection.quantize(row.cats, &mut bins, observer);
        }
        for answers in self.answers {
            answers.give(&mut bins);
        }
        let mut raw: [f64; DIMENSION] = self.trees.sum(&bins, present, observer);
        for (raw, bias) in raw.iter_mut().zip(self.bias) {
            *raw = *raw * self.scale + bias;
        }
        raw
    }
}

#[cfg(test)]
mod tests;
