//! Template of a plate: the first shape of the country's plates that it fits.

mod digits;

pub use digits::digit;

/// Template of a plate that fits no shape.
pub const UNKNOWN: &str = "unknown";
const DIPLOMAT: &str = "lk_diplomat";

/// Shapes and their templates; the first that fits the whole plate counts. `L` is a letter А–Я; `9` is a decimal digit
/// of any script; `T` and `C` are letters of these forms, Latin or Cyrillic; `D` is the Latin letter; `?` makes the
/// preceding digit optional. One name begins with a blank, because the model was trained so.
const SHAPES: [(Shape, &str); 13] = [
    (Shape::new("L999LL999?"), "private car"),
    (Shape::new("LL999999?"), " lk_taxi_r_pricep"),
    (Shape::new("LL9999999?"), "lk_pricep_r_transit"),
    (Shape::new("9999LL999?"), "lk_moto_tract"),
    (Shape::new("L9999LL"), "some"),
    (Shape::new("LL999L999?"), "lk_transit"),
    (Shape::new("TLL999999?"), "lk_export"),
    (Shape::new("L9999999?"), "lk_mvd_avto"),
    (Shape::new("9999L999?"), "lk_mvd_moto"),
    (Shape::new("999L999?"), "lk_mvd_pricep"),
    (Shape::new("999CD9999?9?9?"), DIPLOMAT),
    (Shape::new("999D9999?9?9?"), DIPLOMAT),
    (Shape::new("999T9999?9?9?"), DIPLOMAT),
];

/// Class of a character.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// First bit of the field of each of its kinds.
    kinds: u64,
    /// Index in [`LETTERS`], or out of range if it is not there.
    letter: u8,
}

/// Characters whose scores are inputs of the model.
#[rustfmt::skip]
pub const LETTERS: [char; 23] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'D', 'А', 'В', 'Е', 'К', 'М', 'Н', 'О', 'Р', 'С', 'Т', 'У', 'Х',
];

impl Class {
    /// Classes of the characters from `0` to `T`.
    const ASCII: [Class; ('T' as usize) + 1 - ('0' as usize)] = Class::of_all('0');
    /// Classes of the letters А–Я.
    const CYRILLIC: [Class; 32] = Class::of_all('А');
    const OTHER: Class = Class {
        kinds: 0,
        letter: u8::MAX,
    };

    /// Classes of `COUNT` characters from `first` on.
    const fn of_all<const COUNT: usize>(first: char) -> [Class; COUNT] {
        let mut classes = [Class::OTHER; COUNT];
        let mut nth = 0;
        while nth < COUNT {
            let c = first as u32 + nth as u32;
            classes[nth].kinds = match char::from_u32(c) {
                Some('0'..='9') => DIGIT,
                Some('Т') => LETTER | TEE,
                Some('С') => LETTER | CEE,
                Some('А'..='Я') => LETTER,
                Some('T') => TEE,
                Some('C') => CEE,
                Some('D') => DEE,
                _ => 0,
            };
            let mut place = 0;
            while place < LETTERS.len() {
                if LETTERS[place] as u32 == c {
                    classes[nth].letter = place as u8;
                }
                place += 1;
            }
            nth += 1;
        }
        classes
    }

    /// Returns the class of a character.
    #[must_use]
    pub fn of(c: char) -> Class {
        match c {
            '0'..='T' => Class::ASCII[c as usize - '0' as usize],
            'А'..='Я' => Class::CYRILLIC[c as usize - 'А' as usize],
            c if digit(c).is_some() => Class {
                kinds: DIGIT,
                ..Class::OTHER
            },
            _ => Class::OTHER,
        }
    }

    /// Index in [`LETTERS`], or out of range if it is not there.
    #[must_use]
    pub fn letter(self) -> usize {
        usize::from(self.letter)
    }
}

/// Iterates over the characters of a plate, each with its class and its bytes.
#[inline(always)]
pub fn characters(plate: &str) -> impl Iterator<Item = (Class, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &plate.as_bytes()[at..];
        let (class, character) = match rest {
            [] => return None,
            [first @ ..0x80, ..] => {
                let place = usize::from(first.wrapping_sub(b'0'));
                (
                    *Class::ASCII.get(place).unwrap_or(&Class::OTHER),
                    &rest[..1],
                )
            }
            // А–Я in UTF-8.
            [0xd0, second @ 0x90..=0xaf, ..] => {
                (Class::CYRILLIC[usize::from(second - 0x90)], &rest[..2])
            }
            _ => other(&plate[at..])?,
        };
        at += character.len();
        Some((class, character))
    })
}

/// Returns the first character of `text`, like [`characters`].
#[cold]
fn other(text: &str) -> Option<(Class, &[u8])> {
    let c = text.chars().next()?;
    Some((Class::of(c), &text.as_bytes()[..c.len_utf8()]))
}

