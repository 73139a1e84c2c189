//! Lists of scores, in Python's notation.

use memchr::memchr;
use smallvec::SmallVec;

use super::decimal::{self, Score, WINDOW};
use super::fault::Fault;
use super::number::from_python;

/// Scores of characters, on the stack for a plate of common length.
pub type Scores = SmallVec<[f64; 16]>;

/// Reads all scores of a list.
pub(super) fn all(list: &str, scores: &mut Scores) -> Result<(), Fault> {
    if usual_all(list.as_bytes(), scores) == Some(list.len()) {
        return Ok(());
    }
    scores.clear();
    for_each(list, |score| scores.push(score))
}

/// Finds the greatest score of a list, or NaN if one is NaN.
pub(super) fn greatest(list: &str, greatest: &mut f64) -> Result<(), Fault> {
    if usual_greatest(list.as_bytes(), greatest) == Some(list.len()) {
        return Ok(());
    }
    *greatest = f64::NEG_INFINITY;
    for_each(list, |score| {
        // Once `greatest` is NaN, it stays NaN: it is not less than anything.
        if *greatest < score || score.is_nan() {
            *greatest = score;
        }
    })
}

/// Fast path: reads all scores of the list at the beginning of `text`. Returns the list's length.
#[inline(never)]
pub(super) fn usual_all(text: &[u8], scores: &mut Scores) -> Option<usize> {
    scores.clear();
    usual(text, |score, _| {
        scores.push(score.value()?);
        Some(())
    })
}

/// Fast path: finds the greatest score of the list at the beginning of `text` by the scores' ranks, so that only one
/// score is converted. Returns the list's length.
#[inline(never)]
pub(super) fn usual_greatest(text: &[u8], number: &mut f64) -> Option<usize> {
    let (mut greatest, mut equal, mut place) = (0, 0, 0);
    let len = usual(text, |score, at| {
        let rank = score.rank()?;
        if rank == greatest {
            equal = rank;
        }
        if rank > greatest {
            (greatest, place) = (rank, at);
        }
        Some(())
    })?;
    if equal == greatest || greatest < Score::LEAST_RANK {
        return None;
    }
    (*number, _) = decimal::read(&text[place..])?;
    Some(len)
}

/// Fast path: passes each score, with its index, of the list at the beginning of `text` to `take`. The list must have
/// brackets, and commas between scores with at most one blank. Returns the list's length.
#[inline(always)]
fn usual(text: &[u8], mut take: impl FnMut(&Score<'_>, usize) -> Option<()>) -> Option<usize> {
    if text.first() != Some(&b'[') {
        return None;
    }
    // The last bytes, padded with zeros, so that each score begins a whole window. Copied early: a load that spans
    // several recent, smaller stores cannot be store-forwarded and would stall.
    let mut tail = [0; 2 * WINDOW];
    let tail_at = text.len().checked_sub(WINDOW)?;
    tail[..WINDOW].copy_from_slice(text.last_chunk::<WINDOW>()?);
    let mut at = 1;
    loop {
        let window = match text[at..].first_chunk() {
            Some(window) => window,
            None => tail[at - tail_at..].first_chunk()?,
        };
        let score = Score::find(window)?;
        take(&score, at)?;
        at += score.len;
        let next: &[u8; 2] = window[score.len..].first_chunk()?;
        if u16::from_le_bytes(*next) == u16::from_le_bytes(*b", ") {
            at += 2;
            continue;
        }
        match next[0] {
            b',' => at += 1,
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Passes each score of any list to `take`. `[]` is the list of a single 0. Otherwise the first and the last character
/// are dropped, whatever they are, and the rest is split at commas.
#[inline(never)]
fn for_each(list: &str, mut take: impl FnMut(f64)) -> Result<(), Fault> {
    let text = match list {
        "[]" => "0",
        _ => {
            let mut inner = list.chars();
            inner.next();
            inner.next_back();
            inner.as_str()
        }
    };
    let mut at = 0;
    for index in 1.. {
        let rest = &text[at..];
        let piece = rest.strip_prefix(' ').unwrap_or(rest).as_bytes();
        let score = match decimal::read(piece) {
            Some((score, len)) if matches!(piece.get(len), None | Some(b',')) => {
                at = text.len() - piece.len() + len;
                score
            }
            _ => {
                let end = memchr(b',', rest.as_bytes()).unwrap_or(rest.len());
                at += end;
                from_python(&rest[..end]).ok_or(Fault::NoScore(index))?
            }
        };
        take(score);
        if at == text.len() {
            break;
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Fault, Scores};

    fn all(list: &str) -> Result<Scores, Fault> {
        let mut scores = Scores::new();
        super::all(list, &mut scores).map(|()| scores)
    }

    fn greatest(list: &str) -> Result<f64, Fault> {
        let mut greatest = f64::NAN;
        super::greatest(list, &mut greatest).map(|()| greatest)
    }

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

    /// The result equals the greatest of all scores read one by one, whether ranks suffice or not.
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
            let usual = super::usual_greatest(list.as_bytes(), &mut 0.0);
            told[usize::from(usual.is_some())] += 1;
        }
        assert!(told[0] > 1000 && told[1] > 1000, "{told:?}");
    }

    #[test]
    fn one_nan_makes_the_greatest_nan() {
        assert_eq!(greatest("[-1, -0.5, -2]"), Ok(-0.5));
        assert_eq!(greatest("[]"), Ok(0.0));
        assert_eq!(greatest("[-inf]"), Ok(f64::NEG_INFINITY));
        // The first six digits are equal.
        assert_eq!(greatest("[0.1234561, 0.1234569, 0.1234565]"), Ok(0.1234569));
        assert_eq!(greatest("[1.0, 1.0]"), Ok(1.0));
        for list in ["[nan]", "[nan, 1]", "[1, nan]", "[1, nan, 2]"] {
            assert!(greatest(list).unwrap().is_nan(), "{list}");
        }
    }
}
