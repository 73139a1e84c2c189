//! The hash functions of CatBoost, bit for bit: CityHash64 1.0 of categorical values, the fold of those hashes into
//! keys of CTR tables, and MurmurHash2 64A of tokens.
//!
//! The build, which makes tables, and the evaluation, which looks into them, share these functions and cannot drift
//! apart.

/// Primes of CityHash 1.0.
const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;

/// Hash of a categorical value: the low half of [`city_hash_64`] of its UTF-8 bytes.
///
/// One-hot features compare it as an `i32`; [`ctr_key_cat`] takes it unchanged.
///
/// ```
/// use catboost_runtime::hash::{cat_hash, city_hash_64};
///
/// assert_eq!(cat_hash("red"), city_hash_64(b"red") as u32);
/// ```
#[inline]
#[must_use]
pub const fn cat_hash(value: &str) -> u32 {
    city_hash_64(value.as_bytes()) as u32
}

/// CityHash64 version 1.0. Later versions give other hashes.
#[must_use]
pub const fn city_hash_64(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=16 => city_up_to_16(bytes),
        17..=32 => city_17_to_32(bytes),
        33..=64 => city_33_to_64(bytes),
        _ => city_long(bytes),
    }
}

/// Folds another value into a key: `M * (key + M * value)`. The key starts as 0.
#[inline]
#[must_use]
pub const fn combine(key: u64, value: u64) -> u64 {
    const M: u64 = 0x4906_ba49_4954_cb65;
    M.wrapping_mul(key.wrapping_add(M.wrapping_mul(value)))
}

/// Folds the [`cat_hash`] of another categorical value into the key of a CTR table.
#[inline]
#[must_use]
pub const fn ctr_key_cat(key: u64, cat_hash: u32) -> u64 {
    // CatBoost widens the hash through a signed integer.
    combine(key, cat_hash.cast_signed() as u64)
}

/// Folds the answer to another float or one-hot split into the key of a CTR table.
///
/// ```
/// use catboost_runtime::hash::{cat_hash, combine, ctr_key_cat, ctr_key_split};
///
/// // The key of a combination: the category `red`, and the answer yes to a split.
/// let key = ctr_key_split(ctr_key_cat(0, cat_hash("red")), true);
/// assert_eq!(key, combine(ctr_key_cat(0, cat_hash("red")), 1));
/// ```
#[inline]
#[must_use]
pub const fn ctr_key_split(key: u64, answer: bool) -> u64 {
    combine(key, answer as u64)
}

/// MurmurHash2 64A: hash of a token in a dictionary's table.
#[must_use]
pub const fn murmur2_64a(bytes: &[u8], seed: u64) -> u64 {
    let mut hash = murmur_start(bytes.len(), seed);
    let mut at = 0;
    while at + 8 <= bytes.len() {
        hash = murmur_mix(hash, load64(bytes, at));
        at += 8;
    }
    if at < bytes.len() {
        let mut rest = 0;
        let mut i = bytes.len();
        while i > at {
            i -= 1;
            rest = rest << 8 | bytes[i] as u64;
        }
        hash = (hash ^ rest).wrapping_mul(MURMUR_M);
    }
    murmur_end(hash)
}

/// [`murmur2_64a`] of the ids' little-endian bytes: hash of an n-gram of words, from the words' inner ids.
#[inline]
#[must_use]
pub const fn murmur2_64a_ids(ids: &[u32], seed: u64) -> u64 {
    let mut hash = murmur_start(ids.len() * 4, seed);
    let mut at = 0;
    while at + 2 <= ids.len() {
        hash = murmur_mix(hash, ids[at] as u64 | (ids[at + 1] as u64) << 32);
        at += 2;
    }
    if at < ids.len() {
        hash = (hash ^ ids[at] as u64).wrapping_mul(MURMUR_M);
    }
    murmur_end(hash)
}

const MURMUR_M: u64 = 0xc6a4_a793_5bd1_e995;
const MURMUR_R: u32 = 47;

const fn murmur_start(bytes: usize, seed: u64) -> u64 {
    seed ^ (bytes as u64).wrapping_mul(MURMUR_M)
}

const fn murmur_mix(hash: u64, word: u64) -> u64 {
    let word = word.wrapping_mul(MURMUR_M);
    let word = (word ^ word >> MURMUR_R).wrapping_mul(MURMUR_M);
    (hash ^ word).wrapping_mul(MURMUR_M)
}

const fn murmur_end(hash: u64) -> u64 {
    let hash = (hash ^ hash >> MURMUR_R).wrapping_mul(MURMUR_M);
    hash ^ hash >> MURMUR_R
}

