//! Text features, and the numbers computed from them.

use super::{check_borders, features::Features};
use crate::{
    Error,
    ir::{
        Dictionary, DictionaryIdx, Estimated, EstimatedSource, Gram, Text, TextCalcer,
        TextCalcerIdx, TextCalcerKind, TextIdx, TokenTable, Tokenized, TokenizedIdx, TokenizerIdx,
    },
    limits::{MAX_GRAM_ORDER, MAX_LETTERS, MAX_SKIP_STEP},
    raw::{RawCalcer, RawEstimated, RawText},
};

pub(super) fn lower(
    raw: RawText,
    estimated: Vec<RawEstimated>,
    features: &mut Features,
) -> Result<(Text, Vec<Estimated>), Error> {
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
    let lower = |(index, raw)| lower_estimated(index, raw, &text, &source_of_calcer);
    let estimated: Vec<Estimated> = estimated
        .into_iter()
        .enumerate()
        .map(lower)
        .collect::<Result<_, _>>()?;
    for estimated in &estimated {
        if let EstimatedSource::Text { tokenized, .. } = estimated.source {
            let TextIdx(feature) = text.tokenized[tokenized.at()].text;
            features.texts[feature as usize].used = true;
        }
    }
    check_offsets(&text, &source_of_calcer, features)?;
    Ok((text, estimated))
}

fn lower_estimated(
    index: usize,
    raw: RawEstimated,
    text: &Text,
    source_of_calcer: &[Option<TokenizedIdx>],
) -> Result<Estimated, Error> {
    check_borders(&raw.borders, || format!("estimated feature {index}"))?;
    let RawCalcer::Text(calcer) = raw.calcer else {
        return Err(Error::unsupported("embedding features"));
    };
    let tokenized = source_of_calcer.get(calcer).copied().flatten();
    let tokenized = tokenized.ok_or_else(|| {
        Error::model(format!("estimated feature {index} is not that of any text"))
    })?;
    let local = u32::try_from(raw.local)
        .ok()
        .filter(|&local| (local as usize) < text.calcers[calcer].active.len());
    let local = local.ok_or_else(|| {
        Error::model(format!(
            "estimated feature {index} is number {} of its calcer, which has fewer",
            raw.local
        ))
    })?;
    let source = EstimatedSource::Text {
        tokenized,
        calcer: TextCalcerIdx(calcer as u32),
    };
    Ok(Estimated {
        source,
        local,
        borders: raw.borders,
    })
}

/// CatBoost writes the numbers of the texts that a model uses one behind the other, but looks for them as if those of
/// the other texts stood between.
fn check_offsets(
    text: &Text,
    source_of_calcer: &[Option<TokenizedIdx>],
    features: &Features,
) -> Result<(), Error> {
    for (calcer, source) in text.calcers.iter().zip(source_of_calcer) {
        let feature = source.map(|source| &features.texts[text.tokenized[source.at()].text.at()]);
        if feature.is_some_and(|feature| !feature.used) && !calcer.active.is_empty() {
            return Err(Error::unsupported(
                "a calcer of a text feature that the model does not use",
            ));
        }
    }
    Ok(())
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
