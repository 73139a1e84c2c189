//! Sizes that a model's evaluation depends on: constants of a compiled model, fields of a loaded one.

use crate::emit::{Emit, Emitter};

/// Sizes that a model's evaluation depends on.
pub trait Shape: Copy + Send + Sync + 'static {
    /// Number of raw values per row.
    fn dimension(self) -> usize;
    /// Number of [slots](super::Slot) per row.
    fn slots(self) -> usize;
    /// Number of [`Line`](super::Line)s that the leaf indices take; 0 if the trees are walked.
    fn lines(self) -> usize;
    /// Number of bits per leaf index: the depth of the deepest tree, at least 1.
    fn bits(self) -> usize;
    /// Runs `what` with the number of lines as a constant.
    fn with_lines(self, what: impl WithLines);
    /// Runs `what` with the sizes that sums depend on as constants; with fewer of them unless the code is `HOT`.
    fn with_sizes<const HOT: bool>(self, what: impl WithSizes);
}

/// Computation that is faster if the sizes of a model are constants.
pub trait WithSizes {
    /// Runs the computation. `DIMENSION` is the number of raw values per row and `BITS` the number of bits per leaf
    /// index; each is 0 if it is not constant.
    fn run<const DIMENSION: usize, const BITS: usize>(self);
}

/// Computation that is faster if the number of lines is a constant.
pub trait WithLines {
    /// Runs the computation. `LINES` is 0 if the number is not constant.
    fn run<const LINES: usize>(self);
}

/// Sizes that are constants, so that loops are unrolled for them.
#[derive(Clone, Copy, Debug)]
pub struct Const<const DIMENSION: usize, const SLOTS: usize, const LINES: usize, const BITS: usize>;

/// Sizes that are known once a model is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Dynamic {
    /// See [`Shape::dimension`].
    pub dimension: usize,
    /// See [`Shape::slots`].
    pub slots: usize,
    /// See [`Shape::lines`].
    pub lines: usize,
    /// See [`Shape::bits`].
    pub bits: usize,
}

impl<const DIMENSION: usize, const SLOTS: usize, const LINES: usize, const BITS: usize> Shape
    for Const<DIMENSION, SLOTS, LINES, BITS>
{
    #[inline(always)]
    fn dimension(self) -> usize {
        DIMENSION
    }
    #[inline(always)]
    fn slots(self) -> usize {
        SLOTS
    }
    #[inline(always)]
    fn lines(self) -> usize {
        LINES
    }
    #[inline(always)]
    fn bits(self) -> usize {
        BITS
    }
    #[inline(always)]
    fn with_lines(self, what: impl WithLines) {
        what.run::<LINES>();
    }
    #[inline(always)]
    fn with_sizes<const HOT: bool>(self, what: impl WithSizes) {
        what.run::<DIMENSION, BITS>();
    }
}

impl Shape for Dynamic {
    #[inline(always)]
    fn dimension(self) -> usize {
        self.dimension
    }
    #[inline(always)]
    fn slots(self) -> usize {
        self.slots
    }
    #[inline(always)]
    fn lines(self) -> usize {
        self.lines
    }
    #[inline(always)]
    fn bits(self) -> usize {
        self.bits
    }
    #[inline(always)]
    fn with_lines(self, what: impl WithLines) {
        what.run::<0>();
    }
    #[inline(always)]
    fn with_sizes<const HOT: bool>(self, what: impl WithSizes) {
        // Each size is compiled on its own: only those that many models have, and not where few x86 CPUs come to.
        match (self.dimension, self.bits) {
            (1, _) if !HOT && cfg!(all(feature = "std", target_arch = "x86_64")) => {
                what.run::<1, 0>();
            }
            (1, 1) => what.run::<1, 1>(),
            (1, 2) => what.run::<1, 2>(),
            (1, 3) => what.run::<1, 3>(),
            (1, 4) => what.run::<1, 4>(),
            (1, 5) => what.run::<1, 5>(),
            (1, 6) => what.run::<1, 6>(),
            (1, 7) => what.run::<1, 7>(),
            (1, 8) => what.run::<1, 8>(),
            (1, _) => what.run::<1, 0>(),
            _ => what.run::<0, 0>(),
        }
    }
}

/// The generated source names the shape in its type, so that nothing is printed here.
impl Emit for Dynamic {
    fn emit(&self, out: &mut Emitter) {
        out.text("Const");
    }
}
