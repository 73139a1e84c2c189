//! Regular expressions (of the kind that JSON Schema has) for the strings that `crate::request` reads: what matches is
//! accepted, what does not is refused. schemathesis holds both against the server.

/// Blanks before a number: those of C.
const BLANKS: &str = "[ \\t-\\r]*";
/// Blanks around a score: those of Python.
const PYTHON_BLANKS: &str =
    "[ \\t-\\r\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]*";
/// Blanks around a time and before its offset.
const TIME_BLANKS: &str = "[ \\t\\n\\f\\r]*";

/// A number in a string, or a word that CatBoost takes for a missing one.
pub(super) fn number() -> String {
    let number = "[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?";
    let missing = "-|-?nan|-?NaN|NAN|NA|Na|na|N/A|n/a|#NA|#N/A|#N/A N/A|null|NULL|Null|none|None|-?1[.]#IND|-?1[.]#QNAN";
    format!("^(?:{BLANKS}{number}|(?:{missing})?)$")
}

/// `[]`, or Python numbers between any two characters. Decimal digits of other scripts, which are accepted too, are left
/// out.
pub(super) fn scores() -> String {
    let digits = "[0-9](?:_?[0-9])*";
    let finite = format!("(?:{digits}(?:[.](?:{digits})?)?|[.]{digits})(?:[eE][+-]?{digits})?");
    let other = "[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN]";
    let score = format!("{PYTHON_BLANKS}[+-]?(?:{finite}|{other}){PYTHON_BLANKS}");
    format!("^(?:\\[\\]|[\\s\\S]{score}(?:,{score})*[\\s\\S])$")
}

/// A date of the calendar in ISO 8601, with or without a time, with or without an offset.
pub(super) fn time() -> String {
    let date = format!("(?:{}|{})", date("-"), date(""));
    let (hour, sixtieth, fraction) = ("(?:[01][0-9]|2[0-3])", "[0-5][0-9]", "(?:[.,][0-9]+)?");
    let clock = format!(
        "{hour}(?::{sixtieth}(?::{sixtieth}{fraction})?|{sixtieth}(?:{sixtieth}{fraction})?)?"
    );
    let offset = format!("{TIME_BLANKS}(?:[Zz]|[+-]{hour}(?::?{sixtieth})?)?");
    format!("^{TIME_BLANKS}{date}(?:[Tt ]{clock}{offset})?{TIME_BLANKS}$")
}

/// Years 1 to 9999, months with the days that they have.
fn date(separator: &str) -> String {
    let year = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
    let by_four = "(?:0[48]|[2468][048]|[13579][26])";
    let leap_year = format!("(?:[0-9]{{2}}{by_four}|{by_four}00)");
    let day = |months: &str, days: &str| format!("{months}{separator}(?:0[1-9]|{days})");
    let days = [
        day("(?:0[13578]|1[02])", "[12][0-9]|3[01]"),
        day("(?:0[469]|11)", "[12][0-9]|30"),
        day("02", "1[0-9]|2[0-8]"),
    ];
    format!(
        "(?:{year}{separator}(?:{})|{leap_year}{separator}02{separator}29)",
        days.join("|")
    )
}
