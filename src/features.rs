//! A request → the model's 41 inputs.
//!
//! The struct literal below names every input; `build/inputs.rs` has the same names, to say which a model lacks or has
//! beside them.

use crate::model::Features;
use crate::plate::template;
use crate::python_sort::descending;
use crate::request::{Request, Scores};

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Room for the texts of a row: on the stack for plates of usual length.
#[derive(Debug, Default)]
pub struct Texts {
    afts_regno_ai: Spaced,
    regno_recognize: Spaced,
}

/// The model's inputs for a request, borrowing from it and from `texts`.
#[must_use]
pub fn features<'a>(request: &'a Request<'_>, texts: &'a mut Texts) -> Features<'a> {
    let camera = &*request.regno_recognize;
    let network = &*request.afts_regno_ai;
    let time = request.time;
    let scores = &request.char_scores;
    let (least, greatest) = extremes(scores);
    let letters = Letters::new(network, scores, least.is_nan());
    let letter = |letter: char| letters.score(letter) as f32;
    let (network_text, network_len) = texts.afts_regno_ai.put(network);
    let (camera_text, camera_len) = texts.regno_recognize.put(camera);
    Features {
        afts_regno_ai_score: request.afts_regno_ai_score as f32,
        direction: request.direction as f32,
        recognition_accuracy: request.recognition_accuracy as f32,
        max_sym_score: greatest as f32,
        min_sym_score: least as f32,
        max_len_score: request.max_length_score as f32,
        ai_len: network_len as f32,
        cam_len: camera_len as f32,
        f_0: letter('0'),
        f_1: letter('1'),
        f_2: letter('2'),
        f_3: letter('3'),
        f_4: letter('4'),
        f_5: letter('5'),
        f_6: letter('6'),
        f_7: letter('7'),
        f_8: letter('8'),
        f_9: letter('9'),
        D: letter('D'),
        А: letter('А'),
        В: letter('В'),
        Е: letter('Е'),
        К: letter('К'),
        М: letter('М'),
        Н: letter('Н'),
        О: letter('О'),
        Р: letter('Р'),
        С: letter('С'),
        Т: letter('Т'),
        У: letter('У'),
        Х: letter('Х'),
        // The function that is served counts foreign characters, and forgets to return the count.
        foreign_sym: f32::NAN,
        hour: f32::from(time.hour),
        camera_type: &request.camera_type,
        camera_class: &request.camera_class,
        weekday: WEEKDAYS[usize::from(time.weekday)],
        month: MONTHS[usize::from(time.month)],
        regno_template: template(camera),
        regno_template_ai: template(network),
        afts_regno_ai_text: network_text,
        regno_recognize_text: camera_text,
    }
}

/// The least and the greatest score, NaN if one is.
fn extremes(scores: &[f64]) -> (f64, f64) {
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut has_nan = false;
    for &score in scores {
        least = if score < least { score } else { least };
        greatest = if score > greatest { score } else { greatest };
        has_nan |= score.is_nan();
    }
    match has_nan {
        true => (f64::NAN, f64::NAN),
        false => (least, greatest),
    }
}

/// The network's score of every character that the model asks for: the least where it occurs more than once, 1 where
/// it does not occur.
struct Letters([f64; Letters::ALL.len()]);

impl Letters {
    /// In the order of their scores here.
    #[rustfmt::skip]
    const ALL: [char; 23] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'D', 'А', 'В', 'Е', 'К', 'М', 'Н', 'О',
        'Р', 'С', 'Т', 'У', 'Х',
    ];

    /// The place of each letter А–Я, past the end for those that are not asked for.
    const CYRILLIC: [u8; 32] = {
        let mut places = [u8::MAX; 32];
        let mut place = 11;
        while place < Letters::ALL.len() {
            places[Letters::ALL[place] as usize - 'А' as usize] = place as u8;
            place += 1;
        }
        places
    };

    /// Pairs the characters of a plate with scores, to the shorter of the two.
    fn new(plate: &str, scores: &Scores, has_nan: bool) -> Letters {
        let pairs = plate.chars().zip(scores.iter().copied());
        if has_nan {
            // The pairs are sorted, greatest first, and a later one overwrites. NaN makes an order of its own.
            let mut letters = Letters([1.0; _]);
            for (c, score) in descending(pairs) {
                if let Some(held) = letters.of(c) {
                    *held = score;
                }
            }
            return letters;
        }
        // Without NaN the last to be written is the least, and of equals the later one; and NaN can stand for nothing.
        let mut letters = Letters([f64::NAN; _]);
        for (c, score) in pairs {
            if let Some(held) = letters.of(c) {
                *held = if score > *held { *held } else { score };
            }
        }
        Letters(
            letters
                .0
                .map(|score| if score.is_nan() { 1.0 } else { score }),
        )
    }

    fn of(&mut self, c: char) -> Option<&mut f64> {
        self.0.get_mut(Letters::place(c))
    }

    /// The place of a character's score, past the end if it is not asked for.
    fn place(c: char) -> usize {
        match c {
            '0'..='9' => c as usize - '0' as usize,
            'D' => 10,
            'А'..='Я' => usize::from(Letters::CYRILLIC[c as usize - 'А' as usize]),
            _ => usize::MAX,
        }
    }

    fn score(&self, c: char) -> f64 {
        self.0[Letters::place(c)]
    }
}

