//! Numbers → bins.

use super::{Bin, Group};
use crate::{
    emit::emit,
    storage::{Owned, Static, Storage},
};

/// Number of features in a [`Block`].
pub const LANES: usize = 8;

/// Up to eight numeric features side by side: one vector comparison counts a border of each.
pub struct Block<S: Storage = Static> {
    /// Row `k` has border `k` of each feature, or +∞ (above which nothing is) if a feature has fewer.
    pub borders: S::Slice<[f32; LANES]>,
    /// Replacement for NaN per feature: -∞, +∞, or NaN itself (above no border).
    pub nan: [f32; LANES],
    /// Group of the first feature; the other features' groups follow.
    pub group: Group,
    /// Present if features share groups in pairs: the number of bins of each pair's first feature. The bin of the pair
    /// is the first feature's bin plus this number times the second's.
    pub pairs: Option<[u16; LANES / 2]>,
}

/// Numeric feature with so many borders that binary search beats comparing with all.
pub struct Wide<S: Storage = Static> {
    /// Ascending.
    pub borders: S::Slice<f32>,
    /// Replacement for NaN.
    pub nan: f32,
    /// Group of the feature.
    pub group: Group,
}

/// Condition of a split: is a group's bin one of `count` bins from `from` on? Fits into a word, so that tables can hold
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Group whose bin is tested.
    pub group: Group,
    /// First bin for which the condition holds.
    pub from: Bin,
    /// Number of bins for which the condition holds.
    pub count: u16,
}

impl Condition {
    /// Encodes the condition as a word.
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.group.0 as u64 | (self.from.0 as u64) << 32 | (self.count as u64) << 48
    }

    /// Decodes the condition from a word.
    #[must_use]
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        Self {
            group: Group(word as u32),
            from: Bin((word >> 32) as u16),
            count: (word >> 48) as u16,
        }
    }

    /// Returns true if the condition holds for a row.
    #[inline(always)]
    #[must_use]
    pub fn holds(self, bins: &[u16]) -> bool {
        self.has(self.group.bin(bins))
    }

    /// Returns true if the condition holds for a bin of its group.
    #[inline(always)]
    #[must_use]
    pub fn has(self, bin: Bin) -> bool {
        bin.0.wrapping_sub(self.from.0) < self.count
    }
}

/// Writes the bin of each numeric feature: the number of its borders below its value.
///
/// `floats` has the features of the blocks, eight per block, then those of `wides`. `AVX2` states that the CPU has
/// AVX2.
#[inline(always)]
pub(super) fn quantize<S: Storage, const AVX2: bool>(
    blocks: &[Block<S>],
    wides: &[Wide<S>],
    floats: &[f32],
    bins: &mut [u16],
) {
    let (lanes, rest) = floats.as_chunks::<LANES>();
    for (block, values) in blocks.iter().zip(lanes) {
        let group = block.group.index();
        let own = block.bins::<AVX2>(values);
        match block.pairs {
            None => bins[group..group + LANES].copy_from_slice(&own),
            Some(pairs) => {
                let both = core::array::from_fn::<_, { LANES / 2 }, _>(|pair| {
                    own[2 * pair] + pairs[pair] * own[2 * pair + 1]
                });
                bins[group..group + LANES / 2].copy_from_slice(&both);
            }
        }
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
        bins[wide.group.index()] = bin as u16;
    }
}

impl<S: Storage> Block<S> {
    #[inline(always)]
    fn bins<const AVX2: bool>(&self, values: &[f32; LANES]) -> [u16; LANES] {
        let mut value = *values;
        for (value, nan) in value.iter_mut().zip(self.nan) {
            *value = if value.is_nan() { nan } else { *value };
        }
        #[cfg(not(target_arch = "x86_64"))]
        return count_below_portably(&value, &self.borders);
        // SAFETY: every x86-64 processor has SSE2, and `AVX2` is true only if this one has AVX2.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            if AVX2 {
                count_below_at_once(&value, &self.borders)
            } else {
                count_below(&value, &self.borders)
            }
        }
    }
}

/// Counts the borders of each column that are below its value.
///
/// Returns the same as [`count_below_portably`]. From that, the compiler generates a loop over columns that gathers
/// eight borders one by one.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn count_below(values: &[f32; LANES], borders: &[[f32; LANES]]) -> [u16; LANES] {
    use core::arch::x86_64::{
        __m128, _mm_castps_si128, _mm_cmpgt_ps, _mm_packs_epi32, _mm_setr_ps, _mm_setzero_si128,
        _mm_sub_epi32,
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
    words(_mm_packs_epi32(counts[0], counts[1]))
}

