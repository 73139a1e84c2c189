//! CSV according to RFC 4180, whose first record names the columns.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

use ::csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::{MAX_ROW, Reader, features::Features, utf8, values::Values};

pub(super) struct Csv {
    reader: ::csv::Reader<Quotes>,
    state: Rc<State>,
    /// Number of lines before the beginning of the CSV.
    before: u64,
    /// Index of the feature in each column; `None` if it is not a feature.
    columns: Vec<Option<usize>>,
    record: ByteRecord,
}

impl Csv {
    /// Reads the header. `reader` is on line `line`.
    pub(super) fn new(reader: Reader, line: u64, features: &Features) -> Result<Self, String> {
        let state = Rc::new(State::default());
        let quotes = Quotes {
            reader,
            state: Rc::clone(&state),
        };
        // Records of other lengths are reported below.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(quotes);
        let mut csv = Self {
            reader,
            state,
            before: line - 1,
            columns: Vec::new(),
            record: ByteRecord::new(),
        };
        csv.read()?;
        let names = csv.record.iter().map(|name| utf8(name).map(str::to_owned));
        let names = names.collect::<Result<Vec<String>, String>>();
        let columns = names.and_then(|names| columns(&names, features));
        csv.columns = columns.map_err(|what| format!("line {line}: {what}"))?;
        Ok(csv)
    }

    /// Returns the next record as a row. Blank lines are skipped.
    pub(super) fn next(&mut self, features: &Features) -> Result<Option<Values>, String> {
        let Some(line) = self.read()? else {
            return Ok(None);
        };
        let place = |what: String| format!("line {line}: {what}");
        let (cells, columns) = (self.record.len(), self.columns.len());
        if cells != columns {
            let remedy = if cells > columns {
                "put a value with commas in quotes"
            } else {
                "write an empty value where there is none"
            };
            return Err(place(format!(
                "{cells} values for the {columns} columns of the header: {remedy}"
            )));
        }
        let mut values = features.values();
        for (cell, &column) in self.record.iter().zip(&self.columns) {
            if let Some(column) = column {
                let cell = utf8(cell).map_err(place)?;
                features
                    .set_cell(column, cell, &mut values)
                    .map_err(place)?;
            }
        }
        Ok(Some(values))
    }

    /// Reads a record. Returns the line on which it begins, or `None` at the end.
    fn read(&mut self) -> Result<Option<u64>, String> {
        let start = self.reader.position().clone();
        self.state.limit.set(start.byte() + MAX_ROW as u64);
        let read = self.reader.read_byte_record(&mut self.record);
        let read = read.map_err(|error| {
            let line = self.before + start.line();
            match error.into_kind() {
                ErrorKind::Io(error) => format!("line {line}: {error}"),
                kind => format!("line {line}: {kind:?}"),
            }
        })?;
        let line = self.record.position().map_or(1, ::csv::Position::line);
        let line = self.before + line;
        // A record that ends with the file may have a quote that swallowed the rest.
        if read && self.state.ended.get() && self.state.odd.get() {
            return Err(format!(
                "line {line}: a quote is opened and not closed before the file ends: put the value in quotes, and write each quote in it twice"
            ));
        }
        Ok(read.then_some(line))
    }
}

/// Maps each column to its feature.
fn columns(names: &[String], features: &Features) -> Result<Vec<Option<usize>>, String> {
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    features.places(&keys).map_err(|what| {
        let hint = match names {
            [only] if only.contains(';') => "; values have to be separated by commas, not by `;`",
            [only] if only.contains('\t') => "; values have to be separated by commas, not by tabs",
            [only] if only.contains('|') => "; values have to be separated by commas, not by `|`",
            _ => "",
        };
        format!(
            "read as the header of a CSV file, as it begins neither with {{ (a JSON object a line) nor with [ (a JSON array): {what}{hint}"
        )
    })
}

/// State of a stream of CSV.
#[derive(Default)]
struct State {
    /// True after an odd number of quotes.
    odd: Cell<bool>,
    ended: Cell<bool>,
    /// Bytes that went by.
    passed: Cell<u64>,
    /// More may not go by before the record ends.
    limit: Cell<u64>,
}

/// Counts quotes, as the `csv` crate accepts the end of a file inside quotes, and bytes, as it accepts records of any length.
struct Quotes {
    reader: Reader,
    state: Rc<State>,
}

impl Read for Quotes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // More is asked for when all that went by is read, and the record has not ended.
        if self.state.passed.get() > self.state.limit.get() {
            let what = format!("longer than {MAX_ROW} bytes, or a quote is not closed");
            return Err(io::Error::other(what));
        }
        let len = self.reader.fill_buf()?.read(buffer)?;
        self.state.passed.set(self.state.passed.get() + len as u64);
        self.reader.consume(len);
        let quotes = buffer[..len].iter().filter(|&&byte| byte == b'"').count();
        self.state.odd.set(self.state.odd.get() ^ (quotes % 2 == 1));
        self.state.ended.set(len == 0);
        Ok(len)
    }
}
