//! Texts → token ids. Common cases allocate nothing: tokens between delimiters of one byte, and dictionaries of words.

use alloc::vec::Vec;
use core::ops::Deref;

use smallvec::SmallVec;

use crate::{
    hash::{murmur2_64a, murmur2_64a_ids},
    text::{Dictionary, MAX_GRAM_ORDER, NumberPolicy, Scratch, TokenTable, Tokenizer, Tokens},
};

/// Calls `known` with the id of each token or n-gram that the dictionary has, in unspecified order, and `unknown` for
/// each word that it lacks.
#[inline(always)]
pub(super) fn for_each_id<T: TokenTable>(
    text: &str,
    tokenizer: &Tokenizer<impl Deref<Target = str>>,
    dictionary: &Dictionary<T>,
    mut unknown: impl FnMut(),
    mut known: impl FnMut(u32),
) {
    let &[delimiter] = tokenizer.delimiter.as_bytes() else {
        return general(text, tokenizer, dictionary, unknown, known);
    };
    if tokenizer.split_by_set
        || tokenizer.lowercasing
        || !matches!(tokenizer.numbers, NumberPolicy::LeaveAsIs)
    {
        return general(text, tokenizer, dictionary, unknown, known);
    }
    let words = text.as_bytes().split(|&byte| byte == delimiter);
    let words = words.filter(|word| !(tokenizer.skip_empty && word.is_empty()));
    let mut find = |table: &T, word: &[u8]| {
        let id = table.find(murmur2_64a(word, table.seed()));
        if id.is_none() {
            unknown();
        }
        id
    };
    match dictionary {
        Dictionary::Words {
            words: table,
            end_of_sentence,
        } => {
            for word in words {
                if let Some(id) = find(table, word) {
                    known(id);
                }
            }
            if let Some(id) = *end_of_sentence {
                known(id);
            }
        }
        Dictionary::Grams {
            order,
            skip_step,
            end_of_sentence,
            words: table,
            grams,
        } => {
            let mut inner: SmallVec<[Option<u32>; 64]> =
                words.map(|word| find(table, word)).collect();
            if *end_of_sentence {
                inner.push(table.find(murmur2_64a(&[], table.seed())));
            }
            let (order, step) = (*order as usize, *skip_step as usize + 1);
            let mut key = [0; MAX_GRAM_ORDER as usize];
            'grams: for first in 0..inner.len().saturating_sub((order - 1) * step) {
                for (nth, id) in key[..order].iter_mut().enumerate() {
                    let Some(inner) = inner[first + nth * step] else {
                        continue 'grams;
                    };
                    *id = inner;
                }
                if let Some(id) = grams.find(murmur2_64a_ids(&key[..order], grams.seed())) {
                    known(id);
                }
            }
        }
        Dictionary::Letters { .. } => general(text, tokenizer, dictionary, unknown, known),
    }
}

/// Slow path for any tokenizer and dictionary.
#[inline(never)]
fn general<T: TokenTable>(
    text: &str,
    tokenizer: &Tokenizer<impl Deref<Target = str>>,
    dictionary: &Dictionary<T>,
    mut unknown: impl FnMut(),
    known: impl FnMut(u32),
) {
    let mut tokens = Tokens::new();
    tokenizer.tokenize(text, &mut tokens);
    if let Dictionary::Words { words, .. } | Dictionary::Grams { words, .. } = dictionary {
        for token in tokens.iter() {
            if words.find(murmur2_64a(token, words.seed())).is_none() {
                unknown();
            }
        }
    }
    let mut ids = Vec::new();
    dictionary.apply(&tokens, &mut Scratch::new(), &mut ids);
    ids.into_iter().for_each(known);
}

#[cfg(test)]
mod tests {
    use super::{super::texts, *};

