//! Raising: intermediate representation → raw mirror of a file, for writers.

use std::collections::HashMap;

use crate::{
    ir::{
        Child, Ctr, CtrTable, CtrType, CtrValues, Estimated, EstimatedSource, Feature, Model,
        NonSymmetricTree, Projection, Text, Trees,
    },
    raw::{
        RawCalcer, RawCtr, RawCtrBase, RawCtrTable, RawCtrValues, RawEmbedding, RawEmbeddingCalcer,
        RawEstimated, RawFeature, RawFloat, RawModel, RawNode, RawObliviousTree, RawOneHot,
        RawText, RawTokenized, RawTrees,
    },
};

/// Returns the mirror of a file that [`super::lower`] turns into the same model. A feature's index is its index among
/// the features of its kind.
pub(crate) fn raise(model: &Model) -> RawModel {
    let bases = bases(model);
    let features = |features: &[Feature]| (0..).zip(features).map(feature).collect();
    let floats = (0..)
        .zip(&model.float_features)
        .map(|(index, float)| RawFloat {
            feature: feature((index, &float.feature)),
            has_nans: float.has_nans,
            nan: float.nan,
            borders: float.borders.clone(),
        });
    let embeddings = (0..).zip(&model.embedding_features);
    let embeddings = embeddings.map(|(index, embedding)| RawEmbedding {
        feature: feature((index, &embedding.feature)),
        dimension: embedding.dimension as i64,
    });
    let one_hots = model.one_hots.iter().map(|one_hot| RawOneHot {
        cat: one_hot.cat.0.into(),
        values: one_hot.values.clone(),
        strings: one_hot.strings.clone(),
    });
    let tables = model.ctr_tables.iter().zip(&bases);
    RawModel {
        info: model.info.clone(),
        dimension: model.dimension as i64,
        scale: model.scale,
        bias: model.bias.clone(),
        floats: floats.collect(),
        cats: features(&model.cat_features),
        texts: features(&model.text_features),
        embeddings: embeddings.collect(),
        one_hots: one_hots.collect(),
        ctrs: model.ctrs.iter().map(|raw| ctr(raw, &bases)).collect(),
        parts: Vec::new(),
        ctr_tables: tables.map(|(raw, base)| table(raw, base)).collect(),
        text: text(&model.text, &model.estimated),
        embedding_calcers: embedding_calcers(model),
        estimated: model.estimated.iter().map(estimated).collect(),
        trees: trees(model),
    }
}

fn feature((index, feature): (i64, &Feature)) -> RawFeature {
    RawFeature {
        index,
        flat_index: feature.flat_index.into(),
        name: feature.name.clone(),
    }
}

/// Returns type and projection of each table. Tables that share both are told apart by their target classifiers, which
/// are renumbered.
fn bases(model: &Model) -> Vec<RawCtrBase> {
    let mut seen: HashMap<(CtrType, &Projection), i64> = HashMap::new();
    let mut bases = Vec::with_capacity(model.ctr_tables.len());
    for table in &model.ctr_tables {
        let projection = &table.projection;
        let count = seen.entry((table.ctr_type, projection)).or_default();
        let target_classifier = *count;
        *count += 1;
        bases.push(RawCtrBase {
            cats: projection.cats.iter().map(|cat| cat.0.into()).collect(),
            floats: projection
                .floats
                .iter()
                .map(|&(float, border)| {
                    let borders = &model.float_features[float.at()].borders;
                    (float.0.into(), borders[border as usize])
                })
                .collect(),
            one_hots: projection
                .one_hots
                .iter()
                .map(|&(one_hot, value)| {
                    let one_hot = &model.one_hots[one_hot.at()];
                    (one_hot.cat.0.into(), one_hot.values[value as usize])
                })
                .collect(),
            ctr_type: table.ctr_type,
            target_classifier,
        });
    }
    bases
}

