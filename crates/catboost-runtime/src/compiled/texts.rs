//! Texts → token ids → bins.

use smallvec::SmallVec;

use super::{
    Keys, Letters, Observer, Steps, bins::count_above, letters::Codes, tokens, trees::Indices,
};
use crate::{
    calcer::{softmax, softmax_of_two},
    math, text,
};

/// A text feature after one tokenizer.
#[derive(Debug)]
pub struct Text<const LINES: usize> {
    /// Index into [`super::Row::texts`].
    pub text: u32,
    /// Cuts the text into tokens.
    pub tokenizer: text::Tokenizer<'static>,
    /// What is known of texts whose tokens are single characters; `None` if it is nothing.
    pub letters: Option<Letters<LINES>>,
    /// What is made of the tokens.
    pub tokenized: &'static [Tokenized],
}

/// A text feature after one tokenizer and one dictionary.
#[derive(Debug)]
pub struct Tokenized {
    /// Turns tokens into ids.
    pub dictionary: text::Dictionary<Tokens>,
    /// The same for single characters, or [`Steps::NO_ID`]; `None` if ids depend on more than a token and the one before.
    pub by_letter: Option<Steps<u32>>,
    /// Whether observers are told of the words that the dictionary lacks: one dictionary a text feature does.
    pub tells_unknown: bool,
    /// What the occurrence of each id sets.
    pub bag: BagOfWords,
    /// What is computed from ids and their counts.
    pub calcers: &'static [Calcer],
}

/// Hash of a token, or of the inner ids of an n-gram → id.
#[derive(Debug)]
pub struct Tokens {
    /// Of the hash.
    pub seed: u64,
    /// Hash → id.
    pub keys: Keys,
}

impl text::TokenTable for Tokens {
    #[inline(always)]
    fn seed(&self) -> u64 {
        self.seed
    }

    #[inline(always)]
    fn find(&self, hash: u64) -> Option<u32> {
        self.keys.find(hash)
    }
}

/// What the occurrence of a token sets: each number that is 1 where the token occurs, and 0 elsewhere.
#[derive(Debug)]
pub struct BagOfWords {
    /// The token id that the first of `starts` belongs to.
    pub first: u32,
    /// Token `first + i` sets `starts[i]..starts[i + 1]` of what follows; other ids set nothing.
    pub starts: &'static [u32],
    /// What is set: a word of the trees' leaf indices, or a group if the trees are walked.
    pub at: &'static [u32],
    /// To what: the word's bits, or the group's bin.
    pub to: &'static [u64],
}

/// Computes numbers from token ids and their counts.
#[derive(Debug)]
pub enum Calcer {
    /// See [`crate::calcer`].
    NaiveBayes(NaiveBayes),
    /// See [`crate::calcer`].
    Bm25(Bm25),
}

/// A multinomial naive Bayes with its logarithms taken.
#[derive(Debug)]
pub struct NaiveBayes {
    /// ln(docs + class prior), one a class.
    pub log_priors: &'static [f64],
    /// The token id of the first row of `rows`.
    pub first: u32,
    /// A row a token id from `first` on, the last for every id that no class has: ln(token prior + count), one a class;
    /// then 1 if the class lacks the token, or 0, one a class.
    pub rows: &'static [f64],
    /// ln of the class's total if it lacks 0, 1, … of the text's tokens: a row a class.
    pub log_totals: &'static [f64],
    /// The class's total if it lacks none, from which a total beyond the rows above is computed.
    pub totals: &'static [f64],
    /// What each lacking token adds to the total.
    pub token_prior: f64,
    /// The numbers that the model compares with borders.
    pub estimates: &'static [Estimate],
}

/// BM25 with each token's share in each class's score computed.
#[derive(Debug)]
pub struct Bm25 {
    /// The token id of the first row of `shares`.
    pub first: u32,
    /// How many classes.
    pub classes: u32,
    /// A row of classes a token id from `first` on; the last row is for every id that no class has.
    pub shares: &'static [f64],
    /// The numbers that the model compares with borders.
    pub estimates: &'static [Estimate],
}

/// A calcer's number that the model compares with borders.
#[derive(Debug)]
pub struct Estimate {
    /// Which class's.
    pub class: u32,
    /// Ascending.
    pub borders: &'static [f32],
    /// Its group.
    pub group: u32,
}

/// Token ids of a text: on the stack unless there are many.
type Ids = SmallVec<[u32; 64]>;
/// Numbers by class: on the stack unless there are many.
type ByClass = SmallVec<[f64; 16]>;

