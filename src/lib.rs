//! Serves a CatBoost model, compiled to Rust, that picks between two readings of a licence plate.
