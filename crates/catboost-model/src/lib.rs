//! Reads CatBoost models into one intermediate representation.

pub mod eval;
pub mod ir;
pub mod output;
