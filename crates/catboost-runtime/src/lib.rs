//! What a compiled CatBoost model calls when it evaluates a row, and what the interpreter calls too, so that the two
//! cannot drift: hashes, CTR arithmetic, text processing, and `exp` and `ln` whose bits do not depend on the machine.
//!
//! Everything here gives CatBoost's own bits. Nothing reads a file. [`compiled`] is what generated code calls.

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
