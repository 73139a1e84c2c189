// Its examples are tested by `catboost-zoo`, which has what their build scripts would make.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
//! # Where things are
//!
//! [`compiled`] is what generated code calls to get raw values, [`output`] what it calls to make predictions of them; the
//! other modules are what the interpreter calls too, so that the two cannot drift.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(not(any(feature = "std", feature = "libm")))]
compile_error!("without the feature `std`, catboost-runtime needs the feature `libm`");

/// Goes up with every change that takes code that was generated before out of step: of what [`compiled`]'s types hold, of what
/// their numbers mean, of [`output`]'s functions. Generated code does not compile with another.
pub const LAYOUT: u32 = 8;

pub mod block;
pub mod calcer;
pub mod compiled;
pub mod ctr;
#[doc(hidden)]
pub mod emit;
pub mod explain;
pub mod hash;
pub mod knn;
pub mod lda;
mod lowercase;
pub mod math;
pub mod output;
pub mod predict;
pub mod storage;
pub mod tables;
pub mod text;
