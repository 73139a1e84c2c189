//! The kernel of processors with AVX2.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_shuffle_epi8, _mm_storeu_si128, _mm_unpackhi_epi16,
    _mm_unpackhi_epi32, _mm_unpackhi_epi64, _mm_unpacklo_epi16, _mm_unpacklo_epi32,
    _mm_unpacklo_epi64, _mm256_add_epi8, _mm256_add_pd, _mm256_adds_epu8,
    _mm256_broadcastsi128_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi8, _mm256_loadu_pd,
    _mm256_loadu_si256, _mm256_max_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_storeu_pd, _mm256_storeu_si256,
    _mm256_sub_epi8, _mm256_unpackhi_epi8, _mm256_unpackhi_epi16, _mm256_unpackhi_epi32,
    _mm256_unpacklo_epi8, _mm256_unpacklo_epi16, _mm256_unpacklo_epi32, _mm256_xor_si256,
};

use super::{
    kernel::{Index, Kernel, Leaves, STRIP, TILE, Words},
    portable,
    tables::{Borders, Split},
};

/// Exists only where the processor has what the functions below are compiled for.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The kernel, if the processor has what it takes.
    pub(super) fn detect() -> Option<Self> {
        let has_it = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi2");
        has_it.then_some(Self(()))
    }
}

/// Rows in a vector register.
const HALF: usize = STRIP / 2;

impl Kernel for Avx2 {
    /// Interleaving takes rows from each half of a register.
    const ORDER: [u8; STRIP] = {
        let mut order = [0; STRIP];
        let mut at = 0;
        while at < STRIP {
            let (half, register, lane) = (at / HALF, at % HALF / 4, at % 4);
            order[at] = (HALF * half + 16 * (lane / 2) + 2 * register + lane % 2) as u8;
            at += 1;
        }
        order
    };
    const MOST_LEAVES_IN_PLANES: usize = 64;
    const LEAST_VECTOR: usize = 4;

    fn quantize(self, borders: Borders<'_>, values: &[f32; STRIP], bins: &mut [u8; STRIP]) {
        // SAFETY: `self` is the proof that the processor has the features.
        unsafe { quantize(borders, values, bins) }
    }

    fn indices(
        self,
        columns: &[[u8; TILE]],
        depth: usize,
        splits: &[Split],
        strips: usize,
        indices: &mut [Index],
    ) {
        // SAFETY: as above.
        unsafe {
            match strips {
                1 => oblivious::<2>(columns, depth, splits, indices),
                2 => oblivious::<4>(columns, depth, splits, indices),
                _ => oblivious::<8>(columns, depth, splits, indices),
            }
        }
    }

    fn answers(self, columns: &[[u8; TILE]], splits: &[Split], words: &mut [Words]) {
        // SAFETY: as above.
        unsafe { answers(columns, splits, words) }
    }

    fn select(self, words: &mut [Words], first: usize, choices: &[[u32; 3]]) {
        // SAFETY: as above.
        unsafe { select(words, first, choices) }
    }

    fn spread(self, bits: &[Words], index: &mut Index) {
        // SAFETY: as above.
        unsafe { spread(bits, index) }
    }

    fn add_values(
        self,
        indices: &[Index],
        strip: usize,
        leaves: Leaves<'_>,
        sums: &mut [f64; STRIP],
    ) {
        // SAFETY: as above.
        unsafe { add_values(indices, strip, leaves, sums) }
    }

    fn add_vectors(self, indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64]) {
        // SAFETY: as above.
        unsafe { add_vectors(indices, strip, leaves, sums) }
    }

    fn planes(self, values: &[f64], planes: &mut [u8]) {
        // SAFETY: as above.
        unsafe { to_planes(values, planes) }
    }

    fn add_planes(
        self,
        indices: &[Index],
        strip: usize,
        depth: usize,
        planes: &[u8],
        sums: &mut [f64; STRIP],
    ) {
        // SAFETY: as above.
        unsafe {
            match depth {
                0..=4 => add_planes::<1>(indices, strip, planes, sums),
                5 => add_planes::<2>(indices, strip, planes, sums),
                _ => add_planes::<4>(indices, strip, planes, sums),
            }
        }
    }
}

#[target_feature(enable = "avx2,bmi2")]
fn quantize(borders: Borders<'_>, values: &[f32; STRIP], bins: &mut [u8; STRIP]) {
    portable::quantize(borders, values, bins);
}

#[target_feature(enable = "avx2,bmi2")]
fn select(words: &mut [Words], first: usize, choices: &[[u32; 3]]) {
    portable::select(words, first, choices);
}

