//! Tokenizer: text → tokens.

use alloc::{boxed::Box, vec::Vec};
use core::{ops::Deref, str};

use crate::{emit::emit, lowercase};

/// Tokenizer's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenizer<T = &'static str> {
    /// Delimiter between tokens.
    pub delimiter: T,
    /// True if each byte of `delimiter` (up to its first NUL) is a delimiter, false if the whole string is one.
    pub split_by_set: bool,
    /// True to drop empty tokens.
    pub skip_empty: bool,
    /// True to convert tokens to lower case.
    pub lowercasing: bool,
    /// Treatment of number tokens, which are not empty and consist of ASCII digits.
    pub numbers: NumberPolicy<T>,
}

/// Treatment of number tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberPolicy<T = &'static str> {
    /// Drop them.
    Skip,
    /// Keep them.
    LeaveAsIs,
    /// Replace each by this token.
    Replace(T),
}

emit!(struct Tokenizer Tokenizer<Box<str>> {
    delimiter, split_by_set, skip_empty, lowercasing, numbers,
});
emit!(enum NumberPolicy NumberPolicy<Box<str>> { Skip, LeaveAsIs, Replace(token) });

impl<T: Deref<Target = str>> Tokenizer<T> {
    /// Replaces the contents of `tokens` by the tokens of `text`, in order.
    ///
    /// A text that is empty or ends with a delimiter has an empty token at its end. An empty delimiter makes one empty
    /// token of any text. A set of delimiters may cut a letter into bytes that are not UTF-8; CatBoost refuses to
    /// convert these to lower case, here they are kept as they are.
    ///
    /// ```
    /// use catboost_runtime::text::{NumberPolicy, Tokenizer, Tokens};
    ///
    /// let tokenizer = Tokenizer {
    ///     delimiter: " ",
    ///     split_by_set: false,
    ///     skip_empty: true,
    ///     lowercasing: true,
    ///     numbers: NumberPolicy::Skip,
    /// };
    /// let mut tokens = Tokens::new();
    /// tokenizer.tokenize("Black tea  42", &mut tokens);
    /// assert!(tokens.iter().eq([b"black".as_slice(), b"tea"]));
    /// ```
    pub fn tokenize(&self, text: &str, tokens: &mut Tokens) {
        tokens.clear();
        let bytes = text.as_bytes();
        if self.split_by_set {
            let set = self.delimiter.as_bytes();
            let end = set.iter().position(|&b| b == 0).unwrap_or(set.len());
            let set = &set[..end];
            for token in bytes.split(|b| set.contains(b)) {
                self.push(token, tokens);
            }
        } else if let [delimiter] = self.delimiter.as_bytes() {
            for token in bytes.split(|b| b == delimiter) {
                self.push(token, tokens);
            }
        } else if self.delimiter.is_empty() {
            self.push(&[], tokens);
        } else {
            for token in text.split(&*self.delimiter) {
                self.push(token.as_bytes(), tokens);
            }
        }
    }

    #[inline]
    fn push(&self, token: &[u8], tokens: &mut Tokens) {
        if self.skip_empty && token.is_empty() {
            return;
        }
        match &self.numbers {
            NumberPolicy::Skip if is_number(token) => {}
            NumberPolicy::Replace(number) if is_number(token) => tokens.push(number.as_bytes()),
            _ if self.lowercasing => match str::from_utf8(token) {
                Ok(word) => tokens.push_lowercase(word),
                Err(_) => tokens.push(token),
            },
            _ => tokens.push(token),
        }
    }
}

/// Returns true if CatBoost takes a token for a number. Lower case does not change the result, so the order of the two
/// checks is free.
fn is_number(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(u8::is_ascii_digit)
}

/// Tokens of a text, in one buffer that is reused from text to text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    bytes: Vec<u8>,
    /// End offset of each token in `bytes`; the next token begins there.
    ends: Vec<usize>,
}

