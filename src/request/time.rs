//! Time of a request: common notations of ISO 8601.

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};

/// Notations of a date, each with its format for chrono. A `0` stands for any digit.
const DATES: [(&[u8], &str); 2] = [(b"0000-00-00", "%Y-%m-%d"), (b"00000000", "%Y%m%d")];
/// Notations of a time of day.
const CLOCKS: [(&[u8], &str); 5] = [
    (b"00", "%H"),
    (b"00:00", "%H:%M"),
    (b"0000", "%H%M"),
    (b"00:00:00", "%H:%M:%S"),
    (b"000000", "%H%M%S"),
];
/// Notations of an offset, without its sign.
const OFFSETS: [&[u8]; 3] = [b"00", b"00:00", b"0000"];

/// Reads a date, or a date and a time. The date is `2021-08-01` or `20210801`. The time follows a blank or `T`: `09`,
/// `09:02` or `09:02:59` (or without the colons), with a fraction of the seconds after `.` or `,`, and then `Z` or an
/// offset `+03`, `+03:00` or `+0300`, which is ignored. Blanks around the text are allowed.
pub(super) fn from_iso(text: &str) -> Option<NaiveDateTime> {
    text.as_bytes()
        .try_into()
        .ok()
        .and_then(from_usual)
        .or_else(|| from_other(text))
}

/// Fast path: reads `2021-08-01 09:02:59`, the most common notation. `None` if the text is in another notation, or not
/// a time.
fn from_usual(text: &[u8; 19]) -> Option<NaiveDateTime> {
    const FORM: [u8; 19] = *b"0000-00-00 00:00:00";
    // XOR leaves the value of each digit, and 0 for each separator.
    let mut digits = *text;
    let mut beyond = 0;
    for (digit, form) in digits.iter_mut().zip(FORM) {
        *digit ^= form;
        beyond |= digit.saturating_sub(if form == b'0' { 9 } else { 0 });
    }
    if beyond != 0 {
        return None;
    }
    let two = |at: usize| u32::from(digits[at] * 10 + digits[at + 1]);
    let year = two(0) * 100 + two(2);
    let date = NaiveDate::from_ymd_opt(year as i32, two(5), two(8)).filter(is_of_our_era)?;
    date.and_hms_opt(two(11), two(14), two(17))
}

/// Reads a time in any notation.
fn from_other(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim_ascii();
    let (date, clock) = match text.split_once(['T', 't', ' ']) {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut parsed = Parsed::new();
    read(date, &DATES, &mut parsed)?;
    let date = parsed.to_naive_date().ok().filter(is_of_our_era)?;
    let time = match clock {
        Some(clock) => read_clock(clock, &mut parsed)?,
        None => NaiveTime::MIN,
    };
    Some(date.and_time(time))
}

/// Reads `text` into `parsed`, if it is in one of `notations`. chrono alone would accept signs, blanks and missing
/// zeros.
fn read(text: &str, notations: &[(&[u8], &str)], parsed: &mut Parsed) -> Option<()> {
    let (_, format) = notations.iter().find(|(shape, _)| is_like(text, shape))?;
    parse(parsed, text, StrftimeItems::new(format)).ok()
}

/// Reads a time of day, and checks the fraction and the offset after it.
fn read_clock(text: &str, parsed: &mut Parsed) -> Option<NaiveTime> {
    let end = text.find(['+', '-', 'Z', 'z']).unwrap_or(text.len());
    let (clock, offset) = text.split_at(end);
    check_offset(offset)?;
    let clock = clock.trim_ascii_end();
    let (clock, fraction) = match clock.split_once(['.', ',']) {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    read(clock, &CLOCKS, parsed)?;
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    if let Some(fraction) = fraction {
        parsed.second()?;
        let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(())?;
    }
    // chrono accepts leap seconds, too.
    parsed
        .to_naive_time()
        .ok()
        .filter(|_| parsed.second() != Some(60))
}

/// Checks that `text` is empty, or an offset of less than a day.
fn check_offset(text: &str) -> Option<()> {
    let digits = match text.strip_prefix(['+', '-']) {
        None => return matches!(text, "" | "Z" | "z").then_some(()),
        Some(digits) => digits,
    };
    OFFSETS.iter().find(|shape| is_like(digits, shape))?;
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new("%#z")).ok()?;
    parsed.to_fixed_offset().ok().map(drop)
}

/// Returns true if `text` has the form of `shape`, with a digit in place of each `0`.
fn is_like(text: &str, shape: &[u8]) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape).all(|(byte, &form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == form,
        })
}

