//! The header `Date`.
//!
//! hyper's own `Date` is cached for a second by its own clock: after the clock was set back, it keeps the old time
//! until the clock has caught up.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike as _, Utc};
use hyper::HeaderMap;
use hyper::header::{DATE, HeaderValue};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Last second that was formatted, with its text.
#[derive(Default)]
struct Written(Option<(u64, HeaderValue)>);

thread_local! {
    static WRITTEN: RefCell<Written> = RefCell::default();
}

/// Adds the current time to an answer's headers.
pub(crate) fn write(headers: &mut HeaderMap) {
    let date = WRITTEN.with_borrow_mut(|written| written.at(SystemTime::now()));
    if let Some(date) = date {
        headers.insert(DATE, date);
    }
}

impl Written {
    /// Formats `now` according to RFC 9110, 5.6.7; `None` for times out of range, such as the year 10000.
    fn at(&mut self, now: SystemTime) -> Option<HeaderValue> {
        let since = now.duration_since(UNIX_EPOCH);
        let second = since.as_ref().map_or(0, Duration::as_secs);
        if self.0.as_ref().is_none_or(|&(of, _)| of != second) {
            let time = DateTime::<Utc>::from_timestamp(second.try_into().ok()?, 0)?;
            let text = format!(
                "{}, {:02} {} {} {} GMT",
                time.weekday(),
                time.day(),
                MONTHS[time.month0() as usize],
                time.year(),
                time.time()
            );
            self.0 = Some((second, HeaderValue::from_str(&text).ok()?));
        }
        self.0.as_ref().map(|(_, text)| text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_the_clocks_also_when_that_is_set_back() {
        let mut written = Written::default();
        for (second, expected) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_778, "Sun, 06 Nov 1994 08:49:38 GMT"),
            (784_111_770, "Sun, 06 Nov 1994 08:49:30 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        ] {
            for millis in [0, 999] {
                let now = UNIX_EPOCH + Duration::from_millis(second * 1000 + millis);
                assert_eq!(written.at(now).unwrap(), expected);
            }
        }
        let before = UNIX_EPOCH - Duration::from_secs(5);
        assert_eq!(written.at(before).unwrap(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
