//! `text_process_v2`: tokenizers, dictionaries and calcers (CatBoost's `text_processing_collection.fbs`,
//! `dictionary_meta_info.fbs`, `feature_calcers.fbs`).
//!
//! ```text
//! 16 bytes      magic, text_process_v2
//! u64 length    flatbuffer TCollectionHeader: identifiers of all, and who uses whom
//! per part      u64 length, flatbuffer TCollectionPart (kind, identifier), body
//!               kind 0: tokenizer, 1: dictionary, 2: calcer, 3: end of the list, without a body
//! ```
//!
//! A header names the parts by identifier and refers to them by index. A digitizer is the tokenizer and the
//! dictionary of one index. CatBoost's own reader is `TTextProcessingCollection::Load`.

use std::collections::HashMap;

use super::{
    Bytes,
    flat::{Scalar, Table},
};
use crate::{
    Error,
    ir::{
        Bm25Class, Dictionary, Gram, NaiveBayesClass, NumberPolicy, TextCalcer, TextCalcerKind,
        TokenTable, Tokenizer,
    },
    raw::{RawText, RawTokenized},
};

/// Identifier of a part.
pub(super) type Guid = [u8; 16];

/// Marker of a free bucket, in place of a hash.
const EMPTY: u64 = u64::MAX;

/// Reads the part. Also returns the identifiers of its calcers, in the order of [`RawText::calcers`].
///
/// The header has the digitizers of each text feature (`PerFeatureDigitizers`), and the calcers of each
/// tokenized feature (`PerTokenizedFeatureCalcers`). Tokenized features are numbered through all text
/// features.
///
/// # Errors
/// If a part is missing, named twice or damaged, or has an unsupported kind.
pub(super) fn read(bytes: &mut Bytes<'_>) -> Result<(RawText, Vec<Guid>), Error> {
    bytes.magic("text_process_v2")?;
    let header = bytes.sized_flat_u64()?.root()?;
    let guids = |field| {
        Ok::<_, Error>(
            header
                .structs(field, 16)?
                .chunks_exact(16)
                .map(guid)
                .collect::<Vec<Guid>>(),
        )
    };
    let (tokenizer_ids, dictionary_ids, calcer_ids) = (guids(0)?, guids(1)?, guids(2)?);
    let lists = |field| header.each(field, |list| list.vector::<u32>(0));
    let (digitizers_of_texts, calcers_of_tokenized) = (lists(3)?, lists(4)?);
    if tokenizer_ids.len() != dictionary_ids.len() {
        return Err(Error::cbm(
            header.offset(),
            "there are not as many dictionaries as tokenizers",
        ));
    }

    let mut tokenizers = HashMap::new();
    let mut dictionaries = HashMap::new();
    let mut calcers = HashMap::new();
    loop {
        let part = bytes.sized_flat_u64()?.root()?;
        let id: Guid = part.bytes(1)?.unwrap_or_default();
        match part.get::<u8>(0, 0)? {
            0 => drop(tokenizers.insert(id, tokenizer(bytes)?)),
            1 => drop(dictionaries.insert(id, dictionary(bytes)?)),
            2 => drop(calcers.insert(id, calcer(bytes)?)),
            3 => break,
            other => {
                return Err(Error::unsupported(format!(
                    "a text processing part of kind {other}"
                )));
            }
        }
    }

    let missing = |what: &str| {
        Error::cbm(
            header.offset(),
            format!("a {what} is missing, or named twice"),
        )
    };
    let mut text = RawText {
        tokenizers: in_order(&tokenizer_ids, tokenizers).ok_or_else(|| missing("tokenizer"))?,
        dictionaries: in_order(&dictionary_ids, dictionaries)
            .ok_or_else(|| missing("dictionary"))?,
        calcers: in_order(&calcer_ids, calcers).ok_or_else(|| missing("calcer"))?,
        tokenized: Vec::new(),
    };
    let mut calcers = calcers_of_tokenized.into_iter();
    for (feature, digitizers) in (0..).zip(digitizers_of_texts) {
        for digitizer in digitizers {
            let calcers = calcers.next().ok_or_else(|| missing("list of calcers"))?;
            text.tokenized.push(RawTokenized {
                text: feature,
                tokenizer: digitizer as usize,
                dictionary: digitizer as usize,
                calcers: calcers.into_iter().map(|calcer| calcer as usize).collect(),
            });
        }
    }
    Ok((text, calcer_ids))
}

fn guid(bytes: &[u8]) -> Guid {
    bytes.try_into().expect("chunks of 16 bytes")
}

/// Returns the parts in the order of the header. Each may be named once, since a small header could otherwise ask for
/// many copies of a large part.
fn in_order<T>(ids: &[Guid], mut parts: HashMap<Guid, T>) -> Option<Vec<T>> {
    ids.iter().map(|id| parts.remove(id)).collect()
}