const fn city_up_to_16(s: &[u8]) -> u64 {
    let len = s.len();
    if len > 8 {
        let a = load64(s, 0);
        let b = load64(s, len - 8);
        let rotated = b.wrapping_add(len as u64).rotate_right(len as u32);
        return hash_pair(a, rotated) ^ b;
    }
    if len >= 4 {
        let a = load32(s, 0) << 3;
        return hash_pair((len as u64).wrapping_add(a), load32(s, len - 4));
    }
    if len > 0 {
        let y = s[0] as u64 + ((s[len >> 1] as u64) << 8);
        let z = len as u64 + ((s[len - 1] as u64) << 2);
        return shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K3)).wrapping_mul(K2);
    }
    K2
}

const fn city_17_to_32(s: &[u8]) -> u64 {
    let len = s.len();
    let a = load64(s, 0).wrapping_mul(K1);
    let b = load64(s, 8);
    let c = load64(s, len - 8).wrapping_mul(K2);
    let d = load64(s, len - 16).wrapping_mul(K0);
    hash_pair(
        a.wrapping_sub(b)
            .rotate_right(43)
            .wrapping_add(c.rotate_right(30))
            .wrapping_add(d),
        a.wrapping_add((b ^ K3).rotate_right(20))
            .wrapping_sub(c)
            .wrapping_add(len as u64),
    )
}

// Not inlined, so that short values need not save the registers that long ones take.
#[inline(never)]
const fn city_33_to_64(s: &[u8]) -> u64 {
    let len = s.len();
    let first = load64(s, 0).wrapping_add(
        load64(s, len - 16)
            .wrapping_add(len as u64)
            .wrapping_mul(K0),
    );
    let v = city_half(first, load64(s, 8), load64(s, 16), load64(s, 24));
    let first = load64(s, 16).wrapping_add(load64(s, len - 32));
    let w = city_half(
        first,
        load64(s, len - 24),
        load64(s, len - 16),
        load64(s, len - 8),
    );
    let r = shift_mix(
        v.0.wrapping_add(w.1)
            .wrapping_mul(K2)
            .wrapping_add(w.0.wrapping_add(v.1).wrapping_mul(K0)),
    );
    shift_mix(r.wrapping_mul(K0).wrapping_add(v.1)).wrapping_mul(K2)
}

/// The rounds that [`city_33_to_64`] runs on each half of the text.
const fn city_half(a: u64, second: u64, third: u64, z: u64) -> (u64, u64) {
    let b = a.wrapping_add(z).rotate_right(52);
    let c = a.rotate_right(37);
    let a = a.wrapping_add(second);
    let c = c.wrapping_add(a.rotate_right(7));
    let a = a.wrapping_add(third);
    (
        a.wrapping_add(z),
        b.wrapping_add(a.rotate_right(31)).wrapping_add(c),
    )
}

// Not inlined, for the same reason as [`city_33_to_64`].
#[inline(never)]
const fn city_long(s: &[u8]) -> u64 {
    let len = s.len();
    let mut x = load64(s, 0);
    let mut y = load64(s, len - 16) ^ K1;
    let mut z = load64(s, len - 56) ^ K0;
    let mut v = city_weak(s, len - 64, len as u64, y);
    let mut w = city_weak(s, len - 32, (len as u64).wrapping_mul(K1), K0);
    z = z.wrapping_add(shift_mix(v.1).wrapping_mul(K1));
    x = z.wrapping_add(x).rotate_right(39).wrapping_mul(K1);
    y = y.rotate_right(33).wrapping_mul(K1);
    let end = (len - 1) & !63;
    let mut at = 0;
    while at < end {
        x = x
            .wrapping_add(y)
            .wrapping_add(v.0)
            .wrapping_add(load64(s, at + 16))
            .rotate_right(37)
            .wrapping_mul(K1);
        y = y
            .wrapping_add(v.1)
            .wrapping_add(load64(s, at + 48))
            .rotate_right(42)
            .wrapping_mul(K1);
        x ^= w.1;
        y ^= v.0;
        z = (z ^ w.0).rotate_right(33);
        v = city_weak(s, at, v.1.wrapping_mul(K1), x.wrapping_add(w.0));
        w = city_weak(s, at + 32, z.wrapping_add(w.1), y);
        (z, x) = (x, z);
        at += 64;
    }
    hash_pair(
        hash_pair(v.0, w.0)
            .wrapping_add(shift_mix(y).wrapping_mul(K1))
            .wrapping_add(z),
        hash_pair(v.1, w.1).wrapping_add(x),
    )
}

/// 128-bit hash of the 32 bytes at offset `at`.
const fn city_weak(s: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let z = load64(s, at + 24);
    let a = a.wrapping_add(load64(s, at));
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let c = a;
    let a = a
        .wrapping_add(load64(s, at + 8))
        .wrapping_add(load64(s, at + 16));
    let b = b.wrapping_add(a.rotate_right(44));
    (a.wrapping_add(z), b.wrapping_add(c))
}

const fn shift_mix(value: u64) -> u64 {
    value ^ value >> 47
}

/// Folds 128 bits of CityHash into 64.
const fn hash_pair(low: u64, high: u64) -> u64 {
    const M: u64 = 0x9ddf_ea08_eb38_2d69;
    let a = shift_mix((low ^ high).wrapping_mul(M));
    let b = shift_mix((high ^ a).wrapping_mul(M));
    b.wrapping_mul(M)
}

