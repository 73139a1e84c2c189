//! Tokenizers, dictionaries and calcers of texts.

use serde::{Deserialize, Serialize};

use catboost_runtime::text;

use super::{DictionaryIdx, TextIdx, TokenizerIdx};
use crate::json::{
    hashes::{hash, hash_ids},
    number::float,
};

/// Stages of text features: text → tokens → token ids → numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// Tokenizers: text → tokens.
    pub tokenizers: Vec<Tokenizer>,
    /// Dictionaries: tokens → token ids.
    pub dictionaries: Vec<Dictionary>,
    /// Combinations of a text feature, a tokenizer and a dictionary.
    pub tokenized: Vec<Tokenized>,
    /// Calcers: token ids → numbers.
    pub calcers: Vec<TextCalcer>,
}

/// Text feature with one tokenizer and one dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenized {
    /// Text feature.
    pub text: TextIdx,
    /// Tokenizer.
    pub tokenizer: TokenizerIdx,
    /// Dictionary.
    pub dictionary: DictionaryIdx,
}

/// Tokenizer's settings. Only splitting by a delimiter is supported: CatBoost's `BySense` and lemmatizing are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenizer {
    /// True to convert tokens to lower case.
    pub lowercasing: bool,
    /// Treatment of number tokens.
    pub numbers: NumberPolicy,
    /// Delimiter between tokens.
    pub delimiter: String,
    /// True if each byte of `delimiter` is a delimiter, false if the whole string is one.
    pub split_by_set: bool,
    /// True to drop empty tokens.
    pub skip_empty: bool,
}

impl Tokenizer {
    /// Returns the tokenizer of `catboost_runtime` with these settings.
    #[must_use]
    pub fn runtime(&self) -> text::Tokenizer<&str> {
        text::Tokenizer {
            delimiter: &self.delimiter,
            split_by_set: self.split_by_set,
            skip_empty: self.skip_empty,
            lowercasing: self.lowercasing,
            numbers: match &self.numbers {
                NumberPolicy::Skip => text::NumberPolicy::Skip,
                NumberPolicy::LeaveAsIs => text::NumberPolicy::LeaveAsIs,
                NumberPolicy::Replace(token) => text::NumberPolicy::Replace(token),
            },
        }
    }
}

/// Treatment of number tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum NumberPolicy {
    /// Drop them.
    Skip,
    /// Keep them.
    LeaveAsIs,
    /// Replace each by this token.
    Replace(String),
}

/// Dictionary: tokens or n-grams → ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionary {
    /// Kind of the entries.
    pub gram: Gram,
    /// Number of entries. Every id is less than `start_token_id + size + 2`.
    pub size: u32,
    /// Least id.
    pub start_token_id: u32,
    /// Id of tokens that are not in the dictionary. They are dropped before calcers see them.
    pub unknown_token_id: u32,
    /// Id of the end of a text.
    pub end_of_sentence_token_id: u32,
    /// True if the end of a text is a token.
    pub end_of_sentence: bool,
    /// Hash of the token's bytes → id, or inner id if there is a second table.
    pub tokens: TokenTable,
    /// Hash of the n inner ids (u32, little-endian) → id, for n-grams of words.
    pub grams: Option<TokenTable>,
}

/// Kind of the entries of a [`Dictionary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Gram {
    /// N-grams of `order` tokens, each `skip_step + 1` tokens after the previous one.
    Words {
        /// 1 for single words.
        order: u32,
        /// 0 for adjacent words.
        skip_step: u32,
    },
    /// N-grams of `order` letters within a token.
    Letters {
        /// 1 for single letters.
        order: u32,
        /// True if the end of a word is a letter.
        end_of_word: bool,
    },
}

/// Hash table of tokens or n-grams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenTable {
    /// Seed of MurmurHash2 64A.
    #[serde(with = "hash")]
    pub seed: u64,
    /// Pairs (hash, id), by ascending hash. Hashes are distinct.
    #[serde(with = "hash_ids")]
    pub entries: Vec<(u64, u32)>,
}

/// Calcer of token ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextCalcer {
    /// Indices of the calcer's numbers that the model knows, ascending. [`super::Estimated::local`] indexes this list.
    pub active: Vec<u32>,
    /// Formula and its parameters.
    pub kind: TextCalcerKind,
}

/// Formulas of calcers of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum TextCalcerKind {
    /// Bag of words. There is one result per token id: 1 if the token occurs, else 0.
    BagOfWords {
        /// Number of token ids, and so of results.
        tokens: u32,
    },
    /// Multinomial naive Bayes. There is one result per class: its probability.
    NaiveBayes {
        /// Pseudo-count added to the number of a class's texts.
        #[serde(with = "float")]
        class_prior: f32,
        /// Pseudo-count added to the count of each token.
        #[serde(with = "float")]
        token_prior: f32,
        /// Number of different tokens in the training data.
        seen_tokens: u64,
        /// Classes.
        classes: Vec<NaiveBayesClass>,
    },
    /// Okapi BM25. There is one result per class: the text's score against it.
    Bm25 {
        /// Term-frequency saturation (`k1`).
        #[serde(with = "float")]
        k: f32,
        /// Length normalization.
        #[serde(with = "float")]
        b: f32,
        /// Lower bound of the inverse class frequency.
        #[serde(with = "float")]
        truncate_border: f32,
        /// Number of tokens in all classes together.
        total_tokens: u64,
        /// Classes.
        classes: Vec<Bm25Class>,
    },
}

/// Counts of naive Bayes for one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NaiveBayesClass {
    /// Number of texts of the class.
    pub docs: u32,
    /// Number of tokens in them.
    pub total_tokens: u64,
    /// Pairs (token id, count), by ascending id.
    pub counts: Vec<(u32, u32)>,
}

/// Counts of BM25 for one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bm25Class {
    /// Number of tokens of the class.
    pub total_tokens: u64,
    /// Pairs (token id, count), by ascending id.
    pub counts: Vec<(u32, u32)>,
}
