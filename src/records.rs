//! Files of requests, read record by record: NDJSON (one JSON object per line) or CSV (RFC 4180, columns named by the
//! first record).
//!
//! Stages: [`Blocks`] reads the file and splits it at ends of records (`boundary`); [`Records`] turns a block into one
//! [`Request`](crate::request::Request) or one [`Fault`] per record, in order. Blocks consist of whole records, so that
//! each can be processed by another thread. [`Limits`] bound the memory, however large the file is.

mod blocks;
mod boundary;
mod csv;
mod fault;
mod marked;
mod plain;
mod reading;
mod shape;
mod source;

pub use self::blocks::{Block, Blocks, Text, Unreadable};
pub use self::boundary::{Boundary, Whole};
pub use self::csv::{Header, HeaderError};
pub use self::fault::{Fault, FaultKind};
pub use self::reading::Records;
pub use self::shape::Shape;
pub use self::source::{CannotOpen, Source};

/// Limits that bound memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum length of a record in bytes. A longer one is a fault, and skipped.
    pub record: usize,
    /// Number of bytes that are read at once.
    pub block: usize,
}

impl Limits {
    /// Limits for files.
    pub const FILE: Limits = Limits {
        record: 1 << 20,
        block: 256 * 1024,
    };
}

/// Format of a file's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values; the first record names the columns
    Csv,
}
