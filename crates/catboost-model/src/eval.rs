//! The plain interpreter: evaluates the intermediate representation directly.
//!
//! It is slow and simple. Compiled models are compared with it, and it with CatBoost, to the last bit.
//!
//! ```text
//! row ──► CTRs, estimated features ──► answers to splits ──► leaf of each tree ──► sum, scale, bias
//! ```
//!
//! | function | CatBoost (Python) | result |
//! | --- | --- | --- |
//! | [`raw`] | `predict(prediction_type="RawFormulaVal")` | raw values of all trees |
//! | [`raw_of_trees`] | the same with `ntree_start`, `ntree_end` | raw values of a range of trees |
//! | [`stages`] | `staged_predict` | raw values after every few trees |
//! | [`leaves`] | `calc_leaf_indexes` | leaf index per tree |
//!
//! Raw values are those that the model stores: classes which the training data lacked have none, until
//! [`Output::raw`](crate::output::Output::raw) adds them.

pub(crate) mod stored;
mod trees;

pub use catboost_runtime::predict::Row;
use catboost_runtime::{
    calcer::{Bm25, NaiveBayes, bayes_softmax, has_token},
    ctr::CtrFormula,
    hash::{cat_hash, ctr_key_cat, ctr_key_split},
    knn::{Graph, Targets},
    lda,
    text::{self, Scratch, Tokens},
};

use crate::ir::{
    Ctr, CtrTable, CtrType, CtrValues, Dictionary, EmbeddingCalcerKind, EstimatedSource, FloatIdx,
    Gram, KnnTargets, Model, NanTreatment, OneHotIdx, Projection, Split, SplitIdx, TextCalcer,
    TextCalcerKind, TokenTable, TokenizedIdx,
};

pub use trees::{leaves, raw, raw_of_trees, stages};

/// Numbers that splits test, apart from the row's own features. Computed once per row.
pub(crate) struct Numbers {
    /// Value of each estimated feature, by `EstimatedIdx`.
    estimated: Vec<f32>,
    /// Value of each CTR, by `CtrIdx`.
    ctrs: Vec<f32>,
}

impl Numbers {
    pub(crate) fn compute(model: &Model, row: &Row) -> Self {
        Self {
            estimated: estimated(model, row),
            ctrs: model
                .ctrs
                .iter()
                .map(|ctr| ctr_value(model, row, ctr))
                .collect(),
        }
    }

    pub(crate) fn answer(&self, model: &Model, row: &Row, split: SplitIdx) -> bool {
        match model.splits[split.at()] {
            Split::Float { feature, border } => float_split(model, row, feature, border),
            Split::OneHot { feature, value } => one_hot_split(model, row, feature, value),
            Split::Estimated { feature, border } => {
                self.estimated[feature.at()]
                    > model.estimated[feature.at()].borders[border as usize]
            }
            Split::Ctr { feature, border } => {
                self.ctrs[feature.at()] > model.ctrs[feature.at()].borders[border as usize]
            }
        }
    }
}

/// Returns true if a numeric value is above a border, in f32. NaN is replaced first if the feature's training
/// data had NaN; otherwise its comparison is false.
fn float_split(model: &Model, row: &Row, feature: FloatIdx, border: u32) -> bool {
    let value = row.floats[feature.at()];
    let feature = &model.float_features[feature.at()];
    let value = match feature.nan {
        NanTreatment::AsFalse if feature.has_nans && value.is_nan() => f32::NEG_INFINITY,
        NanTreatment::AsTrue if feature.has_nans && value.is_nan() => f32::INFINITY,
        _ => value,
    };
    value > feature.borders[border as usize]
}

/// Returns true if a categorical value has a known hash. Two values with one hash are the same to a model.
fn one_hot_split(model: &Model, row: &Row, feature: OneHotIdx, value: u32) -> bool {
    let feature = &model.one_hots[feature.at()];
    cat_hash(row.cats[feature.cat.at()]).cast_signed() == feature.values[value as usize]
}

fn ctr_value(model: &Model, row: &Row, ctr: &Ctr) -> f32 {
    let table = &model.ctr_tables[ctr.table.at()];
    let entry = table
        .keys
        .binary_search(&ctr_key(model, row, &table.projection));
    ctr.value(table, entry.ok())
}

