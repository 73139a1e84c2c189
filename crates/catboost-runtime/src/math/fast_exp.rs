/// CatBoost's quick `exp`.
pub fn fast_exp(x: f64) -> f64 {
    super::exp(x)
}
