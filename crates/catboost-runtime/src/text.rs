//! From a text to token ids: cutting it into tokens, looking them up in a dictionary, counting.

use alloc::vec::Vec;
use core::{ops::Range, str};

use crate::{
    hash::{murmur2_64a, murmur2_64a_ids},
    lowercase,
};

/// How a text is cut into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenizer<'a> {
    /// What tokens are separated by.
    pub delimiter: &'a str,
    /// Whether any one byte of `delimiter` (up to its first NUL) separates, rather than all of it.
    pub split_by_set: bool,
    /// Whether empty tokens are dropped.
    pub skip_empty: bool,
    /// Whether tokens are put in lower case.
    pub lowercasing: bool,
    /// What becomes of tokens that are numbers: that are not empty, and all of whose bytes are ASCII digits.
    pub numbers: NumberPolicy<'a>,
}

/// What becomes of tokens that are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberPolicy<'a> {
    /// They are dropped.
    Skip,
    /// They stay.
    LeaveAsIs,
    /// This token takes their place.
    Replace(&'a str),
}

impl Tokenizer<'_> {
    /// Replaces what is in `tokens` by the tokens of `text`, in order.
    ///
    /// A text that is empty, or that a delimiter ends, has an empty token at its end; an empty delimiter makes one empty
    /// token of any text. A set of delimiters may cut a letter into bytes that are no UTF-8: CatBoost refuses to put these
    /// in lower case, here they stay as they are.
    pub fn tokenize(&self, text: &str, tokens: &mut Tokens) {
        tokens.clear();
        let bytes = text.as_bytes();
        if self.split_by_set {
            let set = self.delimiter.as_bytes();
            let end = set.iter().position(|&b| b == 0).unwrap_or(set.len());
            let set = &set[..end];
            for token in bytes.split(|b| set.contains(b)) {
                self.push(token, tokens);
            }
        } else if let [delimiter] = self.delimiter.as_bytes() {
            for token in bytes.split(|b| b == delimiter) {
                self.push(token, tokens);
            }
        } else if self.delimiter.is_empty() {
            self.push(&[], tokens);
        } else {
            for token in text.split(self.delimiter) {
                self.push(token.as_bytes(), tokens);
            }
        }
    }

    #[inline]
    fn push(&self, token: &[u8], tokens: &mut Tokens) {
        if self.skip_empty && token.is_empty() {
            return;
        }
        match self.numbers {
            NumberPolicy::Skip if is_number(token) => {}
            NumberPolicy::Replace(number) if is_number(token) => tokens.push(number.as_bytes()),
            _ if self.lowercasing => match str::from_utf8(token) {
                Ok(word) => tokens.push_lowercase(word),
                Err(_) => tokens.push(token),
            },
            _ => tokens.push(token),
        }
    }
}

/// Whether CatBoost takes a token for a number. (Lower case makes no number of anything, so it may be asked before.)
fn is_number(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(u8::is_ascii_digit)
}

/// The tokens of a text, in one buffer that is kept from text to text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    bytes: Vec<u8>,
    /// Where each token ends; the next one begins there.
    ends: Vec<usize>,
}

impl Tokens {
    /// No tokens, and no memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// The tokens in order: UTF-8, unless a set of delimiters cut a letter.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let token = &self.bytes[start..end];
            start = end;
            token
        })
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    #[inline]
    fn push(&mut self, token: &[u8]) {
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len());
    }

    fn push_lowercase(&mut self, token: &str) {
        let mut buffer = [0; 4];
        for letter in token.chars() {
            let lower = lowercase::of(letter).encode_utf8(&mut buffer);
            self.bytes.extend_from_slice(lower.as_bytes());
        }
        self.ends.push(self.bytes.len());
    }
}

/// A hash table of tokens or n-grams, however it is laid out.
pub trait TokenTable {
    /// The seed of [`murmur2_64a`].
    fn seed(&self) -> u64;
    /// The id at this hash.
    fn find(&self, hash: u64) -> Option<u32>;
}

impl<T: TokenTable + ?Sized> TokenTable for &T {
    fn seed(&self) -> u64 {
        (**self).seed()
    }
    fn find(&self, hash: u64) -> Option<u32> {
        (**self).find(hash)
    }
}

/// How tokens become ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dictionary<T> {
    /// Single words.
    Words {
        /// Hash of the word's bytes → id.
        words: T,
        /// Given out once after every text, if the end of a text is a token.
        end_of_sentence: Option<u32>,
    },
    /// `order` words, each `skip_step + 1` after the one before.
    Grams {
        /// At least 2.
        order: u32,
        /// 0 for neighbours.
        skip_step: u32,
        /// Whether the end of a text is a word (the empty one).
        end_of_sentence: bool,
        /// Hash of the word's bytes → inner id.
        words: T,
        /// Hash of the inner ids → id.
        grams: T,
    },
    /// `order` letters of one word.
    Letters {
        /// 1 for single letters.
        order: u32,
        /// Whether the end of a word is a letter (a blank).
        end_of_word: bool,
        /// Hash of the letters' bytes → id.
        grams: T,
    },
}

