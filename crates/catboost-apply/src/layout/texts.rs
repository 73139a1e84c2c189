//! Text features.
//!
//! A text runs through stages: tokenizer → dictionary → calcers → borders. A text feature has a table per
//! tokenizer. In it, each dictionary yields token ids, which all its calcers share. `letters` adds a fast
//! path for texts whose tokens are single characters.

use std::collections::BTreeMap;

use catboost_model::ir::{
    self, EstimatedIdx, EstimatedSource, Model, TextCalcerIdx, TextCalcerKind, TextIdx,
    TokenizedIdx, TokenizerIdx,
};
use catboost_runtime::{
    calcer,
    compiled::{Calcer, NaiveBayes, Steps, Text, Tokenized, Tokens},
    storage::Owned,
    text,
};

use super::{
    bags::{self, TokenBits},
    bayes, bm25, estimates,
    groups::Groups,
    keys,
    letters::{self, ROOM, Source},
    odds,
    room::{Room, TooLarge},
    trees::Laid,
};

/// Text features that the model uses, and their tables.
pub(super) struct Texts {
    /// Text features that the model uses, ascending. Tables refer to them by their index in this list.
    pub(super) used: Vec<usize>,
    pub(super) texts: Box<[Text<Owned>]>,
}

/// Lays out the text features that the model uses. `trees` have been laid out: words set bits of their leaf
/// indices.
///
/// # Errors
/// If dictionaries, or tables of calcers, would exceed `room`.
pub(super) fn lay_out(
    model: &Model,
    groups: &Groups,
    trees: &Laid,
    room: &mut Room,
) -> Result<Texts, TooLarge> {
    let mut estimated: BTreeMap<TokenizedIdx, BTreeMap<TextCalcerIdx, Vec<EstimatedIdx>>> =
        BTreeMap::new();
    for (index, number) in (0..).zip(&model.estimated) {
        if let EstimatedSource::Text { tokenized, calcer } = number.source {
            estimated
                .entry(tokenized)
                .or_default()
                .entry(calcer)
                .or_default()
                .push(EstimatedIdx(index));
        }
    }
    let mut used: Vec<usize> = estimated
        .keys()
        .map(|tokenized| model.text.tokenized[tokenized.at()].text.at())
        .collect();
    used.sort_unstable();
    used.dedup();

    let tells: Vec<TokenizedIdx> = used
        .iter()
        .filter_map(|&text| telling(model, text, estimated.keys().copied()))
        .collect();
    let mut by_tokenizer: BTreeMap<(TextIdx, TokenizerIdx), Vec<TokenizedIdx>> = BTreeMap::new();
    for &tokenized in estimated.keys() {
        let source = model.text.tokenized[tokenized.at()];
        by_tokenizer
            .entry((source.text, first_alike(source.tokenizer, model)))
            .or_default()
            .push(tokenized);
    }
    let mut left = ROOM;
    let texts = by_tokenizer
        .into_iter()
        .map(|((text, tokenizer), members)| {
            let parts = members.iter().map(|tokenized| {
                let tells = tells.contains(tokenized);
                lay_out_tokenized(
                    model,
                    *tokenized,
                    &estimated[tokenized],
                    tells,
                    groups,
                    trees,
                    room,
                )
            });
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            let (mut tokenized, bags): (Vec<Tokenized<Owned>>, Vec<TokenBits>) =
                parts.into_iter().unzip();
            let laid_out = tokenized.iter().zip(&bags);
            let sources = members
                .iter()
                .zip(laid_out)
                .map(|(index, (tokenized, bag))| {
                    let dictionary = model.text.tokenized[index.at()].dictionary;
                    let dictionary = &model.text.dictionaries[dictionary.at()];
                    Source::new(dictionary, tokenized.tells_unknown, bag)
                });
            let sources: Vec<Source> = sources.collect();
            let tokenizer_of = &model.text.tokenizers[tokenizer.at()];
            let letters = letters::lay_out(tokenizer_of, &sources, trees.lines(), &mut left, room);
            let letters = letters.map(|(letters, by_letter)| {
                for (tokenized, by_letter) in tokenized.iter_mut().zip(by_letter) {
                    set_by_letter(tokenized, by_letter);
                }
                letters
            });
            Ok(Text {
                text: used.partition_point(|&index| index < text.at()) as u32,
                tokenizer: lay_out_tokenizer(tokenizer_of),
                letters,
                tokenized: tokenized.into(),
            })
        });
    let texts = texts.collect::<Result<_, _>>()?;
    Ok(Texts { used, texts })
}

