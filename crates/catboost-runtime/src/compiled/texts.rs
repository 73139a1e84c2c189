//! Texts → token ids → bins.

use smallvec::SmallVec;

use super::{Keys, Observer, bins::count_above, tokens, trees::Indices};
use crate::{calcer::softmax, math, text};

/// A text feature after one tokenizer and one dictionary.
#[derive(Debug)]
pub struct Text {
    /// Index into [`super::Row::texts`].
    pub text: u32,
    /// Cuts the text into tokens.
    pub tokenizer: text::Tokenizer<'static>,
    /// Turns tokens into ids.
    pub dictionary: text::Dictionary<Tokens>,
    /// What the dictionary says of the commonest tokens.
    pub common: Common,
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

/// The commonest tokens of short texts, looked up in a dictionary of words or of n-grams of words when it was compiled.
#[derive(Debug)]
pub struct Common {
    /// The id of every token that is one character of one or two bytes (below U+0800), by its code point, as far as the
    /// table goes; [`Common::NONE`] for what is no token. In a dictionary of n-grams it is the inner id.
    pub letters: &'static [u32],
    /// How many inner ids `pairs` is for.
    pub inner: u32,
    /// The id of every n-gram of two neighbours, at `first * inner + second`, or [`Common::NONE`]; empty if the dictionary
    /// has others, or too many inner ids.
    pub pairs: &'static [u32],
}

impl Common {
    /// No id.
    pub const NONE: u32 = u32::MAX;

    /// What the dictionary says of a word, if that is known here: its id, or that it has none.
    #[inline(always)]
    pub(super) fn find(&self, word: &[u8]) -> Option<Option<u32>> {
        let letter = match *word {
            [letter] => u32::from(letter),
            [first @ 0xC0..=0xFF, second] => {
                u32::from(first & 0x1F) << 6 | u32::from(second & 0x3F)
            }
            _ => return None,
        };
        let &id = self.letters.get(letter as usize)?;
        Some((id != Self::NONE).then_some(id))
    }

    /// The id of the n-gram of two inner ids.
    #[inline(always)]
    pub(super) fn pair(&self, first: u32, second: u32) -> Option<u32> {
        let id = self.pairs[(first * self.inner + second) as usize];
        (id != Self::NONE).then_some(id)
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
    /// The token id of the first row of `log_counts`.
    pub first: u32,
    /// ln(docs + class prior), one a class.
    pub log_priors: &'static [f64],
    /// ln(token prior + count): a row of classes a token id from `first` on; the last row is for every id that no class has.
    pub log_counts: &'static [f64],
    /// Whether a class lacks the token (1 or 0), in the same places.
    pub lacks: &'static [u8],
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
/// A number a class: on the stack unless there are many.
type Scores = SmallVec<[f64; 16]>;

impl Text {
    #[inline(always)]
    pub(super) fn quantize<const LINES: usize, O: Observer>(
        &self,
        texts: &[&str],
        bins: &mut [u16],
        indices: &mut Indices<LINES>,
        observer: &mut O,
    ) {
        let mut ids = Ids::new();
        let feature = self.text as usize;
        let unknown = || {
            if self.tells_unknown {
                observer.unknown_token(feature);
            }
        };
        tokens::for_each_id(
            texts[feature],
            &self.tokenizer,
            &self.dictionary,
            &self.common,
            unknown,
            |id| ids.push(id),
        );
        for &id in &ids {
            for (at, to) in self.bag.of(id) {
                if LINES > 0 {
                    indices.set(at as usize, to);
                } else {
                    bins[at as usize] = to as u16;
                }
            }
        }
        if self.calcers.is_empty() {
            return;
        }
        ids.sort_unstable();
        for calcer in self.calcers {
            let (scores, estimates) = match calcer {
                Calcer::NaiveBayes(bayes) => (bayes.probabilities(&ids), bayes.estimates),
                Calcer::Bm25(bm25) => (bm25.scores(&ids), bm25.estimates),
            };
            for estimate in estimates {
                let value = scores[estimate.class as usize] as f32;
                bins[estimate.group as usize] = count_above(value, estimate.borders);
            }
        }
    }
}

impl BagOfWords {
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
    /// The probability of each class. `ids` ascend.
    #[inline(always)]
    fn probabilities(&self, ids: &[u32]) -> Scores {
        if self.log_priors.len() == 2 {
            // By far the commonest, and faster if the compiler knows.
            let mut scores = [0.0; 2];
            self.put_probabilities(ids, &mut scores, &mut [0; 2]);
            return Scores::from_slice(&scores);
        }
        let classes = self.log_priors.len();
        let mut scores = Scores::from_elem(0.0, classes);
        let mut lacking = SmallVec::<[usize; 16]>::from_elem(0, classes);
        self.put_probabilities(ids, &mut scores, &mut lacking);
        scores
    }

    /// Writes the probability of each class into `scores`. `lacking` is room to count in, zero at first.
    #[inline(always)]
    fn put_probabilities(&self, ids: &[u32], scores: &mut [f64], lacking: &mut [usize]) {
        let classes = scores.len();
        scores.copy_from_slice(self.log_priors);
        for run in ids.chunk_by(u32::eq) {
            let count = run.len() as f64;
            let row = row_of(run[0].wrapping_sub(self.first), self.log_counts, classes);
            let log_counts = &self.log_counts[row..row + classes];
            let lacks = &self.lacks[row..row + classes];
            for class in 0..classes {
                scores[class] += count * log_counts[class];
                lacking[class] += usize::from(lacks[class]);
            }
        }
        let rows = self.log_totals.len() / classes;
        for class in 0..classes {
            let log_total = match lacking[class] {
                lacking if lacking < rows => self.log_totals[class * rows + lacking],
                lacking => math::ln(
                    (0..lacking).fold(self.totals[class], |total, _| total + self.token_prior),
                ),
            };
            scores[class] -= ids.len() as f64 * log_total;
        }
        softmax(scores);
    }
}

impl Bm25 {
    /// The score of each class. `ids` ascend.
    #[inline(always)]
    fn scores(&self, ids: &[u32]) -> Scores {
        let classes = self.classes as usize;
        let mut scores = Scores::from_elem(0.0, classes);
        for run in ids.chunk_by(u32::eq) {
            let row = row_of(run[0].wrapping_sub(self.first), self.shares, classes);
            for class in 0..classes {
                scores[class] += self.shares[row + class];
            }
        }
        scores
    }
}

/// Where a row begins in a table whose last row is that of every other id.
#[inline(always)]
fn row_of(row: u32, table: &[f64], classes: usize) -> usize {
    (row as usize)
        .saturating_mul(classes)
        .min(table.len() - classes)
}
