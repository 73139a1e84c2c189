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
        let mut bins = [0_u32; LANES];
        for borders in self.borders {
            for lane in 0..LANES {
                bins[lane] += u32::from(value[lane] > borders[lane]);
            }
        }
        bins.map(|bin| bin as u16)
    }
}

/// How many of `borders` are below `value`.
#[inline(always)]
pub fn count_above(value: f32, borders: &[f32]) -> u16 {
    borders
        .iter()
        .map(|&border| u16::from(value > border))
        .sum()
}
