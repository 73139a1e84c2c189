//! Linear discriminant analysis of embeddings: the projection on one direction.

/// The embedding's component along a direction, in `f32`.
///
/// # Panics
/// If the embedding is shorter than the direction.
#[must_use]
pub fn project(direction: &[f32], embedding: &[f32]) -> f32 {
    let embedding = &embedding[..direction.len()];
    let mut sum = 0.0;
    for (a, b) in direction.iter().zip(embedding) {
        sum += a * b;
    }
    sum
}
