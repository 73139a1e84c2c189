//! Memory limits of tables.
//!
//! A file of a few kilobytes can describe tables of gigabytes: parts of it may be referred to many times.
//! Each table is therefore charged to a budget before its memory is reserved.
//!
//! | budget | tables | without enough memory |
//! | --- | --- | --- |
//! | needed | keys and bins of CTRs, dictionaries, tokens of calcers | the model is refused ([`TooLarge`]) |
//! | spare | rows of bits, letters, crosses, blocks | rows are evaluated without the table |

use std::{
    error,
    fmt::{self, Display, Formatter},
};

/// Memory left for tables, in bytes. Tables that only save time have a budget of their own: they are left out if they
/// do not fit.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    needed: usize,
    spare: usize,
}

impl Room {
    /// No limit.
    pub const UNBOUNDED: Self = Self {
        needed: usize::MAX,
        spare: usize::MAX,
    };

    /// No memory for tables that only save time.
    #[cfg(test)]
    pub(super) const WITHOUT_SPARE: Self = Self {
        needed: usize::MAX,
        spare: 0,
    };

    /// Creates limits of `bytes` for required tables, and as much for those that only save time.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            needed: bytes,
            spare: bytes,
        }
    }

    /// Reserves memory for a required table: `count` elements of `size` bytes. `what` names the table in the
    /// error's text, as the subject of a sentence.
    ///
    /// # Errors
    /// If less is left. The budget is then unchanged.
    pub(super) fn need(
        &mut self,
        count: usize,
        size: usize,
        what: impl FnOnce() -> String,
    ) -> Result<(), TooLarge> {
        let bytes = count.saturating_mul(size);
        match self.needed.checked_sub(bytes) {
            Some(left) => {
                self.needed = left;
                Ok(())
            }
            None => Err(TooLarge {
                what: what(),
                bytes,
                left: self.needed,
            }),
        }
    }

    /// Reserves memory for a table that only saves time. Returns true if there was enough.
    pub(super) fn spare(&mut self, bytes: usize) -> bool {
        let left = self.spare.checked_sub(bytes);
        self.spare = left.unwrap_or(self.spare);
        left.is_some()
    }
}

/// Error: tables would take far more memory than the size of the model's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLarge {
    what: String,
    bytes: usize,
    left: usize,
}

impl Display for TooLarge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { what, bytes, left } = self;
        write!(
            f,
            "{what} would take {bytes} bytes; a file of this length may have {left} more"
        )
    }
}

impl error::Error for TooLarge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_and_what_is_spare_have_room_of_their_own() {
        let mut room = Room::new(100);
        let mut need = |count, size| room.need(count, size, || "a table".to_owned());
        assert_eq!(need(10, 6), Ok(()));
        let error = need(5, 9).expect_err("45 of 40");
        assert_eq!(
            error.to_string(),
            "a table would take 45 bytes; a file of this length may have 40 more"
        );
        assert!(need(usize::MAX, 2).is_err());
        assert_eq!(need(40, 1), Ok(()));
        assert!(room.spare(99) && !room.spare(2) && room.spare(1) && !room.spare(1));
    }
}
