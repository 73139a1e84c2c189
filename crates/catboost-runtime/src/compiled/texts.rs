//! Texts → token ids → bins.

use smallvec::SmallVec;

use super::{
    Bm25, Keys, Letters, Line, NaiveBayes, Observer, Steps, letters::Codes, tokens, trees,
};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
    text,
};

/// Text feature with one tokenizer.
pub struct Text<S: Storage = Static> {
    /// Index into [`super::Row::texts`].
    pub text: u32,
    /// Cuts the text into tokens.
    pub tokenizer: text::Tokenizer<S::Text>,
    /// Fast path for texts whose tokens are single characters; `None` if the feature has none.
    pub letters: Option<Letters<S>>,
    /// Dictionaries, with the calcers of each.
    pub tokenized: S::Slice<Tokenized<S>>,
}

/// Text feature with one tokenizer and one dictionary.
pub struct Tokenized<S: Storage = Static> {
    /// Dictionary: tokens → ids.
    pub dictionary: text::Dictionary<Tokens<S>>,
    /// Ids of single characters, or [`Steps::NO_ID`]; `None` if ids depend on more than a token and the one before.
    pub by_letter: Option<Steps<u32, S>>,
    /// True if the words that this dictionary lacks are reported to observers. At most one dictionary per text feature
    /// does so.
    pub tells_unknown: bool,
    /// Slots or bits that the occurrence of each id sets.
    pub bag: BagOfWords<S>,
    /// Calcers of ids and their counts.
    pub calcers: S::Slice<Calcer<S>>,
}

/// Hash of a token, or of the inner ids of an n-gram → id.
pub struct Tokens<S: Storage = Static> {
    /// Seed of the hash.
    pub seed: u64,
    /// Hash → id.
    pub keys: Keys<S>,
}

impl<S: Storage> text::TokenTable for Tokens<S> {
    #[inline(always)]
    fn seed(&self) -> u64 {
        self.seed
    }

    #[inline(always)]
    fn find(&self, hash: u64) -> Option<u32> {
        self.keys.find(hash)
    }
}

/// Bags of words: the slots or bits that the occurrence of each token sets. They are 0 if the token does not occur.
pub struct BagOfWords<S: Storage = Static> {
    /// Token id of the first of `starts`.
    pub first: u32,
    /// Token `first + i` sets the items `starts[i]..starts[i + 1]` of `at` and `to`; other ids set nothing.
    pub starts: S::Slice<u32>,
    /// Target: index of a word of the trees' leaf indices, or of an answer if the trees are walked.
    pub at: S::Slice<u32>,
    /// Value: the word's bits, or 1.
    pub to: S::Slice<u32>,
}

/// Computes numbers from token ids and their counts.
pub enum Calcer<S: Storage = Static> {
    /// See [`crate::calcer`].
    NaiveBayes(NaiveBayes<S>),
    /// See [`crate::calcer`].
    Bm25(Bm25<S>),
}

/// Token ids of a text, on the stack unless there are many.
type Ids = SmallVec<[u32; 64]>;
/// Different ids, ascending, with the count of each.
type Counts = SmallVec<[(u32, u32); 64]>;
impl<S: Storage> Text<S> {
    #[inline(always)]
    pub(super) fn quantize<O: Observer>(
        &self,
        texts: &[&str],
        bins: &mut [u16],
        indices: &mut [Line],
        observer: &mut O,
    ) {
        let feature = self.text as usize;
        let text = texts[feature];
        let mut unknown = || observer.unknown_token(feature);
        let mut codes = Codes::new();
        let letters = self
            .letters
            .as_ref()
            .filter(|letters| letters.read(text, &mut codes));
        if let Some(letters) = letters {
            for code in codes.iter() {
                if code < letters.unknown {
                    unknown();
                }
            }
            letters.set(&codes, indices);
        }
        for tokenized in &*self.tokenized {
            if let (Some(_), Some(by_letter)) = (letters, &tokenized.by_letter) {
                let ids = by_letter.of(&codes).filter(|&id| id != Steps::NO_ID);
                if indices.is_empty() {
                    // Otherwise `letters.set` has set them.
                    tokenized.bag.set(ids.clone(), bins, indices);
                }
                tokenized.compute(ids, Some(&codes), bins);
                continue;
            }
            let mut ids = Ids::new();
            let unknown = || {
                if tokenized.tells_unknown {
                    unknown();
                }
            };
            let known = |id| ids.push(id);
            let (tokenizer, dictionary) = (&self.tokenizer, &tokenized.dictionary);
            tokens::for_each_id(text, tokenizer, dictionary, unknown, known);
            tokenized.bag.set(ids.iter().copied(), bins, indices);
            tokenized.compute(ids.iter().copied(), None, bins);
        }
    }
}

