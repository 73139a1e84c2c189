//! Numbers in texts, as CatBoost reads them.

/// Reads a number as CatBoost's `TryFromString<double>` does (`util/string/cast.cpp`: the `double-conversion` library
/// with hexadecimal integers and leading blanks): blanks, a sign, digits with at most one point, an exponent. Nothing
/// may follow, not even a blank. Blanks alone are 0; the empty text, `nan` and `inf` are not numbers.
///
/// ```
/// use catboost_model::text_number;
///
/// assert_eq!(text_number(" 6.5e1"), Some(65.0));
/// assert_eq!(text_number("nan"), None);
/// ```
#[must_use]
pub fn text_number(text: &str) -> Option<f64> {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    let number = text.trim_start_matches(blank);
    if number.is_empty() {
        return (!text.is_empty()).then_some(0.0);
    }
    let unsigned = number.strip_prefix(['+', '-']).unwrap_or(number);
    if let Some(digits) = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X")) {
        let magnitude = hexadecimal(digits)?;
        return Some(if number.starts_with('-') {
            -magnitude
        } else {
            magnitude
        });
    }
    // Unlike Rust, CatBoost does not read `inf` and `nan`.
    let plain = number.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    plain.then(|| number.parse().ok())?
}

/// Reads any number of hexadecimal digits, rounded to the nearest f64, ties to even.
fn hexadecimal(digits: &str) -> Option<f64> {
    /// Number of digits that are kept exactly: more bits than an f64 has.
    const KEPT: usize = 30;
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let (kept, rest) = digits.split_at(digits.len().min(KEPT));
    let kept = u128::from_str_radix(kept, 16).unwrap_or(0);
    // Remaining bits matter only to break a tie.
    let sticky = u128::from(rest.bytes().any(|digit| digit != b'0'));
    let exponent = i32::try_from(4 * rest.len()).unwrap_or(i32::MAX);
    Some((kept | sticky) as f64 * 2_f64.powi(exponent))
}

#[cfg(test)]
mod tests {
    use super::text_number;

    #[test]
    fn numbers_are_read_as_catboost_reads_them() {
        for (text, expected) in [
            ("0.5", 0.5),
            (" \t\n\u{b}\u{c}\r0.5", 0.5),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("5e-1", 0.5),
            ("1E400", f64::INFINITY),
            ("0x10", 16.0),
            ("-0XfF", -255.0),
            ("0x20000000000001", 9_007_199_254_740_992.0),
            ("0x20000000000003", 9_007_199_254_740_996.0),
            (
                "0x200000000000010000000000000000000000000000001",
                9_007_199_254_740_994.0 * 16_f64.powi(31),
            ),
            (" ", 0.0),
        ] {
            assert_eq!(text_number(text), Some(expected), "{text:?}");
        }
        for text in [
            "",
            "nan",
            "inf",
            "-Infinity",
            "0.5 ",
            "0,5",
            "1_0",
            "0x",
            "0x1p3",
            "0x1.8",
            "- 5",
            "--5",
            ".",
            "e5",
            "1e",
            "½",
            "\u{a0}5",
            "0.5f",
            "5 0",
            "null",
            "1e+",
        ] {
            assert_eq!(text_number(text), None, "{text:?}");
        }
    }
}
