//! Numbers in the common notation of scores.

use super::scale::scale;
use super::sixteen;
use crate::scan::marks;

/// Upper bound on the length of a score, in bytes.
pub const WINDOW: usize = 32;

/// Score in the common notation: a digit, a point, up to 20 digits, and optionally a negative exponent, of which two
/// digits are read.
#[derive(Clone, Copy)]
pub struct Score<'a> {
    text: &'a [u8; WINDOW],
    /// Digits before the point.
    first: u16,
    /// Number of digits after the point.
    places: usize,
    /// Exponent without its sign; 0 if there is none.
    exponent: u32,
    /// Length in bytes.
    pub len: usize,
}

impl<'a> Score<'a> {
    /// Finds the score at the beginning of `text`.
    ///
    /// The branches here determine where the next score of a list begins. The processor predicts them long before the
    /// value is computed.
    #[inline(always)]
    pub fn find(text: &'a [u8; WINDOW]) -> Option<Score<'a>> {
        // XOR leaves the digit's value if these are a digit and a point.
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
            // XOR leaves 0, 0, and the values of the digits. They stay below 16 if 6 is added.
            let left = u32::from_le_bytes(*after) ^ u32::from_le_bytes(*b"e-00");
            if (left | left.wrapping_add(0x0606_0000)) & 0xf0f0_ff00 != 0 {
                return None;
            }
            score.exponent = (left >> 16 & 0xff) * 10 + (left >> 24);
            score.len += 4;
        }
        Some(score)
    }

    /// Returns true if the number ends here: an exponent may have more than two digits.
    #[inline(always)]
    pub fn is_whole(&self) -> bool {
        !self.text[self.len].is_ascii_digit()
    }

    /// Returns the score with another digit before it; `None` if its digits may not fit in a u64 then.
    #[inline(always)]
    pub fn after(mut self, tens: u8) -> Option<Score<'a>> {
        self.first += 10 * u16::from(tens - b'0');
        (self.places <= 16).then_some(self)
    }

    /// Value of the score.
    #[inline(always)]
    pub fn value(&self) -> Option<f64> {
        let sixteen = self.text[2..].first_chunk()?;
        let mut value = u64::from(self.first) * 10_000_000_000_000_000;
        value += sixteen::number(sixteen, self.places);
        if self.exponent == 0 && self.places <= 16 {
            // Specialized for this power.
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

    /// Rank of the score, by which the greatest is found without computing values: of two scores, the one with the
    /// greater rank is greater or equal. The rank consists of the first seven digits, as written. Scores below
    /// [`Score::LEAST_RANK`] may have the rank 0; `None` if the rank would be misleading.
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

    /// Least meaningful rank: Python writes smaller numbers with an exponent.
    pub const LEAST_RANK: u64 = u64::from_be_bytes(*b"0.0001\0\0");
}

/// Returns a bit for each digit.
#[inline(always)]
fn digits(text: &[u8; 16]) -> u16 {
    // Maps digits to the greatest signed bytes, so that one comparison of the kind that SSE2 has will do.
    const GREATEST: i8 = i8::MAX;
    marks(text, |byte| {
        byte.wrapping_add(GREATEST as u8 - b'9') as i8 > GREATEST - 10
    }) as u16
}

/// Number of digits after the point of the score at the beginning of `text`, if there are more than sixteen and all
/// digits fit in a u64: at most 19, apart from leading zeros.
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
