//! Packed leaf indices.

use crate::{emit, tables};

/// 64 bytes of the trees' leaf indices: one cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Line(pub [u32; 16]);

emit::pooled!(Line);
tables::plain!(Line "LINES" |line| line.0);
