//! Lists of scores, as Python writes them.

use memchr::memchr;
use smallvec::SmallVec;

use super::decimal::{self, Score, WINDOW};
use super::fault::Fault;
use super::number::from_python;

/// Scores of characters: on the stack for a plate of usual length.
pub type Scores = SmallVec<[f64; 16]>;

/// All the scores of a list.
pub(super) fn all(list: &str) -> Result<Scores, Fault> {
    let mut scores = Scores::new();
    Pieces::of(list).for_each(|score| scores.push(score))?;
    Ok(scores)
}

/// The greatest score of a list; NaN if one is.
pub(super) fn greatest(list: &str) -> Result<f64, Fault> {
    let pieces = Pieces::of(list);
    if let Some(greatest) = pieces.greatest_by_rank() {
        return Ok(greatest);
    }
    let mut greatest = f64::NEG_INFINITY;
    pieces.for_each(|score| {
        // Once NaN, `greatest` stays so: it is not less than anything.
        if greatest < score || score.is_nan() {
            greatest = score;
        }
    })?;
    Ok(greatest)
}

/// The pieces of a list. `[]` is the list of one 0; else the first and the last character are dropped, whatever they are,
/// and the rest is cut at commas.
struct Pieces<'a> {
    text: &'a str,
    /// The last bytes of `text`, and zeros after them, so that each piece begins a whole window.
    tail: [u8; 2 * WINDOW],
    /// Where `tail` begins in `text`.
    tail_at: usize,
}

impl<'a> Pieces<'a> {
    #[inline(always)]
    fn of(list: &'a str) -> Pieces<'a> {
        let text = match list {
            "[]" => "0",
            _ => {
                let mut inner = list.chars();
                inner.next();
                inner.next_back();
                inner.as_str()
            }
        };
        let mut pieces = Pieces {
            text,
            tail: [0; _],
            tail_at: text.len().saturating_sub(WINDOW),
        };
        match text.as_bytes().last_chunk::<WINDOW>() {
            Some(last) => pieces.tail[..WINDOW].copy_from_slice(last),
            None => pieces.tail[..text.len()].copy_from_slice(text.as_bytes()),
        }
        pieces
    }

    /// The piece at `at` if it is a score and perhaps a blank before it, as nearly always, and where it ends.
    #[inline(always)]
    fn usual(&self, at: usize) -> Option<(Score<'_>, usize)> {
        let text = self.text.as_bytes();
        let at = at + usize::from(text.get(at) == Some(&b' '));
        let window = match text[at..].first_chunk() {
            Some(window) => window,
            None => self.tail[at - self.tail_at..].first_chunk()?,
        };
        let score = Score::find(window)?;
        let end = at + score.len;
        // Zeros follow the last piece, not a comma.
        (score.next == b',' || end == text.len()).then_some((score, end))
    }

    /// The number that piece `index` is, which begins at `at`, and where it ends.
    #[inline(never)]
    fn other(&self, at: usize, index: usize) -> Result<(f64, usize), Fault> {
        let rest = &self.text[at..];
        let piece = rest.strip_prefix(' ').unwrap_or(rest).as_bytes();
        if let Some((score, len)) = decimal::read(piece)
            && matches!(piece.get(len), None | Some(b','))
        {
            return Ok((score, self.text.len() - piece.len() + len));
        }
        let end = memchr(b',', rest.as_bytes()).unwrap_or(rest.len());
        let score = from_python(&rest[..end]).ok_or(Fault::NoScore(index))?;
        Ok((score, at + end))
    }

    /// Hands over each score.
    #[inline(always)]
    fn for_each(&self, mut take: impl FnMut(f64)) -> Result<(), Fault> {
        let mut at = 0;
        for index in 1.. {
            let usual = self.usual(at);
            let (score, end) = match usual.and_then(|(score, end)| Some((score.value()?, end))) {
                Some(usual) => usual,
                None => self.other(at, index)?,
            };
            take(score);
            if end == self.text.len() {
                break;
            }
            at = end + 1;
        }
        Ok(())
    }

    /// The greatest score, if all are such that their ranks tell which it is: then it alone becomes a number.
    #[inline(always)]
    fn greatest_by_rank(&self) -> Option<f64> {
        let (mut greatest, mut equal, mut place) = (0, 0, 0);
        let mut at = 0;
        loop {
            let (score, end) = self.usual(at)?;
            let rank = score.rank()?;
            if rank == greatest {
                equal = rank;
            }
            if rank > greatest {
                (greatest, place) = (rank, at);
            }
            if end == self.text.len() {
                break;
            }
            at = end + 1;
        }
        if equal == greatest {
            return None;
        }
        self.usual(place)?.0.value()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Pieces, all, greatest};

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

    /// What all scores say, one by one, is the greatest, whether ranks tell it or not.
    #[test]
    fn the_greatest_is_the_greatest_of_all() {
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut told = [0; 2];
        for _ in 0..50_000 {
            let list: Vec<String> = (0..=random(12))
                .map(|_| {
                    let digits =
                        random(1 << 31) * random(1 << 31) % 10u64.pow(random(19) as u32 + 1);
                    match random(40) {
                        0 => format!("-0.{digits}"),
                        1 => format!("{digits}.5"),
                        2 => format!("0.{digits}e-0{}", random(10)),
                        3 => format!("{}.{digits}e-0{}", random(10), random(10)),
                        4 => "1.0".to_owned(),
                        5..20 => format!("0.{digits}"),
                        _ => format!("{}.{digits}e-{:02}", 1 + random(9), 5 + random(30)),
                    }
                })
                .collect();
            let list = format!("[{}]", list.join([",", ", "][random(2) as usize]));
            let expected = all(&list).unwrap().into_iter().fold(f64::MIN, f64::max);
            assert_eq!(greatest(&list), Ok(expected), "{list}");
            told[usize::from(Pieces::of(&list).greatest_by_rank().is_some())] += 1;
        }
        assert!(told[0] > 1000 && told[1] > 1000, "{told:?}");
    }

    #[test]
    fn one_nan_makes_the_greatest_nan() {
        assert_eq!(greatest("[-1, -0.5, -2]"), Ok(-0.5));
        assert_eq!(greatest("[]"), Ok(0.0));
        assert_eq!(greatest("[-inf]"), Ok(f64::NEG_INFINITY));
        // The first six digits tell nothing.
        assert_eq!(greatest("[0.1234561, 0.1234569, 0.1234565]"), Ok(0.1234569));
        assert_eq!(greatest("[1.0, 1.0]"), Ok(1.0));
        for list in ["[nan]", "[nan, 1]", "[1, nan]", "[1, nan, 2]"] {
            assert!(greatest(list).unwrap().is_nan(), "{list}");
        }
    }
}
