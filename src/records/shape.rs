//! Format of a file's records.

use super::Format;
use super::csv::Header;

/// Format of a file's records, with the order of the columns for CSV.
#[derive(Clone, Debug)]
pub enum Shape {
    /// One JSON object per line.
    Ndjson,
    /// Values in the order of the header.
    Csv(Header),
}

impl Shape {
    /// Returns the format alone.
    pub fn format(&self) -> Format {
        match self {
            Shape::Ndjson => Format::Ndjson,
            Shape::Csv(_) => Format::Csv,
        }
    }
}
