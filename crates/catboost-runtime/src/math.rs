//! `exp`, `ln` and functions made of them, with the same bits on every machine.
//!
//! CatBoost calls the C library's `exp` and `log`, whose last bits differ between libraries, and between CPUs with and
//! without fused multiply-add. These functions return the bits of glibc (at least 2.28 to 2.40) on a CPU with fused
//! multiply-add: the method is that of Arm's optimized routines, fused wherever glibc's build is.
//!
//! A fused multiply-add is exact by definition, so its implementation changes the speed and not the bits. [`exp`] and
//! [`ln`] detect the CPU's features (the standard library caches the result). A caller that has detected them already
//! uses [`exp_inline`] or [`ln_inline`] in a function of its own with `#[target_feature(enable = "fma")]`.

mod fast_exp;
mod tables;

pub use fast_exp::fast_exp;

/// Defines a function that runs an always-inlined body with hardware fused multiply-adds if the CPU has them.
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident, $inline:ident) => {
        $(#[$doc])*
        #[inline]
        #[must_use]
        pub fn $name(x: f64) -> f64 {
            #[cfg(all(feature = "std", target_arch = "x86_64", not(target_feature = "fma")))]
            {
                #[target_feature(enable = "fma")]
                fn fused(x: f64) -> f64 {
                    $inline(x)
                }
                if std::is_x86_feature_detected!("fma") {
                    // SAFETY: the CPU has just said that it has the feature.
                    return unsafe { fused(x) };
                }
            }
            $inline(x)
        }
    };
}

dispatched! {
    /// e to the power of `x`.
    ///
    /// Infinity above 709.78, 0 below -745.13, subnormal in between where it has to be; NaN for NaN.
    ///
    /// ```
    /// assert_eq!(catboost_runtime::math::exp(0.0), 1.0);
    /// assert_eq!(catboost_runtime::math::exp(f64::NEG_INFINITY), 0.0);
    /// ```
    exp, exp_inline
}

dispatched! {
    /// The natural logarithm of `x`.
    ///
    /// Minus infinity for either zero, NaN below it and for NaN.
    ///
    /// ```
    /// assert_eq!(catboost_runtime::math::ln(1.0), 0.0);
    /// assert!(catboost_runtime::math::ln(-1.0).is_nan());
    /// ```
    ln, ln_inline
}

/// Probability of a raw score: `1 / (1 + exp(-raw))`.
///
/// ```
/// assert_eq!(catboost_runtime::math::sigmoid(0.0), 0.5);
/// ```
#[inline]
#[must_use]
pub fn sigmoid(raw: f64) -> f64 {
    1.0 / (1.0 + exp(-raw))
}

/// [`exp`] for inlining where the target has fused multiply-adds. Elsewhere the bits are the same, but it is slow.
#[inline(always)]
#[must_use]
pub fn exp_inline(x: f64) -> f64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to an integer in the low bits
    const INV_LN2_128: f64 = f64::from_bits(0x4067_1547_652b_82fe); // 128 / ln 2
    const MINUS_LN2_HI: f64 = f64::from_bits(0xbf76_2e42_fefa_0000); // -(ln 2) / 128 in two parts
    const MINUS_LN2_LO: f64 = f64::from_bits(0xbd0c_f79a_bc9e_3b3a);
    const C2: f64 = f64::from_bits(0x3fdf_ffff_ffff_fdbd);
    const C3: f64 = f64::from_bits(0x3fc5_5555_5555_543c);
    const C4: f64 = f64::from_bits(0x3fa5_5555_cf17_2b91);
    const C5: f64 = f64::from_bits(0x3f81_1111_67a4_d017);

    let magnitude = x.abs();
    if magnitude.is_nan() || magnitude >= 1024.0 {
        return if x.is_nan() {
            x
        } else if x.is_sign_negative() {
            0.0
        } else {
            f64::INFINITY
        };
    }

    // x = (ln 2) / 128 * k + r, and exp(x) = 2^(k/128) * (1 + tmp)
    let shifted = fma(INV_LN2_128, x, SHIFT);
    let k = shifted.to_bits();
    let kd = shifted - SHIFT;
    let r = fma(kd, MINUS_LN2_LO, fma(kd, MINUS_LN2_HI, x));
    let (tail, scale) = tables::EXP[(k & 127) as usize];
    let scale = scale.wrapping_add(k << 45);
    let r2 = r * r;
    let low = fma(fma(C3, r, C2), r2, f64::from_bits(tail) + r);
    let tmp = fma(r2 * r2, fma(r, C5, C4), low);
    if magnitude >= 512.0 {
        return exp_extreme(tmp, scale, k);
    }
    let scale = f64::from_bits(scale);
    fma(scale, tmp, scale)
}

