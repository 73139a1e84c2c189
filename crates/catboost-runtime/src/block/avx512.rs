//! The kernel of processors with AVX-512, byte permutes (VBMI) among it.

use core::arch::x86_64::{
    __m512, __m512d, __m512i, _CMP_GT_OQ, _CMP_UNORD_Q, _mm_storeu_si128, _mm512_add_epi8,
    _mm512_add_epi32, _mm512_add_pd, _mm512_and_si512, _mm512_castpd_si512, _mm512_castsi512_pd,
    _mm512_cmp_ps_mask, _mm512_cmpgt_epu8_mask, _mm512_cvtepi32_epi8, _mm512_loadu_pd,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_add_epi8, _mm512_mask_blend_ps,
    _mm512_mask_mov_epi8, _mm512_mask_mov_ps, _mm512_mask_or_epi32, _mm512_maskz_loadu_pd,
    _mm512_min_epu8, _mm512_movepi8_mask, _mm512_permutex2var_epi8, _mm512_permutex2var_ps,
    _mm512_permutexvar_epi8, _mm512_permutexvar_ps, _mm512_set1_epi8, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i64x2,
    _mm512_storeu_pd, _mm512_storeu_si512, _mm512_subs_epu8, _mm512_test_epi32_mask,
    _mm512_unpackhi_epi8, _mm512_unpackhi_epi16, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi8, _mm512_unpacklo_epi16, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{
    kernel::{Index, Kernel, Leaves, STRIP, TILE, Words},
    portable,
    tables::{Borders, Split},
};

/// Exists only where the processor has what the functions below are compiled for.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The kernel, if the processor has what it takes.
    pub(super) fn detect() -> Option<Self> {
        let has_it = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vbmi")
            && std::arch::is_x86_feature_detected!("bmi2");
        has_it.then_some(Self(()))
    }
}

impl Kernel for Avx512 {
    /// Interleaving takes rows from each quarter of a register.
    const ORDER: [u8; STRIP] = {
        let mut order = [0; STRIP];
        let mut at = 0;
        while at < STRIP {
            let (register, lane) = (at / 8, at % 8);
            order[at] = (16 * (lane / 2) + 2 * register + lane % 2) as u8;
            at += 1;
        }
        order
    };
    const MOST_LEAVES_IN_PLANES: usize = 256;
    const LEAST_VECTOR: usize = usize::MAX;

    fn quantize(self, borders: Borders<'_>, values: &[f32; STRIP], bins: &mut [u8; STRIP]) {
        // SAFETY: `self` is the proof that the processor has the features.
        unsafe {
            match borders.levels {
                0..=4 => quantize::<1>(borders, values, bins),
                5 => quantize::<2>(borders, values, bins),
                6 => quantize::<4>(borders, values, bins),
                7 => quantize::<8>(borders, values, bins),
                _ => quantize::<16>(borders, values, bins),
            }
        }
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
                1 => oblivious::<1>(columns, depth, splits, indices),
                2 => oblivious::<2>(columns, depth, splits, indices),
                _ => oblivious::<4>(columns, depth, splits, indices),
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

    fn add_vectors(self, indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64]) {
        // SAFETY: as above.
        unsafe { add_vectors(indices, strip, leaves, sums) }
    }

