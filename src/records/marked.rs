//! Finds the special bytes of CSV.

use crate::scan::marks_of_64;

/// Bytes that are searched for quotes, commas and line feeds, from first to last. The positions within a block of 64
/// bytes are cached as bits until the search moves on.
pub(super) struct Marked<'a> {
    bytes: &'a [u8],
    quotes: Marks,
    specials: Marks,
}

/// Bits of one block of 64 bytes.
struct Marks {
    block: usize,
    bits: u64,
}

impl<'a> Marked<'a> {
    pub fn new(bytes: &'a [u8]) -> Marked<'a> {
        Marked {
            bytes,
            quotes: Marks::NONE,
            specials: Marks::NONE,
        }
    }

    /// Returns all bytes.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Offset of the first quote, comma or line feed from `at` on, or the length.
    #[inline(always)]
    pub fn special(&mut self, at: usize) -> usize {
        self.specials.find(self.bytes, at, |byte| {
            (byte == b'"') | (byte == b',') | (byte == b'\n')
        })
    }

    /// Offset of the first quote from `at` on, or the length.
    #[inline(always)]
    pub fn quote(&mut self, at: usize) -> usize {
        self.quotes.find(self.bytes, at, |byte| byte == b'"')
    }
}

impl Marks {
    const NONE: Marks = Marks {
        block: usize::MAX,
        bits: 0,
    };

    /// Offset of the first byte from `at` on for which `is_wanted` is true. `bytes` and `is_wanted` must be the same in
    /// each call.
    #[inline(always)]
    fn find(&mut self, bytes: &[u8], at: usize, is_wanted: impl Fn(u8) -> bool) -> usize {
        if at / 64 != self.block {
            self.look(bytes, at / 64, &is_wanted);
        }
        let mut found = self.bits >> (at % 64) << (at % 64);
        while found == 0 {
            if 64 * (self.block + 1) >= bytes.len() {
                return bytes.len();
            }
            self.look(bytes, self.block + 1, &is_wanted);
            found = self.bits;
        }
        64 * self.block + found.trailing_zeros() as usize
    }

    #[inline(always)]
    fn look(&mut self, bytes: &[u8], block: usize, is_wanted: impl Fn(u8) -> bool) {
        let rest = bytes.get(64 * block..).unwrap_or_default();
        self.block = block;
        self.bits = match rest.first_chunk() {
            Some(bytes) => marks_of_64(bytes, is_wanted),
            None => marks_of_the_rest(rest, is_wanted),
        };
    }
}

/// [`marks_of_64`] for fewer bytes.
#[cold]
#[inline(never)]
fn marks_of_the_rest(rest: &[u8], is_wanted: impl Fn(u8) -> bool) -> u64 {
    let mut bytes = [0; 64];
    bytes[..rest.len()].copy_from_slice(rest);
    marks_of_64(&bytes, is_wanted)
}

#[cfg(test)]
mod tests {
    use super::Marked;

    /// Searches from every offset anew, and from one after the other.
    #[test]
    fn what_means_something_is_found_wherever_it_is() {
        let mut state = 1u64;
        for round in 0..300 {
            let bytes: Vec<u8> = (0..round)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    b"\",\naaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[(state >> 59) as usize]
                })
                .collect();
            let mut going = Marked::new(&bytes);
            for at in 0..=bytes.len() {
                let expected = |wanted: &[u8]| {
                    let found = bytes[at..].iter().position(|byte| wanted.contains(byte));
                    found.map_or(bytes.len(), |offset| at + offset)
                };
                for marked in [&mut Marked::new(&bytes), &mut going] {
                    assert_eq!(marked.special(at), expected(b"\",\n"), "{at} of {bytes:?}");
                    assert_eq!(marked.quote(at), expected(b"\""), "{at} of {bytes:?}");
                }
            }
        }
    }
}
