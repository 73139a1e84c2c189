//! Reader and writer of JSON in the schema of CatBoost's export (`save_model(format="json")`), with additions
//! for content that the export lacks. The crate's README has the additions as a table. CatBoost's own
//! functions are `ConvertModelToJson` and `ConvertJsonToCatboostModel`
//! (`catboost/libs/model/model_export/json_model_helpers.cpp`).
//!
//! | key | contents | file |
//! | --- | --- | --- |
//! | `model_info` | metadata | [`info`] |
//! | `scale_and_bias` | `[scale, [bias, ...]]` | here |
//! | `features_info` | inputs, estimated features, CTRs | [`features`], [`ctrs`] |
//! | `text_processing`, `embedding_processing` | ours: texts, calcers of embeddings | here |
//! | `ctr_data` | tables of counts | [`ctr_data`] |
//! | `oblivious_trees` or `trees` | trees | [`trees`] |
//!
//! Texts and embeddings are serialized from the intermediate representation. CatBoost's own reader finds what
//! it knows and ignores the rest, so it must not be given a model with texts or embeddings.
//!
//! CatBoost's own JSON contains less than its `.cbm`. A file in which that may change an answer is refused by
//! name.

mod binarizations;
mod ctr_data;
mod ctrs;
mod features;
pub(crate) mod hashes;
mod info;
mod layout;
pub(crate) mod number;
mod place;
mod trees;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    raw::{RawEmbeddingCalcer, RawModel, RawNode, RawObliviousTree, RawText, RawTrees},
};
use ctr_data::CtrData;
use features::FeaturesInfo;
use info::Text;
pub(crate) use info::canonical;
use layout::Layout;
use number::floats;
use trees::{Known, Node, NodeOut, ObliviousTree, ObliviousTreeOut};

/// Document for reading.
#[derive(Deserialize)]
struct Document {
    features_info: FeaturesInfo,
    #[serde(default, deserialize_with = "info::deserialize")]
    model_info: BTreeMap<String, Text>,
    oblivious_trees: Option<Vec<ObliviousTree>>,
    trees: Option<Vec<Node>>,
    #[serde(default)]
    ctr_data: CtrData,
    #[serde(default)]
    scale_and_bias: ScaleAndBias,
    #[serde(default)]
    text_processing: RawText,
    #[serde(default)]
    embedding_processing: Vec<RawEmbeddingCalcer>,
}

/// `[scale, [bias, …]]`; in old files one bias without a list.
#[derive(Serialize, Deserialize)]
struct ScaleAndBias(
    #[serde(with = "number::float")] f64,
    #[serde(
        serialize_with = "floats::serialize",
        deserialize_with = "floats::one_or_many::deserialize"
    )]
    Vec<f64>,
);

impl Default for ScaleAndBias {
    fn default() -> Self {
        Self(1.0, Vec::new())
    }
}

/// Beginning of the error of `serde_json` for a document nested 128 deep, which exceeds our own limit.
const RECURSION_LIMIT: &str = "recursion limit exceeded";

/// Reads a whole file.
pub(crate) fn read(file: &[u8]) -> Result<RawModel, Error> {
    let mut text = serde_json::Deserializer::from_slice(file);
    let document = Document::deserialize(&mut text).map_err(|error| {
        let path = place::path(file, &error);
        if path.starts_with("trees[") && error.to_string().starts_with(RECURSION_LIMIT) {
            return Error::too_deep();
        }
        if error.is_eof() {
            return Error::json(path, format!("{error}: the file is cut short or damaged"));
        }
        Error::json(path, error)
    })?;
    text.end().map_err(|error| Error::json(".", error))?;
    document.read()
}

impl Document {
    fn read(self) -> Result<RawModel, Error> {
        self.ctr_data.check()?;
        let info = self.model_info.into_iter();
        let info = info.map(|(name, Text(text))| (name, text)).collect();
        self.features_info.check(&info)?;
        let ScaleAndBias(scale, bias) = self.scale_and_bias;
        let mut model = RawModel {
            info,
            scale,
            bias,
            ctr_tables: self.ctr_data.tables,
            text: self.text_processing,
            embedding_calcers: self.embedding_processing,
            ..RawModel::default()
        };
        self.features_info.read(&mut model);
        let (oblivious, others) = (self.oblivious_trees, self.trees.unwrap_or_default());
        let known = Known::of(&model);
        let trees = match (oblivious.unwrap_or_default(), others) {
            (oblivious, others) if others.is_empty() => {
                let trees = oblivious.into_iter().enumerate();
                let trees = trees.map(|(nth, tree): (_, ObliviousTree)| tree.read(nth, &known));
                RawTrees::Oblivious(trees.collect::<Result<_, _>>()?)
            }
            (oblivious, others) if oblivious.is_empty() => {
                let trees = others.into_iter().enumerate();
                let trees = trees.map(|(nth, tree): (_, Node)| tree.read(nth, &known));
                RawTrees::NonSymmetric(trees.collect::<Result<_, _>>()?)
            }
            _ => return Err(Error::json("trees", "the model has `oblivious_trees` too")),
        };
        model.trees = trees;
        model.dimension = dimension(&model)?;
        if model.bias == [0.0] {
            model.bias.clear();
        }
        Ok(model)
    }
}

