//! Answers as JSON: the envelope of the replaced service, and numbers as Python's `repr` writes them.

use std::fmt::Display;
use std::io::Write as _;

use crate::explanation::Explanation;
use crate::pick_regno::Answer;

/// Appends `{"body":{"negative":…,"positive":…},"status":"ok"}` and a newline.
pub fn write_one(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"body\":");
    write_probabilities(answer, out);
    out.extend_from_slice(b",\"status\":\"ok\"}\n");
}

/// Appends the same envelope with an array of answers, in their order.
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

/// Appends `{"negative":…,"positive":…,"raw":…}` and a newline: an output line of `score`.
pub fn write_scored(answer: &Answer, out: &mut Vec<u8>) {
    write_probabilities(answer, out);
    // The closing brace is replaced by the third member.
    out.pop();
    out.extend_from_slice(b",\"raw\":");
    write_float(answer.raw, out);
    out.extend_from_slice(b"}\n");
}

/// Appends `{"explanation":…,"negative":…,"positive":…}`.
pub fn write_explained(answer: &Answer, explanation: &Explanation, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"explanation\":{\"base\":");
    write_float(explanation.base, out);
    out.extend_from_slice(b",\"contributions\":[");
    for (index, (field, value)) in explanation.contributions.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"field\":\"");
        out.extend_from_slice(field.name().as_bytes());
        out.extend_from_slice(b"\",\"value\":");
        write_float(*value, out);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"raw\":");
    write_float(answer.raw, out);
    out.extend_from_slice(b"},");
    let start = out.len();
    write_probabilities(answer, out);
    // Removes the opening brace.
    out.remove(start);
}

/// Appends `{"error":"…"}` and a newline: an output line of `score`.
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

/// Appends `value` as Python's `repr` does. The digits are the fewest that read back to the same bits, of those the
/// nearest to the value, and of two equally near the even one. Values below 1e-4 or at least 1e16 have an exponent of
/// at least two digits, others always a decimal point. Non-finite values are Python's words `inf`, `-inf`, `nan`.
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
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        // Same notation as Python, which writes no exponent here.
        out.extend_from_slice(text.as_bytes());
    } else {
        write_scientific(text, out);
    }
}

/// Appends the number `text`, which is not 0, with one digit before the point and an exponent.
fn write_scientific(text: &str, out: &mut Vec<u8>) {
    let (number, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, places) = number.split_once('.').unwrap_or((number, ""));
    let size = whole.strip_prefix('-').unwrap_or(whole);
    if size.len() < whole.len() {
        out.push(b'-');
    }
    let all = [size, places].concat();
    let digits = all.trim_start_matches('0');
    let zeros = all.len() - digits.len();
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    let exponent = exponent + size.len() as i32 - 1 - zeros as i32;
    let (first, rest) = digits.split_at(1);
    out.extend_from_slice(first.as_bytes());
    let rest = rest.trim_end_matches('0');
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest.as_bytes());
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(out, "e{sign}{:02}", exponent.unsigned_abs()).expect("a Vec takes all bytes");
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
    #[expect(
        clippy::excessive_precision,
        reason = "what lies halfway between two texts is written whole"
    )]
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
            // Halfway between two texts with the same number of digits: rounded to the even digit.
            (913657025737750.25, "913657025737750.2"),
            (651592972722763.75, "651592972722763.8"),
            (-0.000012345, "-1.2345e-05"),
            (2.0f64.powi(-44), "5.684341886080802e-14"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(repr(value), expected);
        }
    }

    /// Every number reads back to its own bits, and no shorter text does.
    #[test]
    fn digits_are_the_fewest_that_read_back() {
        let mut state = 1u64;
        for _ in 0..100_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(state);
            if value.is_finite() {
                let text = repr(value);
                assert_eq!(text.parse(), Ok(value));
                let digits = |text: &str| {
                    let number = text.split(['e', 'E']).next().unwrap_or("");
                    let digits = number.replace(['-', '.'], "");
                    digits.trim_matches('0').len()
                };
                assert_eq!(digits(&text), digits(&format!("{value:e}")), "{text}");
            }
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
