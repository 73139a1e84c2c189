//! Non-symmetric trees as CatBoost's files store them. Whatever CatBoost computes in file order is computed
//! in this order: leaf indices, SHAP values, feature importance.
//!
//! A node with one child that is a leaf holds that leaf itself. Every other leaf is a node of its own.
//! Example, with the splits 7 and 8:
//!
//! ```text
//! 7 ─┬─ no: 8 ─┬─ no: leaf 0       stored   split   children   leaf
//!    │         └─ yes: leaf 1      0        7       1, 0       2
//!    └─ yes: leaf 2                1        8       2, 3       none
//!                                  2        none    2, 2       0
//!                                  3        none    3, 3       1
//! ```

use crate::ir::{Child, NonSymmetricTree, SplitIdx};

/// Node of a stored tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredNode {
    /// Split of the node; `None` for a leaf.
    pub split: Option<SplitIdx>,
    /// Child nodes for the answers no and yes; the node itself on the side whose leaf it holds. A leaf has
    /// itself twice.
    pub children: [usize; 2],
    /// Parent. The root is its own parent.
    pub parent: usize,
    /// Leaf that the node is or holds, in the tree's own numbering; `None` for a node with two children of
    /// its own.
    pub leaf: Option<usize>,
}

/// Nodes in file order: a node precedes its descendants, and the no side precedes the yes side.
pub(crate) fn stored(tree: &NonSymmetricTree) -> Vec<StoredNode> {
    let mut nodes = Vec::new();
    let root = if tree.nodes.is_empty() {
        Child::Leaf(0)
    } else {
        Child::Node(0)
    };
    add(tree, root, 0, &mut nodes);
    nodes
}

/// CatBoost's number of each leaf: its index among the leaves in file order.
pub(crate) fn leaf_numbers(tree: &NonSymmetricTree) -> Vec<u32> {
    let leaves = stored(tree).into_iter().filter_map(|node| node.leaf);
    let mut numbers = vec![0; tree.nodes.len() + 1];
    for (number, leaf) in (0..).zip(leaves) {
        numbers[leaf] = number;
    }
    numbers
}

/// Adds a subtree and returns the index of its root. The depth is limited by `lower`.
fn add(tree: &NonSymmetricTree, part: Child, parent: usize, nodes: &mut Vec<StoredNode>) -> usize {
    let place = nodes.len();
    let inner = match part {
        Child::Leaf(leaf) => {
            nodes.push(StoredNode {
                split: None,
                children: [place; 2],
                parent,
                leaf: Some(leaf as usize),
            });
            return place;
        }
        Child::Node(node) => tree.nodes[node as usize],
    };
    let held = match (inner.no, inner.yes) {
        (Child::Leaf(leaf), Child::Node(_)) | (Child::Node(_), Child::Leaf(leaf)) => {
            Some(leaf as usize)
        }
        _ => None,
    };
    nodes.push(StoredNode {
        split: Some(inner.split),
        children: [place; 2],
        parent,
        leaf: held,
    });
    for (side, child) in [inner.no, inner.yes].into_iter().enumerate() {
        if held.is_none() || matches!(child, Child::Node(_)) {
            nodes[place].children[side] = add(tree, child, place, nodes);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Node;

    #[test]
    fn a_node_with_one_leaf_holds_it() {
        let node = |split, no, yes| Node {
            split: SplitIdx(split),
            no,
            yes,
        };
        // no: two leaves below; yes: a leaf, which the root holds, so that it comes first
        let tree = NonSymmetricTree {
            nodes: vec![
                node(7, Child::Node(1), Child::Leaf(2)),
                node(8, Child::Leaf(0), Child::Leaf(1)),
            ],
            values: vec![0.0; 3],
            weights: vec![1.0; 3],
        };
        let found: Vec<_> = stored(&tree)
            .iter()
            .map(|node| {
                (
                    node.split.map(|split| split.0),
                    node.children,
                    node.parent,
                    node.leaf,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (Some(7), [1, 0], 0, Some(2)),
                (Some(8), [2, 3], 0, None),
                (None, [2, 2], 1, Some(0)),
                (None, [3, 3], 1, Some(1)),
            ]
        );
        assert_eq!(leaf_numbers(&tree), [1, 2, 0]);
    }
}
