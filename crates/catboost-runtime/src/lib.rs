#![doc = include_str!("../README.md")]
//! # Where things are
//!
//! [`compiled`] is what generated code calls; the other modules are what the interpreter calls too, so that the two cannot
//! drift.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(not(any(feature = "std", feature = "libm")))]
compile_error!("without the feature `std`, catboost-runtime needs the feature `libm`");

pub mod calcer;
pub mod compiled;
pub mod ctr;
pub mod hash;
pub mod knn;
pub mod lda;
mod lowercase;
pub mod math;
pub mod tables;
pub mod text;
