//! The compiled model: the only door to generated code.
//!
//! `build.rs` writes it from the model file. A model with other features than [`crate::features`] gives is refused there,
//! with a sentence that names them (`build/inputs.rs`); without that the compiler would miss a field of [`Features`].

include!(concat!(env!("OUT_DIR"), "/model.rs"));
