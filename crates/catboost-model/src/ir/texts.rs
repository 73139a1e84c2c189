//! Tokenizers, dictionaries and calcers of texts: the part `text_process_v2` of a `.cbm`.
//!
//! ```text
//! text ── Tokenizer ──► tokens ── Dictionary ──► token ids with counts ── TextCalcer ──► f32 numbers
//! ```
//!
//! A [`Tokenized`] names the first three. [`super::EstimatedSource::Text`] adds the calcer, and
//! [`super::Estimated::local`] picks one of its numbers.

use serde::{Deserialize, Serialize};

use catboost_runtime::text;

use super::{DictionaryIdx, TextIdx, TokenizerIdx};
use crate::json::{
    hashes::{hash, hash_ids},
    number::float,
};

/// Stages of text features: text → tokens → token ids → numbers. The lists are in file order; a model without
/// text features has empty ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// Tokenizers: text → tokens.
    pub tokenizers: Vec<Tokenizer>,
    /// Dictionaries: tokens → token ids.
    pub dictionaries: Vec<Dictionary>,
    /// Combinations of a text feature, a tokenizer and a dictionary (CatBoost's tokenized features).
    pub tokenized: Vec<Tokenized>,
    /// Calcers: token ids → numbers. Each belongs to at most one tokenized feature.
    pub calcers: Vec<TextCalcer>,
}

/// Text feature with one tokenizer and one dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenized {
    /// Text feature. It has a [`Tokenized`] for each of its dictionaries.
    pub text: TextIdx,
    /// Tokenizer.
    pub tokenizer: TokenizerIdx,
    /// Dictionary.
    pub dictionary: DictionaryIdx,
}

/// Tokenizer's settings: CatBoost's `TTokenizerOptions` (`library/cpp/text_processing/tokenizer`). Only
/// splitting by a delimiter is supported: CatBoost's `BySense` and lemmatizing are refused.
///
/// The order of the steps: split, drop empty tokens, treat numbers, convert to lower case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenizer {
    /// True to convert tokens to lower case. Replacements for numbers stay as they are.
    pub lowercasing: bool,
    /// Treatment of number tokens, which are not empty and consist of ASCII digits.
    pub numbers: NumberPolicy,
    /// Delimiter between tokens. An empty one makes one empty token of any text.
    pub delimiter: String,
    /// True if each byte of `delimiter` (up to its first NUL) is a delimiter, false if the whole string is
    /// one.
    pub split_by_set: bool,
    /// True to drop empty tokens.
    pub skip_empty: bool,
}

impl Tokenizer {
    /// Returns the tokenizer of `catboost_runtime` with these settings.
    ///
    /// ```
    /// use catboost_model::ir::{NumberPolicy, Tokenizer};
    /// use catboost_runtime::text::Tokens;
    ///
    /// let tokenizer = Tokenizer {
    ///     lowercasing: true,
    ///     numbers: NumberPolicy::Skip,
    ///     delimiter: " ".to_owned(),
    ///     split_by_set: false,
    ///     skip_empty: true,
    /// };
    /// let mut tokens = Tokens::new();
    /// tokenizer.runtime().tokenize("Black tea  42", &mut tokens);
    /// assert!(tokens.iter().eq([b"black".as_slice(), b"tea"]));
    /// ```
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

/// Treatment of number tokens (`number_process_policy` among CatBoost's options).
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

/// Dictionary: tokens or n-grams → ids. Mirrors CatBoost's `TDictionaryMetaInfo` and `TDictionaryOptions`
/// (`dictionary_meta_info.fbs`) with the hash tables of its memory-mapped dictionary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionary {
    /// Kind of the entries.
    pub gram: Gram,
    /// Number of entries. The tables give ids from 0 to `size - 1`, whatever [`Dictionary::start_token_id`]
    /// is.
    pub size: u32,
    /// Least token id in the counts of naive Bayes and BM25. Their ids are less than `start_token_id + size +
    /// 2`, since those of unknown tokens and of the end of a text follow the entries. CatBoost does not add
    /// it when it looks up tokens in a loaded dictionary, and neither does this crate.
    pub start_token_id: u32,
    /// Id of tokens that are not in the dictionary. They are dropped before calcers see them.
    pub unknown_token_id: u32,
    /// Id of the end of a text, used if [`Dictionary::end_of_sentence`] is true and the entries are single
    /// words.
    pub end_of_sentence_token_id: u32,
    /// True if the end of a text is a token. Dictionaries of letters ignore it.
    pub end_of_sentence: bool,
    /// Hash of the token's bytes → id. With [`Dictionary::grams`], hash of the word's bytes → inner id.
    pub tokens: TokenTable,
    /// Hash of the n inner ids (u32, little-endian) → id. Present exactly for n-grams of two words or more.
    pub grams: Option<TokenTable>,
}

