//! How records are written.

use super::Format;
use super::csv::Header;

/// How a file's records are written, and for CSV in which order.
#[derive(Clone, Debug)]
pub enum Shape {
    /// One JSON object a line.
    Ndjson,
    /// Values in the order of the header.
    Csv(Header),
}

impl Shape {
    /// Which of the two it is.
    pub fn format(&self) -> Format {
        match self {
            Shape::Ndjson => Format::Ndjson,
            Shape::Csv(_) => Format::Csv,
        }
    }
}
