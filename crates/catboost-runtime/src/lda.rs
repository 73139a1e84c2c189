//! Linear discriminant analysis of embeddings: the projection on one direction.

/// Component of the embedding along a direction, in `f32`.
///
/// # Panics
/// If the embedding is shorter than the direction.
///
/// ```
/// assert_eq!(catboost_runtime::lda::project(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
/// ```
#[must_use]
pub fn project(direction: &[f32], embedding: &[f32]) -> f32 {
    let embedding = &embedding[..direction.len()];
    let mut sum = 0.0;
    for (a, b) in direction.iter().zip(embedding) {
        sum += a * b;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_in_order_and_rounds_every_step() {
        // 2^24 + 1 is no f32, so the two ones are lost if they come last, and not if they come first.
        let big = 16_777_216.0;
        assert_eq!(project(&[1.0, 1.0, 1.0], &[big, 1.0, 1.0]), big);
        assert_eq!(project(&[1.0, 1.0, 1.0], &[1.0, 1.0, big]), big + 2.0);
        assert_eq!(project(&[], &[1.0]), 0.0);
        // A fused multiply-add would leave the rounding error of the product.
        assert_eq!(project(&[-1.0, 0.1], &[0.1 * 0.1, 0.1]), 0.0);
    }
}
