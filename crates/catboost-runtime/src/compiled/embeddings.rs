//! Embeddings → bins.

use super::{Estimate, bins::count_above};
use crate::{
    emit::emit,
    knn, lda,
    storage::{Owned, Static, Storage},
};

/// Estimates of one calcer of an embedding feature.
pub struct Embedding<S: Storage = Static> {
    /// Index into [`super::Row::embeddings`].
    pub embedding: u32,
    /// Calcer.
    pub calcer: EmbeddingCalcer<S>,
    /// Numbers that the model compares with borders; [`Estimate::class`] is the direction or the class.
    pub estimates: S::Slice<Estimate<S>>,
}

/// Computes numbers from an embedding.
pub enum EmbeddingCalcer<S: Storage = Static> {
    /// Components along directions: see [`crate::lda`].
    Lda {
        /// Directions, each of the embedding's dimension.
        directions: S::Slice<f32>,
        /// Dimension of the embedding.
        dimension: usize,
    },
    /// Nearest points of the training data: see [`crate::knn`]. Allocates, since the number of visited points is not
    /// known beforehand.
    Knn(Knn<S>),
}

/// Training data of a KNN calcer. The fields are those of [`knn::Graph`].
pub struct Knn<S: Storage = Static> {
    /// Number of nearest points to find.
    pub neighbors: usize,
    /// Length of a point.
    pub dimension: usize,
    /// Points, one after the other.
    pub points: S::Slice<f32>,
    /// Upper bound of links per point, on any level.
    pub max_links: u32,
    /// Number of points per level.
    pub level_sizes: S::Slice<u32>,
    /// Links of each point of each level.
    pub links: S::Slice<u32>,
    /// Target of each point.
    pub targets: Targets<S>,
}

/// Target of each point: see [`knn::Targets`].
pub enum Targets<S: Storage = Static> {
    /// Classes.
    Classes(S::Slice<u32>),
    /// Target values.
    Values(S::Slice<f32>),
}

impl<S: Storage> Embedding<S> {
    #[inline(always)]
    pub(super) fn quantize(&self, embeddings: &[&[f32]], bins: &mut [u16]) {
        let embedding = embeddings[self.embedding as usize];
        let mut set = |estimate: &Estimate<S>, value| {
            bins[estimate.group.index()] = count_above(value, &estimate.borders);
        };
        match &self.calcer {
            EmbeddingCalcer::Lda {
                directions,
                dimension,
            } => {
                for estimate in &*self.estimates {
                    let direction =
                        &directions[estimate.class as usize * dimension..][..*dimension];
                    set(estimate, lda::project(direction, embedding));
                }
            }
            EmbeddingCalcer::Knn(knn) => {
                let nearest = knn.graph().nearest(embedding);
                let targets = knn.targets.as_ref();
                for estimate in &*self.estimates {
                    set(estimate, targets.number(&nearest, estimate.class));
                }
            }
        }
    }
}

impl<S: Storage> Knn<S> {
    fn graph(&self) -> knn::Graph<'_> {
        knn::Graph {
            neighbors: self.neighbors,
            dimension: self.dimension,
            points: &self.points,
            max_links: self.max_links,
            level_sizes: &self.level_sizes,
            links: &self.links,
        }
    }
}

impl<S: Storage> Targets<S> {
    fn as_ref(&self) -> knn::Targets<'_> {
        match self {
            Self::Classes(classes) => knn::Targets::Classes(classes),
            Self::Values(values) => knn::Targets::Values(values),
        }
    }
}

emit!(struct Embedding Embedding<Owned> { embedding, calcer, estimates });
emit!(enum EmbeddingCalcer EmbeddingCalcer<Owned> { Lda { directions, dimension }, Knn(knn) });
emit!(struct Knn Knn<Owned> {
    neighbors, dimension, points, max_links, level_sizes, links, targets,
});
emit!(enum Targets Targets<Owned> { Classes(classes), Values(values) });

#[cfg(test)]
mod tests {
    use super::{Embedding, EmbeddingCalcer, Estimate, Knn, Static, Targets};
    use crate::compiled::Group;

    /// Estimates of the first and the last number of a calcer, in the groups 2 and 0.
    const ESTIMATES: &[Estimate] = &[
        Estimate {
            class: 0,
            borders: &[-1.0, 0.0, 1.0],
            group: Group(2),
        },
        Estimate {
            class: 1,
            borders: &[0.0, 5.0],
            group: Group(0),
        },
    ];

    #[test]
    fn each_direction_has_its_own_component() {
        let embedding: Embedding = Embedding {
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
        let embedding: Embedding = Embedding {
            embedding: 0,
            calcer: EmbeddingCalcer::Knn(Knn {
                neighbors: 2,
                dimension: 1,
                points: &[0.0, 1.0, 100.0, 101.0],
                max_links: 3,
                level_sizes: &[4],
                links: &[1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2],
                targets: Targets::<Static>::Classes(&[0, 0, 1, 1]),
            }),
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