/// Returns true if the year is at least 1; ISO 8601 has a year 0 only by agreement.
fn is_of_our_era(date: &NaiveDate) -> bool {
    date.year() > 0
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike as _, NaiveDate, Timelike as _};

    use super::{from_iso, from_other, from_usual};

    #[test]
    fn all_notations_give_the_same_time() {
        let date = NaiveDate::from_ymd_opt(2021, 8, 1).unwrap();
        for text in [
            "2021-08-01 09:02:59",
            "2021-08-01T09:02:59",
            "2021-08-01t09:02:59z",
            "2021-08-01 09:02:59.123",
            "2021-08-01 09:02:59,5",
            "2021-08-01T09:02:59.1234567890123Z",
            "2021-08-01T09:02:59+03:00",
            "2021-08-01T09:02:59-0530",
            "2021-08-01T09:02:59 +03",
            "2021-08-01T09:02:59 Z",
            "2021-08-01 09:02",
            "2021-08-01T09:02Z",
            "2021-08-01 09",
            "2021-08-01T09+03:00",
            "20210801T090259",
            "20210801 0902",
            "2021-08-01T0902",
            "20210801 09:02:59",
            "  2021-08-01 09:02:59\n",
        ] {
            let time = from_iso(text).unwrap();
            assert_eq!((time.date(), time.hour()), (date, 9), "{text}");
        }
        for text in ["2021-08-01", "20210801", " 2021-08-01 "] {
            assert_eq!(from_iso(text), Some(date.into()), "{text}");
        }
    }

    /// Changes each byte of valid and invalid times to every other byte.
    #[test]
    fn the_usual_notation_is_read_as_all_are() {
        let mut read = 0;
        for text in [
            *b"2021-08-01 09:02:59",
            *b"2000-02-29 23:59:00",
            *b"1999-12-31 19:00:08",
        ] {
            for at in 0..text.len() {
                for byte in 0..128 {
                    let mut changed = text;
                    changed[at] = byte;
                    let other = from_other(str::from_utf8(&changed).unwrap());
                    match from_usual(&changed) {
                        None => {
                            // Only the general path accepts other notations.
                            let are_digits = byte.is_ascii_digit() && text[at].is_ascii_digit();
                            let is_usual = are_digits || byte == text[at];
                            assert!(other.is_none() || !is_usual, "{changed:?}");
                        }
                        usual => {
                            assert_eq!(usual, other, "{changed:?}");
                            read += 1;
                        }
                    }
                }
            }
        }
        assert!(read > 200, "{read}");
    }

    /// Answers of Python's `datetime`.
    #[test]
    fn weekdays_are_those_of_the_calendar() {
        for (text, weekday, month) in [
            ("0001-01-01", 0, 0),
            ("1600-02-29", 1, 1),
            ("1969-12-31 23:59:59", 2, 11),
            ("1900-02-28", 2, 1),
            ("2000-02-29", 1, 1),
            ("2024-02-29", 3, 1),
            ("2024-03-01", 4, 2),
            ("2100-03-01", 0, 2),
            ("9999-12-31", 4, 11),
        ] {
            let time = from_iso(text).unwrap();
            let found = (time.weekday().num_days_from_monday(), time.month0());
            assert_eq!(found, (weekday, month), "{text}");
        }
    }

    #[test]
    fn what_would_be_a_guess_is_refused() {
        for text in [
            "",
            " ",
            "bad",
            "now",
            "today",
            "NaT",
            "nan",
            "2021",
            "202108",
            "2021-08",
            "1627808579",
            "20210801090259",
            "01.08.2021",
            "01.08.2021 09:02",
            "Aug 1 2021",
            "2021/08/01",
            "2021.08.01",
            "2021 08 01",
            "2021-8-1",
            "2021-0801",
            "202108-01",
            "2021-13-01",
            "2021-00-01",
            "2021-08-00",
            "2021-08-32",
            "2021-04-31",
            "2021-02-29",
            "2100-02-29",
            "0000-01-01",
            "2021-W30-7",
            "2021-213",
            "+2021-08-01",
            "-2021-08-01",
            "２０２１-08-01",
            "2021-08-01T",
            "2021-08-01 9",
            "2021-08-01 9:02",
            "2021-08-01T24:00:00",
            "2021-08-01T25:00:00",
            "2021-08-01T09:",
            "2021-08-01T09:02:",
            "2021-08-01T09:60",
            "2021-08-01T09:02:60",
            "2021-08-01T09:0259",
            "2021-08-01T0902:59",
            "2021-08-01T09:02:59.",
            "2021-08-01T09:02.5",
            "2021-08-01  09:02",
            "2021-08-01_09:02",
            "2021-08-01Z",
            "2021-08-01+03:00",
            "2021-08-01T09:02:59+25:00",
            "2021-08-01T09:02:59+03:60",
            "2021-08-01T09:02:59+3",
            "2021-08-01T09:02:59+",
            "2021-08-01T09:02:59ZZ",
            "2021-08-01T09:02:59 UTC",
            "2021-08-01 09:02 PM",
            "2021-08-01 09:02:59 x",
        ] {
            assert_eq!(from_iso(text), None, "{text}");
        }
    }
}