/// Lays out a text feature with one tokenizer and one dictionary, except for the fast path of single letters. Also
/// returns the bits that each token sets.
fn lay_out_tokenized(
    model: &Model,
    tokenized: TokenizedIdx,
    numbers: &BTreeMap<TextCalcerIdx, Vec<EstimatedIdx>>,
    tells_unknown: bool,
    groups: &Groups,
    trees: &Laid,
    room: &mut Room,
) -> Result<(Tokenized<Owned>, TokenBits), TooLarge> {
    let index = model.text.tokenized[tokenized.at()].dictionary;
    let dictionary = &model.text.dictionaries[index.at()];
    let grams = dictionary.grams.as_ref();
    let entries = dictionary.tokens.entries.len() + grams.map_or(0, |grams| grams.entries.len());
    // An entry in a hash table that is at least a quarter full.
    let size = 4 * (size_of::<u64>() + size_of::<u32>());
    room.need(entries, size, || format!("dictionary {}", index.at()))?;
    let mut bag = TokenBits::new();
    let mut calcers = Vec::new();
    for (calcer, numbers) in numbers {
        let calcer = &model.text.calcers[calcer.at()];
        let estimates = || estimates::lay_out(model, &calcer.active, numbers, groups);
        match &calcer.kind {
            TextCalcerKind::BagOfWords { .. } => {
                bags::add(&mut bag, model, calcer, numbers, groups, trees);
            }
            TextCalcerKind::NaiveBayes {
                class_prior,
                token_prior,
                seen_tokens,
                classes,
            } => calcers.push(Calcer::NaiveBayes(bayes::lay_out(
                *class_prior,
                *token_prior,
                *seen_tokens,
                classes,
                estimates(),
                room,
            )?)),
            TextCalcerKind::Bm25 {
                k,
                b,
                truncate_border,
                total_tokens,
                classes,
            } => {
                let formula = calcer::Bm25 {
                    k: *k,
                    b: *b,
                    truncate_border: *truncate_border,
                    total_tokens: *total_tokens,
                    classes: classes.len() as u32,
                };
                calcers.push(Calcer::Bm25(bm25::lay_out(
                    formula,
                    classes,
                    estimates(),
                    room,
                )?));
            }
        }
    }
    let ids = bag.keys().next_back().map_or(0, |last| *last as usize + 1);
    room.need(ids, size_of::<u32>(), || {
        format!("what tokens of dictionary {} set", index.at())
    })?;
    let laid_out = Tokenized {
        dictionary: lay_out_dictionary(dictionary),
        by_letter: None,
        tells_unknown,
        bag: bags::lay_out(&bag),
        calcers: calcers.into(),
    };
    Ok((laid_out, bag))
}

fn lay_out_tokenizer(tokenizer: &ir::Tokenizer) -> text::Tokenizer<Box<str>> {
    text::Tokenizer {
        delimiter: tokenizer.delimiter.as_str().into(),
        split_by_set: tokenizer.split_by_set,
        skip_empty: tokenizer.skip_empty,
        lowercasing: tokenizer.lowercasing,
        numbers: match &tokenizer.numbers {
            ir::NumberPolicy::Skip => text::NumberPolicy::Skip,
            ir::NumberPolicy::LeaveAsIs => text::NumberPolicy::LeaveAsIs,
            ir::NumberPolicy::Replace(token) => text::NumberPolicy::Replace(token.as_str().into()),
        },
    }
}

fn lay_out_dictionary(dictionary: &ir::Dictionary) -> text::Dictionary<Tokens<Owned>> {
    let table = |table: &ir::TokenTable| Tokens {
        seed: table.seed,
        keys: keys::lay_out(&table.entries),
    };
    let end = dictionary.end_of_sentence;
    match (dictionary.gram, &dictionary.grams) {
        (ir::Gram::Words { order, skip_step }, Some(grams)) => text::Dictionary::Grams {
            order,
            skip_step,
            end_of_sentence: end,
            words: table(&dictionary.tokens),
            grams: table(grams),
        },
        (ir::Gram::Words { .. }, None) => text::Dictionary::Words {
            words: table(&dictionary.tokens),
            end_of_sentence: end.then_some(dictionary.end_of_sentence_token_id),
        },
        (ir::Gram::Letters { order, end_of_word }, _) => text::Dictionary::Letters {
            order,
            end_of_word,
            grams: table(&dictionary.tokens),
        },
    }
}

/// Adds the ids by letter to a dictionary, and their weights to its calcers of naive Bayes where an id
/// depends on one letter alone.
fn set_by_letter(tokenized: &mut Tokenized<Owned>, by_letter: Option<Steps<u32, Owned>>) {
    if let Some(Steps { stride: 0, table }) = &by_letter {
        for calcer in &mut tokenized.calcers {
            if let Calcer::NaiveBayes(NaiveBayes {
                first,
                odds: Some(odds),
                ..
            }) = calcer
            {
                odds::add_codes(odds, *first, table);
            }
        }
    }
    tokenized.by_letter = by_letter;
}

/// Returns the first equal tokenizer: CatBoost writes one per dictionary.
fn first_alike(tokenizer: TokenizerIdx, model: &Model) -> TokenizerIdx {
    let tokenizers = &model.text.tokenizers;
    let alike = tokenizers
        .iter()
        .position(|other| *other == tokenizers[tokenizer.at()]);
    TokenizerIdx(alike.expect("it is like itself") as u32)
}

/// Returns the dictionary whose unknown words are reported to observers, one per text feature: a dictionary of single
/// words if there is one.
fn telling(
    model: &Model,
    text: usize,
    tokenized: impl Iterator<Item = TokenizedIdx>,
) -> Option<TokenizedIdx> {
    let order = |&tokenized: &TokenizedIdx| {
        let source = model.text.tokenized[tokenized.at()];
        match model.text.dictionaries[source.dictionary.at()].gram {
            ir::Gram::Words { order, .. } => (order, tokenized),
            ir::Gram::Letters { .. } => (u32::MAX, tokenized),
        }
    };
    tokenized
        .filter(|tokenized| model.text.tokenized[tokenized.at()].text.at() == text)
        .min_by_key(order)
}
