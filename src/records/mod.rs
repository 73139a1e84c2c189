//! Files of requests, a record at a time: NDJSON (one JSON object a line) or CSV (RFC 4180, columns named by the first
//! record).
//!
//! A file's way: [`Blocks`] reads it and cuts it where records end (`boundary`); a block goes to [`Records`], which
//! gives one [`Request`](crate::request::Request) or one [`Fault`] a record, in order. Blocks are whole records, so
//! that each can be worked on by another thread. Memory is bounded by [`Limits`], however large the file is.

mod blocks;
mod boundary;
mod csv;
mod fault;
mod marked;
mod plain;
mod reading;
mod source;

pub use self::blocks::{Block, Blocks, Text, Unreadable};
pub use self::boundary::{Boundary, Whole};
pub use self::csv::{Header, HeaderError};
pub use self::fault::{Fault, FaultKind};
pub use self::reading::{Records, Shape};
pub use self::source::{CannotOpen, Source};

/// What bounds memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that a record may have; a longer one is a fault, and skipped.
    pub record: usize,
    /// Bytes that are read at once.
    pub block: usize,
}

impl Limits {
    /// Those of files.
    pub const FILE: Limits = Limits {
        record: 1 << 20,
        block: 256 * 1024,
    };
}

/// How a file's records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values; the first record names the columns
    Csv,
}
