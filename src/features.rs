//! Features: request → the model's 41 inputs.
//!
//! The struct literal below names every input; `build/inputs.rs` has the same names, to report missing and surplus
//! inputs of a model.

use chrono::{Datelike as _, Month, Timelike as _};

use crate::model::Features;
use crate::plate::{Class, LETTERS, Places, characters};
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

/// Buffers for the texts of a row, on the stack for plates of common length.
#[derive(Debug, Default)]
pub struct Texts {
    afts_regno_ai: Spaced,
    regno_recognize: Spaced,
}

/// Derives the model's inputs from a request. They borrow from it and from `texts`.
#[must_use]
pub fn features<'a>(request: &'a Request<'_>, texts: &'a mut Texts) -> Features<'a> {
    let camera = &*request.regno_recognize;
    let network = &*request.afts_regno_ai;
    let time = request.time;
    let month = Month::try_from(time.month() as u8).expect("chrono counts months from 1 to 12");
    let scores = &request.char_scores;
    let (least, greatest) = extremes(scores);
    let (letters, network) =
        Letters::new(network, scores, least.is_nan(), &mut texts.afts_regno_ai);
    let letter = |letter: char| letters.score(letter);
    let camera = texts.regno_recognize.put(camera, |_| ());
    Features {
        afts_regno_ai_score: request.afts_regno_ai_score as f32,
        direction: request.direction as f32,
        recognition_accuracy: request.recognition_accuracy as f32,
        max_sym_score: greatest as f32,
        min_sym_score: least as f32,
        max_len_score: request.max_length_score as f32,
        ai_len: network.len as f32,
        cam_len: camera.len as f32,
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
        // The replaced service counts foreign characters, and forgets to return the count.
        foreign_sym: f32::NAN,
        hour: time.hour() as f32,
        camera_type: &request.camera_type,
        camera_class: &request.camera_class,
        weekday: WEEKDAYS[time.weekday().num_days_from_monday() as usize],
        month: month.name(),
        regno_template: camera.places.template(),
        regno_template_ai: network.places.template(),
        afts_regno_ai_text: network.text,
        regno_recognize_text: camera.text,
    }
}

/// Least and greatest score, or NaN if one is NaN.
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

/// Score of each of [`LETTERS`] by the network: the least if it occurs more than once, 1 if it does not occur.
struct Letters([f32; LETTERS.len()]);

impl Letters {
    /// Pairs the characters of a plate with scores, up to the shorter of the two, while copying them to `spaced`.
    fn new<'a>(
        plate: &str,
        scores: &Scores,
        has_nan: bool,
        spaced: &'a mut Spaced,
    ) -> (Letters, Plate<'a>) {
        if has_nan {
            // The pairs are sorted in descending order, and later ones overwrite. NaN affects the order.
            let mut letters = Letters([1.0; _]);
            for (c, score) in descending(plate.chars().zip(scores.iter().copied())) {
                if let Some(held) = letters.0.get_mut(Class::of(c).letter()) {
                    *held = score as f32;
                }
            }
            return (letters, spaced.put(plate, |_| ()));
        }
        // Without NaN, the last to be written is the least, and of equals the later one. NaN can mark missing letters
        // here.
        let mut letters = [f64::NAN; LETTERS.len()];
        let mut scores = scores.iter();
        let plate = spaced.put(plate, |class| {
            if let Some(&score) = scores.next()
                && let Some(held) = letters.get_mut(class.letter())
            {
                *held = if score > *held { *held } else { score };
            }
        });
        let letters = letters.map(|score| if score.is_nan() { 1.0 } else { score as f32 });
        (Letters(letters), plate)
    }

    fn score(&self, c: char) -> f32 {
        self.0[Class::of(c).letter()]
    }
}

/// Plate with blanks between its code points, their number, and the positions of each kind.
struct Plate<'a> {
    text: &'a str,
    len: usize,
    places: Places,
}

/// Buffer of code points with blanks between them.
#[derive(Debug)]
struct Spaced {
    /// Storage for common plates.
    short: [u8; 64],
    /// Storage for longer ones.
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
    /// Replaces the contents. Each character is visited once, also by `look`.
    #[inline(always)]
    fn put(&mut self, plate: &str, mut look: impl FnMut(Class)) -> Plate<'_> {
        let text = if 2 * plate.len() <= self.short.len() {
            self.short = [b' '; _];
            &mut self.short[..]
        } else {
            self.long.clear();
            self.long.resize(2 * plate.len(), b' ');
            &mut self.long
        };
        let mut places = Places::default();
        // A blank precedes each code point, including the first.
        let mut at = 0;
        for (class, character) in characters(plate) {
            places.push(class);
            look(class);
            match *character {
                [one] => text[at + 1] = one,
                [one, two] => text[at + 1..][..2].copy_from_slice(&[one, two]),
                _ => text[at + 1..][..character.len()].copy_from_slice(character),
            }
            at += 1 + character.len();
        }
        let len = at - plate.len();
        let text = text.get(1..at).unwrap_or_default();
        debug_assert!(std::str::from_utf8(text).is_ok());
        // SAFETY: `text` is `plate`, which is UTF-8, with only a blank before each code point except the first.
        let text = unsafe { std::str::from_utf8_unchecked(text) };
        Plate { text, len, places }
    }
}

#[cfg(test)]
mod tests {
    use super::{Letters, Spaced, extremes};
    use crate::plate::{Class, LETTERS};
    use crate::request::Scores;

    fn letters(plate: &str, scores: &[f64]) -> Letters {
        let has_nan = scores.iter().any(|score| score.is_nan());
        let scores = Scores::from_slice(scores);
        Letters::new(plate, &scores, has_nan, &mut Spaced::default()).0
    }

    #[test]
    fn every_letter_has_a_place_of_its_own() {
        for (place, &c) in LETTERS.iter().enumerate() {
            assert_eq!(Class::of(c).letter(), place, "{c}");
        }
        for c in ['A', 'B', 'Б', 'Я', 'Ё', 'а', '/', ':', 'd', '😀'] {
            assert!(Class::of(c).letter() > LETTERS.len(), "{c}");
        }
    }

    #[test]
    fn a_letter_keeps_its_least_score_and_one_if_it_does_not_occur() {
        let found = letters("А12Я2А", &[0.5, 0.25, 0.75, 0.1, 0.5, 0.625]);
        for (c, score) in [('А', 0.5), ('1', 0.25), ('2', 0.5), ('Х', 1.0), ('0', 1.0)] {
            assert_eq!(found.score(c), score, "{c}");
        }
        // Up to the shorter of the two.
        assert_eq!(letters("АВ", &[0.5]).score('В'), 1.0);
        assert_eq!(letters("А", &[0.5, 0.25]).score('А'), 0.5);
        assert_eq!(letters("А", &[f64::INFINITY]).score('А'), f32::INFINITY);
        // The later of two equal scores.
        assert!(letters("АА", &[0.0, -0.0]).score('А').is_sign_negative());
        assert!(letters("АА", &[-0.0, 0.0]).score('А').is_sign_positive());
    }

    /// Results of Python 3.11.
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
        let long = "А".repeat(1000);
        for plate in [
            "А9 😀",
            "",
            "А",
            "é",
            "\u{10ffff}\0ࠀ",
            "А939НО196",
            "٣Ё",
            &long,
            "7",
        ] {
            let expected: Vec<String> = plate.chars().map(String::from).collect();
            let put = spaced.put(plate, |_| ());
            assert_eq!((put.text, put.len), (&*expected.join(" "), expected.len()));
        }
    }
}