fn ctr(ctr: &Ctr, bases: &[RawCtrBase]) -> RawCtr {
    RawCtr {
        base: bases[ctr.table.at()].clone(),
        target_border: ctr.target_border.into(),
        prior_num: ctr.prior_num,
        prior_denom: ctr.prior_denom,
        shift: ctr.shift,
        scale: ctr.scale,
        borders: ctr.borders.clone(),
    }
}

fn table(table: &CtrTable, base: &RawCtrBase) -> RawCtrTable {
    let values = match &table.values {
        CtrValues::Classes { classes, counts } => RawCtrValues::Classes {
            classes: (*classes).into(),
            counts: counts.clone(),
        },
        CtrValues::Means(means) => RawCtrValues::Means(means.clone()),
        CtrValues::Counts {
            denominator,
            counts,
        } => RawCtrValues::Counts {
            denominator: *denominator,
            counts: counts.clone(),
        },
    };
    RawCtrTable {
        base: base.clone(),
        keys: table.keys.clone(),
        values,
    }
}

fn text(text: &Text, estimated: &[Estimated]) -> RawText {
    let tokenized = text.tokenized.iter().map(|tokenized| RawTokenized {
        text: tokenized.text.0.into(),
        tokenizer: tokenized.tokenizer.at(),
        dictionary: tokenized.dictionary.at(),
        calcers: Vec::new(),
    });
    let mut raw = RawText {
        tokenizers: text.tokenizers.clone(),
        dictionaries: text.dictionaries.clone(),
        calcers: text.calcers.clone(),
        tokenized: tokenized.collect(),
    };
    for estimated in estimated {
        if let EstimatedSource::Text { tokenized, calcer } = estimated.source {
            let calcers = &mut raw.tokenized[tokenized.at()].calcers;
            if !calcers.contains(&calcer.at()) {
                calcers.push(calcer.at());
            }
        }
    }
    raw
}

fn embedding_calcers(model: &Model) -> Vec<RawEmbeddingCalcer> {
    let calcers = model
        .embedding_calcers
        .iter()
        .map(|calcer| RawEmbeddingCalcer {
            embedding: calcer.embedding.0.into(),
            active: calcer.active.clone(),
            dimension: model.embedding_features[calcer.embedding.at()].dimension as i64,
            kind: calcer.kind.clone(),
        });
    calcers.collect()
}

fn estimated(estimated: &Estimated) -> RawEstimated {
    RawEstimated {
        calcer: match estimated.source {
            EstimatedSource::Text { calcer, .. } => RawCalcer::Text(calcer.at()),
            EstimatedSource::Embedding { calcer } => RawCalcer::Embedding(calcer.at()),
        },
        local: estimated.local.into(),
        borders: estimated.borders.clone(),
    }
}

fn trees(model: &Model) -> RawTrees {
    match &model.trees {
        Trees::Oblivious(trees) => {
            let trees = trees.iter().map(|tree| RawObliviousTree {
                splits: tree.splits.iter().map(|split| split.0.into()).collect(),
                values: tree.values.clone(),
                weights: tree.weights.clone(),
            });
            RawTrees::Oblivious(trees.collect())
        }
        Trees::NonSymmetric(trees) => {
            let tree = |tree: &NonSymmetricTree| {
                let root = if tree.nodes.is_empty() {
                    Child::Leaf(0)
                } else {
                    Child::Node(0)
                };
                node(tree, root, model.dimension)
            };
            RawTrees::NonSymmetric(trees.iter().map(tree).collect())
        }
    }
}

/// Converts a subtree. The depth is limited by `lower`.
fn node(tree: &NonSymmetricTree, part: Child, dimension: usize) -> RawNode {
    match part {
        Child::Leaf(leaf) => {
            let leaf = leaf as usize;
            RawNode::Leaf {
                values: tree.values[leaf * dimension..][..dimension].to_vec(),
                weight: tree.weights.get(leaf).copied(),
            }
        }
        Child::Node(place) => {
            let inner = tree.nodes[place as usize];
            RawNode::Split {
                split: inner.split.0.into(),
                no: Box::new(node(tree, inner.no, dimension)),
                yes: Box::new(node(tree, inner.yes, dimension)),
            }
        }
    }
}
