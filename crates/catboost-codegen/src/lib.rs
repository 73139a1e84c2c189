//! Turns a CatBoost model into Rust source and tables.
