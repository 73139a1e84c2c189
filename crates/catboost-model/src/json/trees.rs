//! `oblivious_trees` and `trees`.
//!
//! `split_index` identifies a split: it is the index among all binary features of the model in CatBoost's
//! order, which is that of the lists in `features_info`. CatBoost reads nothing else. If a split also
//! describes itself, and differently, the order of the lists was changed, and the document is refused.
//!
//! ```text
//! oblivious_trees: [{"splits": [split, ...], "leaf_values": [...], "leaf_weights": [...]}, ...]
//! trees:           [node, ...]
//! node:            {"split": split, "left": node, "right": node}, or a leaf {"value": ..., "weight": ...}
//! split:           {"split_index": 7, "split_type": "FloatFeature", "float_feature_index": 0, "border": 30}
//! ```
//!
//! `leaf_values` has the values of leaf 0, then those of leaf 1, and so on. `left` is the side of the answer
//! no.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeStruct,
};

use super::number::{Float, floats, list};
use crate::{
    Error,
    raw::{RawModel, RawNode, RawObliviousTree},
};

/// Split for reading.
#[derive(Deserialize)]
pub(super) struct SplitIndex {
    split_index: i64,
    border: Option<Float<f32>>,
    float_feature_index: Option<i64>,
    cat_feature_index: Option<i64>,
    value: Option<i32>,
}

impl SplitIndex {
    /// Returns the index, unless the split describes another binary feature than the index. The error names the
    /// contradiction.
    fn check(&self, known: &Known<'_>) -> Result<i64, String> {
        let index = self.split_index;
        let Some(asked) = known.question(index) else {
            return Ok(index);
        };
        let bits = |border: Option<Float<f32>>| border.map(|Float(border)| border.to_bits());
        let same_border = self.border.is_none() || bits(self.border) == bits(asked.border);
        let same = |own: Option<i64>, other: Option<i64>| own.is_none() || own == other;
        if same_border
            && same(self.float_feature_index, asked.float_feature_index)
            && same(self.cat_feature_index, asked.cat_feature_index)
            && same(self.value.map(i64::from), asked.value.map(i64::from))
        {
            return Ok(index);
        }
        Err(format!(
            "its own description contradicts `split_index` {index}, which counts the borders and values in the order of `features_info`: export the \
             model again, or restore the order of the lists there"
        ))
    }
}

/// Binary features of a model under construction, by index.
pub(super) struct Known<'a> {
    model: &'a RawModel,
    /// End of each feature's range of indices, in CatBoost's order.
    ends: Vec<usize>,
}

impl<'a> Known<'a> {
    pub(super) fn of(model: &'a RawModel) -> Self {
        let floats = model.floats.iter().map(|float| float.borders.len());
        let estimated = model.estimated.iter().map(|number| number.borders.len());
        let one_hots = model.one_hots.iter().map(|one_hot| one_hot.values.len());
        let ctrs = model.ctrs.iter().map(|ctr| ctr.borders.len());
        let counts = floats.chain(estimated).chain(one_hots).chain(ctrs);
        let ends = counts.scan(0, |end, count| {
            *end += count;
            Some(*end)
        });
        Self {
            model,
            ends: ends.collect(),
        }
    }

    /// Returns the binary feature at an index, or `None` if the index is out of range.
    fn question(&self, index: i64) -> Option<SplitIndex> {
        let at = usize::try_from(index).ok()?;
        let mut feature = self.ends.partition_point(|&end| end <= at);
        let begin = feature.checked_sub(1).map_or(0, |before| self.ends[before]);
        let nth = at - begin;
        let mut question = SplitIndex {
            split_index: index,
            border: None,
            float_feature_index: None,
            cat_feature_index: None,
            value: None,
        };
        let model = self.model;
        if let Some(float) = model.floats.get(feature) {
            question.float_feature_index = Some(float.feature.index);
            question.border = Some(Float(float.borders[nth]));
            return Some(question);
        }
        feature -= model.floats.len();
        if let Some(estimated) = model.estimated.get(feature) {
            question.border = Some(Float(estimated.borders[nth]));
            return Some(question);
        }
        feature -= model.estimated.len();
        if let Some(one_hot) = model.one_hots.get(feature) {
            question.cat_feature_index = Some(one_hot.cat);
            question.value = Some(one_hot.values[nth]);
            return Some(question);
        }
        let ctr = model.ctrs.get(feature - model.one_hots.len())?;
        question.border = Some(Float(ctr.borders[nth]));
        Some(question)
    }
}

