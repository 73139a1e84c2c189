//! Texts → token ids, without memory of its own for what is common: tokens as they stand between delimiters of one
//! byte, and dictionaries of words.

use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::{
    hash::{murmur2_64a, murmur2_64a_ids},
    text::{Dictionary, MAX_GRAM_ORDER, NumberPolicy, Scratch, TokenTable, Tokenizer, Tokens},
};

/// Calls `known` with the id of each token or n-gram of a text that the dictionary has, in no order that matters, and
/// `unknown` for each word that it does not have.
#[inline(always)]
pub(super) fn for_each_id<T: TokenTable>(
    text: &str,
    tokenizer: &Tokenizer<'_>,
    dictionary: &Dictionary<T>,
    mut unknown: impl FnMut(),
    mut known: impl FnMut(u32),
) {
    let &[delimiter] = tokenizer.delimiter.as_bytes() else {
        return general(text, tokenizer, dictionary, unknown, known);
    };
    if tokenizer.split_by_set
        || tokenizer.lowercasing
        || tokenizer.numbers != NumberPolicy::LeaveAsIs
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

/// Any tokenizer and dictionary.
#[inline(never)]
fn general<T: TokenTable>(
    text: &str,
    tokenizer: &Tokenizer<'_>,
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
