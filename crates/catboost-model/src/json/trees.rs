//! `oblivious_trees` and `trees`.
//!
//! Of what a split asks, only `split_index` is read: the place among all binary features of the model, in CatBoost's
//! order. The rest is for people and for other readers.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, Visitor},
    ser::SerializeStruct,
};

use super::number::{Float, floats, list};
use crate::raw::{RawModel, RawNode, RawObliviousTree};

/// A split as it is read.
#[derive(Deserialize)]
struct SplitIndex {
    split_index: i64,
}

/// A split as it is written.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Split {
    #[serde(skip_serializing_if = "Option::is_none")]
    border: Option<Float<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cat_feature_index: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctr_target_border_idx: Option<i64>,
    /// Not CatBoost's: the place in `features_info.estimated_features`.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_feature_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    float_feature_index: Option<i64>,
    split_index: i64,
    split_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i32>,
}

/// Every binary feature of a model, in CatBoost's order.
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

/// A tree that asks the same question at every node of a level, as it is read.
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
    pub(super) fn read(self) -> RawObliviousTree {
        RawObliviousTree {
            splits: self.splits.iter().map(|split| split.split_index).collect(),
            values: self.leaf_values,
            weights: self.leaf_weights,
        }
    }
}

/// The same, as it is written.
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

/// A tree whose nodes ask questions of their own, or a part of one, as it is read: a leaf has a `value` (a list if there
/// are several dimensions) and a `weight`, a node a `split` and what is below it, `left` (no) and `right` (yes).
pub(super) struct Node(pub(super) RawNode);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `serde_json` ends the recursion at a depth of 128.
        deserializer.deserialize_map(NodeVisitor).map(Self)
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

/// The values of a leaf: a number, or a list.
#[derive(Deserialize)]
struct Values(#[serde(with = "floats::one_or_many")] Vec<f64>);

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = RawNode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node of a tree")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<RawNode, A::Error> {
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
                Field::Split => {
                    let SplitIndex { split_index } = fields.next_value()?;
                    split = Some(split_index);
                }
                Field::Left => no = Some(child(&mut fields)?),
                Field::Right => yes = Some(child(&mut fields)?),
                Field::Other => {
                    let de::IgnoredAny = fields.next_value()?;
                }
            }
        }
        match (values, split, no, yes) {
            (Some(values), None, None, None) => Ok(RawNode::Leaf { values, weight }),
            (None, Some(split), Some(no), Some(yes)) => Ok(RawNode::Split { split, no, yes }),
            _ => Err(de::Error::custom(
                "expected a leaf, which has a `value`, or a node, which has `split`, `left` and `right`",
            )),
        }
    }
}

fn child<'de, A: MapAccess<'de>>(fields: &mut A) -> Result<Box<RawNode>, A::Error> {
    fields.next_value().map(|Node(node)| Box::new(node))
}

/// The same, as it is written.
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