/// Split for writing.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Split {
    #[serde(skip_serializing_if = "Option::is_none")]
    border: Option<Float<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat_feature_index: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctr_target_border_idx: Option<i64>,
    /// Our addition: the index into `features_info.estimated_features`.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_feature_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    float_feature_index: Option<i64>,
    split_index: i64,
    split_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i32>,
}

/// Returns all binary features of a model, in CatBoost's order.
pub(super) fn splits(model: &RawModel) -> Vec<Split> {
    let split = |split_type, border: Option<f32>| Split {
        border: border.map(Float),
        cat_feature_index: None,
        ctr_target_border_idx: None,
        estimated_feature_index: None,
        float_feature_index: None,
        split_index: 0,
        split_type,
        value: None,
    };
    let mut splits = Vec::new();
    for float in &model.floats {
        splits.extend(float.borders.iter().map(|&border| Split {
            float_feature_index: Some(float.feature.index),
            ..split("FloatFeature", Some(border))
        }));
    }
    for (place, estimated) in model.estimated.iter().enumerate() {
        splits.extend(estimated.borders.iter().map(|&border| Split {
            estimated_feature_index: Some(place),
            ..split("EstimatedFeature", Some(border))
        }));
    }
    for one_hot in &model.one_hots {
        splits.extend(one_hot.values.iter().map(|&value| Split {
            cat_feature_index: Some(one_hot.cat),
            value: Some(value),
            ..split("OneHotFeature", None)
        }));
    }
    for ctr in &model.ctrs {
        splits.extend(ctr.borders.iter().map(|&border| Split {
            ctr_target_border_idx: Some(ctr.target_border),
            ..split("OnlineCtr", Some(border))
        }));
    }
    for (index, split) in (0..).zip(&mut splits) {
        split.split_index = index;
    }
    splits
}

/// Oblivious tree for reading.
#[derive(Deserialize)]
pub(super) struct ObliviousTree {
    #[serde(default, deserialize_with = "list")]
    splits: Vec<SplitIndex>,
    #[serde(deserialize_with = "floats::deserialize")]
    leaf_values: Vec<f64>,
    #[serde(default, deserialize_with = "floats::deserialize")]
    leaf_weights: Vec<f64>,
}

impl ObliviousTree {
    /// Converts tree number `tree` of a model with these splits.
    pub(super) fn read(self, tree: usize, known: &Known<'_>) -> Result<RawObliviousTree, Error> {
        let split = |(nth, split): (usize, &SplitIndex)| {
            let error = |what| Error::json(format!("oblivious_trees[{tree}].splits[{nth}]"), what);
            split.check(known).map_err(error)
        };
        Ok(RawObliviousTree {
            splits: self
                .splits
                .iter()
                .enumerate()
                .map(split)
                .collect::<Result<_, _>>()?,
            values: self.leaf_values,
            weights: self.leaf_weights,
        })
    }
}

/// Oblivious tree for writing.
#[derive(Serialize)]
pub(super) struct ObliviousTreeOut<'a> {
    #[serde(serialize_with = "floats::serialize")]
    leaf_values: &'a [f64],
    #[serde(
        serialize_with = "floats::serialize",
        skip_serializing_if = "<[f64]>::is_empty"
    )]
    leaf_weights: &'a [f64],
    splits: Vec<&'a Split>,
}

