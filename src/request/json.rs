//! Reader of JSON (RFC 8259) for requests: strict, in one pass, borrowing from the text.
//!
//! It returns scalars and leaves arrays and objects to the caller, who enters or skips them.

use std::borrow::Cow;

use super::decimal::{self, WINDOW};
use super::field::{Field, NAMES};
use crate::scan::marks;

/// Maximum depth of nested arrays and objects.
pub(super) const MAX_DEPTH: usize = 128;

/// Syntax error: the byte offset at which the text stops being JSON, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    pub at: usize,
    pub fault: &'static str,
}

/// JSON value. Of an array or object, only its beginning is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// Number as it is written.
    Number(&'a str),
    /// String without its escapes.
    Text(Cow<'a, str>),
    /// Array. The reader is at its `[`.
    Array,
    /// Object. The reader is at its `{`.
    Object,
}

/// The text that `bytes` are, if they are UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Syntax> {
    // Fast check of many bytes at a time; the position of a fault is searched only if there is one.
    simdutf8::basic::from_utf8(bytes).or_else(|_| {
        std::str::from_utf8(bytes).map_err(|error| Syntax {
            at: error.valid_up_to(),
            fault: "expected UTF-8",
        })
    })
}

impl Value<'_> {
    /// Names the kind of the value, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Array => "an array",
            Value::Object => "an object",
        }
    }
}

