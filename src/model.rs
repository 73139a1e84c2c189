//! The compiled model: the only door to generated code.
//!
//! `build.rs` writes it from the model file. A model with other features than [`crate::features`] gives does not
//! compile: the compiler names the field of [`Features`] that is missing or too much.

include!(concat!(env!("OUT_DIR"), "/model.rs"));
