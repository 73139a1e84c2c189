//! What is wrong with a record.

use std::fmt;

use crate::request::{Field, Invalid};

/// A record that cannot be answered: a sentence that begins with its line, and never repeats a value.
#[derive(Debug)]
pub struct Fault {
    /// The line on which the record begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub kind: FaultKind,
}

/// What can be wrong with a record.
#[derive(Debug)]
pub enum FaultKind {
    /// It has more bytes than this.
    TooLong(usize),
    /// Quotes are opened, and the file ends, or more bytes go by than a record may have, before they are closed.
    UnclosedQuote,
    /// A quote is inside a field that does not begin with one.
    StrayQuote,
    /// Text follows the quote that closes a field.
    AfterQuote,
    /// There are fewer values than columns; the first column without one.
    TooFew(Field),
    /// There are more values than columns; how many.
    TooMany {
        /// Values of the record.
        values: usize,
        /// Columns of the header.
        columns: usize,
    },
    /// It is not UTF-8.
    NotUtf8,
    /// The request itself.
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
