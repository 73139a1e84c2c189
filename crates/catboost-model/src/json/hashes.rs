//! Hashes in JSON: strings of digits, as CatBoost writes them, because many readers of JSON would round a
//! 64-bit number.
//!
//! ```text
//! ["7", 3, "9", 1]      two hashes, each with one number
//! ```

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::SerializeSeq,
};

use super::number::Float;

/// Flat list of hashes (as strings), each followed by its numbers. All have the same number of numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashed {
    pub(super) hashes: Vec<u64>,
    /// 32-bit integers or f32s: an f64 holds either.
    pub(super) numbers: Vec<f64>,
}

impl Hashed {
    /// Number of numbers per hash; 0 if there are no hashes.
    pub(super) fn width(&self) -> usize {
        self.numbers
            .len()
            .checked_div(self.hashes.len())
            .unwrap_or(0)
    }
}

impl Serialize for Hashed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let width = self.width();
        let mut list = serializer.serialize_seq(Some(self.hashes.len() + self.numbers.len()))?;
        for (place, hash) in self.hashes.iter().enumerate() {
            list.serialize_element(&format_args!("{hash}"))?;
            for &number in &self.numbers[place * width..][..width] {
                let whole = number as i64;
                if (whole as f64).to_bits() == number.to_bits() {
                    list.serialize_element(&whole)?;
                } else {
                    list.serialize_element(&Float(number as f32))?;
                }
            }
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Hashed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HashedVisitor)
    }
}

struct HashedVisitor;

impl<'de> Visitor<'de> for HashedVisitor {
    type Value = Hashed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of hashes (strings of digits), each before its numbers")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Hashed, E> {
        Ok(Hashed::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Hashed, A::Error> {
        let mut hashed = Hashed::default();
        let (mut width, mut begin) = (None, 0);
        // Called at the end of a hash's numbers: at the next hash, and at the end of the list.
        let mut ended = |begin: usize, end: usize| {
            if *width.get_or_insert(end - begin) == end - begin {
                return Ok(());
            }
            Err(de::Error::custom(
                "expected as many numbers after each hash",
            ))
        };
        while let Some(cell) = list.next_element()? {
            match cell {
                Cell::Hash(hash) => {
                    if !hashed.hashes.is_empty() {
                        ended(begin, hashed.numbers.len())?;
                    }
                    begin = hashed.numbers.len();
                    hashed.hashes.push(hash);
                }
                Cell::Number(_) if hashed.hashes.is_empty() => {
                    return Err(de::Error::custom("expected a hash before its numbers"));
                }
                Cell::Number(number) => hashed.numbers.push(number),
            }
        }
        if !hashed.hashes.is_empty() {
            ended(begin, hashed.numbers.len())?;
        }
        Ok(hashed)
    }
}

/// Hash, for `#[serde(with)]`.
pub(crate) mod hash {
    use super::{Cell, Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(hash: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(hash)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        match Cell::deserialize(from)? {
            Cell::Hash(hash) => Ok(hash),
            Cell::Number(number) => Err(de::Error::invalid_type(
                de::Unexpected::Float(number),
                &"a hash (a string of digits)",
            )),
        }
    }
}

/// Pairs (hash, identifier), for `#[serde(with)]`.
pub(crate) mod hash_ids {
    use super::{Deserialize, Deserializer, Hashed, Serialize, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(
        entries: &[(u64, u32)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let hashed = Hashed {
            hashes: entries.iter().map(|&(hash, _)| hash).collect(),
            numbers: entries.iter().map(|&(_, id)| id.into()).collect(),
        };
        hashed.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(u64, u32)>, D::Error> {
        let hashed = Hashed::deserialize(from)?;
        if hashed.width() > 1 || hashed.hashes.len() != hashed.numbers.len() {
            return Err(de::Error::custom("expected one identifier after each hash"));
        }
        let entry = |(hash, number): (u64, f64)| {
            let id = number as u32;
            (f64::from(id) == number).then_some((hash, id))
        };
        let entries = hashed.hashes.into_iter().zip(hashed.numbers).map(entry);
        entries
            .collect::<Option<_>>()
            .ok_or_else(|| de::Error::custom("an identifier is not a whole number of 32 bits"))
    }
}

enum Cell {
    Hash(u64),
    Number(f64),
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl Visitor<'_> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash (a string of digits) or a number")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Cell, E> {
        // JSON has no number for some sums of target values.
        match value {
            "inf" => return Ok(Cell::Number(f64::INFINITY)),
            "-inf" => return Ok(Cell::Number(f64::NEG_INFINITY)),
            "nan" => return Ok(Cell::Number(f64::NAN)),
            _ => {}
        }
        let hash = value.parse();
        hash.map(Cell::Hash)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Number(value as f64))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Number(value as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: sums that are not finite were written, and not read.
    #[test]
    fn sums_that_are_not_finite_read_back() {
        let text = r#"["7","-inf",3,"9","nan",1,"11","inf",5]"#;
        let hashed: Hashed = serde_json::from_str(text).expect("hashes and numbers");
        assert_eq!(hashed.hashes, [7, 9, 11]);
        let again = serde_json::to_string(&hashed).expect("memory can be written to");
        assert_eq!(again, text);
    }
}
