use super::*;

/// 200,000 numbers of [0, 1), the same everywhere.
fn arguments() -> impl Iterator<Item = f64> {
    (0..200_000_u64)
        .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .map(|n| n ^ n >> 29)
        .map(|n| (n >> 11) as f64 / (1_u64 << 53) as f64)
}

/// FNV-1a over the bits.
fn fingerprint(values: impl Iterator<Item = f64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash: u64, value| {
        (hash ^ value.to_bits()).wrapping_mul(0x100_0000_01b3)
    })
}

#[test]
fn exp_has_glibcs_bits() {
    // The fingerprints are of glibc 2.36's `exp` and `log` on a CPU with FMA.
    let near = |exp: fn(f64) -> f64| fingerprint(arguments().map(|x| exp((x - 0.5) * 40.0)));
    let far = |exp: fn(f64) -> f64| fingerprint(arguments().map(|x| exp((x - 0.5) * 1500.0)));
    for exp in [exp, exp_inline] {
        assert_eq!(near(exp), 0x416e_48ad_aab7_f825);
        assert_eq!(far(exp), 0xbdfc_4fb9_7479_f4f5);
    }
}

#[test]
fn ln_has_glibcs_bits() {
    for ln in [ln, ln_inline] {
        let wide = fingerprint(arguments().map(|x| ln(x * 1000.0)));
        assert_eq!(wide, 0x3bf8_d356_0f43_1d5f);
        let near_one = fingerprint(arguments().map(|x| ln(0.9 + x * 0.2)));
        assert_eq!(near_one, 0xf039_147c_03ba_30be);
    }
}

#[test]
fn exp_at_the_edges() {
    let expected = [
        (0.0, 1.0),
        (-0.0, 1.0),
        (5e-17, 1.0),
        (-5e-17, 1.0),
        (5e-324, 1.0),
        (-5e-324, 1.0),
        (1.2e-16, f64::from_bits(0x3ff0_0000_0000_0001)),
        (709.782712893384, f64::from_bits(0x7fef_ffff_ffff_ff2a)),
        (709.7827128933841, f64::INFINITY),
        (1e300, f64::INFINITY),
        (f64::INFINITY, f64::INFINITY),
        (-708.4, f64::from_bits(0x000f_f15b_469e_df89)),
        (-744.9, f64::from_bits(1)),
        (-745.1332191019411, f64::from_bits(1)),
        (-745.1332191019412, 0.0),
        (-1e300, 0.0),
        (f64::NEG_INFINITY, 0.0),
    ];
    for (x, y) in expected {
        assert_eq!(exp(x).to_bits(), f64::to_bits(y), "exp({x})");
    }
    assert!(exp(f64::NAN).is_nan());
}

#[test]
fn ln_at_the_edges() {
    let expected = [
        (1.0, 0.0),
        (0.0, f64::NEG_INFINITY),
        (-0.0, f64::NEG_INFINITY),
        (f64::INFINITY, f64::INFINITY),
        (f64::from_bits(1), f64::from_bits(0xc087_4385_446d_71c3)),
        (1e-310, f64::from_bits(0xc086_4e69_394d_9508)),
        (f64::MAX, f64::from_bits(0x4086_2e42_fefa_39ef)),
        (1.0000000000000002, f64::from_bits(0x3caf_ffff_ffff_ffff)),
    ];
    for (x, y) in expected {
        assert_eq!(ln(x).to_bits(), f64::to_bits(y), "ln({x})");
    }
    assert!(ln(f64::NAN).is_nan());
    assert!(ln(-1.0).is_nan());
}

#[test]
fn fast_exp_has_catboosts_bits() {
    // Of FastExpInplaceAvx2 of CatBoost 1.2.10, for groups of four and for single values alike.
    for group in [4, 1] {
        let mut values: std::vec::Vec<f64> = arguments()
            .take(50_000)
            .map(|x| (x - 0.5) * 100.0)
            .collect();
        values.chunks_mut(group).for_each(fast_exp);
        assert_eq!(fingerprint(values.into_iter()), 0x0b56_3e31_0dbe_04e9);
    }
}

#[test]
fn fast_exp_far_out_depends_on_the_company() {
    let far = [f64::NEG_INFINITY, -800.0, 800.0, f64::INFINITY];
    let mut together = far;
    fast_exp(&mut together);
    let least = f64::MIN_POSITIVE;
    assert_eq!(together, [least, least, f64::INFINITY, f64::INFINITY]);
    let alone = far.map(|x| {
        let mut value = [x];
        fast_exp(&mut value);
        value[0]
    });
    assert_eq!(alone, [0.0, 0.0, f64::INFINITY, f64::INFINITY]);

    let mut nan = [f64::NAN; 5];
    fast_exp(&mut nan);
    assert_eq!(nan[..4], [f64::INFINITY; 4]);
    assert!(nan[4].is_nan());
}

#[test]
fn sigmoid_is_a_probability() {
    assert_eq!(sigmoid(0.0), 0.5);
    assert_eq!(sigmoid(-800.0), 0.0);
    assert_eq!(sigmoid(800.0), 1.0);
}
