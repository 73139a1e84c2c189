//! Numbers from text: in JSON, in strings as CatBoost reads them, and in lists as Python's `float` reads them.

use super::decimal;
use crate::plate::digit;

/// Texts that CatBoost takes for a missing number. Verified against CatBoost 1.2.10, which refuses others, such as
/// `Nan` and `NONE`.
#[rustfmt::skip]
const MISSING: [&str; 24] = [
    "", "-", "nan", "NaN", "NAN", "-nan", "-NaN", "NA", "Na", "na", "N/A", "n/a", "#NA", "#N/A",
    "#N/A N/A", "null", "NULL", "Null", "none", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
];

/// Reads a JSON number.
pub(super) fn from_json(text: &str) -> Option<f64> {
    match decimal::read(text.as_bytes()) {
        Some((number, len)) if len == text.len() => Some(number),
        _ => text.parse().ok(),
    }
}

/// Reads the number in a string; NaN if the text says that there is none. Leading blanks are allowed, as in CatBoost.
pub(super) fn from_string(text: &str) -> Option<f64> {
    if let Some((number, len)) = decimal::read(text.as_bytes())
        && len == text.len()
    {
        return Some(number);
    }
    let number = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    if number.ends_with(|c: char| c.is_ascii_digit() || c == '.')
        && let Ok(number) = number.parse()
    {
        return Some(number);
    }
    MISSING.contains(&text).then_some(f64::NAN)
}

/// Reads a number as Python's `float` does: blanks around it, `1_000`, `nan`, `inf`, `infinity`, digits of any script.
pub(super) fn from_python(text: &str) -> Option<f64> {
    // Common case: neither underscores nor characters beyond ASCII. `parse` handles the rest of the grammar.
    match text.trim_matches(is_blank).parse() {
        Ok(number) => Some(number),
        Err(_) => rewritten(text)?.trim_matches(is_blank).parse().ok(),
    }
}

/// Returns true for blanks that Python strips after converting blanks and digits to ASCII: not U+001C–U+001F.
fn is_blank(c: char) -> bool {
    c == ' ' || ('\t'..='\r').contains(&c) || !c.is_ascii() && c.is_whitespace()
}

/// Rewrites a number without underscores (which are allowed between digits), and in ASCII digits.
fn rewritten(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '_' {
            let after = chars.peek().copied().and_then(digit);
            before.and(after)?;
            before = None;
            continue;
        }
        before = digit(c);
        match before {
            Some(value) => plain.push(char::from(b'0' + value)),
            None => plain.push(c),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::{from_python, from_string};

    /// Answers of Python 3.11.
    #[test]
    fn floats_are_read_as_python_reads_them() {
        for (text, expected) in [
            ("1", 1.0),
            ("\u{b}1\u{c}", 1.0),
            ("\u{85}1", 1.0),
            ("\u{a0}1\u{3000}", 1.0),
            ("٣", 3.0),
            ("１_０", 10.0),
            ("𝟏", 1.0),
            ("１e１", 10.0),
            ("1_0", 10.0),
            ("1_0.5_5", 10.55),
            ("1e1_0", 1e10),
            (".5", 0.5),
            ("+1", 1.0),
            ("1.", 1.0),
            ("1.e5", 1e5),
            ("1E-3", 1e-3),
            ("inf", f64::INFINITY),
            ("-iNfinitY", f64::NEG_INFINITY),
            ("1e99999999999999999999999", f64::INFINITY),
            ("0e99999999999999999999999", 0.0),
            ("1e-99999999999999999999", 0.0),
            ("5e-324", 5e-324),
            ("2.4703282292062327e-324", 0.0),
            ("2.4703282292062328e-324", 5e-324),
            ("9007199254740993", 9007199254740992.0),
        ] {
            assert_eq!(from_python(text), Some(expected), "{text:?}");
        }
        for text in ["nan", "+NAN", "-nan", " NaN "] {
            assert!(from_python(text).is_some_and(f64::is_nan), "{text:?}");
        }
        for text in [
            "",
            " ",
            "\u{1c}1",
            "1\u{1f}",
            "\u{200b}1",
            "\u{feff}1",
            "1\0",
            "1\u{a0}_0",
            "_1",
            "1_",
            "1__0",
            "1_.0",
            "1._0",
            "1e_5",
            "1_e1",
            "_",
            "in_f",
            "infinit",
            "nan(1)",
            "0x10",
            "−1",
            "1 2",
            "+ 1",
            "++1",
            "٫5",
            ".e5",
            ".",
            "e5",
            "1e",
            "1e+",
            "１．５",
            "1l",
            "1j",
            "½",
            "Ж",
        ] {
            assert_eq!(from_python(text), None, "{text:?}");
        }
    }

    /// Answers of CatBoost 1.2.10, except for `0x10` (16 there) and ` ` (0 there), which people do not write as
    /// numbers.
    #[test]
    fn strings_are_read_as_catboost_reads_them() {
        for (text, expected) in [
            ("6.4", 6.4),
            (" 6.4", 6.4),
            ("\t\n6.4", 6.4),
            ("+6.4", 6.4),
            ("-6.4", -6.4),
            (".5", 0.5),
            ("5.", 5.0),
            ("5.e1", 50.0),
            ("1e1", 10.0),
            ("00050", 50.0),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("1e-400", 0.0),
        ] {
            assert_eq!(from_string(text), Some(expected), "{text:?}");
        }
        for text in ["", "-", "nan", "-NaN", "Na", "#N/A N/A", "None", "-1.#QNAN"] {
            assert!(from_string(text).is_some_and(f64::is_nan), "{text:?}");
        }
        for text in [
            "6.4 ", " 6.4 ", "inf", "-inf", "Infinity", "Nan", "NONE", "nUll", "+nan", " nan",
            "-NAN", "#NULL!", "1.#INF", "5_0", "5,0", "--5", "+-5", "+ 5", ".", "e5", "1e", "1e+",
            "5f", "true", "０", "\u{a0}5", "?", "0x10", " ",
        ] {
            assert_eq!(from_string(text), None, "{text:?}");
        }
    }
}