impl<const LINES: usize> Text<LINES> {
    #[inline(always)]
    pub(super) fn quantize<O: Observer>(
        &self,
        texts: &[&str],
        bins: &mut [u16],
        indices: &mut Indices<LINES>,
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
        for tokenized in self.tokenized {
            if let (Some(_), Some(by_letter)) = (letters, &tokenized.by_letter) {
                let ids = by_letter.of(&codes).filter(|&id| id != Steps::NO_ID);
                if LINES == 0 {
                    // Else `set` has set what they set.
                    tokenized.bag.set(ids.clone(), bins, indices);
                }
                tokenized.compute(ids, bins);
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
            tokenized.compute(ids.iter().copied(), bins);
        }
    }
}

impl Tokenized {
    /// The bins of what is computed from ids.
    #[inline(always)]
    fn compute(&self, ids: impl Iterator<Item = u32> + Clone, bins: &mut [u16]) {
        for calcer in self.calcers {
            match calcer {
                Calcer::NaiveBayes(bayes) => bayes.compute(ids.clone(), bins),
                Calcer::Bm25(bm25) => bm25.compute(ids.clone(), bins),
            }
        }
    }
}

/// Calls `count` with each different id, ascending, and how often it occurs.
#[inline(always)]
fn for_each_count(ids: impl Iterator<Item = u32> + Clone, mut count: impl FnMut(u32, u32)) {
    // Small ids are counted by bits and counters: no branch depends on which they are.
    let mut present = 0_u64;
    let mut occurs = [0; u64::BITS as usize];
    for id in ids.clone() {
        let Some(occurs) = occurs.get_mut(id as usize) else {
            let mut ids: Ids = ids.collect();
            ids.sort_unstable();
            for run in ids.chunk_by(u32::eq) {
                count(run[0], run.len() as u32);
            }
            return;
        };
        *occurs += 1;
        present |= 1 << id;
    }
    while present != 0 {
        let id = present.trailing_zeros();
        count(id, occurs[id as usize]);
        present &= present - 1;
    }
}

/// Sets the bins of a calcer's numbers.
#[inline(always)]
fn set_bins(estimates: &[Estimate], numbers: &[f64], bins: &mut [u16]) {
    for estimate in estimates {
        let number = numbers[estimate.class as usize] as f32;
        bins[estimate.group as usize] = count_above(number, estimate.borders);
    }
}

impl BagOfWords {
    /// Sets what the ids set.
    #[inline(always)]
    fn set<const LINES: usize>(
        &self,
        ids: impl Iterator<Item = u32>,
        bins: &mut [u16],
        indices: &mut Indices<LINES>,
    ) {
        for (at, to) in ids.flat_map(|id| self.of(id)) {
            if LINES > 0 {
                indices.set(at as usize, to);
            } else {
                bins[at as usize] = to as u16;
            }
        }
    }

    #[inline(always)]
    fn of(&self, id: u32) -> impl Iterator<Item = (u32, u64)> {
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

impl NaiveBayes {
    #[inline(always)]
    fn compute(&self, ids: impl Iterator<Item = u32> + Clone, bins: &mut [u16]) {
        if let &[first, second] = self.log_priors {
            // By far the commonest, and faster if the compiler knows.
            let mut scores = [first, second];
            self.add_logarithms(ids, &mut scores, &mut [0.0; 2]);
            set_bins(self.estimates, &softmax_of_two(scores), bins);
            return;
        }
        let mut scores = ByClass::from_slice(self.log_priors);
        let mut lacking = ByClass::from_elem(0.0, scores.len());
        self.add_logarithms(ids, &mut scores, &mut lacking);
        softmax(&mut scores);
        set_bins(self.estimates, &scores, bins);
    }

    /// Makes logarithms of the classes' unnormalized probabilities of their logarithms before any token is seen. `lacking`
    /// is room to count in, zero at first.
    #[inline(always)]
    fn add_logarithms(
        &self,
        ids: impl Iterator<Item = u32> + Clone,
        scores: &mut [f64],
        lacking: &mut [f64],
    ) {
        let classes = scores.len();
        let mut length = 0;
        for_each_count(ids, |id, count| {
            length += count;
            let row = row_of(id.wrapping_sub(self.first), self.rows, 2 * classes);
            for class in 0..classes {
                scores[class] += f64::from(count) * row[class];
                lacking[class] += row[classes + class];
            }
        });
        let rows = self.log_totals.len() / classes;
        for class in 0..classes {
            let lacking = lacking[class] as usize;
            let log_total = if lacking < rows {
                self.log_totals[class * rows + lacking]
            } else {
                self.log_total(class, lacking)
            };
            scores[class] -= f64::from(length) * log_total;
        }
    }

    /// The logarithm of a class's total if it lacks more tokens than the table is for.
    #[cold]
    fn log_total(&self, class: usize, lacking: usize) -> f64 {
        math::ln((0..lacking).fold(self.totals[class], |total, _| total + self.token_prior))
    }
}

impl Bm25 {
    #[inline(always)]
    fn compute(&self, ids: impl Iterator<Item = u32> + Clone, bins: &mut [u16]) {
        let classes = self.classes as usize;
        let mut scores = ByClass::from_elem(0.0, classes);
        for_each_count(ids, |id, _| {
            let row = row_of(id.wrapping_sub(self.first), self.shares, classes);
            for (score, share) in scores.iter_mut().zip(row) {
                *score += share;
            }
        });
        set_bins(self.estimates, &scores, bins);
    }
}

/// A row of a table whose last row is that of every other id.
#[inline(always)]
fn row_of(row: u32, table: &[f64], len: usize) -> &[f64] {
    let first = (row as usize).saturating_mul(len).min(table.len() - len);
    &table[first..first + len]
}

#[cfg(test)]
impl Tokens {
    /// These tokens, and what each stands for.
    pub(super) fn of(tokens: &[(&str, u32)]) -> Self {
        let hash = |token: &str| crate::hash::murmur2_64a(token.as_bytes(), 3);
        let entries = tokens.iter().map(|&(token, id)| (hash(token), id));
        let entries: std::vec::Vec<_> = entries.collect();
        Self {
            seed: 3,
            keys: Keys::of(&entries),
        }
    }

    /// These n-grams of inner ids, and what each stands for.
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
