//! Faults of records.

use std::fmt;

use crate::request::{Field, Invalid};

/// Record that cannot be answered. Its text is a sentence that begins with the line number, and never repeats a value.
#[derive(Debug)]
pub struct Fault {
    /// Line number of the record's beginning, from 1.
    pub line: u64,
    /// Kind of the fault.
    pub kind: FaultKind,
}

/// Kind of a record's fault.
#[derive(Debug)]
pub enum FaultKind {
    /// The record is longer than this, in bytes.
    TooLong(usize),
    /// Quotes are opened, but not closed before the end of the file or the maximum length of a record.
    UnclosedQuote,
    /// A quote is inside a field that does not begin with one.
    StrayQuote,
    /// Text follows the quote that closes a field.
    AfterQuote,
    /// There are fewer values than columns. The first column without a value.
    TooFew(Field),
    /// There are more values than columns.
    TooMany {
        /// Number of values in the record.
        values: usize,
        /// Number of columns in the header.
        columns: usize,
    },
    /// The record is not UTF-8.
    NotUtf8,
    /// The request is invalid.
    Request(Invalid),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.kind)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::TooLong(limit) => write!(formatter, "longer than {limit} bytes"),
            FaultKind::UnclosedQuote => formatter.write_str("a quote is opened and not closed"),
            FaultKind::StrayQuote => formatter.write_str(
                "a quote inside a value that does not begin with one: put the value in quotes, and write each quote in it twice",
            ),
            FaultKind::AfterQuote => formatter.write_str(
                "text after the quote that closes a value: write each quote inside a value twice",
            ),
            FaultKind::TooFew(column) => write!(formatter, "no value for column `{}`", column.name()),
            FaultKind::TooMany { values, columns } => write!(
                formatter,
                "{values} values for {columns} columns: put a value with commas in quotes"
            ),
            FaultKind::NotUtf8 => formatter.write_str("not UTF-8: save the file as UTF-8"),
            FaultKind::Request(invalid) => invalid.fmt(formatter),
        }
    }
}

impl std::error::Error for Fault {}