/// [`count_below`] for all eight columns in one vector.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn count_below_at_once(values: &[f32; LANES], borders: &[[f32; LANES]]) -> [u16; LANES] {
    use core::arch::x86_64::{
        __m256, _CMP_GT_OQ, _mm_packs_epi32, _mm256_castps_si256, _mm256_castsi256_si128,
        _mm256_cmp_ps, _mm256_extracti128_si256, _mm256_setr_ps, _mm256_setzero_si256,
        _mm256_sub_epi32,
    };
    let vector = |&[a, b, c, d, e, f, g, h]: &[f32; LANES]| -> __m256 {
        _mm256_setr_ps(a, b, c, d, e, f, g, h)
    };
    let values = vector(values);
    let mut counts = _mm256_setzero_si256();
    let mut count = |row| {
        let below = _mm256_cmp_ps::<_CMP_GT_OQ>(values, vector(row));
        counts = _mm256_sub_epi32(counts, _mm256_castps_si256(below));
    };
    let (pairs, last) = borders.as_chunks::<2>();
    for pair in pairs {
        pair.iter().for_each(&mut count);
    }
    last.iter().for_each(&mut count);
    let halves = [
        _mm256_castsi256_si128(counts),
        _mm256_extracti128_si256::<1>(counts),
    ];
    words(_mm_packs_epi32(halves[0], halves[1]))
}

/// Words of a vector.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn words(vector: core::arch::x86_64::__m128i) -> [u16; LANES] {
    use core::arch::x86_64::_mm_extract_epi16;
    [
        _mm_extract_epi16::<0>(vector),
        _mm_extract_epi16::<1>(vector),
        _mm_extract_epi16::<2>(vector),
        _mm_extract_epi16::<3>(vector),
        _mm_extract_epi16::<4>(vector),
        _mm_extract_epi16::<5>(vector),
        _mm_extract_epi16::<6>(vector),
        _mm_extract_epi16::<7>(vector),
    ]
    .map(|word| word as u16)
}

/// Counts the borders of each column that are below its value.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
fn count_below_portably(values: &[f32; LANES], borders: &[[f32; LANES]]) -> [u16; LANES] {
    let mut bins = [0; LANES];
    for row in borders {
        for lane in 0..LANES {
            bins[lane] += u16::from(values[lane] > row[lane]);
        }
    }
    bins
}

/// Number of `borders` below `value`.
#[inline(always)]
pub fn count_above(value: f32, borders: &[f32]) -> u16 {
    borders
        .iter()
        .map(|&border| u16::from(value > border))
        .sum()
}

emit!(struct Block Block<Owned> { borders, nan, group, pairs });
emit!(struct Wide Wide<Owned> { borders, nan, group });