impl<S: Storage> Tokenized<S> {
    /// Computes the bins of the calcers. `codes` are the tokens' codes if they are letters.
    #[inline(always)]
    fn compute(
        &self,
        ids: impl Iterator<Item = u32> + Clone,
        codes: Option<&Codes>,
        bins: &mut [u16],
    ) {
        let mut counts = None;
        for calcer in &*self.calcers {
            if let Calcer::NaiveBayes(bayes) = calcer
                && bayes.set_undoubted(ids.clone(), codes, bins)
            {
                continue;
            }
            let counts = counts.get_or_insert_with(|| count(ids.clone()));
            match calcer {
                Calcer::NaiveBayes(bayes) => bayes.compute(counts, bins),
                Calcer::Bm25(bm25) => bm25.compute(counts, bins),
            }
        }
    }
}

/// Returns the different ids, ascending, with the count of each.
#[inline(always)]
fn count(ids: impl Iterator<Item = u32> + Clone) -> Counts {
    // Small ids are counted with bits and counters, so that no branch depends on their values.
    let mut present = 0_u64;
    let mut occurs = [0; u64::BITS as usize];
    for id in ids.clone() {
        let Some(occurs) = occurs.get_mut(id as usize) else {
            return sort_and_count(ids.collect());
        };
        *occurs += 1;
        present |= 1 << id;
    }
    let mut counts = Counts::new();
    while present != 0 {
        let id = present.trailing_zeros();
        counts.push((id, occurs[id as usize]));
        present &= present - 1;
    }
    counts
}

/// [`count`] for ids of any size.
#[inline(never)]
fn sort_and_count(mut ids: Ids) -> Counts {
    ids.sort_unstable();
    let runs = ids.chunk_by(u32::eq);
    runs.map(|run| (run[0], run.len() as u32)).collect()
}

impl<S: Storage> BagOfWords<S> {
    /// Sets the slots or bits of the ids.
    #[inline(always)]
    fn set(&self, ids: impl Iterator<Item = u32>, bins: &mut [u16], indices: &mut [Line]) {
        for (at, to) in ids.flat_map(|id| self.of(id)) {
            if indices.is_empty() {
                bins[at as usize] = to as u16;
            } else {
                trees::set(indices, at as usize, to);
            }
        }
    }

    #[inline(always)]
    fn of(&self, id: u32) -> impl Iterator<Item = (u32, u32)> {
        let id = id.wrapping_sub(self.first) as usize;
        let range = match self.starts.get(id..id.saturating_add(2)) {
            Some(&[from, to]) => from as usize..to as usize,
            _ => 0..0,
        };
        self.at[range.clone()]
            .iter()
            .copied()
            .zip(self.to[range].iter().copied())
    }
}

emit!(struct Text Text<Owned> { text, tokenizer, letters, tokenized });
emit!(struct Tokenized Tokenized<Owned> {
    dictionary, by_letter, tells_unknown, bag, calcers,
});
emit!(enum Dictionary text::Dictionary<Tokens<Owned>> {
    Words { words, end_of_sentence },
    Grams { order, skip_step, end_of_sentence, words, grams },
    Letters { order, end_of_word, grams },
});
emit!(struct Tokens Tokens<Owned> { seed, keys });
emit!(struct BagOfWords BagOfWords<Owned> { first, starts, at, to });
emit!(enum Calcer Calcer<Owned> { NaiveBayes(bayes), Bm25(bm25) });

#[cfg(test)]
impl Tokens {
    /// Builds a table of tokens and their ids.
    pub(super) fn of(tokens: &[(&str, u32)]) -> Self {
        let hash = |token: &str| crate::hash::murmur2_64a(token.as_bytes(), 3);
        let entries = tokens.iter().map(|&(token, id)| (hash(token), id));
        let entries: std::vec::Vec<_> = entries.collect();
        Self {
            seed: 3,
            keys: Keys::of(&entries),
        }
    }

    /// Builds a table of n-grams of inner ids and their ids.
    pub(super) fn of_grams(grams: &[(&[u32], u32)]) -> Self {
        let hash = |ids| crate::hash::murmur2_64a_ids(ids, 3);
        let entries = grams.iter().map(|&(ids, id)| (hash(ids), id));
        let entries: std::vec::Vec<_> = entries.collect();
        Self {
            seed: 3,
            keys: Keys::of(&entries),
        }
    }
}

#[cfg(test)]
mod tests;
