//! Text features.

use std::collections::BTreeMap;

use catboost_model::ir::{
    self, EstimatedIdx, EstimatedSource, Model, TextCalcerIdx, TextCalcerKind, TextIdx,
    TokenizedIdx, TokenizerIdx,
};
use catboost_runtime::{
    calcer,
    compiled::{
        BagOfWords, Bm25, Calcer, Estimate, NaiveBayes, Steps, Text, Tokenized, Tokens, Trees,
    },
    math,
    storage::Owned,
    text,
};

use super::{
    Groups,
    groups::presence,
    keys,
    letters::{self, ROOM, Source},
    odds,
    room::{Room, TooLarge},
    trees::Laid,
};

/// A text may lack this many of a class's tokens before a logarithm is taken at run time.
const LACKING: usize = 64;

/// The text features that the model uses, and what is computed from them.
pub(super) struct Texts {
    pub(super) used: Vec<usize>,
    pub(super) texts: Box<[Text<Owned>]>,
}

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

/// Lays out a text feature after one tokenizer and one dictionary, but for what single letters are to it. Returns what each
/// token sets as well.
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
    // In a hash table that is at least a quarter full.
    let size = 4 * (size_of::<u64>() + size_of::<u32>());
    room.need(entries, size, || format!("dictionary {}", index.at()))?;
    let mut bag = TokenBits::new();
    let mut calcers = Vec::new();
    for (calcer, numbers) in numbers {
        let calcer = &model.text.calcers[calcer.at()];
        match &calcer.kind {
            TextCalcerKind::BagOfWords { .. } => {
                add_to_bag(&mut bag, model, calcer, numbers, groups, trees);
            }
            kind => {
                let estimates = estimates(model, &calcer.active, numbers, groups);
                calcers.push(lay_out_calcer(kind, estimates, room)?);
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
        bag: lay_out_bag(&bag),
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

/// The first tokenizer that does the same: CatBoost writes one down for each dictionary.
fn first_alike(tokenizer: TokenizerIdx, model: &Model) -> TokenizerIdx {
    let tokenizers = &model.text.tokenizers;
    let alike = tokenizers
        .iter()
        .position(|other| *other == tokenizers[tokenizer.at()]);
    TokenizerIdx(alike.expect("it is like itself") as u32)
}

/// Of a text feature's dictionaries, the one whose unknown words observers are told of: of single words if there is one.
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

/// What the occurrence of each token id sets: words and bits, or, if the trees are walked, answers and 1.
pub(super) type TokenBits = BTreeMap<u32, Vec<(u32, u32)>>;

/// Adds what tokens set.
fn add_to_bag(
    bag: &mut TokenBits,
    model: &Model,
    calcer: &ir::TextCalcer,
    numbers: &[EstimatedIdx],
    groups: &Groups,
    trees: &Laid,
) {
    for &number in numbers {
        let token = bag
            .entry(calcer.active[model.estimated[number.at()].local as usize])
            .or_default();
        match &trees.trees {
            Trees::Rows { .. } => token.extend(trees.present.get(&number).into_iter().flatten()),
            Trees::Levels { .. } | Trees::Nodes { .. } => {
                let group = groups
                    .of_estimated(number.at())
                    .expect("when trees are walked, every number has a group");
                let presence =
                    presence(model, number.at()).expect("a number of a bag of words is 0 or 1");
                let yes = u32::from(presence.absent)..u32::from(presence.present);
                token.extend(yes.map(|border| (group.0 + border, 1)));
            }
        }
    }
}

fn lay_out_bag(bag: &TokenBits) -> BagOfWords<Owned> {
    let first = bag.keys().next().copied().unwrap_or(0);
    let ids = bag.keys().next_back().map_or(0, |last| last - first + 1);
    let (mut starts, mut at, mut to) = (vec![0], Vec::new(), Vec::new());
    for id in 0..ids {
        for &(place, value) in bag.get(&(first + id)).into_iter().flatten() {
            at.push(place);
            to.push(value);
        }
        starts.push(at.len() as u32);
    }
    BagOfWords {
        first,
        starts: starts.into(),
        at: at.into(),
        to: to.into(),
    }
}

/// Those of a calcer's numbers that the model compares with borders.
pub(super) fn estimates(
    model: &Model,
    active: &[u32],
    numbers: &[EstimatedIdx],
    groups: &Groups,
) -> Box<[Estimate<Owned>]> {
    let estimate = |&number: &EstimatedIdx| {
        let estimated = &model.estimated[number.at()];
        Estimate {
            class: active[estimated.local as usize],
            borders: estimated.borders.as_slice().into(),
            group: groups
                .of_estimated(number.at())
                .expect("a number that is not of a bag of words has a group"),
        }
    };
    numbers.iter().map(estimate).collect()
}

/// Computes all that depends on the model alone, in CatBoost's order of operations.
fn lay_out_calcer(
    kind: &TextCalcerKind,
    estimates: Box<[Estimate<Owned>]>,
    room: &mut Room,
) -> Result<Calcer<Owned>, TooLarge> {
    Ok(match kind {
        TextCalcerKind::BagOfWords { .. } => {
            unreachable!("a bag of words is laid out by `add_to_bag`")
        }
        TextCalcerKind::NaiveBayes {
            class_prior,
            token_prior,
            seen_tokens,
            classes,
        } => {
            let prior = f64::from(*token_prior);
            let counts: Vec<&[(u32, u32)]> = classes
                .iter()
                .map(|class| class.counts.as_slice())
                .collect();
            let (first, rows) = count_rows(&counts, room)?;
            let by_class = || {
                let of = |class| rows.iter().skip(class).step_by(classes.len());
                (0..classes.len()).flat_map(of)
            };
            let log_count = |count: &Option<u32>| {
                math::ln(count.map_or(prior, |count| prior + f64::from(count)))
            };
            // One more than the tokens seen, as CatBoost counts them.
            let seen = prior * seen_tokens.wrapping_add(1) as f64;
            let totals: Vec<f64> = classes
                .iter()
                .map(|class| class.total_tokens as f64 + seen)
                .collect();
            let log_priors: Vec<f64> = classes
                .iter()
                .map(|class| math::ln(f64::from(class.docs) + f64::from(*class_prior)))
                .collect();
            let odds = match (log_priors.as_slice(), totals.as_slice()) {
                (&[a, b], &[of_a, of_b]) => {
                    let tokens = rows.chunks_exact(2).map(|row| match row {
                        [Some(_), Some(_)] => Some([log_count(&row[0]), log_count(&row[1])]),
                        _ => None,
                    });
                    let log_totals = [of_a, of_b].map(math::ln);
                    let odds = odds::lay_out([a, b], tokens, log_totals, &estimates);
                    Some(odds)
                }
                _ => None,
            };
            let log_totals = totals.iter().flat_map(|&total| {
                std::iter::successors(Some(total), |total| Some(total + prior))
                    .take(LACKING)
                    .map(math::ln)
            });
            Calcer::NaiveBayes(NaiveBayes {
                first,
                log_priors: log_priors.into(),
                log_counts: by_class().map(log_count).collect(),
                lacks: by_class().map(|count| u8::from(count.is_none())).collect(),
                log_totals: log_totals.collect(),
                totals: totals.into(),
                token_prior: prior,
                estimates,
                odds,
            })
        }
        TextCalcerKind::Bm25 {
            k,
            b,
            truncate_border,
            total_tokens,
            classes,
        } => {
            let counts: Vec<&[(u32, u32)]> = classes
                .iter()
                .map(|class| class.counts.as_slice())
                .collect();
            let (first, rows) = count_rows(&counts, room)?;
            let formula = &calcer::Bm25 {
                k: *k,
                b: *b,
                truncate_border: *truncate_border,
                total_tokens: *total_tokens,
                classes: classes.len() as u32,
            };
            let shares = rows.chunks(classes.len()).flat_map(|row| {
                let weight = formula.inverse_class_frequency(row.iter().flatten().count() as u32);
                let shares = row.iter().zip(classes);
                shares.map(move |(count, class)| {
                    formula.term(weight, count.unwrap_or(0), class.total_tokens)
                })
            });
            Calcer::Bm25(Bm25 {
                first,
                classes: classes.len() as u32,
                shares: shares.collect(),
                estimates,
            })
        }
    })
}

/// The least token id, and from there on a row of counts an id, one a class, and at the end a row of `None`.
fn count_rows(
    classes: &[&[(u32, u32)]],
    room: &mut Room,
) -> Result<(u32, Vec<Option<u32>>), TooLarge> {
    let ids = || {
        classes
            .iter()
            .flat_map(|counts| counts.iter().map(|&(id, _)| id))
    };
    let first = ids().min().unwrap_or(0);
    let rows = ids().max().map_or(0, |last| (last - first) as usize + 1);
    // The table itself, and what is made of it: logarithms, which classes lack the token, and odds.
    let size = size_of::<Option<u32>>() + size_of::<f64>() + size_of::<u8>() + 4 * size_of::<f64>();
    let count = (rows + 1).saturating_mul(classes.len());
    room.need(count, size, || {
        format!(
            "a text calcer's {} classes and {rows} tokens",
            classes.len()
        )
    })?;
    let mut table = vec![None; count];
    for (class, counts) in classes.iter().enumerate() {
        for &(id, count) in *counts {
            table[(id - first) as usize * classes.len() + class] = Some(count);
        }
    }
    Ok((first, table))
}
