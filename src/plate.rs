//! The shape of a plate: which of the country's templates it fits.

mod digits;

pub use digits::digit;

/// What a plate that fits no template is called.
pub const UNKNOWN: &str = "unknown";
const DIPLOMAT: &str = "lk_diplomat";

/// Shapes and their templates; the first that fits the whole plate counts. `L` is a letter А–Я, `9` a decimal digit of
/// any script, `T` and `C` are the letters of these forms, Latin or Cyrillic, `D` is the Latin letter, and `?` makes
/// the digit before it optional. That one name begins with a blank is as the model learnt it.
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

/// The template of a plate, `unknown` if it fits none.
#[must_use]
pub fn template(plate: &str) -> &'static str {
    let Some(plate) = Places::of(plate) else {
        return UNKNOWN;
    };
    SHAPES
        .iter()
        .find(|(shape, _)| shape.fits(&plate))
        .map_or(UNKNOWN, |&(_, name)| name)
}

/// Where characters of each kind stand. A kind has a field of bits: its bit `n` is place `n`.
#[derive(Clone, Copy, Debug)]
struct Places {
    length: usize,
    kinds: u64,
}

/// No shape is longer, in code points.
const MOST: usize = 11;
/// The first bit of each kind's field.
const DIGIT: u64 = 1;
const LETTER: u64 = 1 << MOST;
const TEE: u64 = 1 << (2 * MOST);
const CEE: u64 = 1 << (3 * MOST);
const DEE: u64 = 1 << (4 * MOST);
/// The first bits of all fields.
const FIRST: u64 = DIGIT | LETTER | TEE | CEE | DEE;

/// What a character is.
fn kinds(c: char) -> u64 {
    match c {
        '0'..='9' => DIGIT,
        'Т' => LETTER | TEE,
        'С' => LETTER | CEE,
        'А'..='Я' => LETTER,
        'T' => TEE,
        'C' => CEE,
        'D' => DEE,
        c if digit(c).is_some() => DIGIT,
        _ => 0,
    }
}

impl Places {
    const NONE: Places = Places {
        length: 0,
        kinds: 0,
    };

    /// The places of a plate; `None` if it is longer than any shape.
    fn of(plate: &str) -> Option<Places> {
        let mut places = Places::NONE;
        for c in plate.chars() {
            if places.length == MOST {
                return None;
            }
            places.kinds |= kinds(c) << places.length;
            places.length += 1;
        }
        Some(places)
    }
}

/// A shape, with all its optional digits, and the length without them.
struct Shape {
    least: usize,
    full: Places,
}

impl Shape {
    const fn new(text: &str) -> Shape {
        let text = text.as_bytes();
        let mut shape = Shape {
            least: 0,
            full: Places::NONE,
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

    /// Whether every place has what the shape asks for, optional digits as far as the plate goes.
    fn fits(&self, plate: &Places) -> bool {
        let reach = FIRST * ((1 << plate.length) - 1);
        (self.least..=self.full.length).contains(&plate.length)
            && self.full.kinds & reach & !plate.kinds == 0
    }
}

#[cfg(test)]
mod tests {
    use super::template;

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
