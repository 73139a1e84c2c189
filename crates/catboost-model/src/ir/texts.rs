//! How texts become numbers.

use serde::{Deserialize, Serialize};

use catboost_runtime::text;

use super::{DictionaryIdx, TextIdx, TokenizerIdx};
use crate::json::{
    hashes::{hash, hash_ids},
    number::float,
};

/// How a model's texts become numbers: text → tokens → token ids → numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// How texts are cut into tokens.
    pub tokenizers: Vec<Tokenizer>,
    /// How tokens become ids.
    pub dictionaries: Vec<Dictionary>,
    /// A text feature after one tokenizer and one dictionary.
    pub tokenized: Vec<Tokenized>,
    /// How ids become numbers.
    pub calcers: Vec<TextCalcer>,
}

/// A text feature after one tokenizer and one dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenized {
    /// The feature.
    pub text: TextIdx,
    /// Cuts it into tokens.
    pub tokenizer: TokenizerIdx,
    /// Turns them into ids.
    pub dictionary: DictionaryIdx,
}

/// How a text is cut into tokens (by a delimiter: CatBoost's splitting by sense and lemmas are refused).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenizer {
    /// Whether tokens are put in lower case.
    pub lowercasing: bool,
    /// What becomes of tokens that are numbers.
    pub numbers: NumberPolicy,
    /// What tokens are separated by.
    pub delimiter: String,
    /// Whether any one byte of `delimiter` separates, rather than all of it.
    pub split_by_set: bool,
    /// Whether empty tokens are dropped.
    pub skip_empty: bool,
}

impl Tokenizer {
    /// The tokenizer that does it.
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

/// What becomes of tokens that are numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum NumberPolicy {
    /// They are dropped.
    Skip,
    /// They stay.
    LeaveAsIs,
    /// This token takes their place.
    Replace(String),
}

/// How tokens become ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionary {
    /// What an entry is made of.
    pub gram: Gram,
    /// How many entries; every id given out is below `start_token_id + size + 2`.
    pub size: u32,
    /// The least id.
    pub start_token_id: u32,
    /// The id that stands for tokens that are not in the dictionary (they are dropped before calcers see them).
    pub unknown_token_id: u32,
    /// The id of the end of a text.
    pub end_of_sentence_token_id: u32,
    /// Whether the end of a text is a token.
    pub end_of_sentence: bool,
    /// Hash of the token's bytes → id (inner id if there is a second table).
    pub tokens: TokenTable,
    /// For n-grams of words: hash of the n inner ids (u32, little-endian) → id.
    pub grams: Option<TokenTable>,
}

/// What an entry of a [`Dictionary`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Gram {
    /// `order` tokens, each `skip_step + 1` after the one before.
    Words {
        /// 1 for single words.
        order: u32,
        /// 0 for neighbours.
        skip_step: u32,
    },
    /// `order` letters of one token.
    Letters {
        /// 1 for single letters.
        order: u32,
        /// Whether the end of a word is a letter.
        end_of_word: bool,
    },
}

/// A hash table of tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenTable {
    /// Of MurmurHash2 64A.
    #[serde(with = "hash")]
    pub seed: u64,
    /// (hash, id), by ascending hash, hashes all different.
    #[serde(with = "hash_ids")]
    pub entries: Vec<(u64, u32)>,
}

/// How token ids become numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextCalcer {
    /// Which of the calcer's numbers the model knows, ascending. [`super::Estimated::local`] counts in this list.
    pub active: Vec<u32>,
    /// The formula.
    pub kind: TextCalcerKind,
}

/// The formulas that turn token ids into numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum TextCalcerKind {
    /// 1 if the token occurs, else 0: one number a token id.
    BagOfWords {
        /// How many numbers.
        tokens: u32,
    },
    /// The probability of each class by a multinomial naive Bayes: one number a class.
    NaiveBayes {
        /// Added to a class's documents.
        #[serde(with = "float")]
        class_prior: f32,
        /// Added to a token's count.
        #[serde(with = "float")]
        token_prior: f32,
        /// How many different tokens were seen in training.
        seen_tokens: u64,
        /// The classes.
        classes: Vec<NaiveBayesClass>,
    },
    /// Okapi BM25 of the text against each class: one number a class.
    Bm25 {
        /// Saturation.
        #[serde(with = "float")]
        k: f32,
        /// Length normalization.
        #[serde(with = "float")]
        b: f32,
        /// The least inverse class frequency.
        #[serde(with = "float")]
        truncate_border: f32,
        /// Tokens of all classes.
        total_tokens: u64,
        /// The classes.
        classes: Vec<Bm25Class>,
    },
}

/// What naive Bayes knows of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NaiveBayesClass {
    /// Texts of the class.
    pub docs: u32,
    /// Tokens in them.
    pub total_tokens: u64,
    /// (token id, count), by ascending id.
    pub counts: Vec<(u32, u32)>,
}

/// What BM25 knows of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bm25Class {
    /// Tokens of the class.
    pub total_tokens: u64,
    /// (token id, count), by ascending id.
    pub counts: Vec<(u32, u32)>,
}
