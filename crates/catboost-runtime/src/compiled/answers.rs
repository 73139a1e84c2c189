//! Bins → answers, for walked trees.

use super::{Answer, Group};
use crate::emit::emit;

/// Questions of all the splits on a group. Their answers, 0 or 1, are written to consecutive slots, where a walk
/// indexes them.
///
/// CTRs and occurrences of tokens have no such list: their lookup yields answers directly.
#[derive(Debug)]
pub struct Answers {
    /// Group whose bin is compared.
    pub group: Group,
    /// Slot of the first answer.
    pub first: Answer,
    /// Questions.
    pub asked: Asked,
}

/// List of questions.
#[derive(Debug)]
pub enum Asked {
    /// Is the bin above 0? Above 1? … The number of answers is this number times [`Answers::AT_ONCE`].
    Above(u32),
    /// Is the bin 1? Is it 2? …
    Equal,
}

impl Answers {
    /// Number of answers that are computed at once.
    pub const AT_ONCE: usize = 16;

    /// Returns the end of the slots of a number's answers.
    pub(super) fn end(&self) -> usize {
        match self.asked {
            Asked::Above(times) => self.first.index() + times as usize * Self::AT_ONCE,
            Asked::Equal => unreachable!("a number is compared with borders"),
        }
    }

    #[inline(always)]
    pub(super) fn give(&self, bins: &mut [u16]) {
        let (first, bin) = (self.first.index(), bins[self.group.index()]);
        match self.asked {
            Asked::Above(times) => {
                let answers = &mut bins[first..first + times as usize * Self::AT_ONCE];
                let (answers, _) = answers.as_chunks_mut::<{ Self::AT_ONCE }>();
                for (least, answers) in (0..).step_by(Self::AT_ONCE).zip(answers) {
                    for (answer, border) in answers.iter_mut().zip(least..) {
                        *answer = u16::from(bin > border);
                    }
                }
            }
            Asked::Equal if bin > 0 => bins[first + usize::from(bin) - 1] = 1,
            Asked::Equal => {}
        }
    }
}

emit!(struct Answers Answers { group, first, asked });
emit!(enum Asked Asked { Above(times), Equal });

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_bin_is_above_those_below_it() {
        let answers = Answers {
            group: Group(1),
            first: Answer(2),
            asked: Asked::Above(2),
        };
        for bin in [0, 1, 15, 16, 17, 31, 32, u16::MAX] {
            let mut bins = [7; 35];
            bins[1] = bin;
            answers.give(&mut bins);
            let above = (0..32).map(|border| u16::from(bin > border));
            let expected: Vec<u16> = [7, bin].into_iter().chain(above).chain([7]).collect();
            assert_eq!(bins.as_slice(), expected, "{bin}");
        }
    }

    #[test]
    fn a_bin_equals_one() {
        let answers = Answers {
            group: Group(0),
            first: Answer(2),
            asked: Asked::Equal,
        };
        for (bin, expected) in [(0, [0, 0]), (1, [1, 0]), (2, [0, 1])] {
            let mut bins = [bin, 7, 0, 0, 7];
            answers.give(&mut bins);
            assert_eq!(bins, [bin, 7, expected[0], expected[1], 7]);
        }
    }
}
