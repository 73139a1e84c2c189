//! Integers times powers of ten, rounded as `str::parse` rounds.

/// Least power of ten whose reciprocal has a 128-bit table entry.
const LEAST_POWER: i32 = -54;

/// Returns w·10^q, rounded to the nearest f64, ties to even.
#[inline(always)]
pub(super) fn scale(w: u64, q: i32) -> Option<f64> {
    /// Powers of ten that are exact in f64.
    const EXACT: [f64; 23] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ];
    if w == 0 {
        return Some(0.0);
    }
    if (LEAST_POWER..0).contains(&q) {
        return round(w, q);
    }
    // If both are exact, the product is rounded once.
    let exact = usize::try_from(q).ok().and_then(|q| EXACT.get(q))?;
    (w <= 1 << 53).then(|| w as f64 * exact)
}

/// Lemire's rounding of w·10^q, for w > 0 and `LEAST_POWER` ≤ q < 0: in this range neither overflow nor subnormal
/// numbers occur.
#[inline(always)]
fn round(w: u64, q: i32) -> Option<f64> {
    let zeros = w.leading_zeros();
    let (high, low) = multiply(w << zeros, q);
    if low == u64::MAX && q < -27 {
        return None; // More digits of 10^q could carry into what is kept.
    }
    let upper = (high >> 63) as i32;
    let shift = upper + 9;
    // 53 bits, and one more for rounding.
    let mut mantissa = high >> shift;
    // floor(log2(10^q)), by a fraction that is right for every q here.
    let exponent = ((217_706 * q) >> 16) + 63 + upper - zeros as i32 + 1023;
    if q >= -4 && low <= 1 && mantissa & 3 == 1 && mantissa << shift == high {
        mantissa &= !1; // Exactly between two: to the even one.
    }
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    // The implicit uppermost bit adds one to the exponent, as does a carry of rounding.
    Some(f64::from_bits(
        ((exponent - 1) as u64).wrapping_shl(52) + mantissa,
    ))
}

/// Upper 128 bits of w times 128 bits of 5^q. The second half is computed only if the first leaves the rounding open.
fn multiply(w: u64, q: i32) -> (u64, u64) {
    let (five_high, five_low) = FIVES[(q - LEAST_POWER) as usize];
    let first = u128::from(w) * u128::from(five_high);
    let (mut high, mut low) = ((first >> 64) as u64, first as u64);
    if high & 0x1ff == 0x1ff {
        let second = (u128::from(w) * u128::from(five_low)) >> 64;
        let (sum, carries) = low.overflowing_add(second as u64);
        low = sum;
        high += u64::from(carries);
    }
    (high, low)
}

/// First 128 bits of 5^q for q from `LEAST_POWER` to -1, rounded up as the proof requires.
static FIVES: [(u64, u64); -LEAST_POWER as usize] = {
    let mut table = [(0, 0); _];
    let mut at = 0;
    while at < table.len() {
        let five = reciprocal((table.len() - at) as u32);
        table[at] = ((five >> 64) as u64, five as u64);
        at += 1;
    }
    table
};

/// First 128 bits of 1/5^n. Up to n = 27 they are rounded up; beyond, twice as many bits are rounded up, and the first
/// half is kept.
const fn reciprocal(n: u32) -> u128 {
    let five = 5u128.pow(n);
    let size = 128 - five.leading_zeros();
    let steps = if n <= 27 { size + 127 } else { 2 * size + 128 };
    let (mut quotient, mut rest) = (0u128, 1u128);
    let mut carries = true;
    let mut step = 0;
    while step < steps {
        rest *= 2;
        let bit = rest >= five;
        if bit {
            rest -= five;
        }
        if quotient >> 127 == 0 {
            quotient = quotient << 1 | bit as u128;
        } else {
            carries &= bit;
        }
        step += 1;
    }
    quotient + carries as u128
}
