//! Rows of a file in common forms: JSON objects one per line, a JSON array of objects, or CSV with a header; plain or
//! gzipped, with or without a byte-order mark. The first bytes decide.
//!
//! [`input`] opens and decodes the file, [`lines`], [`mod@array`] and [`csv`] split it into rows, [`features`] maps
//! keys and columns to features, and [`values`] reads values. One row is in memory at a time.

mod array;
mod csv;
mod features;
mod input;
mod json;
mod lines;
mod values;

use std::{
    io::{self, BufRead},
    path::Path,
};

use catboost_model::ir::Model;

use features::Features;
pub(crate) use values::Values;

/// Maximum length of a row, in bytes: beyond that, a file is damaged rather than wide.
const MAX_ROW: usize = 64 << 20;

/// Rows of a file, in order. Iteration ends after the first error, which names file, position, feature and remedy.
pub(crate) struct Rows {
    name: String,
    features: Features,
    cut: Cut,
    failed: bool,
}

/// Form of a file.
enum Cut {
    Lines(lines::Lines),
    Array(array::Array),
    Csv(Box<csv::Csv>),
}

type Reader = Box<dyn BufRead>;

impl Rows {
    /// Opens the file at `path`, or standard input for `-`, for rows of `model`.
    ///
    /// # Errors
    /// If the file cannot be read, is of a kind that holds no rows (UTF-16, a spreadsheet, …), or is CSV whose header
    /// lacks a feature that the model uses.
    pub(crate) fn open(path: &Path, model: &Model) -> Result<Self, String> {
        let features = Features::of(model);
        let (name, reader) = input::open(path)?;
        let cut = Cut::of(reader, &features).map_err(|what| format!("{name}: {what}"))?;
        Ok(Self {
            name,
            features,
            cut,
            failed: false,
        })
    }
}

impl Cut {
    fn of(mut reader: Reader, features: &Features) -> Result<Self, String> {
        let mut line = 1;
        let first =
            skip_blanks(&mut reader, &mut line).map_err(|error| format!("line {line}: {error}"))?;
        Ok(match first {
            Some(b'{') | None => Self::Lines(lines::Lines::new(reader, line)),
            Some(b'[') => Self::Array(array::Array::new(reader, line)),
            Some(_) => Self::Csv(Box::new(csv::Csv::new(reader, line, features)?)),
        })
    }
}

impl Iterator for Rows {
    type Item = Result<Values, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = match &mut self.cut {
            Cut::Lines(lines) => lines.next(&self.features),
            Cut::Array(array) => array.next(&self.features),
            Cut::Csv(csv) => csv.next(&self.features),
        };
        let row = row.transpose()?;
        self.failed = row.is_err();
        Some(row.map_err(|what| format!("{}: {what}", self.name)))
    }
}

/// Skips blanks and counts lines. Returns the following byte, if there is one.
fn skip_blanks(reader: &mut Reader, line: &mut u64) -> io::Result<Option<u8>> {
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        let blanks = buffer.iter().take_while(|byte| byte.is_ascii_whitespace());
        let (mut skipped, mut lines) = (0, 0);
        for &byte in blanks {
            skipped += 1;
            lines += u64::from(byte == b'\n');
        }
        let (first, ended) = (buffer.get(skipped).copied(), buffer.is_empty());
        reader.consume(skipped);
        *line += lines;
        if first.is_some() || ended {
            return Ok(first);
        }
    }
}

/// Converts bytes to text.
fn utf8(bytes: &[u8]) -> Result<&str, String> {
    str::from_utf8(bytes).map_err(|error| {
        format!(
            "not UTF-8 from byte {} of the row on: save the file as UTF-8 (`iconv -f WINDOWS-1251 -t UTF-8` converts from Windows' Cyrillic code page)",
            error.valid_up_to()
        )
    })
}