impl<'a> ObliviousTreeOut<'a> {
    pub(super) fn of(tree: &'a RawObliviousTree, splits: &'a [Split]) -> Self {
        Self {
            leaf_values: &tree.values,
            leaf_weights: &tree.weights,
            splits: tree
                .splits
                .iter()
                .map(|&split| &splits[split as usize])
                .collect(),
        }
    }
}

/// Non-symmetric tree, or a subtree, for reading. A leaf has a `value` (a list if there are several dimensions) and a
/// `weight`; a node has a `split` and its children `left` (no) and `right` (yes).
pub(super) enum Node {
    Leaf {
        values: Vec<f64>,
        weight: Option<f64>,
    },
    /// Split and children, no and yes. Boxed, so that a list of leaves does not take more memory.
    Split(Box<(SplitIndex, Node, Node)>),
}

impl Node {
    /// Converts tree number `tree`, or a subtree, of a model with these splits.
    pub(super) fn read(self, tree: usize, known: &Known<'_>) -> Result<RawNode, Error> {
        Ok(match self {
            Self::Leaf { values, weight } => RawNode::Leaf { values, weight },
            Self::Split(node) => {
                let (split, no, yes) = *node;
                let error = |what| Error::json(format!("trees[{tree}]"), what);
                RawNode::Split {
                    split: split.check(known).map_err(error)?,
                    no: Box::new(no.read(tree, known)?),
                    yes: Box::new(yes.read(tree, known)?),
                }
            }
        })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `serde_json` limits the recursion to a depth of 128.
        deserializer.deserialize_map(NodeVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Value,
    Weight,
    Split,
    Left,
    Right,
    #[serde(other)]
    Other,
}

/// Values of a leaf: a number, or a list.
#[derive(Deserialize)]
struct Values(#[serde(with = "floats::one_or_many")] Vec<f64>);

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node of a tree")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let (mut values, mut weight, mut split, mut no, mut yes) = (None, None, None, None, None);
        while let Some(field) = fields.next_key()? {
            match field {
                Field::Value => {
                    let Values(list) = fields.next_value()?;
                    values = Some(list);
                }
                Field::Weight => {
                    let Float(number) = fields.next_value()?;
                    weight = Some(number);
                }
                Field::Split => split = Some(fields.next_value()?),
                Field::Left => no = Some(fields.next_value()?),
                Field::Right => yes = Some(fields.next_value()?),
                Field::Other => {
                    let de::IgnoredAny = fields.next_value()?;
                }
            }
        }
        match (values, split, no, yes) {
            (Some(values), None, None, None) => Ok(Node::Leaf { values, weight }),
            (None, Some(split), Some(no), Some(yes)) => Ok(Node::Split(Box::new((split, no, yes)))),
            _ => Err(de::Error::custom(
                "expected a leaf, which has a `value`, or a node, which has `split`, `left` and `right`",
            )),
        }
    }
}

/// Non-symmetric tree, or a subtree, for writing.
pub(super) struct NodeOut<'a> {
    pub(super) node: &'a RawNode,
    pub(super) splits: &'a [Split],
}

impl Serialize for NodeOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let below = |node| NodeOut { node, ..*self };
        match self.node {
            RawNode::Leaf { values, weight } => {
                let mut leaf = serializer.serialize_struct("Leaf", 2)?;
                leaf.serialize_field("value", &ValuesOut(values))?;
                if let Some(weight) = weight {
                    leaf.serialize_field("weight", &Float(*weight))?;
                }
                leaf.end()
            }
            RawNode::Split { split, no, yes } => {
                let mut node = serializer.serialize_struct("Node", 3)?;
                node.serialize_field("left", &below(no))?;
                node.serialize_field("right", &below(yes))?;
                node.serialize_field("split", &self.splits[*split as usize])?;
                node.end()
            }
        }
    }
}

#[derive(Serialize)]
struct ValuesOut<'a>(#[serde(serialize_with = "floats::one_or_many::serialize")] &'a [f64]);
