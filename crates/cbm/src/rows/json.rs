//! JSON in practice: RFC 8259 and the bare words `NaN`, `Infinity` and `-Infinity` of Python's `json.dumps`, which
//! `serde_json` refuses. `serde_json` reads the strings and checks the numbers; numbers keep their text.

use std::fmt;

/// Maximum depth of nested arrays and objects.
const MAX_DEPTH: usize = 64;

/// JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// Number as it is written.
    Number(&'a str),
    /// `NaN`, `Infinity` or `-Infinity`, without quotes.
    Word(f64),
    Text(String),
    List(Vec<Value<'a>>),
    Object(Entries<'a>),
}

/// Entries of an object in their order; keys may be repeated.
pub(super) type Entries<'a> = Vec<(String, Value<'a>)>;

/// Writes the kind of a value, with its article.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number(_) => "a number",
            Self::Word(word) if word.is_nan() => "NaN",
            Self::Word(_) => "Infinity",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        })
    }
}

/// Parses a text that is one value.
pub(super) fn parse(text: &str) -> Result<Value<'_>, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("expected nothing after the row's end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, String> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            None => Err(self.error("the row ends too early")),
            Some(_) => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let mut entries = Vec::new();
        self.at += 1;
        if self.took(b'}') {
            return Ok(Value::Object(entries));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in double quotes"));
            }
            let key = self.string()?;
            if !self.took(b':') {
                return Err(self.error("expected `:`"));
            }
            entries.push((key, self.value(depth + 1)?));
            if self.took(b'}') {
                return Ok(Value::Object(entries));
            }
            if !self.took(b',') {
                return Err(self.error("expected `,` or `}`"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, String> {
        let mut list = Vec::new();
        self.at += 1;
        if self.took(b']') {
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            if self.took(b']') {
                return Ok(Value::List(list));
            }
            if !self.took(b',') {
                return Err(self.error("expected `,` or `]`"));
            }
        }
    }

    /// Reads a value without brackets and quotes.
    fn scalar(&mut self) -> Result<Value<'a>, String> {
        let rest = &self.text[self.at..];
        let in_scalar = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let len = rest.bytes().take_while(in_scalar).count();
        let word = &rest[..len];
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "NaN" => Value::Word(f64::NAN),
            "Infinity" => Value::Word(f64::INFINITY),
            "-Infinity" => Value::Word(f64::NEG_INFINITY),
            _ if is_number(word) => Value::Number(word),
            "None" | "nan" | "inf" | "-inf" | "True" | "False" => {
                return Err(self.error(&format!(
                    "`{word}` is Python, not JSON: write rows with json.dumps"
                )));
            }
            _ => return Err(self.error("expected a value")),
        };
        self.at += len;
        Ok(value)
    }

    fn string(&mut self) -> Result<String, String> {
        let rest = &self.text[self.at..];
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| match byte {
            _ if std::mem::take(&mut escaped) => false,
            b'\\' => {
                escaped = true;
                false
            }
            byte => byte == b'"',
        });
        let Some(end) = end else {
            return Err(self.error("a string without its closing quote"));
        };
        let quoted = &rest[..end + 2];
        let text = serde_json::from_str(quoted).map_err(|error| self.error(&explained(&error)))?;
        self.at += quoted.len();
        Ok(text)
    }

    /// Returns the next byte that is not a blank.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = rest.iter().take_while(|byte| b" \t\r\n".contains(byte));
        self.at += blanks.count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips `byte` if it comes next. Returns true if it did.
    fn took(&mut self, byte: u8) -> bool {
        let comes = self.peek() == Some(byte);
        self.at += usize::from(comes);
        comes
    }

    fn error(&self, what: &str) -> String {
        format!("not JSON at byte {} of the row: {what}", self.at + 1)
    }
}

/// Numbers beyond an f64 are infinite, as in Python.
fn is_number(word: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(word).is_ok()
        && word.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Formats an error of `serde_json` about a string without its own line and column, with a remedy for half a surrogate
/// pair.
fn explained(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    if what.contains("surrogate") || what.contains("end of hex escape") {
        return "a string with half of a surrogate pair (an escape from \\ud800 to \\udfff alone), which is no character: write the whole character, or leave it out".to_owned();
    }
    format!("a string with a fault: {what}")
}

#[cfg(test)]
mod tests {
    use super::{Value, parse};

    #[test]
    fn words_of_python_are_values() {
        let value = parse(r#" {"a": [NaN, Infinity, -Infinity, 1E5], "a": {"b": null}} "#);
        let Ok(Value::Object(entries)) = value else {
            panic!("{value:?}");
        };
        let shown: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("{key} {value:?}"))
            .collect();
        assert_eq!(
            shown,
            [
                "a List([Word(NaN), Word(inf), Word(-inf), Number(\"1E5\")])",
                "a Object([(\"b\", Null)])"
            ]
        );
    }

    #[test]
    fn faults_have_a_place() {
        for (text, expected) in [
            ("", "byte 1 of the row: the row ends too early"),
            ("{", "byte 2 of the row: expected a key in double quotes"),
            ("{\"a\" 1}", "byte 6 of the row: expected `:`"),
            ("{\"a\": 1 2}", "byte 9 of the row: expected `,` or `}`"),
            (
                "{\"a\": 1,}",
                "byte 9 of the row: expected a key in double quotes",
            ),
            ("[1,]", "byte 4 of the row: expected a value"),
            ("[1", "byte 3 of the row: expected `,` or `]`"),
            (
                "\"a",
                "byte 1 of the row: a string without its closing quote",
            ),
            (
                "\"a\\\"",
                "byte 1 of the row: a string without its closing quote",
            ),
            ("-NaN", "byte 1 of the row: expected a value"),
            ("+1", "byte 1 of the row: expected a value"),
            ("01", "byte 1 of the row: expected a value"),
            ("1.", "byte 1 of the row: expected a value"),
            ("nan", "byte 1 of the row: `nan` is Python, not JSON"),
            (
                "1 2",
                "byte 3 of the row: expected nothing after the row's end",
            ),
            (
                "\"\\ud83d\"",
                "byte 1 of the row: a string with half of a surrogate pair",
            ),
            (
                "\"\\udc00\"",
                "byte 1 of the row: a string with half of a surrogate pair",
            ),
            (
                "\"\\ud83dx\"",
                "byte 1 of the row: a string with half of a surrogate pair",
            ),
            (
                "\"\\ud83d\\u0041\"",
                "byte 1 of the row: a string with half of a surrogate pair",
            ),
            (
                "\"\u{1}\"",
                "byte 1 of the row: a string with a fault: control character",
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(
            parse(&deep)
                .expect_err("too deep")
                .ends_with("nested too deeply")
        );
    }
}
