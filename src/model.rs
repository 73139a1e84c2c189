//! The compiled model: the only interface to generated code.
//!
//! `build.rs` generates it from the model file. It refuses a model whose features differ from [`crate::features`], with
//! a sentence that names them (`build/inputs.rs`); otherwise the compiler would report a missing field of [`Features`].

include!(concat!(env!("OUT_DIR"), "/model.rs"));
