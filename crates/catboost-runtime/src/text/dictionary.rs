//! Dictionaries: tokens → token ids.

use alloc::vec::Vec;
use core::{ops::Range, str};

use super::Tokens;
use crate::hash::{murmur2_64a, murmur2_64a_ids};

/// Hash table of tokens or n-grams, in any layout.
pub trait TokenTable {
    /// Seed of [`murmur2_64a`].
    fn seed(&self) -> u64;
    /// Id of the entry with this hash.
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

/// Mapping from tokens to ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dictionary<T> {
    /// Single words.
    Words {
        /// Hash of the word's bytes → id.
        words: T,
        /// Id that every text gets once, if the end of a text is a token.
        end_of_sentence: Option<u32>,
    },
    /// N-grams of `order` words, each `skip_step + 1` words after the previous one.
    Grams {
        /// At least 2.
        order: u32,
        /// 0 for adjacent words.
        skip_step: u32,
        /// True if the end of a text is a word (the empty one).
        end_of_sentence: bool,
        /// Hash of the word's bytes → inner id.
        words: T,
        /// Hash of the inner ids → id.
        grams: T,
    },
    /// N-grams of `order` letters within a word.
    Letters {
        /// 1 for single letters.
        order: u32,
        /// True if the end of a word is a letter (a blank).
        end_of_word: bool,
        /// Hash of the letters' bytes → id.
        grams: T,
    },
}

/// Longest n-gram of words that CatBoost can read from a model.
pub const MAX_GRAM_ORDER: u32 = 5;

/// Inner id of a word that no n-gram has.
const UNKNOWN: u32 = u32::MAX;

/// Scratch memory of [`Dictionary::apply`], reused from text to text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scratch {
    inner_ids: Vec<u32>,
    letters: Vec<usize>,
    word: Vec<u8>,
}

impl Scratch {
    /// Creates empty scratch memory.
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
    /// Replaces the contents of `ids` by the ids of `tokens`, in unspecified order. Unknown tokens are dropped.
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

/// N-grams of a word's letters: its first `order - 1` letters, every `order` adjacent letters, and, if the end of a
/// word is a letter, its last `order - 1` letters followed by a blank.
fn letter_grams(
    word: &[u8],
    order: usize,
    end_of_word: bool,
    grams: &impl TokenTable,
    scratch: &mut Scratch,
    ids: &mut Vec<u32>,
) {
    // CatBoost skips words that are not UTF-8.
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

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, vec};

    use super::*;
    use crate::text::{NumberPolicy, Tokenizer};

    struct Table(HashMap<u64, u32>);

    impl TokenTable for Table {
        fn seed(&self) -> u64 {
            3
        }
        fn find(&self, hash: u64) -> Option<u32> {
            self.0.get(&hash).copied()
        }
    }

    /// Token `i` has the id `i`.
    fn table(tokens: &[&str]) -> Table {
        Table(
            (0..)
                .zip(tokens)
                .map(|(id, token)| (murmur2_64a(token.as_bytes(), 3), id))
                .collect(),
        )
    }

    /// N-grams of `words`; n-gram `i` has the id `first + i`.
    fn grams(words: &[&str], first: u32, grams: &[&[&str]]) -> (Table, Table) {
        let inner = |word: &&str| words.iter().position(|w| w == word).expect("a word") as u32;
        let hashes = grams.iter().map(|gram| {
            let ids: Vec<u32> = gram.iter().map(inner).collect();
            murmur2_64a_ids(&ids, 3)
        });
        (table(words), Table(hashes.zip(first..).collect()))
    }

    #[track_caller]
    fn check(dictionary: &Dictionary<Table>, text: &str, expected: &[u32]) {
        let tokenizer = Tokenizer {
            delimiter: " ",
            split_by_set: false,
            skip_empty: false,
            lowercasing: false,
            numbers: NumberPolicy::LeaveAsIs,
        };
        let mut tokens = Tokens::new();
        tokenizer.tokenize(text, &mut tokens);
        let mut ids = vec![77];
        dictionary.apply(&tokens, &mut Scratch::new(), &mut ids);
        assert_eq!(ids, expected, "{text:?}");
    }

    // Every expectation is what `catboost.text_processing.Dictionary` 1.2.10 answered after it was fitted to the texts
    // "a b c", "b c d", "a c" and "", or for letters to the words "ab", "abc", "ёж" and "".

