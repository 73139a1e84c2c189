//! Converts sixteen digits at once.

/// Converts the first `count` bytes of `text`, which are digits, as if they were followed by zeros up to the sixteenth.
#[inline(always)]
pub(super) fn number(text: &[u8; 16], count: usize) -> u64 {
    /// From offset 16 - n on: n bytes that keep their operand, followed by bytes that clear it.
    const KEEP: [u8; 32] = {
        let mut keep = [0; _];
        let mut at = 0;
        while at < 16 {
            keep[at] = u8::MAX;
            at += 1;
        }
        keep
    };
    let keep: &[u8; 16] = KEEP[16 - count.min(16)..]
        .first_chunk()
        .expect("sixteen follow each of the first seventeen");
    #[cfg(not(target_arch = "x86_64"))]
    return portable(text, keep);
    // SAFETY: every x86-64 processor has SSE2.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        sse2(text, keep)
    }
}

/// Multiplies and adds pairs of neighbors until two numbers of eight digits are left.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn sse2(text: &[u8; 16], keep: &[u8; 16]) -> u64 {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cvtsi128_si64, _mm_madd_epi16, _mm_packs_epi32, _mm_set1_epi8,
        _mm_set1_epi16, _mm_set1_epi32, _mm_set1_epi64x, _mm_setzero_si128, _mm_sub_epi8,
        _mm_unpackhi_epi8, _mm_unpacklo_epi8,
    };
    // SAFETY: both types have sixteen bytes, and any value is valid.
    let load = |bytes: &[u8; 16]| -> __m128i { unsafe { std::mem::transmute(*bytes) } };
    let digits = _mm_sub_epi8(load(text), _mm_set1_epi8(b'0' as i8));
    let digits = _mm_and_si128(digits, load(keep));
    let zero = _mm_setzero_si128();
    let places = _mm_set1_epi64x(1000 | 100 << 16 | 10 << 32 | 1 << 48);
    let first = _mm_madd_epi16(_mm_unpacklo_epi8(digits, zero), places);
    let second = _mm_madd_epi16(_mm_unpackhi_epi8(digits, zero), places);
    let pairs = _mm_packs_epi32(first, second);
    let fours = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
    let fours = _mm_packs_epi32(fours, fours);
    let eights = _mm_madd_epi16(fours, _mm_set1_epi32(10_000 | 1 << 16));
    let eights = _mm_cvtsi128_si64(eights) as u64;
    (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable(text: &[u8; 16], keep: &[u8; 16]) -> u64 {
    const ZEROS: u128 = u128::from_le_bytes([b'0'; 16]);
    // Digits differ from `0` only in these bits.
    let digits = (u128::from_le_bytes(*text) ^ ZEROS) & u128::from_le_bytes(*keep);
    eight(digits as u64) * 100_000_000 + eight((digits >> 64) as u64)
}
/// Converts eight digits in one register: pairs, then fours, then all.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn eight(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let first = (pairs & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let second = ((pairs >> 16) & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    first.wrapping_add(second) >> 32
}

#[cfg(test)]
mod tests {
    use super::{number, portable};

    #[test]
    fn digits_are_the_number_that_they_write() {
        let mut state = 1u64;
        // Miri is some thousand times slower.
        for round in 0..if cfg!(miri) { 100 } else { 100_000 } {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let count = round % 17;
            let mut text = match round / 17 {
                0 => *b"0000000000000000",
                1 => *b"9999999999999999",
                _ => *format!("{:016}", (state >> 3) % 10_000_000_000_000_000)
                    .as_bytes()
                    .first_chunk()
                    .unwrap(),
            };
            let digits = format!("{:0<16}", std::str::from_utf8(&text[..count]).unwrap());
            let expected: u64 = digits.parse().unwrap();
            // Any bytes may follow.
            text[count..].fill((state >> 40) as u8);
            assert_eq!(number(&text, count), expected, "{text:?}");
            let mut keep = [0; 16];
            keep[..count].fill(u8::MAX);
            assert_eq!(portable(&text, &keep), expected, "{text:?}");
        }
    }
}
