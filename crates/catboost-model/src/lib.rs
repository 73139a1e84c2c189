//! Reads CatBoost models into one intermediate representation.

pub mod ir;