impl Ctr {
    /// Returns the CTR's value for an entry of its table, or for a key that the table lacks (`None`). All
    /// arithmetic is f32, as in CatBoost's `TModelCtr::Calc`.
    ///
    /// # Panics
    /// If the entry is out of range.
    ///
    /// ```
    /// use catboost_model::ir::{CatIdx, Ctr, CtrTable, CtrType, CtrValues, Projection, TableIdx};
    ///
    /// let table = CtrTable {
    ///     projection: Projection { cats: vec![CatIdx(0)], floats: Vec::new(), one_hots: Vec::new() },
    ///     ctr_type: CtrType::Borders,
    ///     keys: vec![7],
    ///     values: CtrValues::Classes { classes: 2, counts: vec![1, 3] },
    /// };
    /// let ctr = Ctr {
    ///     table: TableIdx(0),
    ///     target_border: 0,
    ///     prior_num: 1.0,
    ///     prior_denom: 2.0,
    ///     shift: 0.0,
    ///     scale: 1.0,
    ///     borders: vec![0.5],
    /// };
    /// // Three of four training rows are good.
    /// assert_eq!(ctr.value(&table, Some(0)), (3.0 + 1.0) / (4.0 + 2.0));
    /// assert_eq!(ctr.value(&table, None), 1.0 / 2.0);
    /// ```
    #[must_use]
    pub fn value(&self, table: &CtrTable, entry: Option<usize>) -> f32 {
        let Self {
            prior_num,
            prior_denom,
            shift,
            scale,
            ..
        } = *self;
        let formula = CtrFormula {
            prior_num,
            prior_denom,
            shift,
            scale,
        };
        match (&table.values, entry) {
            (CtrValues::Classes { classes, counts }, Some(entry)) => {
                let classes = *classes as usize;
                let counts = &counts[entry * classes..][..classes];
                if table.ctr_type == CtrType::Buckets {
                    formula.buckets(counts, self.target_border)
                } else {
                    formula.borders(counts, self.target_border)
                }
            }
            (CtrValues::Means(means), Some(entry)) => formula.mean(means[entry].0, means[entry].1),
            (
                CtrValues::Counts {
                    denominator,
                    counts,
                },
                Some(entry),
            ) => formula.count(counts[entry], *denominator),
            (CtrValues::Counts { denominator, .. }, None) => formula.count(0, *denominator),
            (_, None) => formula.unknown(),
        }
    }
}

/// Returns the key of a row: the fold of its categorical hashes, then of its answers to the projection's
/// splits.
fn ctr_key(model: &Model, row: &Row, projection: &Projection) -> u64 {
    let mut key = 0;
    for cat in &projection.cats {
        key = ctr_key_cat(key, cat_hash(row.cats[cat.at()]));
    }
    for &(feature, border) in &projection.floats {
        key = ctr_key_split(key, float_split(model, row, feature, border));
    }
    for &(feature, value) in &projection.one_hots {
        key = ctr_key_split(key, one_hot_split(model, row, feature, value));
    }
    key
}

/// Computes every estimated feature of a row. Each tokenizes its text anew, since nothing is cached here.
fn estimated(model: &Model, row: &Row) -> Vec<f32> {
    model
        .estimated
        .iter()
        .map(|estimated| match estimated.source {
            EstimatedSource::Text { tokenized, calcer } => {
                let calcer = &model.text.calcers[calcer.at()];
                let ids = token_counts(model, row, tokenized);
                text_number(calcer, &ids, calcer.active[estimated.local as usize])
            }
            EstimatedSource::Embedding { calcer } => {
                let calcer = &model.embedding_calcers[calcer.at()];
                let dimension = model.embedding_features[calcer.embedding.at()].dimension;
                embedding_number(
                    &calcer.kind,
                    dimension,
                    row.embeddings[calcer.embedding.at()],
                    calcer.active[estimated.local as usize],
                )
            }
        })
        .collect()
}

/// Computes number `place` of a calcer of embeddings: a direction of LDA, or a class of KNN. `dimension` is
/// the length of the vectors.
fn embedding_number(
    calcer: &EmbeddingCalcerKind,
    dimension: usize,
    embedding: &[f32],
    place: u32,
) -> f32 {
    match calcer {
        EmbeddingCalcerKind::Lda { matrix, .. } => {
            let direction = &matrix[place as usize * dimension..][..dimension];
            lda::project(direction, embedding)
        }
        EmbeddingCalcerKind::Knn(knn) => {
            let graph = Graph {
                neighbors: knn.neighbors as usize,
                dimension,
                points: &knn.points,
                max_links: knn.max_links,
                level_sizes: &knn.level_sizes,
                links: &knn.links,
            };
            let targets = match &knn.targets {
                KnnTargets::Classes { of, .. } => Targets::Classes(of),
                KnnTargets::Values(values) => Targets::Values(values),
            };
            targets.number(&graph.nearest(embedding), place)
        }
    }
}