impl Tokens {
    /// Creates an empty list without allocating.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Iterates over the tokens in order. They are UTF-8, unless a set of delimiters cut a letter.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let token = &self.bytes[start..end];
            start = end;
            token
        })
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns true if there are no tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    #[inline]
    fn push(&mut self, token: &[u8]) {
        self.bytes.extend_from_slice(token);
        self.ends.push(self.bytes.len());
    }

    fn push_lowercase(&mut self, token: &str) {
        let mut buffer = [0; 4];
        for letter in token.chars() {
            let lower = lowercase::of(letter).encode_utf8(&mut buffer);
            self.bytes.extend_from_slice(lower.as_bytes());
        }
        self.ends.push(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Tokenizer = Tokenizer {
        delimiter: " ",
        split_by_set: false,
        skip_empty: true,
        lowercasing: false,
        numbers: NumberPolicy::LeaveAsIs,
    };
    const WITH_EMPTY: Tokenizer = Tokenizer {
        skip_empty: false,
        ..PLAIN
    };

    /// Every expectation is what `catboost.text_processing.Tokenizer` 1.2.10 answered, save for the empty text, which its
    /// Python wrapper does not pass on.
    #[track_caller]
    fn check(tokenizer: Tokenizer, text: &str, expected: &[&str]) {
        let mut tokens = Tokens::new();
        tokenizer.tokenize(text, &mut tokens);
        let found: Vec<&str> = tokens
            .iter()
            .map(|token| str::from_utf8(token).expect("UTF-8"))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(tokens.len(), expected.len());
    }

    #[test]
    fn empty_tokens_are_dropped_or_stay() {
        check(PLAIN, "  a  b ", &["a", "b"]);
        check(WITH_EMPTY, "  a  b", &["", "", "a", "", "b"]);
        check(WITH_EMPTY, "a b ", &["a", "b", ""]);
        check(PLAIN, "", &[]);
        check(WITH_EMPTY, "", &[""]);
    }

    #[test]
    fn letters_stay_as_they_are_unless_told() {
        check(PLAIN, "Кот A a", &["Кот", "A", "a"]);
    }

    #[test]
    fn tokens_are_replaced_by_those_of_the_next_text() {
        let mut tokens = Tokens::new();
        assert!(tokens.is_empty());
        for text in ["one two", "three"] {
            PLAIN.tokenize(text, &mut tokens);
            assert!(!tokens.is_empty());
        }
        assert!(tokens.iter().eq([b"three"]));
        PLAIN.tokenize("", &mut tokens);
        assert!(tokens.is_empty());
    }

    #[test]
    fn a_delimiter_may_be_long() {
        let dashes = Tokenizer {
            delimiter: "--",
            ..WITH_EMPTY
        };
        check(dashes, "a--b---c--", &["a", "b", "-c", ""]);
    }

    #[test]
    fn an_empty_delimiter_swallows_the_text() {
        check(
            Tokenizer {
                delimiter: "",
                ..WITH_EMPTY
            },
            "a b",
            &[""],
        );
        check(
            Tokenizer {
                delimiter: "",
                ..PLAIN
            },
            "a b",
            &[],
        );
    }

    #[test]
    fn a_set_separates_at_any_of_its_bytes() {
        let set = |delimiter| Tokenizer {
            delimiter,
            split_by_set: true,
            ..WITH_EMPTY
        };
        check(set(",;"), "a,b;c,,d", &["a", "b", "c", "", "d"]);
        check(set(""), "a b", &["a b"]);
        check(set("\0,"), "a\0b,c", &["a\0b,c"]);
    }

    #[test]
    fn a_set_may_cut_letters() {
        let tokenizer = Tokenizer {
            delimiter: "ё",
            split_by_set: true,
            ..PLAIN
        };
        let mut tokens = Tokens::new();
        tokenizer.tokenize("кот", &mut tokens);
        // ё is d1 91 and т is d1 82
        let expected: [&[u8]; 2] = ["ко".as_bytes(), &[0x82]];
        assert!(tokens.iter().eq(expected));
    }

    #[test]
    fn numbers_are_all_digits() {
        let skip = Tokenizer {
            numbers: NumberPolicy::Skip,
            ..PLAIN
        };
        check(skip, "12 a 3 7.5 3x ٣", &["a", "7.5", "3x", "٣"]);
        let replace = Tokenizer {
            numbers: NumberPolicy::Replace("N"),
            lowercasing: true,
            ..PLAIN
        };
        check(
            replace,
            "Кот 12 КОТ 3x 007",
            &["кот", "N", "кот", "3x", "N"],
        );
        let by_nothing = Tokenizer {
            numbers: NumberPolicy::Replace(""),
            ..WITH_EMPTY
        };
        check(by_nothing, "12  a", &["", "", "a"]);
    }
}