/// Kind of the entries of a [`Dictionary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Gram {
    /// N-grams of `order` tokens, each `skip_step + 1` tokens after the previous one.
    Words {
        /// 1 for single words, at most 5.
        order: u32,
        /// 0 for adjacent words.
        skip_step: u32,
    },
    /// N-grams of `order` letters within a token.
    Letters {
        /// 1 for single letters. A letter is a Unicode scalar value.
        order: u32,
        /// True if the end of a word is a letter (a blank).
        end_of_word: bool,
    },
}

/// Hash table of tokens or n-grams. In a `.cbm` it has buckets and open addressing, here it is sorted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenTable {
    /// Seed of MurmurHash2 64A ([`catboost_runtime::hash::murmur2_64a`]).
    #[serde(with = "hash")]
    pub seed: u64,
    /// Pairs (hash, id), by ascending hash. Hashes are distinct.
    #[serde(with = "hash_ids")]
    pub entries: Vec<(u64, u32)>,
}

/// Calcer of token ids: `TFeatureCalcer` of CatBoost's `feature_calcers.fbs` with the counts that follow it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextCalcer {
    /// Indices of the calcer's numbers that the model knows, ascending (`ActiveFeatureIndices`): token ids
    /// for a bag of words, classes for the others. [`super::Estimated::local`] indexes this list.
    pub active: Vec<u32>,
    /// Formula and its parameters.
    pub kind: TextCalcerKind,
}

/// Formulas of calcers of texts. [`catboost_runtime::calcer`] has the arithmetic: f64 in CatBoost's order of
/// operations, rounded to f32 at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum TextCalcerKind {
    /// Bag of words. There is one result per token id: 1 if the token occurs, else 0.
    BagOfWords {
        /// Number of token ids, and so of results (`TBoW.NumTokens`): the size of the calcer's dictionary.
        tokens: u32,
    },
    /// Multinomial naive Bayes (`TNaiveBayes`). There is one result per class: its probability, by softmax
    /// over the classes of `ln(docs + class_prior) + Σ count * ln(token_prior + frequency) - length * ln(D)`.
    ///
    /// `D` is the number of the class's tokens, plus `token_prior * (seen_tokens + 1)`, plus `token_prior`
    /// for each token of the text that the class lacks.
    NaiveBayes {
        /// Pseudo-count added to the number of a class's texts.
        #[serde(with = "float")]
        class_prior: f32,
        /// Pseudo-count added to the count of each token.
        #[serde(with = "float")]
        token_prior: f32,
        /// Number of different tokens in the training data (`NumSeenTokens`).
        seen_tokens: u64,
        /// Classes, in the order of the results.
        classes: Vec<NaiveBayesClass>,
    },
    /// Okapi BM25 (`TBM25`). There is one result per class, the text's score against it: the sum over the
    /// text's different tokens of `idf * tf * (k + 1) / (tf + k * (1 - b + b * mean / length))`.
    ///
    /// `tf` is the token's count in the class, `length` the number of the class's tokens, `mean` that
    /// number's mean over the classes, and `idf` the greater of `truncate_border` and the logarithm of
    /// classes without the token over classes with it, 0.5 added to both.
    Bm25 {
        /// Term-frequency saturation (`k1`; `ParamK`).
        #[serde(with = "float")]
        k: f32,
        /// Length normalization (`ParamB`): 0 for none.
        #[serde(with = "float")]
        b: f32,
        /// Lower bound of the inverse class frequency (`TruncateBorder`).
        #[serde(with = "float")]
        truncate_border: f32,
        /// Number of tokens in all classes together.
        total_tokens: u64,
        /// Classes, in the order of the results.
        classes: Vec<Bm25Class>,
    },
}

/// Counts of naive Bayes for one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NaiveBayesClass {
    /// Number of texts of the class (`ClassDocs`).
    pub docs: u32,
    /// Number of tokens in them (`ClassTotalTokens`).
    pub total_tokens: u64,
    /// Pairs (token id, count), by ascending id, which are distinct. Other tokens have no count.
    pub counts: Vec<(u32, u32)>,
}

/// Counts of BM25 for one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bm25Class {
    /// Number of tokens of the class (`ClassTotalTokens`).
    pub total_tokens: u64,
    /// Pairs (token id, count), by ascending id, which are distinct. Other tokens have no count.
    pub counts: Vec<(u32, u32)>,
}