#[target_feature(enable = "avx2,bmi2")]
fn spread(bits: &[Words], index: &mut Index) {
    portable::spread(bits, index);
}

#[target_feature(enable = "avx2,bmi2")]
fn add_values(indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64; STRIP]) {
    portable::add_values(indices, strip, leaves, &Avx2::ORDER, sums);
}

#[target_feature(enable = "avx2,bmi2")]
fn add_vectors(indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64]) {
    portable::add_vectors(indices, strip, leaves, sums);
}

#[inline]
#[target_feature(enable = "avx2,bmi2")]
fn load(bytes: &[u8; HALF]) -> __m256i {
    // SAFETY: as many bytes as are loaded.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// All ones where a bin is above a border: at least the border and one.
#[inline]
#[target_feature(enable = "avx2,bmi2")]
fn above(bins: &[u8; HALF], next: __m256i) -> __m256i {
    let bins = load(bins);
    _mm256_cmpeq_epi8(_mm256_max_epu8(bins, next), bins)
}

/// The least bin above a split's border. No column has 255 borders.
#[inline]
#[target_feature(enable = "avx2,bmi2")]
fn next(split: Split) -> __m256i {
    _mm256_set1_epi8(split.border().wrapping_add(1).cast_signed())
}

/// `HALVES` of strips have rows.
#[target_feature(enable = "avx2,bmi2")]
fn oblivious<const HALVES: usize>(
    columns: &[[u8; TILE]],
    depth: usize,
    splits: &[Split],
    indices: &mut [Index],
) {
    let ask = |splits: &[Split], index: &mut [u8; TILE]| {
        let mut rows = [_mm256_setzero_si256(); HALVES];
        for &split in splits.iter().rev() {
            let next = next(split);
            let column = columns[split.column()].as_chunks::<HALF>().0;
            for (index, bins) in rows.iter_mut().zip(column) {
                *index = _mm256_sub_epi8(_mm256_add_epi8(*index, *index), above(bins, next));
            }
        }
        for (rows, index) in rows.iter().zip(index.as_chunks_mut::<HALF>().0) {
            // SAFETY: as many bytes as are stored.
            unsafe { _mm256_storeu_si256(index.as_mut_ptr().cast(), *rows) };
        }
    };
    for (tree, index) in indices.iter_mut().enumerate() {
        let splits = &splits[tree * depth..][..depth];
        let (low, high) = splits.split_at(depth.min(8));
        ask(low, &mut index.low);
        if depth > 8 {
            ask(high, &mut index.high);
        }
    }
}

#[target_feature(enable = "avx2,bmi2")]
fn answers(columns: &[[u8; TILE]], splits: &[Split], answers: &mut [Words]) {
    for (&split, answers) in splits.iter().zip(answers) {
        let next = next(split);
        let halves = columns[split.column()].as_chunks::<HALF>().0;
        for (answers, bins) in answers.0.iter_mut().zip(halves.as_chunks::<2>().0) {
            let [low, high] = bins
                .each_ref()
                .map(|bins| _mm256_movemask_epi8(above(bins, next)).cast_unsigned());
            *answers = u64::from(low) | u64::from(high) << 32;
        }
    }
}

#[target_feature(enable = "avx2,bmi2")]
fn to_planes(values: &[f64], planes: &mut [u8]) {
    let leaves = planes.len() / 8;
    let mut all = values.chunks(16);
    for first in (0..leaves).step_by(16) {
        let mut sixteen = [0.0; 16];
        let values = all.next().unwrap_or(&[]);
        sixteen[..values.len()].copy_from_slice(values);
        for (plane, bytes) in transpose(&sixteen).into_iter().enumerate() {
            let place = &mut planes[plane * leaves + first..][..16];
            // SAFETY: as many bytes as are stored.
            unsafe { _mm_storeu_si128(place.as_mut_ptr().cast(), bytes) };
        }
    }
}

/// 16 values → their first bytes, their second bytes and so on.
#[inline]
#[target_feature(enable = "avx2,bmi2")]
fn transpose(values: &[f64; 16]) -> [__m128i; 8] {
    const BYTES: [u8; 16] = [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15];
    // SAFETY: as many bytes as are loaded.
    let bytes = unsafe { _mm_loadu_si128(BYTES.as_ptr().cast()) };
    let pairs = values.as_chunks::<2>().0;
    let [a, b, c, d, e, f, g, h] = core::array::from_fn(|at| {
        // SAFETY: two values are as many bytes as are loaded.
        let pair = unsafe { _mm_loadu_si128(pairs[at].as_ptr().cast()) };
        _mm_shuffle_epi8(pair, bytes)
    });
    // Words of two bytes: an 8 × 8 transposition.
    let (first, second) = (quarters(a, b, c, d), quarters(e, f, g, h));
    let mut planes = [a; 8];
    for pair in 0..4 {
        planes[2 * pair] = _mm_unpacklo_epi64(first[pair], second[pair]);
        planes[2 * pair + 1] = _mm_unpackhi_epi64(first[pair], second[pair]);
    }
    planes
}

/// Words of two bytes: a 4 × 8 transposition.
#[inline]
#[target_feature(enable = "avx2,bmi2")]
fn quarters(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> [__m128i; 4] {
    let (ab, cd) = (_mm_unpacklo_epi16(a, b), _mm_unpacklo_epi16(c, d));
    let (ab2, cd2) = (_mm_unpackhi_epi16(a, b), _mm_unpackhi_epi16(c, d));
    [
        _mm_unpacklo_epi32(ab, cd),
        _mm_unpackhi_epi32(ab, cd),
        _mm_unpacklo_epi32(ab2, cd2),
        _mm_unpackhi_epi32(ab2, cd2),
    ]
}

/// Planes of `QUARTERS` times sixteen leaves.
#[target_feature(enable = "avx2,bmi2")]
fn add_planes<const QUARTERS: usize>(
    indices: &[Index],
    strip: usize,
    planes: &[u8],
    sums: &mut [f64; STRIP],
) {
    for (half, sums) in sums.as_chunks_mut::<HALF>().0.iter_mut().enumerate() {
        let places = sums.as_chunks_mut::<4>().0;
        // SAFETY: as many values as are loaded.
        let mut sums =
            core::array::from_fn::<_, 8, _>(|at| unsafe { _mm256_loadu_pd(places[at].as_ptr()) });
        let planes = planes
            .as_chunks::<16>()
            .0
            .as_chunks::<4>()
            .0
            .as_chunks::<8>()
            .0;
        for (index, planes) in indices.iter().zip(planes) {
            let index = load(&index.low.as_chunks::<HALF>().0[2 * strip + half]);
            // A shuffle gives 0 for bytes from 128 on: all that are of another sixteen leaves.
            let mut of_quarter = [index; QUARTERS];
            for (quarter, of_quarter) in of_quarter.iter_mut().enumerate() {
                let index = _mm256_xor_si256(index, _mm256_set1_epi8(16 * quarter as i8));
                *of_quarter = _mm256_adds_epu8(index, _mm256_set1_epi8(0x70));
            }
            let mut bytes = [_mm256_setzero_si256(); 8];
            for (bytes, plane) in bytes.iter_mut().zip(planes) {
                for (part, &index) in plane.iter().zip(&of_quarter) {
                    // SAFETY: as many bytes as are loaded.
                    let part = unsafe { _mm_loadu_si128(part.as_ptr().cast()) };
                    let found = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(part), index);
                    *bytes = _mm256_or_si256(*bytes, found);
                }
            }
            let (mut low, mut high) = ([index; 4], [index; 4]);
            for pair in 0..4 {
                low[pair] = _mm256_unpacklo_epi8(bytes[2 * pair], bytes[2 * pair + 1]);
                high[pair] = _mm256_unpackhi_epi8(bytes[2 * pair], bytes[2 * pair + 1]);
            }
            for (at, [a, b, c, d]) in [(0, low), (4, high)] {
                let (ab, cd) = (_mm256_unpacklo_epi16(a, b), _mm256_unpacklo_epi16(c, d));
                let (ab2, cd2) = (_mm256_unpackhi_epi16(a, b), _mm256_unpackhi_epi16(c, d));
                let fours = [
                    _mm256_unpacklo_epi32(ab, cd),
                    _mm256_unpackhi_epi32(ab, cd),
                    _mm256_unpacklo_epi32(ab2, cd2),
                    _mm256_unpackhi_epi32(ab2, cd2),
                ];
                for (sum, four) in sums[at..at + 4].iter_mut().zip(fours) {
                    *sum = _mm256_add_pd(*sum, _mm256_castsi256_pd(four));
                }
            }
        }
        for (place, sum) in places.iter_mut().zip(sums) {
            // SAFETY: as many values as are stored.
            unsafe { _mm256_storeu_pd(place.as_mut_ptr(), sum) };
        }
    }
}