/// Computes 2^(k/128) * (1 + tmp) if 2^(k/128), whose bits are `scale`, may be outside the range of normal numbers.
#[cold]
#[inline(always)]
fn exp_extreme(tmp: f64, scale: u64, k: u64) -> f64 {
    const TWO_TO_1009: f64 = f64::from_bits(2032 << 52);
    if k & 0x8000_0000 == 0 {
        let scale = f64::from_bits(scale.wrapping_sub(1009 << 52));
        return fma(scale, tmp, scale) * TWO_TO_1009;
    }
    let scale = f64::from_bits(scale.wrapping_add(1022 << 52));
    let rest = scale * tmp; // not fused: glibc uses it twice
    let mut y = scale + rest;
    if y < 1.0 {
        // Subnormal: round once, at the last bit of the result.
        let hi = 1.0 + y;
        let lo = (1.0 - hi) + y + ((scale - y) + rest);
        y = (lo + hi) - 1.0;
        if y == 0.0 {
            y = 0.0; // not minus zero
        }
    }
    y * f64::MIN_POSITIVE
}

/// [`ln`] for inlining where the target has fused multiply-adds. Elsewhere the bits are the same, but it is slow.
#[inline(always)]
#[must_use]
pub fn ln_inline(x: f64) -> f64 {
    const LN2_HI: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800);
    const LN2_LO: f64 = f64::from_bits(0x3d2e_f357_93c7_6730);
    const A: [f64; 5] = [
        f64::from_bits(0xbfe0_0000_0000_0001),
        f64::from_bits(0x3fd5_5555_5551_305b),
        f64::from_bits(0xbfcf_ffff_ffeb_4590),
        f64::from_bits(0x3fc9_99b3_24f1_0111),
        f64::from_bits(0xbfc5_5575_e506_c89f),
    ];
    const OFFSET: u64 = 0x3fe6_0000_0000_0000; // 0.6875

    let mut bits = x.to_bits();
    if (0.9375..1.0646972656250).contains(&x) {
        return ln_near_one(x);
    }
    if !(f64::MIN_POSITIVE..f64::INFINITY).contains(&x) {
        if x == 0.0 {
            return f64::NEG_INFINITY;
        }
        if x == f64::INFINITY {
            return x;
        }
        if x.is_nan() {
            return x;
        }
        if x.is_sign_negative() {
            return f64::NAN;
        }
        // subnormal
        bits = (x * 4_503_599_627_370_496.0)
            .to_bits()
            .wrapping_sub(52 << 52);
    }

    // x = 2^k * z, and ln(x) = k * ln(2) - ln(c) + ln(1 + r), where c is about 1/z and r = z * c - 1
    let from_offset = bits.wrapping_sub(OFFSET);
    let (c, ln_c) = tables::LN[(from_offset >> 45 & 127) as usize];
    let k = (from_offset.cast_signed() >> 52) as f64;
    let z = f64::from_bits(bits.wrapping_sub(from_offset & 0xfff << 52));
    let r = fma(z, f64::from_bits(c), -1.0);
    let w = fma(k, LN2_HI, f64::from_bits(ln_c));
    let hi = w + r;
    let lo = fma(k, LN2_LO, (w - hi) + r);
    let r2 = r * r;
    let high_terms = fma(fma(r, A[4], A[3]), r2, fma(r, A[2], A[1]));
    fma(r * r2, high_terms, fma(r2, A[0], lo)) + hi
}

#[inline(always)]
fn ln_near_one(x: f64) -> f64 {
    const B: [f64; 11] = [
        f64::from_bits(0xbfe0_0000_0000_0000),
        f64::from_bits(0x3fd5_5555_5555_5577),
        f64::from_bits(0xbfcf_ffff_ffff_fdcb),
        f64::from_bits(0x3fc9_9999_9995_dd0c),
        f64::from_bits(0xbfc5_5555_5567_45a7),
        f64::from_bits(0x3fc2_4924_a344_de30),
        f64::from_bits(0xbfbf_ffff_a442_3d65),
        f64::from_bits(0x3fbc_7184_282a_d6ca),
        f64::from_bits(0xbfb9_99eb_43b0_68ff),
        f64::from_bits(0x3fb7_8182_f7af_d085),
        f64::from_bits(0xbfb5_5213_75d1_45cd),
    ];
    const TWO_TO_27: f64 = 134_217_728.0;
    if x == 1.0 {
        return 0.0;
    }
    let r = x - 1.0;
    let r2 = r * r;
    let r3 = r * r2;
    let first = fma(r2, B[3], fma(B[2], r, B[1]));
    let second = fma(r2, B[6], fma(B[5], r, B[4]));
    let third = fma(r3, B[10], fma(r2, B[9], fma(B[8], r, B[7])));
    let y = fma(fma(third, r3, second), r3, first);
    // r - r^2 / 2 in two parts
    let rhi = fma(-TWO_TO_27, r, fma(r, TWO_TO_27, r));
    let rlo = r - rhi;
    let square = rhi * rhi;
    let hi = fma(square, B[0], r);
    let lo = fma(square, B[0], r - hi);
    let lo = fma(B[0] * rlo, rhi + r, lo);
    hi + fma(y, r3, lo)
}

/// `a * b + c`, rounded once.
#[inline(always)]
fn fma(a: f64, b: f64, c: f64) -> f64 {
    #[cfg(feature = "std")]
    return a.mul_add(b, c);
    #[cfg(not(feature = "std"))]
    return libm::fma(a, b, c);
}

#[cfg(test)]
mod tests;
