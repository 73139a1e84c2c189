//! Numbers in the notation that nearly all scores have.

use super::{WINDOW, scale, sixteen};
use crate::scan::marks;

/// What nearly all scores are: a digit, a point, up to 20 digits, perhaps an exponent below 0, of which two digits are read.
#[derive(Clone, Copy)]
pub struct Score<'a> {
    text: &'a [u8; WINDOW],
    /// The digit before the point.
    first: u16,
    /// Digits after the point.
    places: usize,
    /// Without its sign; 0 if there is none.
    exponent: u32,
    /// Bytes of all of it.
    pub len: usize,
}

impl<'a> Score<'a> {
    /// The score that `text` begins with.
    ///
    /// Where the next score of a list begins is known from the branches that are taken here, which the processor predicts,
    /// long before it is computed.
    #[inline(always)]
    pub fn find(text: &'a [u8; WINDOW]) -> Option<Score<'a>> {
        // What is left of a digit and a point is the digit's value.
        let first = u16::from_le_bytes(*text.first_chunk()?) ^ u16::from_le_bytes(*b"0.");
        let mut places = (!digits(text[2..].first_chunk()?)).trailing_zeros() as usize;
        if first > 9 || places == 0 {
            return None;
        }
        if places == 16 && text[18].is_ascii_digit() {
            places = many_places(text).filter(|&places| places <= 20)?;
        }
        let mut score = Score {
            text,
            first,
            places,
            exponent: 0,
            len: 2 + places,
        };
        let after: &[u8; 4] = text[score.len..].first_chunk()?;
        if let b'e' | b'E' = after[0] {
            // What is left of an exponent: 0, 0, and the values of its digits. They stay below 16 if 6 is added.
            let left = u32::from_le_bytes(*after) ^ u32::from_le_bytes(*b"e-00");
            if (left | left.wrapping_add(0x0606_0000)) & 0xf0f0_ff00 != 0 {
                return None;
            }
            score.exponent = (left >> 16 & 0xff) * 10 + (left >> 24);
            score.len += 4;
        }
        Some(score)
    }

    /// Whether it ends here: an exponent may have more than two digits.
    #[inline(always)]
    pub fn is_whole(&self) -> bool {
        !self.text[self.len].is_ascii_digit()
    }

    /// The same with another digit before it; `None` if its digits may not fit in a u64 then.
    #[inline(always)]
    pub fn after(mut self, tens: u8) -> Option<Score<'a>> {
        self.first += 10 * u16::from(tens - b'0');
        (self.places <= 16).then_some(self)
    }

    /// The number that it is.
    #[inline(always)]
    pub fn value(&self) -> Option<f64> {
        let sixteen = self.text[2..].first_chunk()?;
        let mut value = u64::from(self.first) * 10_000_000_000_000_000;
        value += sixteen::number(sixteen, self.places);
        if self.exponent == 0 && self.places <= 16 {
            // Compiled for this power alone.
            return scale(value, -16);
        }
        let mut power = -16 - self.exponent as i32;
        if self.places > 16 {
            for digit in &self.text[18..2 + self.places] {
                value = value * 10 + u64::from(digit - b'0');
                power -= 1;
            }
        }
        scale(value, power)
    }

    /// A number by which to find the greatest score without knowing their values: whichever of two has a greater rank is
    /// the greater or as great. It is the first seven digits, as they are written. Scores below [`Score::LEAST_RANK`]
    /// may have the rank 0; `None` where that does not tell.
    #[inline(always)]
    pub fn rank(&self) -> Option<u64> {
        let head = u64::from_be_bytes(*self.text.first_chunk()?);
        let beyond = 8 * 6usize.saturating_sub(self.places);
        let head = head >> beyond << beyond;
        match self.exponent {
            0 => Some(head),
            5.. => Some(0),
            _ => None,
        }
    }

    /// The least rank that tells: Python writes an exponent for whatever is less.
    pub const LEAST_RANK: u64 = u64::from_be_bytes(*b"0.0001\0\0");
}

/// A bit for each digit.
#[inline(always)]
fn digits(text: &[u8; 16]) -> u16 {
    // Digits become the greatest signed bytes: one comparison, of the kind that SSE2 has.
    const GREATEST: i8 = i8::MAX;
    marks(text, |byte| {
        byte.wrapping_add(GREATEST as u8 - b'9') as i8 > GREATEST - 10
    }) as u16
}

/// How many places the score has that `text` begins with, if it has more than sixteen and its digits fit in a u64: there
/// are 19 at most, and zeros before them.
#[cold]
#[inline(never)]
fn many_places(text: &[u8; WINDOW]) -> Option<usize> {
    let places = 14 + (!digits(text[16..].first_chunk()?)).trailing_zeros() as usize;
    let most = match (text[0], text[2]) {
        (b'0', b'0') => 20,
        (b'0', _) => 19,
        _ => 18,
    };
    (places <= most).then_some(places)
}
