// The README's examples are tested by `catboost-zoo`, which has the output of their build scripts.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
//! # Where things are
//!
//! Generated code calls [`compiled`] for raw values and [`output`] for predictions from them. The interpreter shares
//! the other modules, so that the two cannot drift apart.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(not(any(feature = "std", feature = "libm")))]
compile_error!("without the feature `std`, catboost-runtime needs the feature `libm`");

/// Layout version. Bump it whenever previously generated code would be wrong: if the types of [`compiled`], the meaning
/// of their numbers, or the functions of [`output`] change. Generated code does not compile against another version.
pub const LAYOUT: u32 = 11;

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
