//! What a compiled CatBoost model calls when it evaluates a row, and what the interpreter calls too, so that the two
//! cannot drift: hashes, CTR arithmetic, text processing, and `exp` and `ln` whose bits do not depend on the machine.
//!
//! Everything here gives CatBoost's own bits. Nothing reads a file, and nothing allocates once its scratch has grown.

#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod calcer;
pub mod ctr;
pub mod hash;
pub mod lda;
mod lowercase;
pub mod math;
pub mod text;