/// Returns the number of raw values per row. The document does not say it: several biases do, else the most common size
/// of a tree's leaf. Every tree is checked against it later, so that a tree with too few leaf values is named,
/// whichever it is.
fn dimension(model: &RawModel) -> Result<i64, Error> {
    if model.bias.len() > 1 {
        return Ok(model.bias.len() as i64);
    }
    let oblivious = |tree: &RawObliviousTree| {
        let depth = u32::try_from(tree.splits.len()).ok()?;
        let leaves = 1_usize.checked_shl(depth)?;
        let whole = tree.values.len().is_multiple_of(leaves);
        whole.then_some(tree.values.len() / leaves)
    };
    let (count, of_trees): (usize, Vec<usize>) = match &model.trees {
        RawTrees::Oblivious(trees) => (trees.len(), trees.iter().filter_map(oblivious).collect()),
        RawTrees::NonSymmetric(trees) => {
            (trees.len(), trees.iter().map(RawNode::dimension).collect())
        }
    };
    if count == 0 && model.bias.is_empty() {
        return Err(Error::unsupported(
            "a model without trees and biases: its JSON does not say how many values a row gets; use the .cbm file",
        ));
    }
    let mut votes = BTreeMap::<usize, usize>::new();
    for &dimension in of_trees.iter().filter(|&&dimension| dimension > 0) {
        *votes.entry(dimension).or_default() += 1;
    }
    // The first tree wins a tie.
    let first = of_trees.first().copied();
    let most = votes
        .iter()
        .max_by_key(|&(dimension, votes)| (*votes, Some(*dimension) == first));
    Ok(most.map_or(1, |(&dimension, _)| dimension as i64))
}

/// Document for writing.
#[derive(Serialize)]
struct DocumentOut<'a> {
    #[serde(serialize_with = "info::serialize")]
    model_info: BTreeMap<String, String>,
    scale_and_bias: ScaleAndBias,
    features_info: FeaturesInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_processing: Option<&'a RawText>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    embedding_processing: &'a [RawEmbeddingCalcer],
    ctr_data: CtrData,
    #[serde(flatten)]
    trees: TreesOut<'a>,
}

#[derive(Serialize)]
enum TreesOut<'a> {
    #[serde(rename = "oblivious_trees")]
    Oblivious(Vec<ObliviousTreeOut<'a>>),
    #[serde(rename = "trees")]
    NonSymmetric(Vec<NodeOut<'a>>),
}

/// Writes a model. Every index in it must be in range, as in a model that was raised from the intermediate
/// representation.
pub(crate) fn write(mut model: RawModel) -> String {
    let splits = trees::splits(&model);
    let features_info = FeaturesInfo::of(&mut model);
    let document = DocumentOut {
        model_info: std::mem::take(&mut model.info),
        scale_and_bias: ScaleAndBias(model.scale, std::mem::take(&mut model.bias)),
        features_info,
        text_processing: (!model.text.tokenizers.is_empty()).then_some(&model.text),
        embedding_processing: &model.embedding_calcers,
        ctr_data: CtrData::of(std::mem::take(&mut model.ctr_tables)),
        trees: match &model.trees {
            RawTrees::Oblivious(trees) => TreesOut::Oblivious(
                trees
                    .iter()
                    .map(|tree| ObliviousTreeOut::of(tree, &splits))
                    .collect(),
            ),
            RawTrees::NonSymmetric(trees) => TreesOut::NonSymmetric(
                trees
                    .iter()
                    .map(|node| NodeOut {
                        node,
                        splits: &splits,
                    })
                    .collect(),
            ),
        },
    };
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Layout::default());
    document
        .serialize(&mut serializer)
        .expect("memory can be written to, and all keys are strings");
    text.push(b'\n');
    String::from_utf8(text).expect("JSON is UTF-8")
}
