//! Embeddings → bins.

use super::{Estimate, bins::count_above};
use crate::{knn, lda};

/// What is computed from an embedding by one calcer.
#[derive(Debug)]
pub struct Embedding {
    /// Index into [`super::Row::embeddings`].
    pub embedding: u32,
    /// How.
    pub calcer: EmbeddingCalcer,
    /// The numbers that the model compares with borders; [`Estimate::class`] is the direction or the class.
    pub estimates: &'static [Estimate],
}

/// Computes numbers from an embedding.
#[derive(Debug)]
pub enum EmbeddingCalcer {
    /// The components along directions: see [`crate::lda`].
    Lda {
        /// The directions, each of the embedding's dimension.
        directions: &'static [f32],
        /// The embedding's dimension.
        dimension: usize,
    },
    /// The nearest of the training data: see [`crate::knn`]. It allocates: what is visited is not known beforehand.
    Knn {
        /// The training data.
        graph: knn::Graph<'static>,
        /// What is known of it.
        targets: knn::Targets<'static>,
    },
}

impl Embedding {
    #[inline(always)]
    pub(super) fn quantize(&self, embeddings: &[&[f32]], bins: &mut [u16]) {
        let embedding = embeddings[self.embedding as usize];
        let mut set = |estimate: &Estimate, value| {
            bins[estimate.group as usize] = count_above(value, estimate.borders);
        };
        match &self.calcer {
            EmbeddingCalcer::Lda {
                directions,
                dimension,
            } => {
                for estimate in self.estimates {
                    let direction =
                        &directions[estimate.class as usize * dimension..][..*dimension];
                    set(estimate, lda::project(direction, embedding));
                }
            }
            EmbeddingCalcer::Knn { graph, targets } => {
                let nearest = graph.nearest(embedding);
                for estimate in self.estimates {
                    set(estimate, targets.number(&nearest, estimate.class));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Embedding, EmbeddingCalcer, Estimate};
    use crate::knn::{Graph, Targets};

    /// The first and the last number of a calcer, in the groups 2 and 0.
    const ESTIMATES: &[Estimate] = &[
        Estimate {
            class: 0,
            borders: &[-1.0, 0.0, 1.0],
            group: 2,
        },
        Estimate {
            class: 1,
            borders: &[0.0, 5.0],
            group: 0,
        },
    ];

    #[test]
    fn each_direction_has_its_own_component() {
        let embedding = Embedding {
            embedding: 1,
            calcer: EmbeddingCalcer::Lda {
                directions: &[1.0, 0.0, 0.0, 0.0, 2.0, 3.0],
                dimension: 3,
            },
            estimates: ESTIMATES,
        };
        let mut bins = [7, 7, 7];
        embedding.quantize(&[&[], &[0.5, 1.0, 2.0]], &mut bins);
        // The components 0.5 and 8.
        assert_eq!(bins, [2, 7, 2]);
    }

    #[test]
    fn neighbors_are_counted_by_class() {
        // Two points at each end of a line; all lead to all.
        let embedding = Embedding {
            embedding: 0,
            calcer: EmbeddingCalcer::Knn {
                graph: Graph {
                    neighbors: 2,
                    dimension: 1,
                    points: &[0.0, 1.0, 100.0, 101.0],
                    max_links: 3,
                    level_sizes: &[4],
                    links: &[1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2],
                },
                targets: Targets::Classes(&[0, 0, 1, 1]),
            },
            estimates: ESTIMATES,
        };
        let mut bins = [7, 7, 7];
        embedding.quantize(&[&[-5.0]], &mut bins);
        assert_eq!(
            bins,
            [0, 7, 3],
            "two of the first class, none of the second"
        );
        embedding.quantize(&[&[70.0]], &mut bins);
        assert_eq!(
            bins,
            [1, 7, 1],
            "none of the first class, two of the second"
        );
    }
}
