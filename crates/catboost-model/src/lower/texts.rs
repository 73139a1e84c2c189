//! Lowers text features.

use super::features::Features;
use crate::{
    Error,
    ir::{
        Dictionary, DictionaryIdx, Gram, Text, TextCalcer, TextCalcerKind, TokenTable, Tokenized,
        TokenizedIdx, TokenizerIdx,
    },
    limits::{MAX_CLASS_TOKENS, MAX_DICTIONARY_ENTRIES, MAX_GRAM_ORDER},
    raw::RawText,
};

/// Also returns the input of each calcer, if it has one.
pub(super) fn lower(
    raw: RawText,
    features: &Features,
) -> Result<(Text, Vec<Option<TokenizedIdx>>), Error> {
    raw.dictionaries
        .iter()
        .enumerate()
        .try_for_each(|(index, dictionary)| check_dictionary(index, dictionary))?;
    raw.calcers
        .iter()
        .enumerate()
        .try_for_each(|(index, calcer)| {
            check_calcer(calcer).map_err(|what| Error::model(format!("text calcer {index} {what}")))
        })?;

    let mut tokenized = Vec::new();
    let mut source_of_calcer: Vec<Option<TokenizedIdx>> = vec![None; raw.calcers.len()];
    for source in raw.tokenized {
        if source.tokenizer >= raw.tokenizers.len() || source.dictionary >= raw.dictionaries.len() {
            return Err(Error::model(
                "a text feature has a tokenizer or dictionary that the model does not have",
            ));
        }
        let index = TokenizedIdx(tokenized.len() as u32);
        for calcer in source.calcers {
            let place = source_of_calcer.get_mut(calcer);
            let place = place.ok_or_else(|| {
                Error::model("a text feature has a calcer that the model does not have")
            })?;
            if place.replace(index).is_some() {
                return Err(Error::model(format!(
                    "text calcer {calcer} is that of two texts"
                )));
            }
        }
        tokenized.push(Tokenized {
            text: features.text(source.text)?,
            tokenizer: TokenizerIdx(source.tokenizer as u32),
            dictionary: DictionaryIdx(source.dictionary as u32),
        });
    }
    let dictionary_of = |source: &Tokenized| &raw.dictionaries[source.dictionary.at()];
    // A few bytes of a file can name a large dictionary, or classes without any of its tokens.
    let entries: usize = tokenized.iter().map(dictionary_of).map(entries_of).sum();
    if entries > MAX_DICTIONARY_ENTRIES {
        return Err(Error::unsupported(format!(
            "{entries} entries of dictionaries, each time that a text is looked up in them; at most {MAX_DICTIONARY_ENTRIES} are"
        )));
    }
    let mut pairs = 0_usize;
    for (index, (calcer, source)) in raw.calcers.iter().zip(&source_of_calcer).enumerate() {
        if let Some(source) = source {
            let dictionary = dictionary_of(&tokenized[source.at()]);
            pairs = pairs.saturating_add(check_tokens(index, calcer, dictionary)?);
        }
    }
    if pairs > MAX_CLASS_TOKENS {
        return Err(Error::unsupported(format!(
            "{pairs} pairs of a text calcer's class and a token of its dictionary; at most {MAX_CLASS_TOKENS} are"
        )));
    }
    let text = Text {
        tokenizers: raw.tokenizers,
        dictionaries: raw.dictionaries,
        tokenized,
        calcers: raw.calcers,
    };
    Ok((text, source_of_calcer))
}

