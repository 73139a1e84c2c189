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
