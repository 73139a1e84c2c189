//! Prints answers for the rows of a file: a JSON line each, or records of CSV.

use std::{
    io::{self, Write},
    path::Path,
};

use catboost_model::{eval::Row, ir::Model};

use crate::{
    rows::{Rows, Values},
    written,
};

/// Value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Number(f64),
    Index(u32),
    Text(String),
}

impl Cell {
    pub(crate) fn numbers(values: &[f64]) -> Vec<Self> {
        values.iter().copied().map(Self::Number).collect()
    }

    /// Formats the value as JSON: the fewest digits that read back to the same bits; values without a JSON number are
    /// strings.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Number(value) if value.is_finite() => format!("{value:?}"),
            Self::Number(value) => format!("\"{value}\"").to_lowercase(),
            Self::Index(index) => index.to_string(),
            Self::Text(text) => quoted(text),
        }
    }

    fn csv(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) if !value.is_finite() => value.to_string().to_lowercase(),
            other => other.json(),
        }
    }
}

/// Formats a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Formats cells as a JSON array.
pub(crate) fn list(cells: &[Cell]) -> String {
    let cells: Vec<String> = cells.iter().map(Cell::json).collect();
    format!("[{}]", cells.join(","))
}

/// Output format of answers.
pub(crate) enum Format<'a> {
    /// A line per row, made of the row's records.
    Json(&'a dyn Fn(&[Vec<Cell>]) -> String),
    /// A header, then the records of each row.
    Csv(Vec<String>),
}

/// Number of rows that are answered at once.
const BLOCK: usize = 256;

/// Prints an answer for each row of a file. Stops at the first faulty row; earlier answers have been printed.
pub(crate) fn each_row(
    model: &Model,
    rows: &Path,
    format: &Format,
    answer: impl Fn(&Row) -> Vec<Vec<Cell>>,
) -> Result<(), String> {
    each_block(model, rows, format, |rows| {
        rows.iter().map(&answer).collect()
    })
}

/// [`each_row`] with an `answer` for several rows at once.
pub(crate) fn each_block(
    model: &Model,
    rows: &Path,
    format: &Format,
    mut answer: impl FnMut(&[Row]) -> Vec<Vec<Vec<Cell>>>,
) -> Result<(), String> {
    let mut rows = Rows::open(rows, model)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut result = Ok(());
    let mut printed = match format {
        Format::Csv(header) => record(&mut out, header.iter().cloned()),
        Format::Json(_) => Ok(()),
    };
    while printed.is_ok() && result.is_ok() {
        let mut block = Vec::with_capacity(BLOCK);
        for row in rows.by_ref().take(BLOCK) {
            match row {
                Ok(row) => block.push(row),
                Err(what) => result = Err(what),
            }
        }
        if block.is_empty() {
            break;
        }
        let borrowed: Vec<_> = block.iter().map(Values::borrowed).collect();
        let values = block.iter().zip(&borrowed);
        let answers: Vec<Row> = values.map(|(row, borrowed)| row.row(borrowed)).collect();
        printed = answer(&answers)
            .iter()
            .try_for_each(|records| match format {
                Format::Json(line) => writeln!(out, "{}", line(records)),
                Format::Csv(_) => records
                    .iter()
                    .try_for_each(|cells| record(&mut out, cells.iter().map(Cell::csv))),
            });
    }
    written(printed.and_then(|()| out.flush()))?;
    result
}

fn record(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells)?;
    let bytes = writer.into_inner();
    out.write_all(&bytes.map_err(|error| io::Error::other(error.to_string()))?)
}