#[inline]
const fn load64(s: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*chunk(s, at))
}

#[inline]
const fn load32(s: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(*chunk(s, at)) as u64
}

/// `N` bytes from offset `at` on.
#[inline]
const fn chunk<const N: usize>(s: &[u8], at: usize) -> &[u8; N] {
    match s.split_at(at).1.first_chunk() {
        Some(chunk) => chunk,
        None => panic!("the text is not that long"),
    }
}

#[cfg(test)]
mod tests {
    use std::{string::String, vec::Vec};

    use super::*;

    /// Length of a text of the bytes 48, 85, 122, … (each 37 more than the last, modulo 256); CatBoost's CityHash64 of it;
    /// CatBoost's MurmurHash2 64A of it, with its length as the seed.
    #[rustfmt::skip]
    const VECTORS: [(usize, u64, u64); 24] = [
        (0, 0x9ae1_6a3b_2f90_404f, 0x0000_0000_0000_0000),
        (1, 0x9071_c92b_aa45_8312, 0x0a5d_08d6_299c_4888),
        (2, 0x9bf3_e535_3be3_e8db, 0xfa40_99b1_5ab1_2a69),
        (3, 0x2c1b_3a5d_3896_ed51, 0x3bf3_30b5_77dc_ccd5),
        (4, 0xb796_e04c_efcf_85cd, 0x986f_c78c_92f1_341a),
        (7, 0x67d2_e126_6443_834e, 0x07d2_4065_6e17_09a1),
        (8, 0xe01b_28db_69bd_bd02, 0xd1a3_deac_01bc_1b21),
        (9, 0x944f_e132_0d4b_2800, 0x8c19_47d6_501e_e5aa),
        (15, 0xd4cc_8730_bc87_1be8, 0xa4b7_4399_c214_e925),
        (16, 0x4c9f_9224_db33_72ef, 0xb450_1d9c_8af1_4cf3),
        (17, 0x55b5_632f_f71f_4138, 0xf487_a199_9650_c06a),
        (24, 0x6b9a_2085_fcec_1e78, 0x4dd6_908a_0cb7_904e),
        (31, 0xa7fe_cf23_5d5a_3669, 0xda67_82dc_6c80_066f),
        (32, 0x2296_41e6_6e23_7118, 0x2138_b5ad_e51f_cc19),
        (33, 0xecff_ed24_e374_9fa2, 0xe63e_c82b_fbbb_8434),
        (48, 0xdad4_efbf_69b5_f074, 0xc68a_b516_08c0_b0ad),
        (63, 0x875a_f621_06e6_4212, 0x396c_84af_c567_a37b),
        (64, 0x669b_faf9_d170_923a, 0xa8db_42ff_6909_f876),
        (65, 0xb768_d5c8_d6b3_c265, 0x2f1d_f3fa_1330_8440),
        (100, 0xee3d_a158_ef22_b14b, 0xc876_2093_6425_c1cb),
        (127, 0xb269_cf16_464c_c4a5, 0x4d31_92d7_8e9b_1d2f),
        (128, 0xe141_ba66_a4c3_61da, 0x9921_fe88_1742_4550),
        (129, 0xd21f_86fd_006f_8e21, 0xd777_b276_8de0_6e2e),
        (200, 0x82d2_5942_3c4e_c190, 0x3db1_8057_4317_85d9),
    ];

    #[test]
    fn every_length_class_has_catboosts_bits() {
        for (len, city, murmur) in VECTORS {
            let bytes: Vec<u8> = (1..=len).map(|n| (n * 37 + 11) as u8).collect();
            assert_eq!(city_hash_64(&bytes), city, "CityHash64 of {len} bytes");
            assert_eq!(
                murmur2_64a(&bytes, len as u64),
                murmur,
                "MurmurHash2 64A of {len} bytes"
            );
        }
    }

    #[test]
    fn ids_hash_as_their_bytes() {
        for n in 0..6u32 {
            let ids: Vec<u32> = (0..n).map(|i| 0xdead_beef ^ i << 29).collect();
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            assert_eq!(murmur2_64a_ids(&ids, 7), murmur2_64a(&bytes, 7));
        }
    }

    #[test]
    fn cat_hash_is_the_low_half() {
        let value = String::from("private car");
        assert_eq!(cat_hash(&value), city_hash_64(value.as_bytes()) as u32);
    }

    #[test]
    fn ctr_keys_widen_hashes_with_their_sign() {
        assert_eq!(
            ctr_key_cat(5, 0x8000_0001),
            combine(5, 0xffff_ffff_8000_0001)
        );
        assert_eq!(ctr_key_cat(5, 0x7fff_ffff), combine(5, 0x7fff_ffff));
        assert_ne!(ctr_key_split(5, true), ctr_key_split(5, false));
    }
}