/// Positions of the characters of each kind. A kind has a field of bits: bit `n` is position `n`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    length: usize,
    kinds: u64,
}

/// Length of the longest shape, in characters.
const MOST: usize = 11;
/// First bit of each kind's field.
const DIGIT: u64 = 1;
const LETTER: u64 = 1 << MOST;
const TEE: u64 = 1 << (2 * MOST);
const CEE: u64 = 1 << (3 * MOST);
const DEE: u64 = 1 << (4 * MOST);
/// First bits of all fields.
const FIRST: u64 = DIGIT | LETTER | TEE | CEE | DEE;

impl Places {
    /// Adds a character.
    #[inline(always)]
    pub fn push(&mut self, class: Class) {
        // Characters beyond the longest shape do not matter.
        self.kinds |= class.kinds.wrapping_shl(self.length as u32);
        self.length += 1;
    }

    /// Returns the template of the plate, or `unknown` if it fits no shape.
    #[must_use]
    pub fn template(&self) -> &'static str {
        if self.length > MOST {
            return UNKNOWN;
        }
        SHAPES
            .iter()
            .find(|(shape, _)| shape.fits(self))
            .map_or(UNKNOWN, |&(_, name)| name)
    }
}

/// Shape with all its optional digits, and the length without them.
struct Shape {
    least: usize,
    full: Places,
}

impl Shape {
    const fn new(text: &str) -> Shape {
        let text = text.as_bytes();
        let mut shape = Shape {
            least: 0,
            full: Places {
                length: 0,
                kinds: 0,
            },
        };
        let mut at = 0;
        while at < text.len() {
            let kind = match text[at] {
                b'?' => {
                    shape.least -= 1;
                    at += 1;
                    continue;
                }
                b'9' => DIGIT,
                b'L' => LETTER,
                b'T' => TEE,
                b'C' => CEE,
                b'D' => DEE,
                _ => panic!("a shape is made of 9, L, T, C, D and ?"),
            };
            shape.full.kinds |= kind << shape.full.length;
            shape.full.length += 1;
            shape.least += 1;
            at += 1;
        }
        assert!(shape.full.length <= MOST);
        shape
    }

    /// Returns true if every position has the kind that the shape requires. Optional digits count as far as the plate
    /// goes.
    fn fits(&self, plate: &Places) -> bool {
        let reach = FIRST * ((1 << plate.length) - 1);
        (self.least..=self.full.length).contains(&plate.length)
            && self.full.kinds & reach & !plate.kinds == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Places, characters};

    fn template(plate: &str) -> &'static str {
        let mut places = Places::default();
        characters(plate).for_each(|(class, _)| places.push(class));
        places.template()
    }

    #[test]
    fn every_shape_has_its_template() {
        for (plate, expected) in [
            ("А939НО196", "private car"),
            ("А939НО19", "private car"),
            ("А９３９НО１９６", "private car"),
            ("А٣٣٣НО٣٣", "private car"),
            ("АА12345", " lk_taxi_r_pricep"),
            ("АА123456", " lk_taxi_r_pricep"),
            ("АА1234567", "lk_pricep_r_transit"),
            ("1234АА77", "lk_moto_tract"),
            ("1234АА777", "lk_moto_tract"),
            ("А1234АА", "some"),
            ("АА123А77", "lk_transit"),
            ("АА123А777", "lk_transit"),
            ("TАА12345", "lk_export"),
            ("ТАА12345", "lk_export"),
            ("ТАА123456", "lk_export"),
            ("А123456", "lk_mvd_avto"),
            ("А1234567", "lk_mvd_avto"),
            ("1234А77", "lk_mvd_moto"),
            ("1234А777", "lk_mvd_moto"),
            ("123А77", "lk_mvd_pricep"),
            ("123Т777", "lk_mvd_pricep"),
            ("123CD123", "lk_diplomat"),
            ("123СD123456", "lk_diplomat"),
            ("123D123", "lk_diplomat"),
            ("123D123456", "lk_diplomat"),
            ("123T123", "lk_diplomat"),
            ("123Т1234", "lk_diplomat"),
            ("123T123456", "lk_diplomat"),
        ] {
            assert_eq!(template(plate), expected, "{plate}");
        }
    }

    #[test]
    fn what_is_a_little_off_has_none() {
        for plate in [
            "",
            "А939НО1",
            "А939НО1966",
            "А939НО196\n",
            " А939НО196",
            "а939но196",
            "Ё939НО196",
            "A939HO196",
            "А1234АА7",
            "АА1234",
            "АА12345678",
            "123СД123",
            "123CD12",
            "123CD1234567",
            "123CDD123",
            "123Д1234",
            "CАА12345",
            "TАА1234",
            "А²39НО196",
            "😀😀😀",
            "АААААААААААААААААААААААААААААААА",
        ] {
            assert_eq!(template(plate), "unknown", "{plate}");
        }
    }
}