#[cfg(test)]
impl Condition {
    /// Condition that a group's bin is at least `from`, as a word.
    pub(super) const fn at_least(group: u32, from: u16) -> u64 {
        let count = from.wrapping_neg();
        let (group, from) = (Group(group), Bin(from));
        Self { group, from, count }.to_word()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_a_range_of_bins() {
        let condition = Condition {
            group: Group(0xdead_beef),
            from: Bin(0x1234),
            count: 0xabcd,
        };
        assert_eq!(condition.to_word(), 0xabcd_1234_dead_beef);
        assert_eq!(Condition::from_word(condition.to_word()), condition);

        let two_or_three = Condition {
            group: Group(1),
            from: Bin(2),
            count: 2,
        };
        let holds = [0, 1, 2, 3, 4, u16::MAX].map(|bin| two_or_three.holds(&[9, bin, 9]));
        assert_eq!(holds, [false, false, true, true, false, false]);
    }

    /// Borders and replacements for NaN of the features of a block.
    const INFINITE: f32 = f32::INFINITY;
    static BLOCKS: [Block; 2] = [
        Block::<Static> {
            borders: &[
                [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, -1.0, INFINITE],
                [1.0, 2.0, INFINITE, INFINITE, 2.0, 3.0, 0.0, INFINITE],
            ],
            nan: [INFINITE, -INFINITE, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0],
            group: Group(8),
            pairs: None,
        },
        Block::<Static> {
            borders: &[[0.5; LANES]],
            nan: [INFINITE; LANES],
            group: Group(0),
            pairs: None,
        },
    ];

    #[test]
    fn bins_are_counts_of_borders_below() {
        let wides = [
            Wide::<Static> {
                borders: &[-1.0, 0.0, 1.0, 2.0, 3.0],
                nan: INFINITE,
                group: Group(17),
            },
            Wide::<Static> {
                borders: &[0.0, 1.0],
                nan: f32::NAN,
                group: Group(16),
            },
        ];
        let first = [0.5, 2.5, 1.0, -0.0, 1.5, 3.0, 0.0, 3e38];
        let second = [0.0, 1.0, 0.5, 0.6, f32::MIN, f32::MAX, -INFINITE, INFINITE];
        let quantized = |wide: [f32; 2], first: [f32; 8]| {
            let floats = [first.as_slice(), &second, &wide].concat();
            let mut bins = [77; 19];
            quantize::<Static, false>(&BLOCKS, &wides, &floats, &mut bins);
            assert_eq!(bins[..8], [0, 1, 0, 1, 0, 1, 0, 1]);
            assert_eq!(bins[18], 77, "no feature's group");
            let (first, _) = bins[8..].split_first_chunk::<8>().expect("19 bins");
            (*first, [bins[17], bins[16]])
        };
        let bins = [1, 2, 1, 0, 1, 1, 1, 0];
        assert_eq!(quantized([1.0, 1.5], first), (bins, [2, 2]));
        assert_eq!(quantized([9.0, 0.0], first), (bins, [5, 0]));
        let bins = [2, 0, 0, 0, 0, 0, 1, 0];
        assert_eq!(quantized([f32::NAN; 2], [f32::NAN; 8]), (bins, [5, 0]));
    }

    #[test]
    fn borders_are_counted_alike_on_every_processor() {
        for block in &BLOCKS {
            for value in [-2.0, -0.0, 0.5, 1.0, 2.5, 9.0, INFINITE, f32::NAN] {
                let mut values = [value; LANES];
                values[3] = 1.5;
                let expected = core::array::from_fn(|lane| {
                    let above = |row: &&[f32; LANES]| values[lane] > row[lane];
                    block.borders.iter().filter(above).count() as u16
                });
                assert_eq!(count_below_portably(&values, block.borders), expected);
                #[cfg(target_arch = "x86_64")]
                // SAFETY: every x86-64 processor has SSE2; AVX2 is detected first.
                unsafe {
                    assert_eq!(count_below(&values, block.borders), expected);
                    if std::arch::is_x86_feature_detected!("avx2") {
                        assert_eq!(count_below_at_once(&values, block.borders), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn features_share_groups_two_by_two() {
        let block = Block::<Static> {
            borders: &[[0.0; LANES], [1.0; LANES]],
            pairs: Some([3, 4, 5, 6]),
            nan: [INFINITE; LANES],
            group: Group(1),
        };
        let mut bins = [77; 6];
        let floats = [0.0, 0.0, 0.5, 0.0, 0.0, 0.5, 2.0, 2.0];
        quantize::<Static, false>(&[block], &[], &floats, &mut bins);
        assert_eq!(bins, [77, 0, 1, 5, 2 + 2 * 6, 77]);
    }

    /// With more than eight wide features, those past the blocks' own also come from whole lanes.
    #[test]
    fn wide_features_follow_the_blocks() {
        let wides: [Wide; 10] = core::array::from_fn(|nth| Wide::<Static> {
            borders: &[2.0, 4.0, 6.0, 8.0],
            nan: 0.0,
            group: Group(nth as u32),
        });
        let floats: [f32; 10] = core::array::from_fn(|nth| nth as f32);
        let mut bins = [0; 10];
        quantize::<Static, false>(&[], &wides, &floats, &mut bins);
        assert_eq!(bins, [0, 0, 0, 1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn a_number_is_above_the_borders_below_it() {
        let counts = [-2.0, 0.0, 1.0, 1.5, INFINITE, f32::NAN]
            .map(|value| count_above(value, &[-1.0, 0.0, 1.0]));
        assert_eq!(counts, [0, 1, 2, 3, 3, 0]);
        assert_eq!(count_above(1.0, &[]), 0);
    }
}