/// Reads the body of a tokenizer: magic `TokenizerV1`, identifier, `TTokenizerOptions`.
///
/// | bytes | option |
/// | --- | --- |
/// | u8, u8 | lowercasing, lemmatizing (unsupported) |
/// | u32, string | number policy (0 skip, 1 leave, 2 replace), replacement |
/// | u32, string | separator type (0 by delimiter, 1 by sense, unsupported), delimiter |
/// | u8, u8 | split by set, skip empty |
/// | size, u32 each | token types, ignored |
/// | u32 | subtokens policy, ignored |
/// | size, u32 each | languages, ignored |
fn tokenizer(bytes: &mut Bytes<'_>) -> Result<Tokenizer, Error> {
    bytes.magic("TokenizerV1")?;
    bytes.take(16)?;
    let lowercasing = bytes.bool()?;
    if bytes.bool()? {
        return Err(Error::unsupported(
            "a tokenizer that puts words in their base form (lemmatizing)",
        ));
    }
    let number_policy = bytes.u32()?;
    let number_token = bytes.string()?;
    let numbers = match number_policy {
        0 => NumberPolicy::Skip,
        1 => NumberPolicy::LeaveAsIs,
        2 => NumberPolicy::Replace(number_token),
        other => return Err(bytes.error(format!("a number policy of kind {other}"))),
    };
    match bytes.u32()? {
        0 => {}
        1 => {
            return Err(Error::unsupported(
                "a tokenizer that splits by sense (separator_type BySense)",
            ));
        }
        other => return Err(bytes.error(format!("a separator of kind {other}"))),
    }
    let delimiter = bytes.string()?;
    let (split_by_set, skip_empty) = (bytes.bool()?, bytes.bool()?);
    // Token types, the policy for subwords, and languages apply to splitting by sense and lemmatizing.
    let token_types = bytes.size()?;
    bytes.elements(token_types, 4)?;
    bytes.u32()?;
    let languages = bytes.size()?;
    bytes.elements(languages, 4)?;
    Ok(Tokenizer {
        lowercasing,
        numbers,
        delimiter,
        split_by_set,
        skip_empty,
    })
}

/// Reads the body of a dictionary: magic `DictionaryV1`, identifier, and CatBoost's memory-mapped dictionary.
///
/// The latter is the magic `MMapDictionary`, a u64 total size (ignored), the u64 length of a flatbuffer
/// `TDictionaryMetaInfo`, the flatbuffer, and a hash table. Dictionaries of n-grams of two words or more have
/// a second table.
fn dictionary(bytes: &mut Bytes<'_>) -> Result<Dictionary, Error> {
    bytes.magic("DictionaryV1")?;
    bytes.take(16)?;
    bytes.magic("MMapDictionary")?;
    bytes.u64()?;
    let info = bytes.sized_flat_u64()?.root()?;
    let options = info.required(1, "DictionaryOptions")?;
    let positive = |table: &Table<'_>, field, default, name: &str| {
        let value = table.get::<i32>(field, default)?;
        u32::try_from(value).map_err(|_| Error::cbm(table.offset(), format!("{name} is {value}")))
    };
    let order = positive(&options, 1, 1, "GramOrder")?;
    let flag = |field, default, name: &str| match options.get::<i8>(field, default)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::cbm(options.offset(), format!("{name} is {other}"))),
    };
    let gram = if flag(0, 0, "TokenLevelType")? {
        Gram::Letters {
            order,
            end_of_word: flag(4, 1, "EndOfWordTokenPolicy")?,
        }
    } else {
        Gram::Words {
            order,
            skip_step: positive(&options, 2, 0, "SkipStep")?,
        }
    };
    let tokens = token_table(bytes)?;
    let grams = match gram {
        Gram::Words { order: 2.., .. } => Some(token_table(bytes)?),
        Gram::Words { .. } | Gram::Letters { .. } => None,
    };
    // Identifiers are unsigned, though the schema declares them signed.
    Ok(Dictionary {
        gram,
        size: positive(&info, 0, 0, "DictionarySize")?,
        start_token_id: options.get::<u32>(3, 0)?,
        unknown_token_id: info.get::<u32>(2, 0)?,
        end_of_sentence_token_id: info.get::<u32>(3, 0)?,
        end_of_sentence: flag(5, 0, "EndOfSentenceTokenPolicy")?,
        tokens,
        grams,
    })
}

