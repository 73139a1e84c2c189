//! Lists of scores, as Python writes them.

use memchr::memchr;
use smallvec::SmallVec;

use super::decimal;
use super::fault::Fault;
use super::number::from_python;

/// Scores of characters: on the stack for a plate of usual length.
pub type Scores = SmallVec<[f64; 16]>;

/// All the scores of a list.
pub(super) fn all(list: &str) -> Result<Scores, Fault> {
    let mut scores = Scores::new();
    for_each(list, |score| scores.push(score))?;
    Ok(scores)
}

/// The greatest score of a list; NaN if one is.
pub(super) fn greatest(list: &str) -> Result<f64, Fault> {
    let mut greatest = f64::NEG_INFINITY;
    for_each(list, |score| {
        // Once NaN, `greatest` stays so: it is not less than anything.
        if greatest < score || score.is_nan() {
            greatest = score;
        }
    })?;
    Ok(greatest)
}

/// Hands over each score. `[]` is the list of one 0; else the first and the last character are dropped, whatever they
/// are, and the rest is cut at commas.
fn for_each(list: &str, mut take: impl FnMut(f64)) -> Result<(), Fault> {
    if list == "[]" {
        take(0.0);
        return Ok(());
    }
    let mut inner = list.chars();
    inner.next();
    inner.next_back();
    let mut rest = inner.as_str();
    for index in 1.. {
        // A blank and a usual number: nearly always.
        let piece = rest.strip_prefix(' ').unwrap_or(rest).as_bytes();
        let (score, end) = match decimal::read(piece) {
            Some((score, len)) if matches!(piece.get(len), None | Some(b',')) => {
                (score, rest.len() - piece.len() + len)
            }
            _ => {
                let end = memchr(b',', rest.as_bytes()).unwrap_or(rest.len());
                let score = from_python(&rest[..end]);
                (score.ok_or(Fault::NoScore(index))?, end)
            }
        };
        take(score);
        match rest.get(end + 1..) {
            Some(after) => rest = after,
            None => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Fault, all, greatest};

    #[test]
    fn first_and_last_character_are_dropped_whatever_they_are() {
        for (list, expected) in [
            ("[]", &[0.0][..]),
            ("[0.5]", &[0.5]),
            ("[ 0.5 ]", &[0.5]),
            ("(0.1,0.2)", &[0.1, 0.2]),
            ("Ж1, 2\u{a0}", &[1.0, 2.0]),
            ("11,22", &[1.0, 2.0]),
            ("[1e-3, .5, 1_0]", &[1e-3, 0.5, 10.0]),
        ] {
            assert_eq!(all(list).as_deref(), Ok(expected), "{list}");
        }
        for (list, piece) in [
            ("", 1),
            ("[", 1),
            ("()", 1),
            ("[ ]", 1),
            ("0.5", 1),
            ("[1,]", 2),
            ("[,1]", 1),
            ("[1,,2]", 2),
            ("[a]", 1),
            ("[[1]]", 1),
            ("[1, 2, x, y]", 3),
            ("[1;2]", 1),
        ] {
            assert_eq!(all(list), Err(Fault::NoScore(piece)), "{list}");
        }
    }

    #[test]
    fn one_nan_makes_the_greatest_nan() {
        assert_eq!(greatest("[-1, -0.5, -2]"), Ok(-0.5));
        assert_eq!(greatest("[]"), Ok(0.0));
        assert_eq!(greatest("[-inf]"), Ok(f64::NEG_INFINITY));
        for list in ["[nan]", "[nan, 1]", "[1, nan]", "[1, nan, 2]"] {
            assert!(greatest(list).unwrap().is_nan(), "{list}");
        }
    }
}
