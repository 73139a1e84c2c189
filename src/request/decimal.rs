//! Numbers in common notations, read in one pass: digits, a point, an exponent. A request has lists of twenty scores,
//! which are most of the work of reading it.
//!
//! The bits are those of `str::parse`, which handles the rest: other notations, more than 19 digits, exponents beyond
//! [`LEAST_POWER`]. Digits become an integer w and a power of ten q. If w·10^q is not exact in f64, 128 bits of 10^q
//! decide the rounding (Lemire, Number Parsing at a Gigabyte per Second, 2021).

mod scale;
mod score;
mod sixteen;

use scale::scale;
pub(super) use score::{Score, WINDOW};

/// Reads the number at the beginning of `text`. Returns its value and its length, or `None` if there is none or its
/// notation is uncommon.
#[inline]
pub(super) fn read(text: &[u8]) -> Option<(f64, usize)> {
    if let [digit @ b'0'..=b'9'] = text {
        return Some((f64::from(digit - b'0'), 1));
    }
    let score = match text.first_chunk() {
        Some(window) => read_score(window),
        None => read_score(&padded(text)),
    };
    score.or_else(|| read_other(text))
}

/// Fast path: reads the JSON number at the beginning of `text` if it is one digit, or has a point after one or two
/// digits.
#[inline(always)]
pub(super) fn read_usual(text: &[u8]) -> Option<(f64, usize)> {
    match *text {
        [digit @ b'0'..=b'9', next, ..]
            if !next.is_ascii_digit() && !matches!(next, b'.' | b'e' | b'E') =>
        {
            Some((f64::from(digit - b'0'), 1))
        }
        [tens @ b'1'..=b'9', b'0'..=b'9', ..] => {
            let score = Score::find(text[1..].first_chunk()?)?.after(tens)?;
            Some((score.value().filter(|_| score.is_whole())?, 1 + score.len))
        }
        _ => read_score(text.first_chunk()?),
    }
}

/// Pads less than a window of text with zeros.
#[inline(always)]
fn padded(text: &[u8]) -> [u8; WINDOW] {
    let mut window = [0; _];
    // Two overlapping copies, instead of a call that branches on the length.
    if let (Some(first), Some(last)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        window[..16].copy_from_slice(first);
        window[text.len() - 16..][..16].copy_from_slice(last);
    } else {
        for (held, &byte) in window[..16].iter_mut().zip(text) {
            *held = byte;
        }
    }
    window
}

/// Reads the score at the beginning of `text`.
#[inline(always)]
fn read_score(text: &[u8; WINDOW]) -> Option<(f64, usize)> {
    let score = Score::find(text)?;
    Some((score.value().filter(|_| score.is_whole())?, score.len))
}

/// Slow path: reads a number in another notation than scores, or with a sign, or with more digits.
#[inline(never)]
fn read_other(text: &[u8]) -> Option<(f64, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let mut digits = Digits {
        text,
        at: start,
        value: 0,
    };
    digits.read();
    let mut count = digits.at - start;
    if count == 0 {
        return None;
    }
    let mut power = 0;
    if text.get(digits.at) == Some(&b'.') {
        digits.at += 1;
        let point = digits.at;
        digits.read();
        let places = digits.at - point;
        count += places;
        power = -(places as i32);
    }
    let Digits { mut at, value, .. } = digits;
    if count > 19 {
        // Leading zeros take no space; others may have more than 19 digits.
        let zeros = text[start..]
            .iter()
            .take_while(|&&byte| matches!(byte, b'0' | b'.'))
            .count();
        // The point is not a digit, and may be among the counted bytes.
        if count - zeros.min(count) + 1 > 19 {
            return None;
        }
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let (exponent, after) = exponent(text, at + 1)?;
        power += exponent;
        at = after;
    }
    let value = scale(value, power)?;
    Some((if is_negative { -value } else { value }, at))
}

/// Digits that are read, one after the other, into a number modulo 2^64.
struct Digits<'a> {
    text: &'a [u8],
    at: usize,
    value: u64,
}

impl Digits<'_> {
    /// Reads all digits that follow.
    fn read(&mut self) {
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            let digit = u64::from(digit - b'0');
            self.value = self.value.wrapping_mul(10).wrapping_add(digit);
            self.at += 1;
        }
    }
}

