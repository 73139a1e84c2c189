//! Decimal digits of every script: Unicode's class Nd, as in Python's `\d` and `float`.
//!
//! In Unicode these are runs of ten, from zero to nine. The table is Unicode 14.0, which Python 3.11 uses: the recorded
//! answers were made with it.

/// Zero of each run, ascending.
#[rustfmt::skip]
const ZEROS: [u32; 66] = [
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6,
    0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80,
    0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0,
    0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0,
    0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

/// Returns the value of a decimal digit of any script, or `None` for other characters.
#[must_use]
pub fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    let before = ZEROS.partition_point(|&zero| zero <= c as u32);
    let value = c as u32 - ZEROS[before.checked_sub(1)?];
    (value < 10).then_some(value as u8)
}

#[cfg(test)]
mod tests {
    use super::digit;

    #[test]
    fn every_run_of_ten_is_known_and_nothing_beside_it() {
        for (c, value) in [
            ('0', Some(0)),
            ('9', Some(9)),
            ('/', None),
            (':', None),
            ('\u{660}', Some(0)),
            ('\u{669}', Some(9)),
            ('\u{66A}', None),
            ('\u{65F}', None),
            ('９', Some(9)),
            ('\u{1D7CE}', Some(0)),
            ('\u{1D7FF}', Some(9)),
            ('\u{1FBF9}', Some(9)),
            ('\u{1FBFA}', None),
            ('²', None),
            ('½', None),
            ('Ⅷ', None),
            ('А', None),
            (char::MAX, None),
        ] {
            assert_eq!(digit(c), value, "{:?}", c as u32);
        }
        let known = ('\0'..=char::MAX).filter(|&c| digit(c).is_some()).count();
        assert_eq!(known, 660);
    }
}
