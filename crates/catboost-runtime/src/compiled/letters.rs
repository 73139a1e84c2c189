//! Fast path for texts whose tokens are single characters: every dictionary lookup was done when the model was
//! compiled.

use super::{Line, trees};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// Codes of single characters, and the rows that they set.
///
/// Characters that all dictionaries of the text feature treat alike share a *code*. Code 0 is for characters that no
/// dictionary has.
pub struct Letters<S: Storage = Static> {
    /// Delimiter between tokens, an ASCII character.
    pub delimiter: u8,
    /// Code of every character below U+0800, or [`Letters::NO_TOKEN`].
    pub codes: S::Boxed<[u8; 0x800]>,
    /// Codes below this one are words that the dictionary with [`super::Tokenized::tells_unknown`] lacks.
    pub unknown: u8,
    /// Row of `lines` that a token sets, given the token before. No rows if the trees are walked.
    pub rows: Steps<u16, S>,
    /// Bits of the leaf indices that the dictionaries' bags of words set. A row has as many lines as the leaf indices
    /// take.
    pub lines: S::Slice<Line>,
}

/// Number for every step of a text, from one token to the next.
pub struct Steps<T: Send + Sync + 'static, S: Storage = Static> {
    /// Number of codes, or 0 if the previous token makes no difference.
    pub stride: u32,
    /// Indexed by `before * stride + code`. The code before the first token is 0.
    pub table: S::Slice<T>,
}

/// Codes of a text's tokens.
pub(super) struct Codes {
    codes: [u8; Codes::MOST],
    len: usize,
}

impl Letters {
    /// Code of a character that is not a single token, such as the delimiter.
    pub const NO_TOKEN: u8 = u8::MAX;
}

impl<S: Storage> Letters<S> {
    /// Replaces `codes` by the codes of a text's tokens. Returns true if the text consists of characters below U+0800
    /// with single delimiters between them.
    ///
    /// Not inlined because that is faster: within a row's evaluation not all of it would stay in registers.
    #[inline(never)]
    pub(super) fn read(&self, text: &str, codes: &mut Codes) -> bool {
        let bytes = text.as_bytes();
        let mut at = 0;
        for len in 0..Codes::MOST {
            let Some(&first) = bytes.get(at) else {
                return false;
            };
            at += usize::from(first >= 0xC0);
            let Some(&last) = bytes.get(at) else {
                return false;
            };
            // A longer character has no delimiter after two bytes, and so fails below.
            let letter = match first {
                0xC0.. => usize::from(first & 0x1F) << 6 | usize::from(last & 0x3F),
                _ => usize::from(first),
            };
            let code = self.codes[letter];
            codes.codes[len] = code;
            at += 1;
            match bytes.get(at) {
                _ if code == Letters::NO_TOKEN => return false,
                Some(&byte) if byte == self.delimiter => at += 1,
                Some(_) => return false,
                None => {
                    codes.len = len + 1;
                    return true;
                }
            }
        }
        false
    }

    /// ORs the tokens' rows into the leaf indices.
    #[inline(always)]
    pub(super) fn set(&self, codes: &Codes, indices: &mut [Line]) {
        trees::or(indices, &self.lines, self.rows.of(codes).map(usize::from));
    }
}

impl<T: Copy + Send + Sync + 'static, S: Storage> Steps<T, S> {
    /// Iterates over the table's entry for each step.
    #[inline(always)]
    pub(super) fn of(&self, codes: &Codes) -> impl Iterator<Item = T> + Clone {
        let stride = self.stride as usize;
        let mut before = 0;
        codes.iter().map(move |code| {
            let step = before * stride + usize::from(code);
            before = usize::from(code);
            self.table[step]
        })
    }
}

impl Steps<u32> {
    /// Marker of a token without an id.
    pub const NO_ID: u32 = u32::MAX;
}

impl Codes {
    /// Capacity. Texts with more tokens do not take the fast path.
    pub(super) const MOST: usize = 64;

    pub(super) const fn new() -> Self {
        Self {
            codes: [0; Self::MOST],
            len: 0,
        }
    }

    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = u8> + Clone {
        self.codes[..self.len].iter().copied()
    }
}

emit!(struct Letters Letters<Owned> { delimiter, codes, unknown, rows, lines });
emit!(struct Steps Steps<u16, Owned> { stride, table });
emit!(struct Steps Steps<u32, Owned> { stride, table });

#[cfg(test)]
impl Codes {
    pub(super) fn of(of_tokens: &[u8]) -> Self {
        let mut codes = Self::new();
        codes.codes[..of_tokens.len()].copy_from_slice(of_tokens);
        codes.len = of_tokens.len();
        codes
    }
}

#[cfg(test)]
mod tests {
    use std::{string::String, vec::Vec};

    use super::*;

    static CODES: [u8; 0x800] = {
        let mut codes = [0; 0x800];
        codes[' ' as usize] = Letters::NO_TOKEN;
        codes['a' as usize] = 1;
        codes['ж' as usize] = 2;
        codes
    };
    static LETTERS: Letters = Letters {
        delimiter: b' ',
        codes: &CODES,
        unknown: 1,
        rows: Steps {
            stride: 3,
            table: &[0, 1, 2, 3, 4, 5, 6, 7, 8],
        },
        lines: &[],
    };

    fn codes(text: &str) -> Option<Vec<u8>> {
        let mut codes = Codes::new();
        LETTERS
            .read(text, &mut codes)
            .then(|| codes.iter().collect())
    }

    #[test]
    fn characters_between_single_delimiters_have_codes() {
        assert_eq!(codes("a"), Some([1].into()));
        assert_eq!(codes("ж a"), Some([2, 1].into()));
        assert_eq!(codes("x ж \0 ߿ a"), Some([0, 2, 0, 0, 1].into()));
        let longest = ["ж"; Codes::MOST].join(" ");
        assert_eq!(codes(&longest), Some([2; Codes::MOST].into()));
    }

    #[test]
    fn other_texts_have_none() {
        let long = ["a"; Codes::MOST + 1].join(" ");
        for text in [
            "", " ", "a ", " a", "a  a", "aa", "жж", "a жa", "ࠀ", "a ࠀ a", "漢", "🚗 a", &long,
        ] {
            assert_eq!(codes(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_character_is_itself_or_none() {
        // Miri is too slow for all of them.
        let every = if cfg!(miri) { 997 } else { 1 };
        for letter in ('\0'..=char::MAX).step_by(every) {
            let mut text = String::from(letter);
            let expected = match letter {
                ' ' | '\u{800}'.. => None,
                'a' => Some(1),
                'ж' => Some(2),
                _ => Some(0),
            };
            let found = codes(&text).map(|codes| codes[0]);
            assert_eq!(found, expected, "{letter:?} alone");
            text.push_str(" a");
            let found = codes(&text);
            assert_eq!(found, expected.map(|code| [code, 1].into()), "{letter:?}");
        }
    }

    #[test]
    fn a_step_is_a_code_after_another() {
        let mut codes = Codes::new();
        assert!(LETTERS.read("a ж ж x a", &mut codes));
        assert!(LETTERS.rows.of(&codes).eq([1, 5, 8, 6, 1]));
        let alone: Steps<u32> = Steps {
            stride: 0,
            table: &[7_u32, 8, 9],
        };
        assert!(alone.of(&codes).eq([8, 9, 9, 7, 8]));
    }
}