    fn planes(self, values: &[f64], planes: &mut [u8]) {
        // SAFETY: as above.
        unsafe { to_planes(values, planes) }
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
                0..=6 => add_planes::<1>(indices, strip, planes, sums),
                7 => add_planes::<2>(indices, strip, planes, sums),
                _ => add_planes::<4>(indices, strip, planes, sums),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn load(bytes: &[u8; STRIP]) -> __m512i {
    // SAFETY: as many bytes as are loaded.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Sixteen values, and the nodes of the search tree at which they are.
#[derive(Clone, Copy)]
struct Search {
    value: __m512,
    node: __m512i,
}

impl Search {
    /// Goes on to the next level.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
    fn step(&mut self, border: __m512) {
        let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.value, border);
        let twice = _mm512_add_epi32(self.node, self.node);
        self.node = _mm512_mask_or_epi32(twice, above, twice, _mm512_set1_epi32(1));
    }

    /// The borders of the nodes, which are among 32.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
    fn of_32(&self, table: &[__m512], first: usize) -> __m512 {
        _mm512_permutex2var_ps(table[first], self.node, table[first + 1])
    }

    /// The borders of the nodes, which are among 64.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
    fn of_64(&self, table: &[__m512], first: usize) -> __m512 {
        let is_high = _mm512_test_epi32_mask(self.node, _mm512_set1_epi32(32));
        let (low, high) = (self.of_32(table, first), self.of_32(table, first + 2));
        _mm512_mask_blend_ps(is_high, low, high)
    }
}

/// `REGISTERS` hold the search tree.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn quantize<const REGISTERS: usize>(
    borders: Borders<'_>,
    values: &[f32; STRIP],
    bins: &mut [u8; STRIP],
) {
    let nodes = borders.nodes.as_chunks::<16>().0;
    let nodes: &[[f32; 16]; REGISTERS] = nodes.try_into().expect("a search tree has 2^n nodes");
    let mut table = [_mm512_setzero_ps(); REGISTERS];
    for (register, nodes) in table.iter_mut().zip(nodes) {
        // SAFETY: as many values as are loaded.
        *register = unsafe { _mm512_loadu_ps(nodes.as_ptr()) };
    }
    let (values, bins) = (values.as_chunks::<16>().0, bins.as_chunks_mut::<16>().0);
    let node = _mm512_set1_epi32(1);
    let mut all = [Search {
        value: _mm512_setzero_ps(),
        node,
    }; STRIP / 16];
    for (search, values) in all.iter_mut().zip(values) {
        // SAFETY: as many values as are loaded.
        let value = unsafe { _mm512_loadu_ps(values.as_ptr()) };
        let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
        search.value = _mm512_mask_mov_ps(value, is_nan, _mm512_set1_ps(borders.nan));
    }
    // All four at each step: a step waits for the one before it.
    for _ in 0..if REGISTERS == 1 { borders.levels } else { 4 } {
        for search in &mut all {
            search.step(_mm512_permutexvar_ps(search.node, table[0]));
        }
    }
    if REGISTERS >= 2 {
        for search in &mut all {
            search.step(search.of_32(&table, 0));
        }
    }
    if REGISTERS >= 4 {
        for search in &mut all {
            search.step(search.of_32(&table, 2));
        }
    }
    if REGISTERS >= 8 {
        for search in &mut all {
            search.step(search.of_64(&table, 4));
        }
    }
    if REGISTERS >= 16 {
        for search in &mut all {
            let is_high = _mm512_test_epi32_mask(search.node, _mm512_set1_epi32(64));
            let (low, high) = (search.of_64(&table, 8), search.of_64(&table, 12));
            search.step(_mm512_mask_blend_ps(is_high, low, high));
        }
    }
    // The last level's nodes are numbered from `2^levels` on.
    let below = _mm512_set1_epi32(!(-1 << borders.levels));
    for (search, bins) in all.iter().zip(bins) {
        let bin = _mm512_cvtepi32_epi8(_mm512_and_si512(search.node, below));
        // SAFETY: as many bytes as are stored.
        unsafe { _mm_storeu_si128(bins.as_mut_ptr().cast(), bin) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn oblivious<const STRIPS: usize>(
    columns: &[[u8; TILE]],
    depth: usize,
    splits: &[Split],
    indices: &mut [Index],
) {
    // Hidden from the compiler, which would turn the minimum into a mask, and that takes longer.
    let one = core::hint::black_box(_mm512_set1_epi8(1));
    let ask = |splits: &[Split], index: &mut [u8; TILE]| {
        let mut rows = [_mm512_setzero_si512(); STRIPS];
        for split in splits.iter().rev() {
            let border = _mm512_set1_epi8(split.border().cast_signed());
            let column = columns[split.column()].as_chunks::<STRIP>().0;
            for (index, bins) in rows.iter_mut().zip(column) {
                let answer = _mm512_min_epu8(_mm512_subs_epu8(load(bins), border), one);
                *index = _mm512_add_epi8(_mm512_add_epi8(*index, *index), answer);
            }
        }
        for (rows, index) in rows.iter().zip(index.as_chunks_mut::<STRIP>().0) {
            // SAFETY: as many bytes as are stored.
            unsafe { _mm512_storeu_si512(index.as_mut_ptr().cast(), *rows) };
        }
    };
    if depth == 0 {
        indices
            .iter_mut()
            .for_each(|index| ask(&[], &mut index.low));
    } else if depth == 6 {
        for (splits, index) in splits.as_chunks::<6>().0.iter().zip(indices) {
            ask(splits, &mut index.low);
        }
    } else {
        for (splits, index) in splits.chunks_exact(depth).zip(indices) {
            let (low, high) = splits.split_at(depth.min(8));
            ask(low, &mut index.low);
            if depth > 8 {
                ask(high, &mut index.high);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn answers(columns: &[[u8; TILE]], splits: &[Split], answers: &mut [Words]) {
    for (split, answers) in splits.iter().zip(answers) {
        let border = _mm512_set1_epi8(split.border().cast_signed());
        let column = columns[split.column()].as_chunks::<STRIP>().0;
        for (answers, bins) in answers.0.iter_mut().zip(column) {
            *answers = _mm512_cmpgt_epu8_mask(load(bins), border);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn select(words: &mut [Words], first: usize, choices: &[[u32; 3]]) {
    portable::select(words, first, choices);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn spread(bits: &[Words], index: &mut Index) {
    let (low, high) = bits.split_at(bits.len().min(8));
    for (bits, index) in [(low, &mut index.low), (high, &mut index.high)] {
        for (strip, index) in index.as_chunks_mut::<STRIP>().0.iter_mut().enumerate() {
            let mut rows = _mm512_setzero_si512();
            for words in bits.iter().rev() {
                let twice = _mm512_add_epi8(rows, rows);
                let one = _mm512_set1_epi8(1);
                rows = _mm512_mask_add_epi8(twice, words.0[strip], twice, one);
            }
            // SAFETY: as many bytes as are stored.
            unsafe { _mm512_storeu_si512(index.as_mut_ptr().cast(), rows) };
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn to_planes(values: &[f64], planes: &mut [u8]) {
    let leaves = planes.len() / 8;
    let mut values = values.chunks(STRIP);
    let mut first = 0;
    while first < leaves {
        let eights = rows_of_eight(values.next().unwrap_or(&[]));
        for (plane, bytes) in transpose(eights).into_iter().enumerate() {
            let place = &mut planes[plane * leaves + first..][..STRIP];
            // SAFETY: as many bytes as are stored.
            unsafe { _mm512_storeu_si512(place.as_mut_ptr().cast(), bytes) };
        }
        first += STRIP;
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn add_values(indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64; STRIP]) {
    portable::add_deep(indices, strip, leaves, &Avx512::ORDER, sums);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn add_vectors(indices: &[Index], strip: usize, leaves: Leaves<'_>, sums: &mut [f64]) {
    portable::add_vectors(indices, strip, leaves, sums);
}

/// Up to 64 values, eight a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn rows_of_eight(values: &[f64]) -> [__m512i; 8] {
    let load = |eight: &[f64]| {
        let mask = (0xff_u32 >> (8 - eight.len())) as u8;
        // SAFETY: the mask has as many bits as there are values.
        _mm512_castpd_si512(unsafe { _mm512_maskz_loadu_pd(mask, eight.as_ptr()) })
    };
    if let Some(values) = values.first_chunk::<STRIP>() {
        let eights = values.as_chunks::<8>().0;
        core::array::from_fn(|at| load(&eights[at]))
    } else {
        let mut eights = values.chunks(8);
        core::array::from_fn(|_| load(eights.next().unwrap_or(&[])))
    }
}

/// 64 values → their first bytes, their second bytes and so on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn transpose(eights: [__m512i; 8]) -> [__m512i; 8] {
    const BYTES: [u8; STRIP] = {
        let mut bytes = [0; STRIP];
        let mut at = 0;
        while at < STRIP {
            bytes[at] = (at % 8 * 8 + at / 8) as u8;
            at += 1;
        }
        bytes
    };
    // Within each register, then words of eight bytes between them.
    let bytes = load(&BYTES);
    let (mut even, mut odd) = ([bytes; 4], [bytes; 4]);
    for pair in 0..4 {
        let first = _mm512_permutexvar_epi8(bytes, eights[2 * pair]);
        let second = _mm512_permutexvar_epi8(bytes, eights[2 * pair + 1]);
        even[pair] = _mm512_unpacklo_epi64(first, second);
        odd[pair] = _mm512_unpackhi_epi64(first, second);
    }
    let ([a, c, e, g], [b, d, f, h]) = (quarters(even), quarters(odd));
    [a, b, c, d, e, f, g, h]
}

/// A 4 × 4 transposition of quarters of registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn quarters([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let ab = [
        _mm512_shuffle_i64x2::<0x88>(a, b),
        _mm512_shuffle_i64x2::<0xdd>(a, b),
    ];
    let cd = [
        _mm512_shuffle_i64x2::<0x88>(c, d),
        _mm512_shuffle_i64x2::<0xdd>(c, d),
    ];
    [
        _mm512_shuffle_i64x2::<0x88>(ab[0], cd[0]),
        _mm512_shuffle_i64x2::<0x88>(ab[1], cd[1]),
        _mm512_shuffle_i64x2::<0xdd>(ab[0], cd[0]),
        _mm512_shuffle_i64x2::<0xdd>(ab[1], cd[1]),
    ]
}

/// `REGISTERS` hold a plane: 1, 2 or 4.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi2")]
fn add_planes<const REGISTERS: usize>(
    indices: &[Index],
    strip: usize,
    planes: &[u8],
    sums: &mut [f64; STRIP],
) {
    let places = sums.as_chunks_mut::<8>().0;
    // SAFETY: as many values as are loaded.
    let mut sums: [__m512d; 8] =
        core::array::from_fn(|at| unsafe { _mm512_loadu_pd(places[at].as_ptr()) });
    let planes = planes.as_chunks::<STRIP>().0.chunks_exact(8 * REGISTERS);
    for (index, planes) in indices.iter().zip(planes) {
        let index = load(&index.low.as_chunks::<STRIP>().0[strip]);
        let is_high = _mm512_movepi8_mask(index);
        let mut bytes = [index; 8];
        for (bytes, plane) in bytes.iter_mut().zip(planes.chunks_exact(REGISTERS)) {
            *bytes = match REGISTERS {
                1 => _mm512_permutexvar_epi8(index, load(&plane[0])),
                2 => _mm512_permutex2var_epi8(load(&plane[0]), index, load(&plane[1])),
                _ => {
                    let low = _mm512_permutex2var_epi8(load(&plane[0]), index, load(&plane[1]));
                    let high = _mm512_permutex2var_epi8(load(&plane[2]), index, load(&plane[3]));
                    _mm512_mask_mov_epi8(low, is_high, high)
                }
            };
        }
        let (mut low, mut high) = ([index; 4], [index; 4]);
        for pair in 0..4 {
            low[pair] = _mm512_unpacklo_epi8(bytes[2 * pair], bytes[2 * pair + 1]);
            high[pair] = _mm512_unpackhi_epi8(bytes[2 * pair], bytes[2 * pair + 1]);
        }
        for (at, [a, b, c, d]) in [(0, low), (4, high)] {
            let (ab, cd) = (_mm512_unpacklo_epi16(a, b), _mm512_unpacklo_epi16(c, d));
            let (ab2, cd2) = (_mm512_unpackhi_epi16(a, b), _mm512_unpackhi_epi16(c, d));
            let eights = [
                _mm512_unpacklo_epi32(ab, cd),
                _mm512_unpackhi_epi32(ab, cd),
                _mm512_unpacklo_epi32(ab2, cd2),
                _mm512_unpackhi_epi32(ab2, cd2),
            ];
            for (sum, eight) in sums[at..at + 4].iter_mut().zip(eights) {
                *sum = _mm512_add_pd(*sum, _mm512_castsi512_pd(eight));
            }
        }
    }
    for (place, sum) in places.iter_mut().zip(sums) {
        // SAFETY: as many values as are stored.
        unsafe { _mm512_storeu_pd(place.as_mut_ptr(), sum) };
    }
}