/// Code points with blanks between them.
#[derive(Debug)]
struct Spaced {
    /// Room for usual plates.
    short: [u8; 64],
    /// For others.
    long: Vec<u8>,
}

impl Default for Spaced {
    fn default() -> Spaced {
        Spaced {
            short: [0; 64],
            long: Vec::new(),
        }
    }
}

impl Spaced {
    /// Replaces what is in it; the text, and how many code points it has.
    fn put(&mut self, plate: &str) -> (&str, usize) {
        let text = if 2 * plate.len() <= self.short.len() {
            self.short = [b' '; _];
            &mut self.short[..]
        } else {
            self.long.clear();
            self.long.resize(2 * plate.len(), b' ');
            &mut self.long
        };
        // A blank is left before each code point, the first one too.
        let mut at = 0;
        for &byte in plate.as_bytes() {
            // UTF-8: whatever does not go on with a code point begins one.
            at += usize::from(byte & 0xc0 != 0x80);
            text[at] = byte;
            at += 1;
        }
        let count = at - plate.len();
        let text = text.get(1..at).unwrap_or_default();
        debug_assert!(std::str::from_utf8(text).is_ok());
        // SAFETY: `text` is `plate`, which is UTF-8, and nothing but a blank before each code point except the first.
        let text = unsafe { std::str::from_utf8_unchecked(text) };
        (text, count)
    }
}

#[cfg(test)]
mod tests {
    use super::{Letters, Spaced, extremes};
    use crate::request::Scores;

    fn letters(plate: &str, scores: &[f64]) -> Letters {
        let has_nan = scores.iter().any(|score| score.is_nan());
        Letters::new(plate, &Scores::from_slice(scores), has_nan)
    }

    #[test]
    fn every_letter_has_a_place_of_its_own() {
        for (place, &c) in Letters::ALL.iter().enumerate() {
            assert_eq!(Letters::place(c), place, "{c}");
        }
        for c in ['A', 'B', 'Б', 'Я', 'Ё', 'а', '/', ':', 'd', '😀'] {
            assert!(Letters::place(c) > Letters::ALL.len(), "{c}");
        }
    }

    #[test]
    fn a_letter_keeps_its_least_score_and_one_if_it_does_not_occur() {
        let found = letters("А12Я2А", &[0.5, 0.25, 0.75, 0.1, 0.5, 0.625]);
        for (c, score) in [('А', 0.5), ('1', 0.25), ('2', 0.5), ('Х', 1.0), ('0', 1.0)] {
            assert_eq!(found.score(c), score, "{c}");
        }
        // To the shorter of the two.
        assert_eq!(letters("АВ", &[0.5]).score('В'), 1.0);
        assert_eq!(letters("А", &[0.5, 0.25]).score('А'), 0.5);
        assert_eq!(letters("А", &[f64::INFINITY]).score('А'), f64::INFINITY);
        // Of equals the later.
        assert!(letters("АА", &[0.0, -0.0]).score('А').is_sign_negative());
        assert!(letters("АА", &[-0.0, 0.0]).score('А').is_sign_positive());
    }

    /// What Python 3.11 made of them.
    #[test]
    fn with_nan_the_order_is_that_of_pythons_sort() {
        const NAN: f64 = f64::NAN;
        assert!(letters("А", &[NAN]).score('А').is_nan());
        assert!(letters("АА", &[NAN, 0.5]).score('А') == 0.5);
        assert!(letters("АА", &[0.5, NAN]).score('А').is_nan());
        assert_eq!(letters("ААА", &[0.5, NAN, 0.25]).score('А'), 0.25);
        assert_eq!(letters("АВ", &[0.5, NAN]).score('А'), 0.5);
    }

    #[test]
    fn extremes_are_nan_if_one_score_is() {
        assert_eq!(extremes(&[0.5, -1.0, 2.0]), (-1.0, 2.0));
        assert!(extremes(&[0.5, f64::NAN, 2.0]).0.is_nan());
        assert!(extremes(&[0.5, f64::NAN, 2.0]).1.is_nan());
    }

    #[test]
    fn texts_have_a_blank_between_code_points() {
        let mut spaced = Spaced::default();
        assert_eq!(spaced.put("А9 😀"), ("А 9   😀", 4));
        assert_eq!(spaced.put(""), ("", 0));
        assert_eq!(spaced.put("А"), ("А", 1));
        for plate in ["é", "\u{10ffff}\0ࠀ", "А939НО196"] {
            let expected: Vec<String> = plate.chars().map(String::from).collect();
            let expected = (&*expected.join(" "), expected.len());
            assert_eq!(spaced.put(plate), expected);
        }
        let long = "А".repeat(1000);
        let (text, count) = spaced.put(&long);
        assert_eq!((text.len(), count), (2999, 1000));
    }
}
