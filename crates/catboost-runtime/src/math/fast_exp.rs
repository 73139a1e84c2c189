//! The `exp` that CatBoost uses for softmax and for `Exponent` predictions: faster than the C library's, and wrong by a
//! few units in the last place.

use super::{fma, tables};

/// Replaces every value by its exponential, with the bits of CatBoost on a CPU with AVX2.
///
/// CatBoost computes four values at a time and up to three remaining ones one by one. The two differ in extreme values
/// only:
///
/// | value | one of four | remaining |
/// | --- | --- | --- |
/// | below -708.396, -∞ | least normal number | 0 |
/// | NaN | +∞ | NaN |
/// | above 709.783 | +∞ | +∞ |
#[inline]
pub fn fast_exp(values: &mut [f64]) {
    const LEAST: f64 = -708.396_418_532_264_1;
    const GREATEST_OF_FOUR: f64 = 709.782_725_693_384;
    const GREATEST: f64 = 709.782_712_893_384;

    let (fours, rest) = values.as_chunks_mut::<4>();
    for value in fours.as_flattened_mut() {
        // Not `clamp`: NaN becomes the greatest.
        let below = if *value < GREATEST_OF_FOUR {
            *value
        } else {
            GREATEST_OF_FOUR
        };
        *value = within_range::<false>(below.max(LEAST));
    }
    for value in rest {
        *value = if *value <= LEAST {
            0.0
        } else if *value >= GREATEST {
            f64::INFINITY
        } else {
            within_range::<true>(*value)
        };
    }
}

/// Approximates the result as 2^(k/2048) * (1 - t + t^2 / 2 - t^3 / 6), where x = (ln 2) / 2048 * k - t.
#[inline]
fn within_range<const ALONE: bool>(x: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to an integer in the low bits
    const PER_LN2: f64 = f64::from_bits(0x40a7_1547_652b_82fe); // 2048 / ln 2
    const LN2_PART: f64 = f64::from_bits(0x3f36_2e42_fefa_39ef); // its inverse
    const SIXTH: f64 = 0.166_666_666_852_278_35;
    const THREE: f64 = 3.000_000_002_795_539_4;

    let shifted = x * PER_LN2 + SHIFT;
    let k = shifted.to_bits();
    let t = (shifted - SHIFT) * LN2_PART - x;
    let cubic = (THREE - t) * (t * t);
    // CatBoost's compiler fused this step in the loop over remaining values.
    let low = if ALONE {
        fma(cubic, SIXTH, -t)
    } else {
        cubic * SIXTH - t
    };
    let y = low + 1.0;
    let exponent = ((k & 0x7f_f800) << 41).wrapping_add(1023 << 52);
    y * f64::from_bits(exponent | fraction_of_power((k & 2047) as u32))
}

/// Fraction bits (52) of 2^(i/2048), for `i` below 2048, as glibc's `exp2` has them.
///
/// CatBoost keeps a table of these. Computing them is cheaper than the 16 KB of cache that the table would take.
#[inline]
fn fraction_of_power(i: u32) -> u64 {
    const C: [f64; 5] = [
        f64::from_bits(0x3fe6_2e42_fefa_39ef),
        f64::from_bits(0x3fce_bfbd_ff82_c424),
        f64::from_bits(0x3fac_6b08_d70c_f4b5),
        f64::from_bits(0x3f83_b2ab_d246_50cc),
        f64::from_bits(0x3f55_d7e0_9b4e_3a84),
    ];
    // i/2048 = k/128 + r
    let k = (i + 8) >> 4;
    let r = (f64::from(i) - f64::from(k * 16)) / 2048.0;
    let (tail, scale) = tables::EXP[(k & 127) as usize];
    let scale = f64::from_bits(scale.wrapping_add(u64::from(k) << 45));
    let r2 = r * r;
    let low = fma(fma(r, C[2], C[1]), r2, fma(r, C[0], f64::from_bits(tail)));
    let tmp = fma(r2 * r2, fma(r, C[4], C[3]), low);
    fma(scale, tmp, scale).to_bits() & ((1 << 52) - 1)
}
