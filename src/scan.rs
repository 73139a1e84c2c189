//! Finds bytes in short texts, sixteen at a time.

/// Offset of the first byte for which `is_wanted` is true.
///
/// `is_wanted` must be as for [`marks`]. If the byte is near, as between fields and lines, this is faster than
/// `memchr`, which first detects the CPU's features.
#[inline(always)]
pub(crate) fn position(bytes: &[u8], is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for (nth, chunk) in chunks.iter().enumerate() {
        let marks = marks(chunk, &is_wanted);
        if marks != 0 {
            return Some(16 * nth + marks.trailing_zeros() as usize);
        }
    }
    let at = rest.iter().position(|&byte| is_wanted(byte))?;
    Some(16 * chunks.len() + at)
}

/// Bitmap of the bytes for which `is_wanted` is true, the first byte in the lowest bit.
///
/// `is_wanted` must consist of a few comparisons without branches, so that the compiler vectorizes them.
#[inline(always)]
pub(crate) fn marks(bytes: &[u8; 16], is_wanted: impl Fn(u8) -> bool) -> u32 {
    let mut marked = *bytes;
    for byte in &mut marked {
        *byte = if is_wanted(*byte) { u8::MAX } else { 0 };
    }
    upper_bits(marked)
}

/// [`marks`] for 64 bytes.
#[inline(always)]
pub(crate) fn marks_of_64(bytes: &[u8; 64], is_wanted: impl Fn(u8) -> bool) -> u64 {
    let (chunks, _) = bytes.as_chunks::<16>();
    let marks = chunks
        .iter()
        .map(|chunk| u64::from(marks(chunk, &is_wanted)));
    marks.rev().fold(0, |all, marks| all << 16 | marks)
}

/// Uppermost bit of each byte, the first byte in the lowest bit.
#[inline(always)]
fn upper_bits(bytes: [u8; 16]) -> u32 {
    #[cfg(not(target_arch = "x86_64"))]
    return upper_bits_portably(bytes);
    // SAFETY: every x86-64 processor has SSE2.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        upper_bits_sse2(bytes)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn upper_bits_sse2(bytes: [u8; 16]) -> u32 {
    use std::arch::x86_64::{__m128i, _mm_movemask_epi8};
    // SAFETY: both types have sixteen bytes, and any value is valid.
    let bytes: __m128i = unsafe { std::mem::transmute(bytes) };
    _mm_movemask_epi8(bytes) as u32
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn upper_bits_portably(bytes: [u8; 16]) -> u32 {
    let bits = bytes.iter().enumerate();
    bits.fold(0, |bits, (nth, &byte)| bits | u32::from(byte >> 7) << nth)
}

#[cfg(test)]
mod tests {
    use super::{marks, marks_of_64, position, upper_bits, upper_bits_portably};

    #[test]
    fn every_byte_has_its_bit() {
        let mut state = 1u128;
        for _ in 0..10_000 {
            state = state.wrapping_mul(0x2d99_787a_9cab_4b5d_6f5c_0ef2_3c4d_5be5) ^ state >> 61;
            let bytes = state.to_le_bytes();
            assert_eq!(upper_bits(bytes), upper_bits_portably(bytes), "{bytes:?}");
            let expected = (0..16).filter(|&nth| bytes[nth] < 100);
            let expected = expected.fold(0, |bits, nth| bits | 1 << nth);
            assert_eq!(marks(&bytes, |byte| byte < 100), expected, "{bytes:?}");
        }
    }

    #[test]
    fn each_of_64_bytes_has_its_bit() {
        for at in 0..64 {
            let mut bytes = [b'a'; 64];
            bytes[at] = b',';
            assert_eq!(marks_of_64(&bytes, |byte| byte == b','), 1 << at);
        }
    }

    #[test]
    fn the_first_is_found_wherever_it_is() {
        for len in 0..70 {
            for at in 0..=len {
                let mut bytes = vec![b'a'; len];
                for byte in &mut bytes[at..] {
                    *byte = b',';
                }
                let expected = (at < len).then_some(at);
                assert_eq!(
                    position(&bytes, |byte| byte == b','),
                    expected,
                    "{at} of {len}"
                );
                assert_eq!(position(&bytes, |byte| byte < b' '), None);
            }
        }
    }
}
