//! Positions in the state of a row.

use crate::{emit, tables};

/// Defines newtypes of positions in the state of a row.
macro_rules! positions {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the position as an index into a slice.
            #[inline(always)]
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl core::ops::Add<u32> for $name {
            type Output = Self;

            #[inline(always)]
            fn add(self, more: u32) -> Self {
                Self(self.0 + more)
            }
        }
    )*};
}

positions! {
    /// Position of a number of 16 bits in the state of a row: a bin, an answer, a digit or a mask.
    Slot
    /// Position of the bin of a group.
    Group
    /// Position of the answer, 0 or 1, to what a split asks.
    Answer
}

impl Group {
    /// Returns the group's bin.
    #[inline(always)]
    #[must_use]
    pub fn bin(self, slots: &[u16]) -> Bin {
        Bin(slots[self.index()])
    }
}

/// State of a group: the number of borders below a value, or the index of a value or a key in a list.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bin(pub u16);

emit::debug!(Slot Group Bin);
emit::pooled!(Answer);
tables::plain!(Answer "ANSWERS" |answer| [answer.0]);