    const PLAIN: Tokenizer = Tokenizer {
        delimiter: " ",
        split_by_set: false,
        skip_empty: true,
        lowercasing: false,
        numbers: NumberPolicy::LeaveAsIs,
    };
    /// A tokenizer for each property that rules out the fast path, and some that just qualify.
    const TOKENIZERS: [Tokenizer; 8] = [
        PLAIN,
        Tokenizer {
            skip_empty: false,
            ..PLAIN
        },
        Tokenizer {
            delimiter: "b",
            ..PLAIN
        },
        Tokenizer {
            delimiter: "b ",
            ..PLAIN
        },
        Tokenizer {
            delimiter: "\0",
            split_by_set: true,
            ..PLAIN
        },
        Tokenizer {
            lowercasing: true,
            ..PLAIN
        },
        Tokenizer {
            numbers: NumberPolicy::Skip,
            ..PLAIN
        },
        Tokenizer {
            numbers: NumberPolicy::Replace("a"),
            ..PLAIN
        },
    ];
    const TEXTS: [&str; 12] = [
        "",
        " ",
        "a",
        "a b c",
        "a x b c",
        "  a b",
        "b A  c ",
        "a 12 b",
        "c b a b c",
        "a\0b",
        "a b ",
        "x y",
    ];

    fn words() -> texts::Tokens {
        texts::Tokens::of(&[("a", 0), ("b", 1), ("c", 2), ("", 3), ("12", 4)])
    }

    fn dictionaries() -> [Dictionary<texts::Tokens>; 7] {
        let grams = |order: u32, skip_step: u32, end_of_sentence: bool| {
            let pairs: [(&[u32], u32); 8] = [
                (&[0, 1], 10),
                (&[1, 2], 11),
                (&[0, 2], 12),
                (&[3, 0], 13),
                (&[1, 3], 14),
                (&[2, 1], 15),
                (&[3, 3], 16),
                (&[2, 2], 17),
            ];
            let triples: [(&[u32], u32); 4] = [
                (&[0, 1, 2], 20),
                (&[2, 1, 0], 21),
                (&[1, 2, 3], 22),
                (&[0, 4, 1], 23),
            ];
            Dictionary::Grams {
                order,
                skip_step,
                end_of_sentence,
                words: words(),
                grams: texts::Tokens::of_grams(if order == 2 { &pairs } else { &triples }),
            }
        };
        [
            Dictionary::Words {
                words: words(),
                end_of_sentence: None,
            },
            Dictionary::Words {
                words: words(),
                end_of_sentence: Some(9),
            },
            grams(2, 0, false),
            grams(2, 1, true),
            grams(2, 3, false),
            grams(3, 0, true),
            Dictionary::Letters {
                order: 1,
                end_of_word: false,
                grams: words(),
            },
        ]
    }

    /// The fast path for common tokenizers and dictionaries finds the same ids as the general path.
    #[test]
    fn the_quick_way_finds_what_the_long_way_finds() {
        let mut found_any = 0;
        for dictionary in dictionaries() {
            for tokenizer in TOKENIZERS {
                for text in TEXTS {
                    let mut tokens = Tokens::new();
                    tokenizer.tokenize(text, &mut tokens);
                    let mut expected = Vec::new();
                    dictionary.apply(&tokens, &mut Scratch::new(), &mut expected);
                    let lacks = |token: &&[u8]| words().find(murmur2_64a(token, 3)).is_none();
                    let expected_unknown = match dictionary {
                        Dictionary::Letters { .. } => 0,
                        _ => tokens.iter().filter(lacks).count(),
                    };
                    let (mut ids, mut unknown) = (Vec::new(), 0);
                    for_each_id(
                        text,
                        &tokenizer,
                        &dictionary,
                        || unknown += 1,
                        |id| ids.push(id),
                    );
                    assert_eq!(ids, expected, "{text:?}, {tokenizer:?}");
                    assert_eq!(unknown, expected_unknown, "{text:?}, {tokenizer:?}");
                    found_any += ids.len();
                }
            }
        }
        assert!(found_any > 500, "{found_any}");
    }
}
