//! Answers as bytes: the envelope of the service that was replaced, and numbers as Python's `repr` writes them.

use std::fmt::Display;
use std::io::Write as _;

use crate::pick_regno::Answer;

/// Appends `{"body":{"negative":…,"positive":…},"status":"ok"}` and a newline.
pub fn write_one(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"body\":");
    write_probabilities(answer, out);
    out.extend_from_slice(b",\"status\":\"ok\"}\n");
}

/// Appends the same envelope around an array of answers, in their order.
pub fn write_many(answers: &[Answer], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"body\":[");
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_probabilities(answer, out);
    }
    out.extend_from_slice(b"],\"status\":\"ok\"}\n");
}

/// Appends `{"negative":…,"positive":…,"raw":…}` and a newline: a line of what `score` writes.
pub fn write_scored(answer: &Answer, out: &mut Vec<u8>) {
    write_probabilities(answer, out);
    // The closing brace makes room for the third.
    out.pop();
    out.extend_from_slice(b",\"raw\":");
    write_float(answer.raw, out);
    out.extend_from_slice(b"}\n");
}

/// Appends `{"error":"…"}` and a newline: a line of what `score` writes.
pub fn write_error(error: &dyn Display, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"error\":");
    serde_json::to_writer(&mut *out, &format_args!("{error}")).expect("a Vec takes all bytes");
    out.extend_from_slice(b"}\n");
}

/// Appends `{"negative":…,"positive":…}`.
pub fn write_probabilities(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"negative\":");
    write_float(answer.negative, out);
    out.extend_from_slice(b",\"positive\":");
    write_float(answer.positive, out);
    out.push(b'}');
}

/// The longest `{:e}` of an `f64`: sign, 17 digits, point, `e`, sign, 3 digits.
const MAX_SCIENTIFIC: usize = 24;

/// Appends `value` as Python's `repr` does: the fewest digits that read back to the same bits, an exponent
/// of at least two digits where the value is below 1e-4 or at least 1e16, else a decimal point always.
/// What is not finite has Python's words `inf`, `-inf`, `nan`.
pub fn write_float(value: f64, out: &mut Vec<u8>) {
    if !value.is_finite() {
        let word = if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        };
        out.extend_from_slice(word.as_bytes());
        return;
    }
    let mut text = [0; MAX_SCIENTIFIC];
    let mut rest = &mut text[..];
    write!(rest, "{value:e}").expect("24 bytes hold every finite f64 in scientific notation");
    let length = MAX_SCIENTIFIC - rest.len();

    let mut digits = [0; MAX_SCIENTIFIC];
    let mut count = 0;
    let mut exponent = 0i32;
    for (at, &byte) in text[..length].iter().enumerate() {
        match byte {
            b'-' => out.push(b'-'),
            b'e' => {
                exponent = parse_exponent(&text[at + 1..length]);
                break;
            }
            b'.' => {}
            digit => {
                digits[count] = digit;
                count += 1;
            }
        }
    }
    place_digits(&digits[..count], exponent, out);
}

/// Appends `d.ddd × 10^exponent` in Python's choice of notation.
fn place_digits(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    match exponent {
        0..=15 => {
            let whole = exponent as usize + 1;
            for place in 0..whole.max(digits.len()) {
                if place == whole {
                    out.push(b'.');
                }
                out.push(digits.get(place).copied().unwrap_or(b'0'));
            }
            if digits.len() <= whole {
                out.extend_from_slice(b".0");
            }
        }
        -4..=-1 => {
            out.extend_from_slice(&b"0.000"[..(1 - exponent) as usize]);
            out.extend_from_slice(digits);
        }
        _ => {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(out, "e{sign}{:02}", exponent.unsigned_abs()).expect("a Vec takes all bytes");
        }
    }
}

fn parse_exponent(text: &[u8]) -> i32 {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let size = digits
        .iter()
        .fold(0, |size, &digit| size * 10 + i32::from(digit - b'0'));
    if negative { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repr(value: f64) -> String {
        let mut out = Vec::new();
        write_float(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-4.078036931104569, "-4.078036931104569"),
            (0.01665848260242052, "0.01665848260242052"),
            (0.0001, "0.0001"),
            (0.00012345, "0.00012345"),
            (0.00001, "1e-05"),
            (0.000012345, "1.2345e-05"),
            (1e-100, "1e-100"),
            (5e-324, "5e-324"),
            (-2.2250738585072014e-308, "-2.2250738585072014e-308"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (123456.0, "123456.0"),
            (10.0, "10.0"),
            (1e15, "1000000000000000.0"),
            (9007199254740993.0, "9007199254740992.0"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (1e22, "1e+22"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(repr(value), expected);
        }
    }

    #[test]
    fn the_envelope_has_sorted_keys_and_no_blanks() {
        let answer = Answer {
            raw: -4.078036931104569,
            negative: 0.9833415173975795,
            positive: 0.01665848260242052,
        };
        let mut one = Vec::new();
        write_one(&answer, &mut one);
        assert_eq!(
            String::from_utf8(one).unwrap(),
            "{\"body\":{\"negative\":0.9833415173975795,\"positive\":0.01665848260242052},\"status\":\"ok\"}\n"
        );
        let mut two = Vec::new();
        write_many(&[answer, answer], &mut two);
        let body = "{\"negative\":0.9833415173975795,\"positive\":0.01665848260242052}";
        assert_eq!(
            String::from_utf8(two).unwrap(),
            format!("{{\"body\":[{body},{body}],\"status\":\"ok\"}}\n")
        );
        let mut none = Vec::new();
        write_many(&[], &mut none);
        assert_eq!(none, b"{\"body\":[],\"status\":\"ok\"}\n");
    }
}
