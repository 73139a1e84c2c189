//! Text features.

use super::features::Features;
use crate::{
    Error,
    ir::{
        Dictionary, DictionaryIdx, Gram, Text, TextCalcer, TextCalcerKind, TokenTable, Tokenized,
        TokenizedIdx, TokenizerIdx,
    },
    limits::{MAX_GRAM_ORDER, MAX_LETTERS, MAX_SKIP_STEP},
    raw::RawText,
};

/// Beside the texts: what each calcer computes from, if anything.
pub(super) fn lower(
    raw: RawText,
    features: &Features,
) -> Result<(Text, Vec<Option<TokenizedIdx>>), Error> {
    raw.dictionaries
        .iter()
        .enumerate()
        .try_for_each(|(index, dictionary)| {
            check_dictionary(dictionary)
                .map_err(|what| Error::model(format!("dictionary {index} {what}")))
        })?;
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
    let text = Text {
        tokenizers: raw.tokenizers,
        dictionaries: raw.dictionaries,
        tokenized,
        calcers: raw.calcers,
    };
    Ok((text, source_of_calcer))
}

fn check_dictionary(dictionary: &Dictionary) -> Result<(), String> {
    match dictionary.gram {
        Gram::Words { order, skip_step } => {
            if !(1..=MAX_GRAM_ORDER).contains(&order) || skip_step > MAX_SKIP_STEP {
                return Err(format!(
                    "is of {order}-grams with steps of {skip_step}: at most {MAX_GRAM_ORDER} and {MAX_SKIP_STEP} are supported"
                ));
            }
            if (order > 1) != dictionary.grams.is_some() {
                return Err("does not have the tables that its n-grams need".to_owned());
            }
        }
        Gram::Letters { order, .. } => {
            if !(1..=MAX_LETTERS).contains(&order) {
                return Err(format!(
                    "is of {order} letters: at most {MAX_LETTERS} are supported"
                ));
            }
            if dictionary.grams.is_some() {
                return Err("has a table of word n-grams, but is one of letters".to_owned());
            }
        }
    }
    let tables = std::iter::once(&dictionary.tokens).chain(&dictionary.grams);
    if tables
        .into_iter()
        .any(|TokenTable { entries, .. }| !entries.is_sorted_by(|one, next| one.0 < next.0))
    {
        return Err("has the same hash twice".to_owned());
    }
    Ok(())
}

fn check_calcer(calcer: &TextCalcer) -> Result<(), String> {
    if !calcer.active.is_sorted_by(|one, next| one < next) {
        return Err("does not have its active numbers in ascending order".to_owned());
    }
    let counts: Vec<&Vec<(u32, u32)>> = match &calcer.kind {
        TextCalcerKind::BagOfWords { .. } => return Ok(()),
        TextCalcerKind::NaiveBayes { classes, .. } => {
            classes.iter().map(|class| &class.counts).collect()
        }
        TextCalcerKind::Bm25 { classes, .. } => classes.iter().map(|class| &class.counts).collect(),
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