/// Returns the token ids of a text with their counts, by ascending id. Unknown tokens are missing.
fn token_counts(model: &Model, row: &Row, tokenized: TokenizedIdx) -> Vec<(u32, u32)> {
    let tokenized = model.text.tokenized[tokenized.at()];
    let tokenizer = &model.text.tokenizers[tokenized.tokenizer.at()];
    let mut tokens = Tokens::new();
    tokenizer
        .runtime()
        .tokenize(row.texts[tokenized.text.at()], &mut tokens);
    let mut ids = Vec::new();
    dictionary(&model.text.dictionaries[tokenized.dictionary.at()]).apply(
        &tokens,
        &mut Scratch::new(),
        &mut ids,
    );
    let mut counts = Vec::new();
    text::count(&mut ids, &mut counts);
    counts
}

fn dictionary(dictionary: &Dictionary) -> text::Dictionary<&TokenTable> {
    let end_of_sentence = dictionary.end_of_sentence;
    match (dictionary.gram, &dictionary.grams) {
        (Gram::Words { order, skip_step }, Some(grams)) => text::Dictionary::Grams {
            order,
            skip_step,
            end_of_sentence,
            words: &dictionary.tokens,
            grams,
        },
        (Gram::Words { .. }, None) => text::Dictionary::Words {
            words: &dictionary.tokens,
            end_of_sentence: end_of_sentence.then_some(dictionary.end_of_sentence_token_id),
        },
        (Gram::Letters { order, end_of_word }, _) => text::Dictionary::Letters {
            order,
            end_of_word,
            grams: &dictionary.tokens,
        },
    }
}

impl text::TokenTable for TokenTable {
    fn seed(&self) -> u64 {
        self.seed
    }

    fn find(&self, hash: u64) -> Option<u32> {
        let place = self.entries.binary_search_by_key(&hash, |&(hash, _)| hash);
        place.ok().map(|place| self.entries[place].1)
    }
}

/// Computes number `place` of a calcer of texts: a token id of a bag of words, or a class of the others.
/// `text` has token ids with their counts, by ascending id.
fn text_number(calcer: &TextCalcer, text: &[(u32, u32)], place: u32) -> f32 {
    match &calcer.kind {
        TextCalcerKind::BagOfWords { .. } => f32::from(has_token(text, place)),
        TextCalcerKind::NaiveBayes {
            class_prior,
            token_prior,
            seen_tokens,
            classes,
        } => {
            let bayes = NaiveBayes {
                class_prior: *class_prior,
                token_prior: *token_prior,
                seen_tokens: *seen_tokens,
            };
            let mut values: Vec<f64> = classes
                .iter()
                .map(|class| {
                    let count = |token| find(&class.counts, token);
                    bayes.log_probability(text, class.docs, class.total_tokens, count)
                })
                .collect();
            bayes_softmax(&mut values);
            values[place as usize] as f32
        }
        TextCalcerKind::Bm25 {
            k,
            b,
            truncate_border,
            total_tokens,
            classes,
        } => {
            let bm25 = Bm25 {
                k: *k,
                b: *b,
                truncate_border: *truncate_border,
                total_tokens: *total_tokens,
                classes: classes.len() as u32,
            };
            let class = &classes[place as usize];
            let mut score = 0.0;
            for &(token, _) in text {
                let having = classes.iter().filter(|c| find(&c.counts, token).is_some());
                let weight = bm25.inverse_class_frequency(having.count() as u32);
                let frequency = find(&class.counts, token).unwrap_or(0);
                score += bm25.term(weight, frequency, class.total_tokens);
            }
            score as f32
        }
    }
}

fn find(counts: &[(u32, u32)], token: u32) -> Option<u32> {
    let place = counts.binary_search_by_key(&token, |&(id, _)| id);
    place.ok().map(|place| counts[place].1)
}

#[cfg(test)]
mod tests;