/// Returns the exponent at `at`, and the offset of its end. `None` if it has more than four digits.
fn exponent(text: &[u8], at: usize) -> Option<(i32, usize)> {
    let (is_negative, start) = match text.get(at)? {
        b'-' => (true, at + 1),
        b'+' => (false, at + 1),
        _ => (false, at),
    };
    let mut at = start;
    let mut size = 0;
    while let Some(digit @ b'0'..=b'9') = text.get(at) {
        size = size * 10 + i32::from(digit - b'0');
        at += 1;
        if at - start > 4 {
            return None;
        }
    }
    (at > start).then_some((if is_negative { -size } else { size }, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all of `text`, and compares it with the standard library.
    fn check(text: &str) -> bool {
        let Some((value, len)) = read(text.as_bytes()) else {
            return false;
        };
        let expected: f64 = text[..len].parse().unwrap();
        assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
        len == text.len()
    }

    #[test]
    fn usual_numbers_are_read() {
        for text in [
            "0",
            "1",
            "0.0",
            "-0.0",
            "1.0",
            "6.4",
            "1.",
            "-12.5",
            "00050",
            "0.9998925924301147",
            "3.2404470773350624e-10",
            "4.545459564297971e-09",
            "2.332819013566301e-13",
            "1e5",
            "1E+5",
            "12345678",
            "123456789",
            "123456789012345678.9",
            "0.00001234567890123456",
            "0.0000000000000000000000000000001",
            "9007199254740993e-1",
            "5.0e-22",
            "1e22",
            "0e-300",
            "0.1e-30",
        ] {
            assert!(check(text), "{text}");
        }
    }

    #[test]
    fn other_text_is_left_alone_and_what_follows_a_number_too() {
        for text in [
            "",
            "-",
            ".5",
            "+1",
            "e5",
            "nan",
            "inf",
            "1e",
            "1e+",
            "1e-",
            "1e00001",
            " 1",
            "/",
            ":",
            "12345678901234567890",
            "1.2345678901234567890123",
            "1e-300",
            "12345678901234567890e-300",
            "9007199254740993",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        for (text, len) in [
            ("1,2", 1),
            ("0.5 ", 3),
            ("1_0", 1),
            ("1.2.3", 3),
            ("1e5x", 3),
            ("12345678:", 8),
        ] {
            let (value, found) = read(text.as_bytes()).unwrap();
            assert_eq!(found, len, "{text}");
            assert_eq!(value, text[..len].parse::<f64>().unwrap());
        }
    }

    #[test]
    fn usual_numbers_of_json_are_read_up_to_what_follows() {
        for text in [
            "0",
            "7",
            "6.4",
            "99.0",
            "14.25",
            "99.9999999999999999",
            "0.8689166903495789",
            "1.5e-07",
            "12.5e-07",
        ] {
            for after in [",", "}", " ", "x"] {
                let rest = format!("{text}{after}{}", " ".repeat(WINDOW));
                let expected = (text.parse().unwrap(), text.len());
                assert_eq!(read_usual(rest.as_bytes()), Some(expected), "{rest}");
            }
        }
        for text in [
            "",
            "-1",
            "05",
            "05.5",
            "00",
            "1.",
            "1e5",
            "100",
            "99.99999999999999999",
            "1.5e-100",
        ] {
            let rest = format!("{text},{}", " ".repeat(WINDOW));
            assert_eq!(read_usual(rest.as_bytes()), None, "{rest}");
        }
    }

    /// Scores of every length, before every kind of byte and at the end.
    #[test]
    fn scores_end_where_another_byte_is() {
        for places in 0..=20 {
            let digits = &"98765432101234567890"[..places];
            for exponent in ["", "e-10", "E5", "e+07", "e", "e-"] {
                for after in [
                    "",
                    ",",
                    ", 0.5",
                    "x",
                    "/",
                    ":",
                    "_1",
                    "\u{ff}",
                    "]                 ",
                ] {
                    let text = format!("0.{digits}{exponent}{after}");
                    if let Some((value, len)) = read(text.as_bytes()) {
                        assert_eq!(len, text.len() - after.len(), "{text}");
                        let expected: f64 = text[..len].parse().unwrap();
                        assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
                    } else {
                        let is_usual = places < 20 && !matches!(exponent, "e" | "e-");
                        assert!(!is_usual, "{text}");
                    }
                }
            }
        }
    }

    /// Numbers of every size, in the shortest notation, with more digits, and exactly between two neighbors.
    #[test]
    fn the_bits_are_those_of_the_standard_library() {
        let mut state = 1u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        };
        let mut read = 0;
        for _ in 0..200_000 {
            let unit = (random() >> 11) as f64 / (1u64 << 53) as f64;
            let small = unit * 10f64.powi(-((random() % 40) as i32));
            let integer = random() >> (random() % 64);
            let places = random() % 54;
            for text in [
                format!("{unit}"),
                format!("{small:e}"),
                format!("{small:.17e}"),
                format!("{integer}e-{places}"),
                format!("-{}.{:09}", integer % 1000, random() % 1_000_000_000),
                // Halfway between two neighbors, and next to that.
                format!("{}e-1", ((1 << 53) | (integer % (1 << 53))) / 10 * 10 + 5),
                format!("{}e-4", (integer % (1 << 60)) | 1),
            ] {
                read += u64::from(check(&text));
            }
        }
        assert!(read > 1_100_000, "only {read} are read here");
    }

    #[test]
    fn a_tie_goes_to_the_even_one() {
        // (2^53 + 1) / 2^k ends in 5 for k from 1 to 4, and is halfway between two neighbors.
        let odd = (1u64 << 53) + 1;
        for k in 1..=4u32 {
            let digits = u128::from(odd) * 5u128.pow(k);
            if let Ok(w) = u64::try_from(digits) {
                for w in [w - 1, w, w + 1] {
                    assert!(check(&format!("{w}e-{k}")));
                }
            }
        }
    }
}