/// Checks that a dictionary has the tables of its kind, with distinct hashes and as many entries as it says,
/// and that their ids are less than that number.
fn check_dictionary(index: usize, dictionary: &Dictionary) -> Result<(), Error> {
    let wrong = |what: &str| Error::model(format!("dictionary {index} {what}"));
    let (Gram::Words { order, .. } | Gram::Letters { order, .. }) = dictionary.gram;
    if order == 0 {
        return Err(wrong("is of n-grams of nothing"));
    }
    match dictionary.gram {
        Gram::Words { order, .. } => {
            if order > MAX_GRAM_ORDER {
                return Err(Error::unsupported(format!(
                    "n-grams of {order} words, in dictionary {index}; at most {MAX_GRAM_ORDER} are, as in CatBoost"
                )));
            }
            if (order > 1) != dictionary.grams.is_some() {
                return Err(wrong("does not have the tables that its n-grams need"));
            }
        }
        Gram::Letters { .. } => {
            if dictionary.grams.is_some() {
                return Err(wrong("has a table of word n-grams, but is one of letters"));
            }
        }
    }
    let tables = std::iter::once(&dictionary.tokens).chain(&dictionary.grams);
    if tables
        .into_iter()
        .any(|TokenTable { entries, .. }| !entries.is_sorted_by(|one, next| one.0 < next.0))
    {
        return Err(wrong("has the same hash twice"));
    }
    let entries = &dictionary
        .grams
        .as_ref()
        .unwrap_or(&dictionary.tokens)
        .entries;
    if dictionary.size as usize != entries.len() {
        return Err(wrong(&format!(
            "says that it has {} entries, but has {}",
            dictionary.size,
            entries.len()
        )));
    }
    if entries.iter().any(|&(_, id)| id >= dictionary.size) {
        return Err(wrong("has an id beyond its entries"));
    }
    Ok(())
}

fn entries_of(dictionary: &Dictionary) -> usize {
    let tables = std::iter::once(&dictionary.tokens).chain(&dictionary.grams);
    tables.map(|table| table.entries.len()).sum()
}

/// Checks that the calcer's tokens are in the range of its dictionary, since tables are laid out from the least token
/// id to the greatest. Returns the number of pairs of a class and a token.
fn check_tokens(
    index: usize,
    calcer: &TextCalcer,
    dictionary: &Dictionary,
) -> Result<usize, Error> {
    let wrong = || {
        Error::model(format!(
            "text calcer {index} speaks of tokens that its dictionary does not have"
        ))
    };
    let counts: Vec<&Vec<(u32, u32)>> = match &calcer.kind {
        TextCalcerKind::BagOfWords { tokens } => {
            let last = calcer.active.last();
            let known = *tokens == dictionary.size && last.is_none_or(|last| last < tokens);
            return known.then_some(0).ok_or_else(wrong);
        }
        TextCalcerKind::NaiveBayes { classes, .. } => {
            classes.iter().map(|class| &class.counts).collect()
        }
        TextCalcerKind::Bm25 { classes, .. } => classes.iter().map(|class| &class.counts).collect(),
    };
    // The end of a text and unknown tokens have ids after those of the entries.
    let tokens = u64::from(dictionary.size) + 2;
    let first = u64::from(dictionary.start_token_id);
    let known = first..first + tokens;
    let ids = counts.iter().flat_map(|counts| counts.iter());
    if !ids
        .map(|&(id, _)| id.into())
        .all(|id: u64| known.contains(&id))
    {
        return Err(wrong());
    }
    Ok(counts.len().saturating_mul(tokens as usize))
}

/// Checks that the active numbers ascend and exist, priors and constants are finite, and no class counts a
/// token twice.
fn check_calcer(calcer: &TextCalcer) -> Result<(), String> {
    if !calcer.active.is_sorted_by(|one, next| one < next) {
        return Err("does not have its active numbers in ascending order".to_owned());
    }
    let counts: Vec<&Vec<(u32, u32)>> = match &calcer.kind {
        TextCalcerKind::BagOfWords { .. } => return Ok(()),
        TextCalcerKind::NaiveBayes {
            class_prior,
            token_prior,
            classes,
            ..
        } => {
            if !class_prior.is_finite() || !token_prior.is_finite() {
                return Err("has a prior that is not finite".to_owned());
            }
            classes.iter().map(|class| &class.counts).collect()
        }
        TextCalcerKind::Bm25 {
            k,
            b,
            truncate_border,
            classes,
            ..
        } => {
            if ![k, b, truncate_border]
                .iter()
                .all(|number| number.is_finite())
            {
                return Err("has a constant that is not finite".to_owned());
            }
            classes.iter().map(|class| &class.counts).collect()
        }
    };
    if calcer
        .active
        .last()
        .is_some_and(|&class| class as usize >= counts.len())
    {
        return Err(format!("has {} classes, but speaks of more", counts.len()));
    }
    if counts
        .into_iter()
        .any(|counts| !counts.is_sorted_by(|one, next| one.0 < next.0))
    {
        return Err("counts the same token twice".to_owned());
    }
    Ok(())
}