/// Position in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// True to accept `NaN`, `Infinity` and `-Infinity` as numbers, as Python's `json.dumps` writes them.
    words: bool,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader {
            text,
            at: 0,
            words: false,
        }
    }

    /// Creates a reader that accepts `NaN`, `Infinity` and `-Infinity`, which Python's `json.dumps` writes.
    pub fn with_words(text: &'a str) -> Reader<'a> {
        Reader {
            words: true,
            ..Reader::new(text)
        }
    }

    /// Skips a byte-order mark, with which some programs begin UTF-8 (RFC 8259, section 8.1, lets a reader ignore it).
    pub fn skip_mark(&mut self) {
        if self.text.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
        }
    }

    /// Reads a whole scalar, or stops before the `[` or `{` that begins here.
    #[inline(always)]
    pub fn value(&mut self) -> Result<Value<'a>, Syntax> {
        match self.peek() {
            b'"' => self.apart(Reader::text).map(Value::Text),
            b'-' | b'0'..=b'9' => self.apart(Reader::number).map(Value::Number),
            b'[' => Ok(Value::Array),
            b'{' => Ok(Value::Object),
            b'n' => self.word("null", Value::Null),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'N' | b'I' => self.apart(Reader::python_number).map(Value::Number),
            _ => Err(self.fault("expected a value")),
        }
    }

    /// Runs `work` on a copy, so that the caller's reader can stay in registers.
    #[inline(always)]
    pub fn apart<T>(&mut self, work: impl FnOnce(&mut Reader<'a>) -> T) -> T {
        let mut copy = *self;
        let result = work(&mut copy);
        self.at = copy.at;
        result
    }

    /// Fast path: reads the value if it is a number in common notation. Sets `number` and returns true if it did.
    #[inline(always)]
    pub fn usual_number(&mut self, number: &mut f64) -> bool {
        self.peek();
        let rest = &self.text.as_bytes()[self.at..];
        let Some((value, len)) = decimal::read_usual(rest) else {
            return false;
        };
        self.at += len;
        *number = value;
        true
    }

    /// Fast path: reads the value if it is a string that `read` accepts completely. `read` gets the text after the
    /// opening quote, and returns the number of bytes that it read.
    #[inline(always)]
    pub fn usual_text(&mut self, read: impl FnOnce(&[u8]) -> Option<usize>) -> bool {
        if self.peek() != b'"' {
            return false;
        }
        let rest = &self.text.as_bytes()[self.at + 1..];
        match read(rest) {
            Some(len) if rest.get(len) == Some(&b'"') => {
                self.at += 1 + len + 1;
                true
            }
            _ => false,
        }
    }

    /// Fast path: reads the value if it is a string without escapes.
    #[inline(always)]
    pub fn plain_text(&mut self) -> Option<&'a str> {
        if self.peek() != b'"' {
            return None;
        }
        let begin = self.at + 1;
        let mut end = Reader { at: begin, ..*self };
        end.plain();
        if self.text.as_bytes().get(end.at) != Some(&b'"') {
            return None;
        }
        self.at = end.at + 1;
        self.text.get(begin..end.at)
    }

    /// Enters the object that begins here.
    pub fn enter(&mut self) -> Entered {
        self.at += 1;
        Entered { is_first: true }
    }

    /// Reads the next key of an object, up to its value. Returns the field of that name (`None` for an unknown name),
    /// or `None` at the end of the object.
    #[inline(always)]
    pub fn key(&mut self, object: &mut Entered) -> Result<Option<Option<Field>>, Syntax> {
        match self.goes_on(object, b'}', "expected `,` or `}`")? {
            None => return Ok(None),
            Some(b'"') => {}
            Some(_) => return Err(self.fault("expected a key in double quotes")),
        }
        let field = match self.name() {
            None => self.apart(Reader::other_name)?,
            field => field,
        };
        if self.peek() != b':' {
            return Err(self.fault("expected `:`"));
        }
        self.at += 1;
        Ok(Some(field))
    }

    /// Fast path: reads the string that begins here if it is a field's name without escapes.
    #[inline(always)]
    fn name(&mut self) -> Option<Field> {
        let window: &[u8; WINDOW] = self.text.as_bytes()[self.at + 1..].first_chunk()?;
        let quotes = marks_of_window(window, |byte| byte == b'"');
        let len = quotes.trailing_zeros() as usize;
        let index = NAMES.find(len, |name| {
            let mut differing = *window;
            for (byte, name) in differing.iter_mut().zip(name) {
                *byte ^= name;
            }
            marks_of_window(&differing, |byte| byte == 0).trailing_ones() as usize
        })?;
        let field = *Field::ALL.get(index)?;
        self.at += len + 2;
        Some(field)
    }

    /// Slow path: reads the string that begins here. Returns the field of that name, if there is one.
    #[inline(never)]
    fn other_name(&mut self) -> Result<Option<Field>, Syntax> {
        Ok(Field::named(&self.text()?))
    }

    /// Returns true if an array has another element, and moves the reader to it.
    pub fn element(&mut self, array: &mut Entered) -> Result<bool, Syntax> {
        let next = self.goes_on(array, b']', "expected `,` or `]`")?;
        Ok(next.is_some())
    }

    /// Checks that only blanks follow.
    pub fn end(&mut self) -> Result<(), Syntax> {
        self.peek();
        match self.at == self.text.len() {
            true => Ok(()),
            false => Err(self.fault("expected nothing more")),
        }
    }

    /// Skips the array or object that begins here, and checks it. `depth` is the number of arrays and objects around
    /// it.
    pub fn skip(&mut self, depth: usize) -> Result<(), Syntax> {
        if depth == MAX_DEPTH {
            return Err(self.fault("nested too deeply"));
        }
        let is_object = self.peek() == b'{';
        let mut entered = self.enter();
        loop {
            let goes_on = match is_object {
                true => self.key(&mut entered)?.is_some(),
                false => self.element(&mut entered)?,
            };
            if !goes_on {
                return Ok(());
            }
            if let Value::Array | Value::Object = self.value()? {
                self.skip(depth + 1)?;
            }
        }
    }

    /// Returns the first byte of the next key or element, or `None` at the end of the array or object.
    #[inline(always)]
    fn goes_on(
        &mut self,
        entered: &mut Entered,
        close: u8,
        fault: &'static str,
    ) -> Result<Option<u8>, Syntax> {
        let is_first = std::mem::take(&mut entered.is_first);
        let mut next = self.peek();
        if next == b',' && !is_first {
            self.at += 1;
            next = self.peek();
            if next == close {
                return Err(self.fault("expected a value after the comma"));
            }
        } else if next == close {
            self.at += 1;
            return Ok(None);
        } else if !is_first {
            return Err(self.fault(fault));
        }
        Ok(Some(next))
    }

    /// Returns the next byte that is not a blank, or 0 at the end of the text. 0 is never valid where this is called.
    #[inline(always)]
    fn peek(&mut self) -> u8 {
        // Common case: no blank, or one.
        let bytes = self.text.as_bytes();
        match bytes.get(self.at) {
            Some(&next) if next > b' ' => next,
            Some(b' ') => {
                self.at += 1;
                match bytes.get(self.at) {
                    Some(&next) if next > b' ' => next,
                    _ => self.apart(Reader::peek_after_blanks),
                }
            }
            _ => self.apart(Reader::peek_after_blanks),
        }
    }

    #[inline(never)]
    fn peek_after_blanks(&mut self) -> u8 {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                next => return next.copied().unwrap_or(0),
            }
        }
    }

    fn fault(&self, fault: &'static str) -> Syntax {
        Syntax { at: self.at, fault }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Syntax> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.fault("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// Reads `NaN`, `Infinity` or `-Infinity`.
    #[cold]
    fn python_number(&mut self) -> Result<&'a str, Syntax> {
        let rest = &self.text[self.at..];
        let words = ["NaN", "Infinity", "-Infinity"].into_iter();
        let word = words
            .filter(|_| self.words)
            .find(|word| rest.starts_with(word));
        let word = word.ok_or_else(|| self.fault("NaN and Infinity are not JSON; send null"))?;
        self.at += word.len();
        Ok(word)
    }

    #[inline(never)]
    fn number(&mut self) -> Result<&'a str, Syntax> {
        let begin = self.at;
        let bytes = self.text.as_bytes();
        if self.words && bytes[begin..].starts_with(b"-I") {
            return self.python_number();
        }
        if bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = bytes.get(self.at) {
                return Err(self.fault("a number cannot begin with 0"));
            }
        } else {
            self.digits()?;
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[begin..self.at])
    }

    /// Reads one digit or more.
    fn digits(&mut self) -> Result<(), Syntax> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.fault("expected a digit"));
        }
        self.at += count;
        Ok(())
    }

    /// Reads the string that begins here.
    #[inline(never)]
    fn text(&mut self) -> Result<Cow<'a, str>, Syntax> {
        if let Some(text) = self.plain_text() {
            return Ok(Cow::Borrowed(text));
        }
        self.at += 1;
        let begin = self.at;
        self.plain();
        self.escaped(begin).map(Cow::Owned)
    }

    /// Continues the string that began at `begin` from its first escape.
    #[inline(never)]
    fn escaped(&mut self, begin: usize) -> Result<String, Syntax> {
        let mut text = String::with_capacity(2 * (self.at - begin) + 64);
        text.push_str(&self.text[begin..self.at]);
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.fault("control characters must be escaped in strings")),
                None => return Err(self.fault("the text ends within a string")),
            }
            let begin = self.at;
            self.plain();
            text.push_str(&self.text[begin..self.at]);
        }
    }

    /// Skips characters of a string that are not special.
    #[inline(always)]
    fn plain(&mut self) {
        let bytes = self.text.as_bytes();
        let is_special = |byte| (byte == b'"') | (byte == b'\\') | (byte < b' ');
        while let Some(chunk) = bytes[self.at..].first_chunk() {
            let marks = marks(chunk, is_special);
            if marks != 0 {
                self.at += marks.trailing_zeros() as usize;
                return;
            }
            self.at += chunk.len();
        }
        while bytes.get(self.at).is_some_and(|&byte| !is_special(byte)) {
            self.at += 1;
        }
    }

    /// Reads the escape here.
    fn escape(&mut self) -> Result<char, Syntax> {
        let begin = self.at;
        let c = match self.text.as_bytes().get(begin + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.fault("no such escape")),
        };
        self.at += 2;
        Ok(c)
    }

    fn unicode_escape(&mut self) -> Result<char, Syntax> {
        const LONE: &str = "half of a surrogate pair";
        let begin = self.at;
        let lone = Syntax {
            at: begin,
            fault: LONE,
        };
        let first = self.code_unit()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        if first >= 0xDC00 || !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
            return Err(lone);
        }
        match self.code_unit()? {
            second @ 0xDC00..=0xDFFF => {
                let c = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                char::from_u32(c).ok_or(lone)
            }
            _ => Err(lone),
        }
    }

    /// Reads the code unit of a `\uXXXX`.
    fn code_unit(&mut self) -> Result<u32, Syntax> {
        let digits = self.text.as_bytes().get(self.at + 2..self.at + 6);
        let unit = digits.and_then(|digits| {
            digits.iter().try_fold(0, |unit, &digit| {
                Some(unit << 4 | char::from(digit).to_digit(16)?)
            })
        });
        let unit = unit.ok_or_else(|| self.fault("expected four hexadecimal digits after \\u"))?;
        self.at += 6;
        Ok(unit)
    }
}

/// Array or object that is being read.
#[derive(Debug)]
pub(super) struct Entered {
    is_first: bool,
}

/// [`marks`] for a window.
#[inline(always)]
fn marks_of_window(window: &[u8; WINDOW], is_wanted: impl Fn(u8) -> bool) -> u32 {
    let (halves, _) = window.as_chunks();
    marks(&halves[0], &is_wanted) | marks(&halves[1], &is_wanted) << 16
}
