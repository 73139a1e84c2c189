//! The kernel of processors with AVX2.

use core::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_max_epu8,
    _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_storeu_si256,
    _mm256_sub_epi8,
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
    portable::add_values(indices, strip, leaves, sums);
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
