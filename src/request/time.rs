//! The time of a request: ISO 8601 as people write it.

/// What the model asks of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// 0–23.
    pub hour: u8,
    /// 0 is Monday.
    pub weekday: u8,
    /// 0 is January.
    pub month: u8,
}

/// Reads a date, or a date and a time: `2021-08-01` or `20210801`; then, after a blank or `T`, `09`, `09:02` or
/// `09:02:59` (or without the colons), with a fraction of the seconds after `.` or `,`; then `Z` or an offset `+03`,
/// `+03:00` or `+0300`, which changes nothing. Blanks around it are allowed.
pub(super) fn from_iso(text: &str) -> Option<Time> {
    text.as_bytes()
        .try_into()
        .ok()
        .and_then(from_usual)
        .or_else(|| from_other(text))
}

/// `2021-08-01 09:02:59`, as nearly always. `None` if it is another time, or none.
fn from_usual(text: &[u8; 19]) -> Option<Time> {
    const FORM: [u8; 19] = *b"0000-00-00 00:00:00";
    // What is left of a digit is its value, and of what is as the form has it nothing.
    let mut digits = *text;
    let mut beyond = 0;
    for (digit, form) in digits.iter_mut().zip(FORM) {
        *digit ^= form;
        beyond |= digit.saturating_sub(if form == b'0' { 9 } else { 0 });
    }
    if beyond != 0 {
        return None;
    }
    let two = |at: usize| digits[at] * 10 + digits[at + 1];
    let year = u16::from(two(0)) * 100 + u16::from(two(2));
    let (month, day, hour) = (two(5), two(8), two(11));
    let is_time = hour <= 23 && two(14) <= 59 && two(17) <= 59;
    (is_time && is_date(year, month, day)).then(|| Time {
        hour,
        weekday: weekday(year, month, day),
        month: month - 1,
    })
}

fn from_other(text: &str) -> Option<Time> {
    let mut rest = Rest(text.trim_ascii().as_bytes());
    let year = u16::from(rest.two_digits(99)?) * 100 + u16::from(rest.two_digits(99)?);
    let is_dashed = rest.eat(b"-");
    let month = rest.two_digits(12)?;
    if is_dashed && !rest.eat(b"-") {
        return None;
    }
    let day = rest.two_digits(31)?;
    if !is_date(year, month, day) {
        return None;
    }
    let hour = match rest.eat(b"Tt ") {
        true => rest.clock()?,
        false => 0,
    };
    rest.0.is_empty().then(|| Time {
        hour,
        weekday: weekday(year, month, day),
        month: month - 1,
    })
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// Takes a byte if it is one of these.
    fn eat(&mut self, bytes: &[u8]) -> bool {
        match self.0 {
            [first, rest @ ..] if bytes.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn begins_with_digit(&self) -> bool {
        self.0.first().is_some_and(u8::is_ascii_digit)
    }

    /// Takes two digits, and the number that they are unless it is greater than `most`.
    fn two_digits(&mut self, most: u8) -> Option<u8> {
        let [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = self.0 else {
            return None;
        };
        self.0 = rest;
        Some((tens - b'0') * 10 + (ones - b'0')).filter(|&number| number <= most)
    }

    /// Takes the time of day and the offset; the hour.
    fn clock(&mut self) -> Option<u8> {
        let hour = self.two_digits(23)?;
        let has_colons = self.eat(b":");
        if has_colons || self.begins_with_digit() {
            self.two_digits(59)?;
            let has_seconds = match has_colons {
                true => self.eat(b":"),
                false => self.begins_with_digit(),
            };
            if has_seconds {
                self.two_digits(59)?;
                if self.eat(b".,") {
                    self.fraction()?;
                }
            }
        }
        self.offset()?;
        Some(hour)
    }

    /// Takes one digit or more.
    fn fraction(&mut self) -> Option<()> {
        let count = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.0 = &self.0[count..];
        (count > 0).then_some(())
    }

    /// Takes an offset, if there is one.
    fn offset(&mut self) -> Option<()> {
        self.0 = self.0.trim_ascii_start();
        if self.eat(b"+-") {
            self.two_digits(23)?;
            if self.eat(b":") || self.begins_with_digit() {
                self.two_digits(59)?;
            }
        } else {
            self.eat(b"Zz");
        }
        Some(())
    }
}

fn is_date(year: u16, month: u8, day: u8) -> bool {
    year > 0 && (1..=12).contains(&month) && day > 0 && day <= days_of(year, month)
}

fn days_of(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day of the week in the Gregorian calendar, by Sakamoto's method; 0 is Monday.
fn weekday(year: u16, month: u8, day: u8) -> u8 {
    const SHIFTS: [u32; 12] = [6, 2, 1, 4, 6, 2, 4, 0, 3, 5, 1, 3];
    let year = u32::from(year) - u32::from(month < 3);
    let days = year + year / 4 - year / 100 + year / 400;
    ((days + SHIFTS[usize::from(month - 1)] + u32::from(day)) % 7) as u8
}

#[cfg(test)]
mod tests {
    use super::{Time, from_iso, from_other, from_usual};

    #[test]
    fn all_notations_give_the_same_time() {
        let time = Time {
            hour: 9,
            weekday: 6,
            month: 7,
        };
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
            assert_eq!(from_iso(text), Some(time), "{text}");
        }
        for text in ["2021-08-01", "20210801", " 2021-08-01 "] {
            assert_eq!(from_iso(text), Some(Time { hour: 0, ..time }), "{text}");
        }
    }

    /// Each byte of times that are and of ones that are not, changed to every other.
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
                            // What only the other reads is in another notation.
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

    /// What Python's `datetime` says.
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
            assert_eq!((time.weekday, time.month), (weekday, month), "{text}");
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