/// Reads a hash table: u64 length of the buckets in bytes, u64 seed, and buckets of 16 bytes (u64 hash, u32
/// id, 4 bytes of padding). Entries come out by ascending hash.
fn token_table(bytes: &mut Bytes<'_>) -> Result<TokenTable, Error> {
    let len = bytes.u64()?;
    let seed = bytes.u64()?;
    if !len.is_multiple_of(16) {
        return Err(bytes.error(format!("expected buckets of 16 bytes, found {len} bytes")));
    }
    let buckets = bytes.elements(len, 1)?.chunks_exact(16);
    let mut entries: Vec<(u64, u32)> = buckets
        .map(|bucket| (u64::read(&bucket[..8]), u32::read(&bucket[8..12])))
        .filter(|&(hash, _)| hash != EMPTY)
        .collect();
    entries.sort_unstable();
    Ok(TokenTable { seed, entries })
}

/// Reads the body of a calcer: magic `FeatureCalcerV1`, u32 type, u64 length, and a flatbuffer
/// `TFeatureCalcer`. The classes of naive Bayes and BM25 follow.
///
/// | type | tag of the union | calcer |
/// | --- | --- | --- |
/// | 0 | 3 | bag of words, `TBoW` |
/// | 1 | 2 | naive Bayes, `TNaiveBayes` |
/// | 2 | 1 | BM25, `TBM25` |
fn calcer(bytes: &mut Bytes<'_>) -> Result<TextCalcer, Error> {
    bytes.magic("FeatureCalcerV1")?;
    let calcer_type = bytes.u32()?;
    let table = bytes.sized_flat_u64()?.root()?;
    let active: Vec<u32> = table.vector(1)?;
    let formula = table.required(3, "FeatureCalcerImpl")?;
    let kind = match (calcer_type, table.get::<u8>(2, 0)?) {
        (0, 3) => TextCalcerKind::BagOfWords {
            tokens: formula.get(0, 0)?,
        },
        (1, 2) => {
            let (docs, totals): (Vec<u32>, Vec<u64>) = (formula.vector(4)?, formula.vector(5)?);
            let counts = class_counts(bytes)?;
            if docs.len() != counts.len()
                || totals.len() != counts.len()
                || formula.get::<u32>(0, 0)? as usize != counts.len()
            {
                return Err(Error::cbm(
                    formula.offset(),
                    "the classes of naive Bayes do not add up",
                ));
            }
            let classes = docs.into_iter().zip(totals).zip(counts);
            TextCalcerKind::NaiveBayes {
                class_prior: formula.get(1, 0.0)?,
                token_prior: formula.get(2, 0.0)?,
                seen_tokens: formula.get(3, 0)?,
                classes: classes
                    .map(|((docs, total_tokens), counts)| NaiveBayesClass {
                        docs,
                        total_tokens,
                        counts,
                    })
                    .collect(),
            }
        }
        (2, 1) => {
            let totals: Vec<u64> = formula.vector(5)?;
            let counts = class_counts(bytes)?;
            if totals.len() != counts.len() || formula.get::<u32>(0, 0)? as usize != counts.len() {
                return Err(Error::cbm(
                    formula.offset(),
                    "the classes of BM25 do not add up",
                ));
            }
            let classes = totals.into_iter().zip(counts);
            TextCalcerKind::Bm25 {
                k: formula.get(1, 0.0)?,
                b: formula.get(2, 0.0)?,
                truncate_border: formula.get(3, 0.0)?,
                total_tokens: formula.get(4, 0)?,
                classes: classes
                    .map(|(total_tokens, counts)| Bm25Class {
                        total_tokens,
                        counts,
                    })
                    .collect(),
            }
        }
        (kind, _) => return Err(Error::unsupported(format!("a text calcer of kind {kind}"))),
    };
    Ok(TextCalcer { active, kind })
}

/// Reads a dense hash per class: token id → count. Their number comes first, as a size.
///
/// Each is CatBoost's `TDenseHash`: u64 mask, u64 number of filled buckets, u64 number at which it grows,
/// size, buckets (u32 token, u32 count), u32 marker of free buckets, u32 default. Pairs come out by ascending
/// token id.
fn class_counts(bytes: &mut Bytes<'_>) -> Result<Vec<Vec<(u32, u32)>>, Error> {
    let classes = bytes.size()?;
    let mut counts = Vec::new();
    for _ in 0..classes {
        // The mask, the number of filled buckets, and the number at which the table grows.
        bytes.take(24)?;
        let buckets = bytes.size()?;
        let buckets = bytes.elements(buckets, 8)?;
        let (empty, _) = (bytes.u32()?, bytes.u32()?);
        let pairs = buckets
            .chunks_exact(8)
            .map(|pair| (u32::read(&pair[..4]), u32::read(&pair[4..])));
        let mut class: Vec<(u32, u32)> = pairs.filter(|&(token, _)| token != empty).collect();
        class.sort_unstable();
        counts.push(class);
    }
    Ok(counts)
}
