//! Rows of the self-check, which a compiled model runs when it starts: synthesized from the model, and answered by the
//! plain interpreter while the model is compiled.
//!
//! A number is one of its feature's borders, the next float above or below it, or NaN. A categorical value or a word of
//! a text is one that the model knows, if a list of common words has one: the model itself has only hashes. The numbers
//! of an embedding are between -2 and 2.
//!
//! The rows depend on the model alone: the pseudo-random numbers start from a fixed seed.

use catboost_model::{
    eval::{self, Row},
    ir::{CatIdx, Dictionary, Gram, Model, TextIdx},
};
use catboost_runtime::{
    hash::{cat_hash, ctr_key_cat},
    text::TokenTable as _,
};

/// Number of rows.
pub(crate) const ROWS: usize = 16;
/// Upper bound on the words of a text.
const WORDS: u64 = 9;
/// Value that no model knows.
const UNSEEN: &str = "unseen by any model";

/// Rows, and the bits of their raw values.
pub(crate) struct SelfCheck {
    /// One number per feature, row by row.
    pub(crate) floats: Vec<f32>,
    /// Values of the categorical features of each row, in the model's order.
    pub(crate) cats: Vec<Vec<String>>,
    /// Texts of each row, of up to nine words.
    pub(crate) texts: Vec<Vec<String>>,
    /// For each embedding feature, as many numbers as its dimension, row by row.
    pub(crate) embeddings: Vec<Vec<f32>>,
    /// Bits of the raw values, one per dimension, row by row.
    pub(crate) bits: Vec<u64>,
}

impl SelfCheck {
    /// Draws [`ROWS`] rows and evaluates each with `catboost_model::eval`.
    pub(crate) fn new(model: &Model) -> Self {
        let common = common_words();
        let known_cats: Vec<Vec<&str>> = (0..model.cat_features.len() as u32)
            .map(|cat| known(&common, |word| knows_value(model, CatIdx(cat), word)))
            .collect();
        let known_words: Vec<Vec<&str>> = (0..model.text_features.len() as u32)
            .map(|text| known(&common, |word| knows_word(model, TextIdx(text), word)))
            .collect();
        let mut dice = Dice(0);
        let (mut floats, mut bits) = (Vec::new(), Vec::new());
        let (mut cats, mut texts) = (Vec::new(), Vec::new());
        let mut embeddings = vec![Vec::new(); model.embedding_features.len()];
        for _ in 0..ROWS {
            let numbers: Vec<f32> = model
                .float_features
                .iter()
                .map(|feature| number(&feature.borders, &mut dice))
                .collect();
            let values: Vec<String> = known_cats
                .iter()
                .map(|known| dice.value(known).to_owned())
                .collect();
            let sentences: Vec<String> = (0..)
                .zip(&known_words)
                .map(|(text, known)| {
                    let words: Vec<&str> = (0..dice.roll(WORDS + 1))
                        .map(|_| dice.value(known))
                        .collect();
                    words.join(delimiter(model, TextIdx(text)))
                })
                .collect();
            let vectors: Vec<Vec<f32>> = model
                .embedding_features
                .iter()
                .map(|feature| (0..feature.dimension).map(|_| dice.component()).collect())
                .collect();
            let row = Row {
                floats: &numbers,
                cats: &values.iter().map(String::as_str).collect::<Vec<_>>(),
                texts: &sentences.iter().map(String::as_str).collect::<Vec<_>>(),
                embeddings: &vectors.iter().map(Vec::as_slice).collect::<Vec<_>>(),
            };
            bits.extend(eval::raw(model, &row).into_iter().map(f64::to_bits));
            floats.extend(numbers);
            cats.push(values);
            texts.push(sentences);
            for (all, vector) in embeddings.iter_mut().zip(vectors) {
                all.extend(vector);
            }
        }
        Self {
            floats,
            cats,
            texts,
            embeddings,
            bits,
        }
    }
}

/// Draws a number at or beside a border, or NaN.
fn number(borders: &[f32], dice: &mut Dice) -> f32 {
    if borders.is_empty() || dice.roll(8) == 0 {
        return f32::NAN;
    }
    let border = borders[dice.roll(borders.len() as u64) as usize];
    match dice.roll(3) {
        0 => border,
        1 => border.next_up(),
        _ => border.next_down(),
    }
}

/// Common values of features: digits, letters, small numbers, days and months.
fn common_words() -> Vec<String> {
    let letters = ('0'..='9')
        .chain('A'..='Z')
        .chain('a'..='z')
        .chain('А'..='я');
    let names = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
        "true",
        "false",
        "yes",
        "no",
        "unknown",
        "other",
        "nan",
    ];
    letters
        .map(String::from)
        .chain((10..100).map(|number| number.to_string()))
        .chain(names.map(str::to_owned))
        .collect()
}

/// Returns the common words that a feature knows.
fn known(common: &[String], knows: impl Fn(&str) -> bool) -> Vec<&str> {
    common
        .iter()
        .map(String::as_str)
        .filter(|word| knows(word))
        .collect()
}

/// Returns true if a one-hot split or a CTR knows a value of a categorical feature.
fn knows_value(model: &Model, cat: CatIdx, value: &str) -> bool {
    let hash = cat_hash(value);
    let by_one_hot = model
        .one_hots
        .iter()
        .any(|one_hot| one_hot.cat == cat && one_hot.values.contains(&hash.cast_signed()));
    by_one_hot
        || model.ctr_tables.iter().any(|table| {
            let of = &table.projection;
            of.cats == [cat]
                && of.floats.is_empty()
                && of.one_hots.is_empty()
                && table.keys.binary_search(&ctr_key_cat(0, hash)).is_ok()
        })
}

/// Returns true if a dictionary of words has a word of a text feature.
fn knows_word(model: &Model, text: TextIdx, word: &str) -> bool {
    model.text.tokenized.iter().any(|tokenized| {
        let dictionary: &Dictionary = &model.text.dictionaries[tokenized.dictionary.at()];
        let tokens = &dictionary.tokens;
        tokenized.text == text
            && matches!(dictionary.gram, Gram::Words { .. })
            && tokens
                .find(catboost_runtime::hash::murmur2_64a(
                    word.as_bytes(),
                    tokens.seed,
                ))
                .is_some()
    })
}

/// Delimiter between the words of a text feature.
fn delimiter(model: &Model, text: TextIdx) -> &str {
    let of_text = |tokenized: &&catboost_model::ir::Tokenized| tokenized.text == text;
    let tokenized = model.text.tokenized.iter().find(of_text);
    tokenized.map_or(" ", |tokenized| {
        &model.text.tokenizers[tokenized.tokenizer.at()].delimiter
    })
}

/// Pseudo-random numbers, the same in every run: SplitMix64.
struct Dice(u64);

impl Dice {
    /// Draws one of `0..sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % sides
    }

    /// Draws a number between -2 and 2, as are common in embeddings.
    fn component(&mut self) -> f32 {
        (self.roll(4001) as f32 - 2000.0) / 1000.0
    }

    /// Draws one of `known`, mostly.
    fn value<'a>(&mut self, known: &[&'a str]) -> &'a str {
        if known.is_empty() || self.roll(8) == 0 {
            UNSEEN
        } else {
            known[self.roll(known.len() as u64) as usize]
        }
    }
}