/// The longest n-gram of words that CatBoost can read from a model.
pub const MAX_GRAM_ORDER: u32 = 5;

/// The inner id of a word that no n-gram has.
const UNKNOWN: u32 = u32::MAX;

/// Memory that [`Dictionary::apply`] works in, kept from text to text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scratch {
    inner_ids: Vec<u32>,
    letters: Vec<usize>,
    word: Vec<u8>,
}

impl Scratch {
    /// No memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            inner_ids: Vec::new(),
            letters: Vec::new(),
            word: Vec::new(),
        }
    }
}

impl<T: TokenTable> Dictionary<T> {
    /// Replaces what is in `ids` by the ids of `tokens`, in no order that matters. Unknown ones are dropped.
    pub fn apply(&self, tokens: &Tokens, scratch: &mut Scratch, ids: &mut Vec<u32>) {
        ids.clear();
        match self {
            Self::Words {
                words,
                end_of_sentence,
            } => {
                ids.extend(tokens.iter().filter_map(|token| look_up(words, token)));
                ids.extend(*end_of_sentence);
            }
            Self::Grams {
                order,
                skip_step,
                end_of_sentence,
                words,
                grams,
            } => {
                let inner = &mut scratch.inner_ids;
                inner.clear();
                let end = end_of_sentence.then_some(&[][..]);
                inner.extend(
                    tokens
                        .iter()
                        .chain(end)
                        .map(|token| look_up(words, token).unwrap_or(UNKNOWN)),
                );
                word_grams(inner, *order as usize, *skip_step as usize, grams, ids);
            }
            Self::Letters {
                order,
                end_of_word,
                grams,
            } => {
                for token in tokens.iter() {
                    letter_grams(token, *order as usize, *end_of_word, grams, scratch, ids);
                }
            }
        }
    }
}

#[inline]
fn look_up(table: &impl TokenTable, token: &[u8]) -> Option<u32> {
    table.find(murmur2_64a(token, table.seed()))
}

fn word_grams(
    inner: &[u32],
    order: usize,
    skip_step: usize,
    grams: &impl TokenTable,
    ids: &mut Vec<u32>,
) {
    debug_assert!(order <= MAX_GRAM_ORDER as usize);
    let mut key = [0; MAX_GRAM_ORDER as usize];
    let key = &mut key[..order];
    let span = (order - 1).saturating_mul(skip_step.saturating_add(1));
    for first in 0..inner.len().saturating_sub(span) {
        for (nth, id) in key.iter_mut().enumerate() {
            *id = inner[first + nth * (skip_step + 1)];
        }
        if !key.contains(&UNKNOWN) {
            ids.extend(grams.find(murmur2_64a_ids(key, grams.seed())));
        }
    }
}

/// The n-grams of a word's letters: its first `order - 1` letters, every `order` neighbours, and, if the end of a word is a
/// letter, its last `order - 1` letters with a blank after them.
fn letter_grams(
    word: &[u8],
    order: usize,
    end_of_word: bool,
    grams: &impl TokenTable,
    scratch: &mut Scratch,
    ids: &mut Vec<u32>,
) {
    // CatBoost passes over words that are no UTF-8.
    let Ok(text) = str::from_utf8(word) else {
        return;
    };
    let starts = &mut scratch.letters;
    starts.clear();
    starts.extend(text.char_indices().map(|(at, _)| at));
    starts.push(word.len());
    let letters = starts.len() - 1;

    let mut visit = |bytes: &[u8]| ids.extend(look_up(grams, bytes));
    let gram = |range: Range<usize>| &word[starts[range.start]..starts[range.end]];
    if order <= letters + 1 {
        visit(gram(0..order - 1));
    }
    for first in 0..(letters + 1).saturating_sub(order) {
        visit(gram(first..first + order));
    }
    if end_of_word && order <= letters + 2 {
        let first = (letters + 1).saturating_sub(order);
        scratch.word.clear();
        scratch.word.extend_from_slice(gram(first..letters));
        scratch.word.push(b' ');
        visit(&scratch.word);
    }
}

/// Replaces what is in `text` by the different `ids`, ascending, each with how often it occurs. Sorts `ids`.
pub fn count(ids: &mut [u32], text: &mut Vec<(u32, u32)>) {
    ids.sort_unstable();
    text.clear();
    text.extend(
        ids.chunk_by(|a, b| a == b)
            .map(|same| (same[0], same.len() as u32)),
    );
}
