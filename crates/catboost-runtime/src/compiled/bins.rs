//! Numbers → bins.

/// Features in a [`Block`].
pub const LANES: usize = 8;

/// Up to eight numeric features, side by side: one vector comparison counts a border of each.
#[derive(Debug)]
pub struct Block {
    /// Row `k` has border `k` of each feature; +∞ (above which nothing is) where a feature has fewer.
    pub borders: &'static [[f32; LANES]],
    /// What stands in for NaN: -∞, +∞, or NaN itself (not above any border).
    pub nan: [f32; LANES],
    /// The group of the first feature; the others follow.
    pub group: u32,
}

/// A numeric feature with so many borders that halving beats comparing with all.
#[derive(Debug)]
pub struct Wide {
    /// Ascending.
    pub borders: &'static [f32],
    /// What stands in for NaN.
    pub nan: f32,
    /// The feature's group.
    pub group: u32,
}

/// What a split asks: is a group's bin one of `count` bins from `from` on? In a word, so that tables can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The group.
    pub group: u32,
    /// The first bin.
    pub from: u16,
    /// How many.
    pub count: u16,
}

impl Condition {
    /// The condition as a word.
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.group as u64 | (self.from as u64) << 32 | (self.count as u64) << 48
    }

    /// The condition that a word holds.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self {
            group: word as u32,
            from: (word >> 32) as u16,
            count: (word >> 48) as u16,
        }
    }

    /// Whether it holds.
    #[inline(always)]
    #[must_use]
    pub fn holds(self, bins: &[u16]) -> bool {
        bins[self.group as usize].wrapping_sub(self.from) < self.count
    }
}

/// The bin of each numeric feature: how many of its borders are below its value.
///
/// `floats` has the features of the blocks, eight a block, then those of `wides`.
#[inline(always)]
pub(super) fn quantize(blocks: &[Block], wides: &[Wide], floats: &[f32], bins: &mut [u16]) {
    let (lanes, rest) = floats.as_chunks::<LANES>();
    for (block, values) in blocks.iter().zip(lanes) {
        let group = block.group as usize;
        bins[group..group + LANES].copy_from_slice(&block.bins(values));
    }
    let wide_values = lanes[blocks.len()..].as_flattened().iter().chain(rest);
    for (wide, &value) in wides.iter().zip(wide_values) {
        let value = if value.is_nan() { wide.nan } else { value };
        // NaN is not above any border.
        let bin = if value.is_nan() {
            0
        } else {
            wide.borders.partition_point(|&border| border < value)
        };
        bins[wide.group as usize] = bin as u16;
    }
}

impl Block {
    #[inline(always)]
    fn bins(&self, values: &[f32; LANES]) -> [u16; LANES] {
        let mut value = *values;
        for (value, nan) in value.iter_mut().zip(self.nan) {
            *value = if value.is_nan() { nan } else { *value };
        }
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_unsafe))]
        // SAFETY: every x86-64 processor has SSE2. (Elsewhere the function is safe.)
        unsafe {
            count_below(&value, self.borders)
        }
    }
}

/// How many of a column's borders are below its value, by column.
///
/// It is what the function of the same name for other processors does. Left alone with that, the compiler takes a column
/// at a time, and puts eight borders of it together one by one.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn count_below(values: &[f32; LANES], borders: &[[f32; LANES]]) -> [u16; LANES] {
    use core::arch::x86_64::{
        __m128, _mm_castps_si128, _mm_cmpgt_ps, _mm_extract_epi16, _mm_packs_epi32, _mm_setr_ps,
        _mm_setzero_si128, _mm_sub_epi32,
    };
    let halves = |&[a, b, c, d, e, f, g, h]: &[f32; LANES]| -> [__m128; 2] {
        [_mm_setr_ps(a, b, c, d), _mm_setr_ps(e, f, g, h)]
    };
    let values = halves(values);
    let mut counts = [_mm_setzero_si128(); 2];
    for row in borders {
        let row = halves(row);
        for half in 0..2 {
            // -1 where the border is below.
            let below = _mm_castps_si128(_mm_cmpgt_ps(values[half], row[half]));
            counts[half] = _mm_sub_epi32(counts[half], below);
        }
    }
    let counts = _mm_packs_epi32(counts[0], counts[1]);
    [
        _mm_extract_epi16::<0>(counts),
        _mm_extract_epi16::<1>(counts),
        _mm_extract_epi16::<2>(counts),
        _mm_extract_epi16::<3>(counts),
        _mm_extract_epi16::<4>(counts),
        _mm_extract_epi16::<5>(counts),
        _mm_extract_epi16::<6>(counts),
        _mm_extract_epi16::<7>(counts),
    ]
    .map(|count| count as u16)
}

/// How many of a column's borders are below its value, by column.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn count_below(values: &[f32; LANES], borders: &[[f32; LANES]]) -> [u16; LANES] {
    let mut bins = [0; LANES];
    for row in borders {
        for lane in 0..LANES {
            bins[lane] += u16::from(values[lane] > row[lane]);
        }
    }
    bins
}

/// How many of `borders` are below `value`.
#[inline(always)]
pub fn count_above(value: f32, borders: &[f32]) -> u16 {
    borders
        .iter()
        .map(|&border| u16::from(value > border))
        .sum()
}
