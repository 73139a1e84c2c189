//! JSON objects, one per line.

use std::io::{BufRead, Read};

use super::{MAX_ROW, Reader, features::Features, json, utf8, values::Values};

pub(super) struct Lines {
    reader: Reader,
    /// Current line of the reader, from 1.
    line: u64,
    text: Vec<u8>,
}

impl Lines {
    /// Creates a reader of lines. `reader` is on line `line`.
    pub(super) fn new(reader: Reader, line: u64) -> Self {
        Self {
            reader,
            line,
            text: Vec::new(),
        }
    }

    /// Returns the next row. Blank lines are skipped.
    pub(super) fn next(&mut self, features: &Features) -> Result<Option<Values>, String> {
        loop {
            let line = self.line;
            let place = |what: String| format!("line {line}: {what}");
            self.text.clear();
            let mut limited = (&mut self.reader).take(MAX_ROW as u64 + 1);
            let read = limited.read_until(b'\n', &mut self.text);
            let read = read.map_err(|error| place(error.to_string()))?;
            if read == 0 {
                return Ok(None);
            }
            if read > MAX_ROW {
                return Err(place(format!("longer than {MAX_ROW} bytes")));
            }
            self.line += 1;
            // Concatenated files may have a byte-order mark inside.
            let text = self.text.strip_prefix(b"\xef\xbb\xbf");
            let text = text.unwrap_or(&self.text).trim_ascii();
            if text.is_empty() {
                continue;
            }
            let row = utf8(text).and_then(json::parse);
            let row = row.map_err(|what| explained(what, text));
            return row
                .and_then(|row| features.of_json(&row))
                .map(Some)
                .map_err(place);
        }
    }
}

/// Adds the remedy to an error of a line that begins an object and does not end it.
fn explained(what: String, text: &[u8]) -> String {
    if text.ends_with(b"}") {
        return what;
    }
    what + "; a row has to be on one line (`jq -c .` puts each object on a line)"
}
