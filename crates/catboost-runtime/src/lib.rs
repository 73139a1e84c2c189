//! What a compiled CatBoost model calls when it evaluates a row.
