//! Parsers of values on the command line. An error ends a sentence that names the option and the value.

use std::net::SocketAddr;
use std::time::Duration;

/// Parses `127.0.0.1:5000`, `[::1]:5000`.
pub(crate) fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| {
        "an address is an IP address, not a name, and a port, such as 127.0.0.1:5000 or [::1]:5000"
    })
}

/// Parses a count from 1 to `MOST`.
pub(crate) fn parse_count_to<const MOST: u16>(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(count) if (1..=MOST).contains(&count) => Ok(count),
        _ => Err(format!("a count is a whole number from 1 to {MOST}")),
    }
}

/// Parses a count. Its range is checked together with other settings.
pub(crate) fn parse_count(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "a count is a whole number")
}

/// Parses a share, without checking its range.
pub(crate) fn parse_share(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .map_err(|_| "a share is a number from 0 to 1, such as 0.01")
}

/// Parses `10s`, `500ms`, `2m`, `1h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let millis = parse_unit(
        text,
        &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)],
    )
    .ok_or("a duration is a whole number and a unit: ms, s, m or h, such as 10s")?;
    if millis > 7 * 24 * 3_600_000 {
        return Err("a duration is at most a week".to_owned());
    }
    Ok(Duration::from_millis(millis))
}

/// Parses a duration that is not 0.
pub(crate) fn parse_some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("must be more than 0".to_owned()),
        some => Ok(some),
    }
}

/// Parses `4096`, `64KiB`, `2MiB`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    parse_unit(
        text,
        &[("KiB", 1 << 10), ("MiB", 1 << 20), ("B", 1), ("", 1)],
    )
    .ok_or_else(|| "a size is a whole number and a unit: B, KiB or MiB, such as 2MiB".to_owned())
}

/// Parses a number with a unit. The first unit that `text` ends with counts.
fn parse_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, factor) = units.iter().find_map(|(unit, factor)| {
        let digits = text.strip_suffix(unit)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some((digits, *factor))
    })?;
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        assert_eq!(
            parse_duration("1500ms").unwrap(),
            Duration::from_millis(1500)
        );
        assert_eq!(parse_duration("2m").unwrap(), Duration::from_secs(120));
        assert_eq!(parse_size("3KiB").unwrap(), 3072);
        assert_eq!(parse_size("7").unwrap(), 7);
        for bad in ["", "s", "1.5s", "99999999999999999999s", "1 s", "1S"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_could_be() {
        for bad in ["localhost:5000", "127.0.0.1", ":5000", "127.0.0.1:65536"] {
            assert!(parse_address(bad).unwrap_err().starts_with("an address is"));
        }
        assert_eq!(parse_count_to::<256>("256"), Ok(256));
        for bad in ["0", "257", "70000", "-1", "two", ""] {
            assert_eq!(
                parse_count_to::<256>(bad).unwrap_err(),
                "a count is a whole number from 1 to 256"
            );
        }
        assert_eq!(parse_some_time("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(parse_some_time("0s").unwrap_err(), "must be more than 0");
        assert!(
            parse_some_time("0")
                .unwrap_err()
                .starts_with("a duration is")
        );
    }
}