    #[test]
    fn words() {
        let mut dictionary = Dictionary::Words {
            words: table(&["c", "a", "b", "", "d"]),
            end_of_sentence: None,
        };
        check(&dictionary, "a b c d", &[1, 2, 0, 4]);
        check(&dictionary, "a x b c", &[1, 2, 0]);
        check(&dictionary, "", &[3]);
        let Dictionary::Words {
            end_of_sentence, ..
        } = &mut dictionary
        else {
            unreachable!()
        };
        *end_of_sentence = Some(6);
        check(&dictionary, "a x b c", &[1, 2, 0, 6]);
        check(&dictionary, "z", &[6]);
    }

    #[test]
    fn neighbouring_words() {
        let all: [&[&str]; 7] = [
            &["b", "c"],
            &["c", ""],
            &["", ""],
            &["a", "b"],
            &["a", "c"],
            &["c", "d"],
            &["d", ""],
        ];
        let (words, grams) = grams(&["a", "b", "c", "d", ""], 0, &all);
        let dictionary = Dictionary::Grams {
            order: 2,
            skip_step: 0,
            end_of_sentence: true,
            words,
            grams,
        };
        check(&dictionary, "a b c d", &[3, 0, 5, 6]);
        check(&dictionary, "a x b c", &[0, 1]);
        check(&dictionary, "", &[2]);
        check(&dictionary, "a", &[]);
    }

    #[test]
    fn words_apart() {
        let (words, grams) = grams(&["a", "b", "c", "d"], 10, &[&["a", "c"], &["b", "d"]]);
        let dictionary = Dictionary::Grams {
            order: 2,
            skip_step: 1,
            end_of_sentence: false,
            words,
            grams,
        };
        check(&dictionary, "a b c d", &[10, 11]);
        check(&dictionary, "a c", &[]);
        check(&dictionary, "", &[]);
    }

    fn letters(order: u32, end_of_word: bool, grams: &[&str]) -> Dictionary<Table> {
        Dictionary::Letters {
            order,
            end_of_word,
            grams: table(grams),
        }
    }

    #[test]
    fn single_letters() {
        let with_end = letters(1, true, &["", " ", "a", "b", "c", "ж", "ё"]);
        check(&with_end, "abc ab", &[0, 2, 3, 4, 1, 0, 2, 3, 1]);
        check(&with_end, "ё", &[0, 6, 1]);
        check(&with_end, "", &[0, 1]);
        let without = letters(1, false, &["", "a", "b", "c", "ж", "ё"]);
        check(&without, "abc ab", &[0, 1, 2, 3, 0, 1, 2]);
        check(&without, "x", &[0]);
    }

    #[test]
    fn letters_of_a_word() {
        let pairs = letters(
            2,
            true,
            &["a", "ab", " ", "b ", "bc", "c ", "ж ", "ё", "ёж"],
        );
        check(&pairs, "abc ab", &[0, 1, 4, 5, 0, 1, 3]);
        check(&pairs, "ё", &[7]);
        check(&pairs, "", &[2]);
        let triples = letters(3, true, &["ab", "ab ", "abc", "bc ", "ёж", "ёж "]);
        check(&triples, "abc ab", &[0, 2, 3, 0, 1]);
        check(&triples, "ё", &[]);
        let without = letters(3, false, &["ab", "abc", "ёж"]);
        check(&without, "abc ab", &[0, 1, 0]);
    }

    /// The table has more n-grams than a dictionary could learn, to show that no other is looked up.
    #[test]
    fn the_end_of_a_word_is_asked_for_where_it_is_a_letter() {
        let all = ["a", "ab", "b ", " ", "a "];
        check(&letters(2, true, &all), "ab", &[0, 1, 2]);
        check(&letters(2, false, &all), "ab", &[0, 1]);
        check(&letters(3, true, &all), "a", &[4]);
        // A word of one letter is too short for its end to be one of four.
        check(&letters(4, true, &all), "a", &[]);
    }

    #[test]
    fn a_borrowed_table_is_the_table() {
        let table = table(&["a", "b"]);
        let borrowed = &table;
        assert_eq!(TokenTable::seed(&borrowed), 3);
        let ids = ["b", "a", "c"].map(|token| {
            let hash = murmur2_64a(token.as_bytes(), 3);
            TokenTable::find(&borrowed, hash)
        });
        assert_eq!(ids, [Some(1), Some(0), None]);
    }
}
