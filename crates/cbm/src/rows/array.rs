//! Splits a JSON array of objects into its elements while reading.

use std::io::{self, BufRead};

use super::{MAX_ROW, Reader, features::Features, json, skip_blanks, utf8, values::Values};

pub(super) struct Array {
    reader: Reader,
    /// Current line of the reader, from 1.
    line: u64,
    /// Number of the next element, from 1; `None` at the end.
    element: Option<u64>,
    text: Vec<u8>,
}

impl Array {
    /// Creates a reader of an array. `reader` is before its `[`, on line `line`.
    pub(super) fn new(mut reader: Reader, line: u64) -> Self {
        reader.consume(1);
        Self {
            reader,
            line,
            element: Some(1),
            text: Vec::new(),
        }
    }

    /// Returns the next element as a row.
    pub(super) fn next(&mut self, features: &Features) -> Result<Option<Values>, String> {
        let Some(element) = self.element else {
            return Ok(None);
        };
        match (element, self.peek()?) {
            (_, Some(b']')) => {
                self.end()?;
                return Ok(None);
            }
            (1, _) => {}
            (_, Some(b',')) => {
                self.reader.consume(1);
                self.peek()?;
            }
            (_, next) => {
                let (line, last) = (self.line, element - 1);
                return Err(match next {
                    Some(_) => {
                        format!(
                            "line {line}: expected `,` or `]` after element {last} of the array"
                        )
                    }
                    None => format!(
                        "line {line}: the array ends after element {last} without its `]`: the file is cut off"
                    ),
                });
            }
        }
        let line = self.line;
        let place = |what: String| format!("element {element} (line {line}): {what}");
        self.cut().map_err(place)?;
        self.element = Some(element + 1);
        let row = utf8(&self.text).and_then(json::parse);
        row.and_then(|row| features.of_json(&row))
            .map(Some)
            .map_err(place)
    }

    fn peek(&mut self) -> Result<Option<u8>, String> {
        let next = skip_blanks(&mut self.reader, &mut self.line);
        next.map_err(|error| format!("line {}: {error}", self.line))
    }

    /// Reads the array's end, after which nothing may follow.
    fn end(&mut self) -> Result<(), String> {
        self.reader.consume(1);
        self.element = None;
        match self.peek()? {
            None => Ok(()),
            Some(_) => Err(format!(
                "line {}: text after the end of the array",
                self.line
            )),
        }
    }

    /// Reads the element that begins here into `text`: up to its closing bracket, or, for a scalar, up to a byte that
    /// cannot belong to one.
    fn cut(&mut self) -> Result<(), String> {
        self.text.clear();
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer.map_err(|error| error.to_string())?,
            };
            if buffer.is_empty() {
                return Err("the file ends within this element: it is cut off".to_owned());
            }
            let mut used = 0;
            let mut ended = false;
            for &byte in buffer {
                let scalar_ends = depth == 0 && !quoted && matches!(byte, b',' | b']' | b'}');
                if scalar_ends {
                    ended = true;
                    break;
                }
                used += 1;
                self.line += u64::from(byte == b'\n');
                match byte {
                    _ if std::mem::take(&mut escaped) => {}
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    _ if quoted => {}
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        ended = depth == 0;
                        if ended {
                            break;
                        }
                    }
                    _ => {}
                }
            }
            self.text.extend_from_slice(&buffer[..used]);
            self.reader.consume(used);
            if ended {
                return Ok(());
            }
            if self.text.len() > MAX_ROW {
                return Err(format!(
                    "longer than {MAX_ROW} bytes, or a bracket or quote is not closed"
                ));
            }
        }
    }
}
